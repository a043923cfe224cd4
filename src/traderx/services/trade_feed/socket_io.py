"""Socket.IO 4 at /socket.io/: the way of the FINOS programs.

Events: ``subscribe`` and ``unsubscribe`` (also in the original's spelling ``unusbscribe``) with a
topic, ``publish`` with topic, type and payload. Ours beside them: ``replay`` answers the held
messages of a topic, and ``publish`` is acknowledged when the publisher asks for it.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from urllib.parse import parse_qs

import socketio
from starlette.types import ASGIApp

from traderx.services.platform.tracing import continue_trace, enter
from traderx.services.trade_feed.topics import Envelope, Feed, Publication, is_topic, read_publication

log = logging.getLogger(__name__)

PATH = "socket.io"
PUBLISH = "publish"
# Seconds; the client library's own defaults, which the FINOS programs live with.
PING_INTERVAL_S = 25
PING_TIMEOUT_S = 20


class SocketIoOutlet:
    """The subscribers that are connected by Socket.IO."""

    def __init__(self, feed: Feed, *, allowed_origins: str) -> None:
        self._feed = feed
        origins: str | list[str] = allowed_origins if allowed_origins == "*" else allowed_origins.split(",")
        self._server = socketio.AsyncServer(
            async_mode="asgi",
            cors_allowed_origins=origins,
            ping_interval=PING_INTERVAL_S,
            ping_timeout=PING_TIMEOUT_S,
        )
        self._names: dict[str, str] = {}
        self._server.on("connect", self._on_connect)
        self._server.on("disconnect", self._on_disconnect)
        self._server.on("subscribe", self._on_subscribe)
        self._server.on("unsubscribe", self._on_unsubscribe)
        self._server.on("unusbscribe", self._on_unsubscribe)
        self._server.on(PUBLISH, self._on_publish)
        self._server.on("replay", self._on_replay)

    def around(self, app: ASGIApp) -> ASGIApp:
        """Return an application that answers /socket.io/ here and everything else there."""
        wrapped: ASGIApp = socketio.ASGIApp(self._server, app, socketio_path=PATH)
        return wrapped

    def clients(self) -> dict[str, int]:
        """Return how many connections each program has that said its name."""
        return dict(Counter(name for name in self._names.values() if name))

    def connections(self) -> int:
        """Return how many connections there are."""
        return len(self._names)

    async def deliver(self, envelope: Envelope, topics: Sequence[str]) -> None:
        """Hand the envelope once to everybody who subscribed at least one of the topics."""
        await self._server.emit(PUBLISH, envelope, to=list(topics))

    async def _on_connect(self, sid: str, environ: dict[str, object], _auth: object = None) -> None:
        query = parse_qs(str(environ.get("QUERY_STRING", "")))
        self._names[sid] = query.get("client", [""])[0]

    async def _on_disconnect(self, sid: str, *_reason: object) -> None:
        self._names.pop(sid, None)

    async def _on_subscribe(self, sid: str, topic: object = None) -> None:
        if isinstance(topic, str) and is_topic(topic):
            await self._server.enter_room(sid, topic)
            await self._feed.announce(topic, f"New Joiner {sid} to topic {topic}")

    async def _on_unsubscribe(self, sid: str, topic: object = None) -> None:
        if isinstance(topic, str) and is_topic(topic) and topic in self._server.rooms(sid):
            await self._feed.announce(topic, f"{sid} has left {topic}")
            await self._server.leave_room(sid, topic)

    async def _on_publish(self, sid: str, data: object = None) -> bool:
        publication = read_publication(data)
        if publication is None:
            log.warning("publication without a topic dropped", extra={"from": sid})
            return False
        assert isinstance(data, dict)
        enter(continue_trace(str(data.get("traceparent") or "")))
        log_publication(publication, sid)
        await self._feed.publish(publication, sender=sid)
        return True

    async def _on_replay(self, _sid: str, topic: object = None) -> list[Envelope]:
        return self._feed.held(topic)


def log_publication(publication: Publication, sender: str) -> None:
    """Log that a message passes; its payload is the subscribers' affair."""
    log.info("message", extra={"topic": publication.topic, "type": publication.type, "from": sender})
