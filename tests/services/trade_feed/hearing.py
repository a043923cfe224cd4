"""A Socket.IO client of the public library, that remembers what it heard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import socketio

PATIENCE_S = 15.0


class Hearer:
    """One client; ``heard`` has every envelope in the order of arrival."""

    def __init__(self) -> None:
        self.client = socketio.AsyncClient(reconnection=False)
        self.heard: list[dict[str, Any]] = []
        self._news = asyncio.Event()
        self.client.on("publish", self._hear)

    async def _hear(self, envelope: dict[str, Any]) -> None:
        self.heard.append(envelope)
        self._news.set()

    async def until(self, is_enough: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
        """Return everything heard once that is enough."""
        async with asyncio.timeout(PATIENCE_S):
            while not is_enough(self.heard):
                self._news.clear()
                await self._news.wait()
        return self.heard

    async def subscribe(self, topic: str) -> None:
        """Subscribe and wait until the feed has said so."""
        await self.client.emit("subscribe", topic)
        await self.until(
            lambda heard: any(one["topic"] == topic and "New Joiner" in str(one["payload"]) for one in heard)
        )

    def payloads(self, topic: str) -> list[Any]:
        """Return what was said to a topic, without the feed's own words."""
        return [one["payload"] for one in self.heard if one["topic"] == topic and one["from"] != "System"]


@asynccontextmanager
async def hearing(url: str, *topics: str, transports: list[str] | None = None) -> AsyncIterator[Hearer]:
    """Connect a client and subscribe the topics."""
    hearer = Hearer()
    await hearer.client.connect(url, transports=transports or ["polling", "websocket"])
    try:
        for topic in topics:
            await hearer.subscribe(topic)
        yield hearer
    finally:
        # At once: a client that only polls would wait for the end of its last poll.
        await hearer.client.eio.disconnect(abort=True)
