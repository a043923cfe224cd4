"""A feed that, like the original, knows publish and subscribe and acknowledges nothing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import socketio
import uvicorn


class SilentFeed:
    """What reached it."""

    def __init__(self) -> None:
        self.joined: list[str] = []
        self.published: list[dict[str, Any]] = []


@contextmanager
def silent_feed(port: int) -> Iterator[SilentFeed]:
    """Answer on the port until the end of the block."""
    feed = SilentFeed()
    server = uvicorn.Server(
        uvicorn.Config(
            _application(feed),
            port=port,
            log_config=None,
            lifespan="off",
            ws="websockets-sansio",
            timeout_graceful_shutdown=1,
        )
    )
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    try:
        yield feed
    finally:
        server.should_exit = True
        thread.join(10)


def _application(feed: SilentFeed) -> socketio.ASGIApp:
    sio = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins="*")

    # Handlers that hang never acknowledge.
    async def publish(_sid: str, data: dict[str, Any]) -> None:
        feed.published.append(data)
        await asyncio.Event().wait()

    async def subscribe(_sid: str, topic: str) -> None:
        feed.joined.append(topic)
        await asyncio.Event().wait()

    sio.on("publish", publish)
    sio.on("subscribe", subscribe)
    return socketio.ASGIApp(sio)
