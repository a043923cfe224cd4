"""Calls to one API server: what it serves, objects in and out, and the stream of their changes.

A refusal is an Answer, since callers decide by it; only what may work soon is raised, after patience.
Source: the Kubernetes API conventions (Status, discovery, watch, server-side apply).
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import aiohttp
import msgspec

from confighub.client.kubeconfig import Access
from confighub.errors import Forbidden, NotFound, RetryLater
from confighub.worker.documents import Manifest

MANAGER = "confighub"
"""The field manager of all that this worker writes."""

APPLY, JSON_PATCH = "application/apply-patch+yaml", "application/json-patch+json"
_TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"
_CALL_S = 30.0
# The server sends a bookmark about once a minute; a connection silent for longer is dead.
_SILENCE_S = 150.0
_WATCH_S = 290
_AT_ONCE = 16
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 2.0
# A server that is overloaded or restarting, as opposed to one that has understood and refuses.
_BUSY = frozenset({408, 429, 502, 503, 504})
# A type that does not fit is answered with 500, so these cannot all be waited out.
_TRIES_OF_500 = 3
_PAGE = 500
# A group of an aggregated server that does not answer in this time is as good as absent.
_GROUP_S = 3.0
_LOG = logging.getLogger("confighub.worker")


@dataclass(frozen=True)
class Resource:
    """One kind as the server offers it; ``group_version`` as in apiVersion."""

    group_version: str
    kind: str
    plural: str
    is_namespaced: bool
    verbs: tuple[str, ...] = ()

    def path(self, namespace: str = "", name: str = "") -> str:
        """Return the path of one object, or of all in the namespace, or of all."""
        root = f"/apis/{self.group_version}" if "/" in self.group_version else f"/api/{self.group_version}"
        within = f"/namespaces/{namespace}" if self.is_namespaced and namespace else ""
        return f"{root}{within}/{self.plural}" + (f"/{name}" if name else "")


@dataclass(frozen=True)
class Answer:
    """What the server said: an object, or a Status that tells why not."""

    status: int
    body: Manifest

    @property
    def is_good(self) -> bool:
        """True for 2xx."""
        return 200 <= self.status < 300

    @property
    def message(self) -> str:
        """The server's own words."""
        return str(self.body.get("message", ""))

    @property
    def causes(self) -> list[Manifest]:
        """The single reasons, each with reason, message and field."""
        return list((self.body.get("details") or {}).get("causes") or [])


