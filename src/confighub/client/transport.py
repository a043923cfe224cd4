"""One hub's API over HTTP: requests go out, decoded JSON or an error of ours comes back.

Connections are kept alive. Nothing is retried that the hub may already have
done: before a connection is used again we look whether the hub has closed it meanwhile.
Only the standard library is imported, because every command pays for what is imported here.
"""

from __future__ import annotations

import json
import sys
import threading
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from confighub.client.connection import Connection, Response, connect
from confighub.errors import (
    BadRequest,
    ConfigHubError,
    Conflict,
    Forbidden,
    Gated,
    NotFound,
    RetryLater,
    Unauthenticated,
)

if TYPE_CHECKING:
    from confighub.client.rehearsal import Rehearsable

Wire = dict[str, Any]
"""One JSON object as it travels, keyed in PascalCase."""

Query = Mapping[str, str]

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"

_BY_STATUS: dict[int, type[ConfigHubError]] = {
    400: BadRequest,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    405: BadRequest,
    409: Conflict,
    413: BadRequest,
    415: BadRequest,
    422: BadRequest,
    429: RetryLater,
    502: RetryLater,
    503: RetryLater,
    504: RetryLater,
}
_SLOW_S = 1.0
_LOG_IN = "log in: cub auth test-login NAME"


def basic(username: str, password: str) -> str:
    """Return the Authorization header of a user with a password."""
    return "Basic " + b64encode(f"{username}:{password}".encode()).decode()


def bearer(token: str) -> str:
    """Return the Authorization header of a token."""
    return f"Bearer {token}"


class Transport:
    """A hub at ``url`` (scheme, host and port), spoken to with one Authorization header.

    May be used from several threads: a connection carries one request at a time.
    """

    def __init__(self, url: str, authorization: str = "", *, timeout_s: float = 120.0, debug: bool = False) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadRequest(f"not the address of a hub: {url}", hint="CONFIGHUB_URL is like http://127.0.0.1:9090")
        self.url = f"{parts.scheme}://{parts.netloc}"
        self.authorization = authorization
        self.timeout_s = timeout_s
        self.debug = debug
        self._secure = parts.scheme == "https"
        self._address = (parts.hostname, parts.port or (443 if self._secure else 80))
        self.is_rehearsal = False
        """Whether requests that would change something are dry runs."""
        self._rehearsable: Rehearsable | None = None
        self.on_slow: Callable[[str], None] | None = None
        """Called with the request, from another thread, when an answer takes longer than a second."""
        self._idle: list[Connection] = []

    def request(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: object = None,
        *,
        content_type: str = JSON,
        at_root: bool = False,
    ) -> Any:
        """Return the decoded answer to a call of ``/api`` + ``path`` (of ``path`` when ``at_root``).

        Empty query values are left out. ``body`` is any JSON value; a body of None is not sent,
        ``{}`` is. Raises: RetryLater when the hub cannot be reached or is busy; else the error
        of ``confighub.errors`` that fits the status, with ``status`` and ``request_id`` set.
        """
        answer = self.request_bytes(method, path, query, body, content_type=content_type, at_root=at_root)
        if not answer:
            return None
        try:
            return json.loads(answer)
        except ValueError as error:
            raise ConfigHubError(
                f"{method} {path}: {self.url} answered something that is no JSON", hint="is this address a hub?"
            ) from error

    def request_bytes(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: object = None,
        *,
        content_type: str = JSON,
        at_root: bool = False,
    ) -> bytes:
        """Return the answer as it came; everything else is as in ``request``."""
        target = path if at_root else f"/api{path}"
        kept = {name: value for name, value in (query or {}).items() if value}
        if self.is_rehearsal and method != "GET":
            kept |= self._rehearsed(method, path)
        if kept:
            target = f"{target}?{urlencode(kept)}"
        payload = None if body is None else json.dumps(body).encode()
        headers = {"User-Agent": "cub", "Accept": JSON}
        if self.authorization:
            headers["Authorization"] = self.authorization
        if payload is not None:
            headers["Content-Type"] = content_type
        if self.debug:
            self._dump(f"> {method} {target}", payload)
        status, received, answer = self._exchange(method, target, payload, headers)
        request_id = received.get("x-request-id", "")
        if self.debug:
            self._dump(f"< {status} {request_id}", answer)
        if status in (200, 201, 204, 207):
            return answer
        raise _failure(status, request_id, answer)

    def close(self) -> None:
        """Close the idle connections; the next request opens another."""
        while self._idle:
            self._idle.pop().close()

    def __del__(self) -> None:
        # absent when the constructor refused the address
        if hasattr(self, "_idle"):
            self.close()

    def _exchange(self, method: str, target: str, payload: bytes | None, headers: dict[str, str]) -> Response:
        connection = self._take()
        patience = self._patience(f"{method} {target.partition('?')[0]}")
        try:
            response = connection.exchange(method, target, headers, payload)
        except OSError as error:
            connection.close()
            raise self._unreachable(error) from error
        except BaseException:
            # half an answer may be left on it, as after Ctrl-C
            connection.close()
            raise
        finally:
            if patience is not None:
                patience.cancel()
        self._idle.append(connection)
        return response

    def _rehearsed(self, method: str, path: str) -> Query:
        """Return what makes the request a dry run; raises BadRequest when the hub would not honour it."""
        from confighub.client import rehearsal

        if not rehearsal.is_everywhere(method, path):
            if self._rehearsable is None:
                self._rehearsable = rehearsal.asked(self)
            rehearsal.check(self._rehearsable, method, path)
        return {rehearsal.DRY_RUN: "true"}

    def _patience(self, request: str) -> threading.Timer | None:
        """Start the time after which a caller who wants to know is told that the hub is slow."""
        if self.on_slow is None:
            return None
        timer = threading.Timer(_SLOW_S, self.on_slow, [request])
        timer.daemon = True
        timer.start()
        return timer

    def _take(self) -> Connection:
        """Return an idle connection that the hub still holds open, else a new one."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_quiet():
                return connection
            connection.close()
        host, port = self._address
        try:
            return connect(host, port, is_secure=self._secure, timeout_s=self.timeout_s)
        except OSError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: OSError) -> RetryLater:
        reason = error.strerror or str(error) or type(error).__name__
        return RetryLater(
            f"no answer from the hub at {self.url}: {reason.lower()}",
            hint="start one with `bin/up` or `confighub serve`, or set CONFIGHUB_URL",
        )

    def _dump(self, line: str, body: bytes | None) -> None:
        print(line, file=sys.stderr)
        if body:
            print(body.decode("utf-8", "replace"), file=sys.stderr)


def _failure(status: int, request_id: str, answer: bytes) -> ConfigHubError:
    """Return the error that fits the status, with the hub's own words where it gave some."""
    try:
        body = json.loads(answer)
    except ValueError:
        body = None
    said = body if isinstance(body, dict) else {}
    message = str(said.get("Message") or f"the hub answered HTTP {status}")
    hint = str(said.get("Hint") or (_LOG_IN if status == 401 and "cub auth" not in message else ""))
    gates = said.get("Gates")
    error: ConfigHubError
    if isinstance(gates, list) and gates:
        error = Gated(message, gates=[str(gate) for gate in gates], hint=hint)
    else:
        details = said.get("Details")
        lines = [str(line) for line in details] if isinstance(details, list) else []
        error = _BY_STATUS.get(status, ConfigHubError)(message, hint=hint, details=lines)
    error.status, error.request_id = status, request_id
    return error
