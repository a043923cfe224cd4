"""trade-feed: publish and subscribe by Socket.IO, WebSocket or server-sent events; a page to watch.

It knows nothing of trades and keeps nothing on disk. There is one of it in an environment: two
would each reach only their own subscribers.
"""

from __future__ import annotations

from importlib.resources import files

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route, WebSocketRoute

from traderx.services.platform.environment import Environment
from traderx.services.platform.metrics import Metrics
from traderx.services.platform.service import Service
from traderx.services.trade_feed.plain import PlainOutlet
from traderx.services.trade_feed.socket_io import SocketIoOutlet
from traderx.services.trade_feed.topics import Feed


def build(environment: Environment, metrics: Metrics) -> Service:
    """Return the service with nobody connected."""
    feed = Feed(metrics)
    plain = PlainOutlet(feed)
    socket_io = SocketIoOutlet(feed, allowed_origins=environment.variables.get("CORS_ALLOWED_ORIGINS", "*"))
    feed.outlets += [socket_io, plain]
    connections = metrics.gauge("traderx_feed_connections", "Connections to the feed")
    connections.set_function(lambda: float(socket_io.connections() + plain.connections()))
    page = files(__package__).joinpath("inspector.html").read_text("utf-8")

    async def inspector(_request: Request) -> Response:
        """Show every message as it passes."""
        return HTMLResponse(page)

    async def clients(_request: Request) -> Response:
        """Tell which programs are connected, and how often."""
        return JSONResponse(
            {"clients": socket_io.clients(), "connections": socket_io.connections() + plain.connections()}
        )

    routes: list[Route | WebSocketRoute] = [Route("/", inspector), Route("/api/feed/clients", clients)]
    for prefix in ("", "/api/feed"):
        routes += [
            WebSocketRoute(f"{prefix}/ws", plain.websocket),
            Route(f"{prefix}/events", plain.events),
            Route(f"{prefix}/publish", plain.post, methods=["POST"]),
        ]
    return Service(
        routes=routes,
        wrap=socket_io.around,
        on_stopping=plain.end_all,
        has_websockets=True,
        has_own_front_page=True,
    )