class Api:
    """One API server."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self._session: aiohttp.ClientSession | None = None
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._served: dict[str, dict[str, Resource]] = {}

    async def close(self) -> None:
        """Close all connections."""
        if self._session:
            await self._session.close()
            # Aborted connections are let go of in the next turns of the loop.
            for _ in range(3):
                await asyncio.sleep(0)

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str] | None = None,
        content: str = "application/json",
        accept: str = "application/json",
        patience_s: float = _CALL_S,
    ) -> Answer:
        """Return the server's answer; calls are patient with a busy or restarting server.

        Raises: RetryLater when it does not answer in time.
        """
        deadline, pause_s, failures = time.monotonic() + patience_s, _FIRST_PAUSE_S, 0
        data = None if body is None else msgspec.json.encode(body)
        while True:
            asked_s = 0.0
            try:
                async with self._turns:
                    answer, asked_s = await self._once(method, path, data, query or {}, content, accept)
                if answer.status == 500:
                    failures += 1
                if answer.status not in _BUSY and not (answer.status == 500 and failures < _TRIES_OF_500):
                    return answer
                why = f"{answer.status} {answer.message}"
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                why = str(error) or type(error).__name__
            wait_s = max(asked_s, pause_s * random.uniform(0.7, 1.3))  # noqa: S311 - spreads callers, no secret
            if time.monotonic() + wait_s > deadline:
                raise RetryLater(f"the API server {self.access.server} does not answer ({method} {path}): {why}")
            await asyncio.sleep(wait_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    async def resource(self, api_version: str, kind: str, *, patience_s: float = _CALL_S) -> Resource | None:
        """Return how the server offers the kind, None when it does not (yet).

        Raises: RetryLater when it does not say.
        """
        found = self._served.get(api_version, {}).get(kind)
        if found is None:
            root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
            answer = await self.call("GET", root, patience_s=patience_s)
            if answer.status != 404:
                self._must_say(answer, root)
            self._served[api_version] = {
                one["kind"]: Resource(api_version, one["kind"], one["name"], one["namespaced"], tuple(one["verbs"]))
                for one in answer.body.get("resources") or []
                if "/" not in one["name"]
            }
            found = self._served[api_version].get(kind)
        return found

    async def all_resources(self) -> list[Resource]:
        """Return every kind of the server, each in the version it prefers.

        A group whose own server is down is left out: nobody should wait for a metrics server to apply a unit.
        Raises: RetryLater when the server does not say which groups there are.
        """
        found: list[Resource] = []
        answered = await self.call("GET", "/apis")
        self._must_say(answered, "/apis")
        groups = answered.body.get("groups") or []
        versions = ["v1", *(group["preferredVersion"]["groupVersion"] for group in groups)]
        asked = (self.resource(version, "", patience_s=_GROUP_S) for version in versions)
        for answer in await asyncio.gather(*asked, return_exceptions=True):
            if isinstance(answer, BaseException):
                _LOG.info("a group is left out: %s", answer)
        for version in versions:
            found += self._served.get(version, {}).values()
        return found

    def _must_say(self, answer: Answer, path: str) -> None:
        """Raise RetryLater for a refusal: it does not say that a kind is not served."""
        if not answer.is_good:
            raise RetryLater(
                f"the API server {self.access.server} does not say what it serves at {path}: "
                f"{answer.status} {answer.message}"
            )

    def forget(self, api_version: str) -> None:
        """Ask again what the server offers in this version."""
        self._served.pop(api_version, None)

    async def listed(self, resource: Resource, namespace: str, selector: str = "") -> tuple[list[Manifest], str]:
        """Return the objects and the version of the whole list, read page by page.

        Raises: NotFound for a kind that is gone; Forbidden for one that may not be listed; RetryLater for everything
        else that stands in the way.
        """
        items: list[Manifest] = []
        more = ""
        while True:
            query = {"limit": str(_PAGE), "labelSelector": selector, "continue": more}
            answer = await self.call("GET", resource.path(namespace), query={k: v for k, v in query.items() if v})
            if answer.status == 410 and more:
                items, more = [], ""  # the pages are of a state that the server no longer has
                continue
            if not answer.is_good:
                kind = {403: Forbidden, 404: NotFound}.get(answer.status, RetryLater)
                raise kind(f"{resource.plural} cannot be listed: {answer.status} {answer.message}")
            metadata = answer.body.get("metadata") or {}
            # In lists the server leaves these two out of the items.
            own = {"apiVersion": resource.group_version, "kind": resource.kind}
            items += [own | item for item in answer.body.get("items") or []]
            more = str(metadata.get("continue") or "")
            if not more:
                return items, str(metadata.get("resourceVersion", ""))

    async def names(self, path: str, *, at_most: int) -> frozenset[str] | None:
        """Return the names of all objects at the path, None when there are more or the server does not list them."""
        # Of all forms of a list the table alone leaves out labels, annotations and who manages what.
        query = {"limit": str(at_most), "includeObject": "None"}
        answer = await self.call("GET", path, query=query, accept=_TABLE)
        columns = answer.body.get("columnDefinitions") or []
        place = next((at for at, column in enumerate(columns) if column.get("format") == "name"), None)
        if not answer.is_good or place is None or (answer.body.get("metadata") or {}).get("continue"):
            return None
        return frozenset(str(row["cells"][place]) for row in answer.body.get("rows") or [])

    async def events(
        self, resource: Resource, namespace: str, selector: str, since: str
    ) -> AsyncIterator[tuple[str, Manifest]]:
        """Yield changes after the version, as type and object, until the server ends the stream.

        A Status that ends it (410 for a version too old) comes as type ERROR.
        Raises: RetryLater when the connection breaks.
        """
        query = {"watch": "1", "allowWatchBookmarks": "true", "resourceVersion": since}
        query |= {"timeoutSeconds": str(_WATCH_S)} | ({"labelSelector": selector} if selector else {})
        timeout = aiohttp.ClientTimeout(total=None, connect=_CALL_S, sock_read=_SILENCE_S)
        try:
            async with self._open().get(
                self.access.server + resource.path(namespace),
                params=query,
                headers=self._headers(),
                timeout=timeout,
                ssl=self.access.tls or True,
                server_hostname=self.access.server_name,
            ) as answer:
                if answer.status != 200:
                    yield "ERROR", _decoded(await answer.read(), answer.status)
                    return
                try:
                    async for line in _lines(answer):
                        event = msgspec.json.decode(line)
                        yield str(event.get("type")), event.get("object") or {}
                finally:
                    # A watch that is left early would otherwise go on until the server noticed.
                    if answer.connection and answer.connection.transport:
                        answer.connection.transport.abort()
        except (aiohttp.ClientError, TimeoutError, OSError, msgspec.DecodeError) as error:
            raise RetryLater(f"the watch of {resource.plural} broke: {error or type(error).__name__}") from error

    async def _once(
        self, method: str, path: str, data: bytes | None, query: Mapping[str, str], content: str, accept: str
    ) -> tuple[Answer, float]:
        headers = self._headers() | {"Accept": accept} | ({"Content-Type": content} if data is not None else {})
        async with self._open().request(
            method,
            self.access.server + path,
            params=query,
            data=data,
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=_CALL_S),
            ssl=self.access.tls or True,
            server_hostname=self.access.server_name,
        ) as answer:
            body = _decoded(await answer.read(), answer.status)
            asked = answer.headers.get("Retry-After", "")
            return Answer(answer.status, body), float(asked) if asked.isdigit() else 0.0

    def _headers(self) -> dict[str, str]:
        token = self.access.token.now()
        headers = {"Accept": "application/json", "User-Agent": "confighub-worker"}
        return headers | ({"Authorization": f"Bearer {token}"} if token else {})

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            # Watches hold their connections; calls are counted by turns.
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
            self._session = aiohttp.ClientSession(connector=connector, trust_env=False)
        return self._session


async def _lines(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Yield lines of any length; objects may be larger than a stream's own limit."""
    rest = b""
    async for chunk in answer.content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                yield line


def _decoded(content: bytes, status: int) -> Manifest:
    try:
        found = msgspec.json.decode(content or b"{}")
    except msgspec.DecodeError:
        found = {"message": content[:300].decode(errors="replace")}
    if not isinstance(found, dict):
        found = {"message": str(found)}
    return {"code": status, **found} if status >= 400 else found
