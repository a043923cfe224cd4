"""One request, or one WebSocket, carried to a replica and its answer back, unchanged but for the hop.

Bodies are streamed both ways and never decoded. Another replica is tried when one cannot be connected
to; once a byte has been sent nothing is repeated.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from types import TracebackType

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from confighub.runtime import background
from confighub.runtime.addresses import Endpoint
from confighub.runtime.forwarding import Target
from confighub.runtime.replicas import Replica
from confighub.runtime.services import ServicePool

CONNECT_TIMEOUT_S = 5.0
SERVICE_RESTART = 1012  # RFC 6455 registry: the client may connect again at once
# RFC 9110, 7.6.1, and what the two sides agree on by themselves.
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_WEBSOCKET = frozenset(f"sec-websocket-{part}" for part in ("key", "version", "extensions", "protocol", "accept"))
_REPEATABLE = frozenset(("GET", "HEAD", "OPTIONS"))
_Messages = aiohttp.ClientWebSocketResponse | web.WebSocketResponse


class Visit:
    """A request's stay at a replica; ``on_release`` is what to do when the replica wants to stop."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self.on_release: Callable[[], None] | None = None

    def __enter__(self) -> Visit:
        self._replica.users.enter(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()

    def leave(self) -> None:
        """Stop counting as a user; the replica may end while this goes on."""
        self._replica.users.leave(self)

    def release(self) -> None:
        """Wait for the response, unless it is one that never ends."""
        if self.on_release:
            self.on_release()


class Carrier:
    """Connections to replicas, shared by every ingress."""

    def __init__(self) -> None:
        # A kept connection may be closed by the replica just when it is used again. aiohttp repeats what is
        # safe to repeat; everything else gets a connection of its own, which costs little on one machine.
        self._kept = _session(aiohttp.TCPConnector(limit=0, keepalive_timeout=4.0))
        self._fresh = _session(aiohttp.TCPConnector(limit=0, force_close=True))

    async def close(self) -> None:
        """Close every connection."""
        await self._kept.close()
        await self._fresh.close()

    async def carry(
        self, request: web.BaseRequest, pool: ServicePool, path: str, *, read_timeout_s: float
    ) -> web.StreamResponse:
        """Answer the request from one of the pool's replicas: 503 without one, 502 and 504 when it fails."""
        is_websocket = request.headers.get("Upgrade", "").lower() == "websocket"
        avoid: set[Endpoint] = set()
        while target := pool.pick(request.remote or "", avoid):
            try:
                with Visit(target.replica) as visit:
                    url = URL(f"http://{target.endpoint}{path}", encoded=True)
                    if is_websocket:
                        return await self._websocket(request, url, visit)
                    return await self._plain(request, url, visit, read_timeout_s)
            except aiohttp.ClientConnectorError:
                avoid.add(target.endpoint)
            except aiohttp.WSServerHandshakeError as error:
                return web.Response(status=error.status, text=f"{error.message}\n")
            except TimeoutError:
                return web.Response(status=504, text="the service did not answer in time\n")
            except aiohttp.ClientError as error:
                return web.Response(status=502, text=f"the service broke off: {_shown(error, target)}\n")
        if avoid:
            return web.Response(status=502, text="no replica of the service can be connected to\n")
        return web.Response(status=503, text="the service has no ready replica\n")

    async def _plain(
        self, request: web.BaseRequest, url: URL, visit: Visit, read_timeout_s: float
    ) -> web.StreamResponse:
        session = self._kept if request.method in _REPEATABLE else self._fresh
        async with session.request(
            request.method,
            url,
            headers=_to_service(request),
            data=request.content if request.can_read_body else None,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=read_timeout_s),
        ) as upstream:
            answer = web.StreamResponse(
                status=upstream.status, reason=upstream.reason, headers=_to_client(upstream.headers)
            )
            if upstream.content_type == "text/event-stream":
                visit.on_release = visit.leave
            await answer.prepare(request)
            try:
                async for chunk in upstream.content.iter_any():
                    await answer.write(chunk)
            except (aiohttp.ClientError, TimeoutError):
                # The status is out already; a cut connection is the only way left to say it.
                if request.transport:
                    request.transport.abort()
                return answer
            except ConnectionResetError:
                return answer
            await answer.write_eof()
            return answer

    async def _websocket(self, request: web.BaseRequest, url: URL, visit: Visit) -> web.StreamResponse:
        offered = [
            part.strip() for part in request.headers.get("Sec-WebSocket-Protocol", "").split(",") if part.strip()
        ]
        headers = _to_service(request)
        for name in _WEBSOCKET:
            headers.popall(name, None)
        async with self._fresh.ws_connect(
            url, protocols=offered, headers=headers, autoclose=False, autoping=False, max_msg_size=0
        ) as service:
            chosen = [service.protocol] if service.protocol else []
            client = web.WebSocketResponse(
                protocols=chosen, autoclose=False, autoping=False, max_msg_size=0, compress=False
            )
            await client.prepare(request)
            visit.on_release = lambda: _close_soon(client, service, visit)
            await _join(client, service)
            return client


