"""The same topics without Socket.IO: a plain WebSocket, a stream of server-sent events, a POST.

WebSocket: ``/ws?topic=/accounts/22214/trades`` (may be repeated), then objects
``{"action": "subscribe" | "unsubscribe" | "publish", "topic": …, "type": …, "payload": …}``; the
server sends envelopes. Events: ``/events?topic=…``; each is an envelope under the event name ``publish``.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import uuid
from collections.abc import AsyncIterator, Sequence

from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from traderx.services.errors import BadInput
from traderx.services.platform.answers import read_object
from traderx.services.trade_feed.socket_io import log_publication
from traderx.services.trade_feed.topics import Envelope, Feed, is_topic, read_publication

log = logging.getLogger(__name__)

# Whoever is this many messages behind is not reading; it may connect again.
LONGEST_BACKLOG = 1_000
# Shorter than the minute after which proxies close a silent connection.
KEEP_ALIVE_S = 15.0
TRY_AGAIN_LATER = 1013


class Subscriber:
    """One plain connection: its topics and what it has not read yet."""

    def __init__(self, topics: Sequence[str]) -> None:
        self.id = uuid.uuid4().hex[:20]
        self.topics = set(topics)
        self.backlog: asyncio.Queue[Envelope | None] = asyncio.Queue(LONGEST_BACKLOG)

    def hand(self, envelope: Envelope) -> None:
        """Add to the backlog; one that is full ends the connection."""
        try:
            self.backlog.put_nowait(envelope)
        except asyncio.QueueFull:
            self.end()

    def end(self) -> None:
        """Make the connection end after nothing more."""
        while not self.backlog.empty():
            self.backlog.get_nowait()
        self.backlog.put_nowait(None)


class PlainOutlet:
    """The subscribers that are connected by WebSocket or by a stream of events."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._subscribers: set[Subscriber] = set()

    def connections(self) -> int:
        """Return how many connections there are."""
        return len(self._subscribers)

    def end_all(self) -> None:
        """Make every connection end."""
        for subscriber in self._subscribers:
            subscriber.end()

    async def deliver(self, envelope: Envelope, topics: Sequence[str]) -> None:
        """Hand the envelope once to everybody who subscribed at least one of the topics."""
        for subscriber in self._subscribers:
            if not subscriber.topics.isdisjoint(topics):
                subscriber.hand(envelope)

    async def post(self, request: Request) -> Response:
        """Publish one message."""
        publication = read_publication(await read_object(request))
        if publication is None:
            raise BadInput("topic is missing")
        sender = request.headers.get("x-sender", "http")
        log_publication(publication, sender)
        await self._feed.publish(publication, sender=sender)
        return JSONResponse({"published": True})

    async def events(self, request: Request) -> Response:
        """Stream the envelopes of the topics as server-sent events."""
        topics = _topics_of(request)
        if not topics:
            raise BadInput("topic is missing: /events?topic=/accounts/22214/trades")
        headers = {"cache-control": "no-cache", "x-accel-buffering": "no"}
        return StreamingResponse(self._stream(topics), media_type="text/event-stream", headers=headers)

    async def websocket(self, socket: WebSocket) -> None:
        """Talk with one WebSocket until it goes."""
        await socket.accept()
        async with self._subscribed(_topics_of(socket)) as subscriber:
            sending = asyncio.ensure_future(_send_backlog(socket, subscriber))
            try:
                with contextlib.suppress(WebSocketDisconnect):
                    while True:
                        await self._on_text(subscriber, await socket.receive_text())
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)

    async def _on_text(self, subscriber: Subscriber, text: str) -> None:
        try:
            data = json.loads(text)
        except ValueError:
            return
        topic = data.get("topic") if isinstance(data, dict) else None
        if not isinstance(topic, str) or not is_topic(topic):
            return
        match data.get("action"):
            case "subscribe":
                subscriber.topics.add(topic)
                await self._feed.announce(topic, f"New Joiner {subscriber.id} to topic {topic}")
            case "unsubscribe" | "unusbscribe":
                await self._feed.announce(topic, f"{subscriber.id} has left {topic}")
                subscriber.topics.discard(topic)
            case "publish":
                publication = read_publication(data)
                assert publication is not None
                log_publication(publication, subscriber.id)
                await self._feed.publish(publication, sender=subscriber.id)

    async def _stream(self, topics: Sequence[str]) -> AsyncIterator[str]:
        async with self._subscribed(topics) as subscriber:
            yield ": connected\n\n"
            while True:
                try:
                    async with asyncio.timeout(KEEP_ALIVE_S):
                        envelope = await subscriber.backlog.get()
                except TimeoutError:
                    yield ": still here\n\n"
                    continue
                if envelope is None:
                    return
                yield f"event: publish\ndata: {json.dumps(envelope)}\n\n"

    @contextlib.asynccontextmanager
    async def _subscribed(self, topics: Sequence[str]) -> AsyncIterator[Subscriber]:
        subscriber = Subscriber(topics)
        self._subscribers.add(subscriber)
        try:
            for topic in topics:
                await self._feed.announce(topic, f"New Joiner {subscriber.id} to topic {topic}")
            yield subscriber
        finally:
            self._subscribers.discard(subscriber)


async def _send_backlog(socket: WebSocket, subscriber: Subscriber) -> None:
    while (envelope := await subscriber.backlog.get()) is not None:
        await socket.send_text(json.dumps(envelope))
    await socket.close(TRY_AGAIN_LATER)


def _topics_of(connection: HTTPConnection) -> list[str]:
    query = connection.query_params
    named = query.getlist("topic") + [t for text in query.getlist("topics") for t in text.split(",")]
    return [topic for topic in dict.fromkeys(named) if is_topic(topic)]
