"""The services behind the GUI, reached through its own address.

A browser, or a FINOS program, needs one origin only: the seed's ``/api/…`` paths go on as they
are, the FINOS prefixes are taken off, ``/socket.io`` is part of its protocol and stays.
Bodies and answers are streamed, WebSockets passed through.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from traderx.services.platform.http_client import HttpClient, unreachable
from traderx.services.platform.tracing import current_traceparent

if TYPE_CHECKING:
    import aiohttp
    from yarl import URL

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 2.5
# Socket.IO's long polls are silent for 25 s, our event streams for 15 s.
SILENCE_LIMIT_S = 60.0
SERVICE_RESTART = 1012

Handler = Callable[[Request], Awaitable[Response]]

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]

# Of one connection, not of the message (RFC 9110 §7.6.1), or written anew by us.
_NOT_FORWARDED = frozenset(
    {
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer",
        "transfer-encoding", "upgrade", "host", "date", "server", "traceparent", "x-trace-id",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Behind:
    """One path prefix and the service behind it; ``strips`` takes the prefix off."""

    prefix: str
    service: str
    strips: bool = False


ROUTES: tuple[Behind, ...] = (
    Behind("/api/trades", "trade-service"),
    Behind("/api/positions", "position-service"),
    Behind("/api/reference-data", "reference-data"),
    Behind("/api/securities", "reference-data"),
    Behind("/api/accounts", "account-service"),
    Behind("/api/account-users", "account-service"),
    Behind("/api/people", "people-service"),
    Behind("/api/feed", "trade-feed"),
    Behind("/socket.io", "trade-feed"),
    Behind("/reference-data", "reference-data", strips=True),
    Behind("/people-service", "people-service", strips=True),
    Behind("/account-service", "account-service", strips=True),
    Behind("/position-service", "position-service", strips=True),
    Behind("/trade-service", "trade-service", strips=True),
    Behind("/trade-processor", "trade-processor", strips=True),
    Behind("/trade-feed", "trade-feed", strips=True),
)
"""Which service answers which paths."""


class Proxy:
    """Passes requests on to the services at ``urls``."""

    def __init__(self, http: HttpClient, urls: Mapping[str, str]) -> None:
        self._http, self._urls = http, urls

    def routes(self) -> list[BaseRoute]:
        """Return the routes of everything behind the GUI."""
        return [route for behind in ROUTES for route in self._routes_of(behind)]

    def forward_to(self, service: str, path: str) -> Route:
        """Return a route that passes POSTs of one path on as they are."""
        return Route(path, self._handler(Behind(path, service)), methods=["POST"])

    def _routes_of(self, behind: Behind) -> Iterable[BaseRoute]:
        handler = self._handler(behind)

        async def pass_socket(socket: WebSocket) -> None:
            await self._pass_socket(socket, behind)

        for path in (behind.prefix, behind.prefix + "/{rest:path}"):
            yield Route(path, handler, methods=METHODS)
            if behind.service == "trade-feed":
                yield WebSocketRoute(path, pass_socket)

    def _handler(self, behind: Behind) -> Handler:
        async def pass_request(request: Request) -> Response:
            return await self._pass_request(request, behind)

        pass_request.__doc__ = f"Pass on to {behind.service}."
        return pass_request

    def _target(self, connection: HTTPConnection, behind: Behind) -> URL:
        from yarl import URL

        # The path as it was sent: escapes and the trailing slash belong to the service.
        path = connection.scope["raw_path"].decode("latin-1").partition("?")[0]
        if behind.strips:
            path = path[len(behind.prefix) :] or "/"
        query = connection.scope["query_string"].decode("latin-1")
        return URL(f"{self._urls[behind.service]}{path}{'?' + query if query else ''}", encoded=True)

    async def _pass_request(self, request: Request, behind: Behind) -> Response:
        import aiohttp

        session = await self._http.session()
        has_body = "content-length" in request.headers or "transfer-encoding" in request.headers
        try:
            answer = await session.request(
                request.method,
                self._target(request, behind),
                headers=_headers_to_service(request),
                data=request.stream() if has_body else None,
                allow_redirects=False,
                skip_auto_headers=("Accept", "User-Agent", "Content-Type"),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=SILENCE_LIMIT_S),
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise unreachable(behind.service, self._urls[behind.service], error) from error
        response = StreamingResponse(_body(answer), answer.status)
        response.raw_headers = _headers_to_caller(answer)
        return response

    async def _pass_socket(self, socket: WebSocket, behind: Behind) -> None:
        import aiohttp

        session = await self._http.session()
        try:
            service = await session.ws_connect(
                self._target(socket, behind),
                protocols=socket.scope.get("subprotocols", ()),
                headers={"traceparent": current_traceparent()},
                max_msg_size=0,
                timeout=aiohttp.ClientWSTimeout(ws_close=CONNECT_TIMEOUT_S),
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("feed not reachable", extra={"reason": str(error)})
            await socket.close(SERVICE_RESTART)
            return
        async with service:
            await socket.accept(subprotocol=service.protocol)
            await _talk(socket, service)


async def _talk(socket: WebSocket, service: aiohttp.ClientWebSocketResponse) -> None:
    """Carry frames both ways until either side ends."""
    ways = [asyncio.ensure_future(_to_service(socket, service)), asyncio.ensure_future(_to_caller(socket, service))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        if socket.application_state is WebSocketState.CONNECTED and socket.client_state is WebSocketState.CONNECTED:
            await socket.close(SERVICE_RESTART)


async def _to_service(socket: WebSocket, service: aiohttp.ClientWebSocketResponse) -> None:
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            if message.get("text") is not None:
                await service.send_str(message["text"])
            else:
                await service.send_bytes(message["bytes"])


async def _to_caller(socket: WebSocket, service: aiohttp.ClientWebSocketResponse) -> None:
    async for frame in service:
        if isinstance(frame.data, str):
            await socket.send_text(frame.data)
        elif isinstance(frame.data, bytes):
            await socket.send_bytes(frame.data)


async def _body(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    async with answer:
        async for chunk in answer.content.iter_any():
            yield chunk


def _headers_to_service(request: Request) -> list[tuple[str, str]]:
    kept = [(name, value) for name, value in request.headers.items() if name not in _NOT_FORWARDED]
    client = request.client.host if request.client else ""
    forwarded = {
        "traceparent": current_traceparent(),
        "x-forwarded-host": request.headers.get("x-forwarded-host") or request.headers.get("host", ""),
        "x-forwarded-for": ", ".join(filter(None, [request.headers.get("x-forwarded-for", ""), client])),
    }
    return [(name, value) for name, value in kept if name not in forwarded] + list(forwarded.items())


def _headers_to_caller(answer: aiohttp.ClientResponse) -> list[tuple[bytes, bytes]]:
    return [
        (name.lower(), value)
        for name, value in answer.raw_headers
        # Our own answers say what other origins may do; twice is refused by browsers.
        if (text := name.decode("latin-1").lower()) not in _NOT_FORWARDED and not text.startswith("access-control-")
    ]
