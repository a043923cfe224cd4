"""Who hears what: messages to topics, whatever way the hearers are connected.

The envelope has exactly five fields: strict programs drop a message that has another. Whoever
subscribes ``/*`` hears everything. Nothing is kept for those who come later, except orders of
foreign publishers for a while, so that a processor that was away still books them.
Source: traderx.md §3 and "Checked against the running originals".
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from traderx.services.platform.metrics import Metrics

log = logging.getLogger(__name__)

EVERYTHING = "/*"
SYSTEM = "System"
DEFAULT_TYPE = "message"
ORDERS_TOPIC = "/trades"

LONGEST_TOPIC = 200
# Enough for a processor's restart in a busy hour, little enough to forget in a quiet one.
HELD_ORDERS = 1_000
HELD_MS = 5 * 60 * 1000

Envelope = dict[str, object]


class Outlet(Protocol):
    """One way in which subscribers are connected."""

    async def deliver(self, envelope: Envelope, topics: Sequence[str]) -> None:
        """Hand the envelope once to everybody who subscribed at least one of the topics."""


@dataclass(frozen=True)
class Publication:
    """What somebody publishes; ``is_kept`` when the publisher keeps it durably itself."""

    topic: str
    type: str
    payload: object
    is_kept: bool = False


def read_publication(data: object) -> Publication | None:
    """Return what a publisher sent, None when it has no topic."""
    if not isinstance(data, dict) or not is_topic(data.get("topic")):
        return None
    kind = data.get("type")
    return Publication(
        topic=data["topic"],
        type=kind if isinstance(kind, str) and kind else DEFAULT_TYPE,
        payload=data.get("payload"),
        is_kept=data.get("kept") is True,
    )


def is_topic(value: object) -> bool:
    """Return whether a value can be the name of a topic."""
    return isinstance(value, str) and 0 < len(value) <= LONGEST_TOPIC


class Feed:
    """Brings publications to the outlets."""

    def __init__(self, metrics: Metrics) -> None:
        self.outlets: list[Outlet] = []
        self._latest_ms = 0
        self._held: deque[Envelope] = deque(maxlen=HELD_ORDERS)
        self._relayed = metrics.counter("traderx_feed_messages", "Messages brought to their topics")

    async def publish(self, publication: Publication, *, sender: str) -> None:
        """Bring one publication to its topic's subscribers."""
        envelope = self._envelope(publication.type, sender, publication.topic, publication.payload)
        if publication.topic == ORDERS_TOPIC and not publication.is_kept:
            self._held.append(envelope)
        await self._broadcast(envelope)

    async def announce(self, topic: str, text: str) -> None:
        """Tell a topic's subscribers something about the feed itself."""
        await self._broadcast(self._envelope(DEFAULT_TYPE, SYSTEM, topic, text))

    def held(self, topic: object) -> list[Envelope]:
        """Return the recent messages of a topic that nobody else keeps, oldest first."""
        oldest_ms = time.time_ns() // 1_000_000 - HELD_MS
        return [e for e in self._held if e["topic"] == topic and isinstance(e["date"], int) and e["date"] >= oldest_ms]

    async def _broadcast(self, envelope: Envelope) -> None:
        self._relayed.inc()
        topics = (str(envelope["topic"]), EVERYTHING)
        for outlet in self.outlets:
            await outlet.deliver(envelope, topics)

    def _envelope(self, kind: str, sender: str, topic: str, payload: object) -> Envelope:
        # Strictly rising, so that sender and date name one message: two equal orders stay two.
        self._latest_ms = max(time.time_ns() // 1_000_000, self._latest_ms + 1)
        return {"type": kind, "from": sender, "topic": topic, "date": self._latest_ms, "payload": payload}
