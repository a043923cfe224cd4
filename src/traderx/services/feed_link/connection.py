"""A lasting connection to a trade-feed, ours or the FINOS one.

Speaks the few frames of Socket.IO 4 over one WebSocket that publishing and subscribing need;
the full client library would cost half a second of imports and 20 MB in every process. After a
loss it connects again, and subscribes again, with growing pauses.
Source: the Engine.IO 4 and Socket.IO 5 protocol documents; topics and events in traderx.md §3.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit, urlunsplit

from traderx.services.errors import Unavailable

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 1.0
CONNECT_TIMEOUT_S = 3.0
# The FINOS feed acknowledges nothing: after this long on a living connection a message counts as sent.
ACK_TIMEOUT_S = 2.0
LARGEST_FRAME_BYTES = 1_000_000


@dataclass(frozen=True)
class Envelope:
    """One message from the feed; ``sender`` is a socket id or "System", ``date`` milliseconds."""

    type: str
    sender: str
    topic: str
    date: int
    payload: object


OnMessage = Callable[[Envelope], Awaitable[None]]


async def ignore(_envelope: Envelope) -> None:
    """Do nothing with a message, for those who only publish."""


class FeedLink:
    """Publishes to topics and hears those it subscribes.

    ``name`` tells the feed who this is. A subscriber with ``wants_replay`` is given, after every
    connection, what a feed of ours still holds of its topics; it may hear a message twice.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str,
        topics: Sequence[str] = (),
        on_message: OnMessage = ignore,
        wants_replay: bool = False,
    ) -> None:
        self._url = _websocket_url(url, name)
        self._topics, self._on_message, self._wants_replay = topics, on_message, wants_replay
        self._socket: ClientConnection | None = None
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[Sequence[object]]] = {}
        self._feed_acknowledges = True
        self.connected = asyncio.Event()

    async def keep_connected(self) -> None:
        """Stay connected for ever, through every restart of the feed."""
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                await self._stay_until_lost()
                pause_s = FIRST_PAUSE_S
            except (OSError, TimeoutError, ValueError, Unavailable) as error:
                log.debug("feed not reachable", extra={"url": self._url, "reason": str(error)})
            # Spread out, so that a restarted feed is not met by all at once.
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.5))  # noqa: S311 - spreading, not secrecy
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    async def publish(self, topic: str, kind: str, payload: Mapping[str, object], *, traceparent: str) -> None:
        """Send one message and return when the feed has it.

        Raises: Unavailable when the connection is lost before that; the feed may have it all the same.
        """
        message = {"topic": topic, "type": kind, "payload": payload, "traceparent": traceparent, "kept": True}
        await self._call("publish", message)

    async def _stay_until_lost(self) -> None:
        # Only who needs a feed waits for this import.
        from websockets.asyncio.client import connect
        from websockets.exceptions import WebSocketException

        try:
            async with (
                asyncio.timeout(CONNECT_TIMEOUT_S) as patience,
                connect(self._url, proxy=None, ping_interval=None, max_size=LARGEST_FRAME_BYTES) as socket,
            ):
                silence_s = await _introduce(socket)
                patience.reschedule(None)
                await self._converse(socket, silence_s)
        except WebSocketException as error:
            raise Unavailable(f"the feed closed the connection: {error}") from error

    async def _converse(self, socket: ClientConnection, silence_s: float) -> None:
        self._socket, self._feed_acknowledges = socket, True
        for topic in self._topics:
            await self._emit("subscribe", topic)
        replay = asyncio.ensure_future(self._replay()) if self._wants_replay else None
        self.connected.set()
        log.info("feed connected", extra={"url": self._url})
        try:
            while True:
                async with asyncio.timeout(silence_s):
                    frame = await socket.recv(decode=True)
                await self._on_frame(socket, frame)
        finally:
            self.connected.clear()
            self._socket = None
            if replay is not None:
                replay.cancel()
            self._give_up_waiting()
            log.info("feed disconnected", extra={"url": self._url})

    async def _on_frame(self, socket: ClientConnection, frame: str) -> None:
        if frame == "2":
            await socket.send("3")
        elif frame.startswith("42"):
            event = json.loads(frame[2:].lstrip("0123456789"))
            if isinstance(event, list) and len(event) == 2 and event[0] == "publish":
                await self._hear(event[1])
        elif frame.startswith("43"):
            number, _, answer = frame[2:].partition("[")
            waiting = self._waiting.pop(int(number), None)
            if waiting is not None and not waiting.done():
                waiting.set_result(json.loads("[" + answer))
        elif frame.startswith(("1", "41", "44")):
            raise Unavailable("the feed ended the session")

    async def _hear(self, data: object) -> None:
        envelope = read_envelope(data)
        if envelope is not None and envelope.sender != "System":
            await self._on_message(envelope)

    async def _replay(self) -> None:
        for topic in self._topics:
            with contextlib.suppress(Unavailable):
                answer = await self._call("replay", topic)
                held = answer[0] if answer else []
                for data in held if isinstance(held, list) else []:
                    await self._hear(data)

    async def _call(self, event: str, argument: object) -> Sequence[object]:
        """Return what the feed answers, nothing when it is one that never does."""
        number = next(self._numbers)
        waiting: asyncio.Future[Sequence[object]] = asyncio.get_running_loop().create_future()
        if self._feed_acknowledges:
            self._waiting[number] = waiting
        try:
            await self._emit(event, argument, number if self._feed_acknowledges else None)
            if not self._feed_acknowledges:
                return ()
            async with asyncio.timeout(ACK_TIMEOUT_S):
                return await waiting
        except TimeoutError:
            self._feed_acknowledges = False
            return ()
        finally:
            self._waiting.pop(number, None)

    async def _emit(self, event: str, argument: object, number: int | None = None) -> None:
        from websockets.exceptions import WebSocketException

        if self._socket is None:
            raise Unavailable("the feed is not connected")
        frame = f"42{'' if number is None else number}{json.dumps([event, argument])}"
        try:
            await self._socket.send(frame)
        except WebSocketException as error:
            raise Unavailable(f"the feed closed the connection: {error}") from error

    def _give_up_waiting(self) -> None:
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(Unavailable("the feed went away before it answered"))
        self._waiting.clear()


def read_envelope(data: object) -> Envelope | None:
    """Return the envelope of a decoded message, None when it is not one."""
    if not isinstance(data, dict):
        return None
    topic, date = data.get("topic"), data.get("date")
    if not isinstance(topic, str) or not isinstance(date, int):
        return None
    return Envelope(
        type=str(data.get("type", "")),
        sender=str(data.get("from", "")),
        topic=topic,
        date=date,
        payload=data.get("payload"),
    )


async def _introduce(socket: ClientConnection) -> float:
    """Open the session and return after how many seconds of silence the feed is lost."""
    greeting = await socket.recv(decode=True)
    if not greeting.startswith("0"):
        raise Unavailable(f"not an Engine.IO server: {greeting[:40]}")
    terms = json.loads(greeting[1:])
    await socket.send("40")
    answer = await socket.recv(decode=True)
    if not answer.startswith("40"):
        raise Unavailable(f"the feed refused the session: {answer[:40]}")
    return float(terms["pingInterval"] + terms["pingTimeout"]) / 1000


def _websocket_url(url: str, name: str) -> str:
    parts = urlsplit(url)
    query = urlencode({"EIO": "4", "transport": "websocket", "client": name})
    scheme = "wss" if parts.scheme in {"https", "wss"} else "ws"
    return urlunsplit((scheme, parts.netloc, parts.path.rstrip("/") + "/socket.io/", query, ""))