def _session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
    )


def _to_service(request: web.BaseRequest) -> CIMultiDict[str]:
    """Return the headers for the replica: the client's, and where the request came from."""
    dropped = _HOP_BY_HOP | _named_by_connection(request.headers.get("Connection", ""))
    headers = CIMultiDict((name, value) for name, value in request.headers.items() if name.lower() not in dropped)
    client = request.remote or ""
    before = request.headers.get("X-Forwarded-For")
    headers["X-Forwarded-For"] = f"{before}, {client}" if before else client
    headers["X-Real-IP"] = client
    headers["X-Forwarded-Proto"] = "https" if request.secure else "http"
    headers["X-Forwarded-Host"] = request.host
    return headers


def _to_client(headers: aiohttp.typedefs.LooseHeaders) -> CIMultiDict[str]:
    given = CIMultiDict(headers)
    dropped = _HOP_BY_HOP | _named_by_connection(given.get("Connection", ""))
    kept = CIMultiDict((name, value) for name, value in given.items() if name.lower() not in dropped)
    kept.setdefault("Server", "confighub-ingress")  # else aiohttp adds its own name and version
    return kept


def _named_by_connection(value: str) -> frozenset[str]:
    return frozenset(part.strip().lower() for part in value.split(",") if part.strip())


async def _join(client: _Messages, service: _Messages) -> None:
    """Pass messages both ways until one side has closed, then close the other."""
    pumps = [asyncio.create_task(_pump(client, service)), asyncio.create_task(_pump(service, client))]
    try:
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        for side in (client, service):
            if not side.closed:
                await side.close()


async def _pump(source: _Messages, sink: _Messages) -> None:
    sends: dict[aiohttp.WSMsgType, Callable[..., Awaitable[object]]] = {
        aiohttp.WSMsgType.TEXT: sink.send_str,
        aiohttp.WSMsgType.BINARY: sink.send_bytes,
        aiohttp.WSMsgType.PING: sink.ping,
        aiohttp.WSMsgType.PONG: sink.pong,
    }
    with contextlib.suppress(ConnectionResetError):
        while True:
            message = await source.receive()
            if send := sends.get(message.type):
                await send(message.data)
            elif message.type is aiohttp.WSMsgType.CLOSE:
                await sink.close(code=message.data or aiohttp.WSCloseCode.OK, message=(message.extra or "").encode())
                return
            else:
                return


def _close_soon(client: _Messages, service: _Messages, visit: Visit) -> None:
    async def close() -> None:
        await client.close(code=SERVICE_RESTART, message=b"service restart")
        await service.close(code=SERVICE_RESTART)
        visit.leave()

    background.start(close(), name="close a websocket")


def _shown(error: Exception, target: Target) -> str:
    return f"{type(error).__name__} at {target.endpoint}"
