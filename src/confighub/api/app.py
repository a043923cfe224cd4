"""The ASGI application of the API: from a request to its route, its caller, its answer.

Use cases are synchronous and run in a pool of threads. Whatever happens inside, the answer is
JSON with a request id, and never a traceback.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from sqlalchemy.exc import OperationalError

from confighub.api import auth
from confighub.api.call import Answer, Call
from confighub.api.failures import failure, status_of
from confighub.api.routing import DRY_RUN, JSON, MethodNotAllowed, Route, Router
from confighub.api.stream import Streams
from confighub.errors import BadRequest, ConfigHubError, RetryLater, Unauthenticated
from confighub.hub.hub import Hub
from confighub.hub.retrying import repeated
from confighub.records.base import to_wire

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MAX_BODY_BYTES = 32 * 1024 * 1024
"""More than any configuration; less than what would hurt the process."""

THREADS = 12
"""Use cases at a time: the store has 8 to 16 readers and one writer."""

log = logging.getLogger("confighub.api")


class ClientGone(Exception):
    """The client closed the connection before its request was complete."""


@dataclass(frozen=True)
class Result:
    """An encoded answer."""

    status: int
    body: bytes
    media_type: str = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


class Api:
    """The API of one hub. ``stop`` ends its streams, so that the server can."""

    def __init__(self, hub: Hub, routes: Iterable[Route]) -> None:
        self.hub = hub
        self.router = Router(routes)
        self.threads = ThreadPoolExecutor(THREADS, thread_name_prefix="usecase")
        self.streams = Streams(hub, self.threads)
        self._active = 0
        self._idle = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        if scope["type"] != "http":
            return
        request_id = secrets.token_hex(8)
        self._active += 1
        self._idle.clear()
        try:
            await self._serve(scope, receive, send, request_id)
        except ClientGone:
            pass
        finally:
            self._active -= 1
            if not self._active:
                self._idle.set()

    async def stop(self) -> None:
        """End the streams and wait for the requests under way."""
        await self.streams.stop()
        while self._active:
            await self._idle.wait()

    async def _serve(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        method, path = scope["method"], scope["path"]
        try:
            route, parameters = self.router.find(method, path)
            body = await _body(receive)
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
            prepared = route, parameters, scope, headers, body
            if route.is_stream:
                call = await self._in_thread(self._call, *prepared)
                await self.streams.serve(call, receive, send, request_id)
                return
            result = await self._in_thread(lambda: _answer(route, self._call(*prepared)))
        except Exception as error:
            result = _failed(error, method, path, request_id)
        await _send(send, result, request_id)

    async def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self.threads, function, *arguments)

    def _call(
        self, route: Route, parameters: dict[str, str], scope: Scope, headers: dict[str, str], body: bytes
    ) -> Call:
        user_agent = headers.get("user-agent", "")
        shown = auth.shown(route, headers)
        caller = auth.authenticate(self.hub, route, parameters, shown, user_agent)
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        ip_address = scope["client"][0] if scope.get("client") else ""
        return Call(self.hub, caller, route.method, parameters, query, body, ip_address)


def _answer(route: Route, call: Call) -> Result:
    if route.has_rehearsal and call.flag(DRY_RUN):
        with call.hub.rehearsal():
            answer = repeated(lambda: route.handler(call))
    else:
        answer = repeated(lambda: route.handler(call))
    if not isinstance(answer, Answer):
        return Result(200, to_wire(answer))
    body = answer.body if isinstance(answer.body, bytes) else to_wire(answer.body)
    return Result(answer.status, body, answer.media_type, answer.headers)


def _failed(error: Exception, method: str, path: str, request_id: str) -> Result:
    """Return the error as an answer; what nobody expected goes to the log with its traceback."""
    if isinstance(error, ClientGone):
        raise error
    if isinstance(error, OperationalError) and "locked" in str(error.orig):
        error = RetryLater("the store is busy", hint="try again")
    if not isinstance(error, ConfigHubError):
        log.error("%s %s failed, request %s", method, path, request_id, exc_info=error)
        error = ConfigHubError("something went wrong inside the hub", hint=f"its log tells more: request {request_id}")
    status = status_of(error, method)
    headers: tuple[tuple[bytes, bytes], ...] = ()
    if isinstance(error, Unauthenticated):
        headers = ((b"www-authenticate", b'Basic realm="confighub", charset="UTF-8"'),)
    if isinstance(error, MethodNotAllowed):
        headers = ((b"allow", ", ".join(error.allowed).encode()),)
    return Result(status, to_wire(failure(error, status)), headers=headers)


async def _body(receive: Receive) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise BadRequest(f"the body is larger than {MAX_BODY_BYTES // 1024 // 1024} MiB")
        chunks.append(chunk)
        if not message.get("more_body"):
            return b"".join(chunks)


async def _send(send: Send, result: Result, request_id: str) -> None:
    headers = [
        (b"content-type", result.media_type.encode()),
        (b"content-length", str(len(result.body)).encode()),
        (b"x-request-id", request_id.encode()),
        *result.headers,
    ]
    await send({"type": "http.response.start", "status": result.status, "headers": headers})
    await send({"type": "http.response.body", "body": result.body})
