"""What a service keeps in a cache beside it and can do without: a cache that is away or slow is a miss.

Source: RESP2, the protocol that Redis and Valkey speak.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping

from traderx.services.platform.variables import number

log = logging.getLogger(__name__)

DEFAULT_PORT = 6379
# A neighbour on the same network answers in a millisecond; whoever asks must not wait longer than the real thing takes.
PATIENCE_S = 0.2
AWAY_S = 2.0
"""So long a cache that failed is not asked again."""


class Cache:
    """One connection to the cache at an address; a cache without one has nothing and keeps nothing."""

    def __init__(
        self, host: str = "", port: int = DEFAULT_PORT, *, patience_s: float = PATIENCE_S, away_s: float = AWAY_S
    ) -> None:
        self._host, self._port = host, port
        self._patience_s, self._away_s = patience_s, away_s
        self._turn = asyncio.Lock()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._away_until = 0.0 if host else float("inf")

    async def get(self, key: str) -> bytes | None:
        """Return what was kept under the key; None when nothing is, or the cache is away."""
        return await self._ask("GET", key)

    async def put(self, key: str, value: bytes, *, seconds: int) -> None:
        """Keep the value for so long; nothing happens when the cache is away."""
        await self._ask("SET", key, value, "EX", str(seconds))

    async def close(self) -> None:
        """Close the connection."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _ask(self, *words: str | bytes) -> bytes | None:
        if time.monotonic() < self._away_until:
            return None
        try:
            async with asyncio.timeout(self._patience_s), self._turn:
                return await self._exchange(words)
        except (OSError, TimeoutError, ValueError, EOFError) as error:
            # whatever the answer was, the next one would be taken for it
            await self.close()
            self._away_until = time.monotonic() + self._away_s
            log.warning("the cache is away", extra={"reason": str(error) or type(error).__name__})
            return None

    async def _exchange(self, words: tuple[str | bytes, ...]) -> bytes | None:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._streams
        writer.write(_command(words))
        await writer.drain()
        line = (await reader.readuntil(b"\r\n"))[:-2]
        if line[:1] == b"$":
            size = int(line[1:])
            return None if size < 0 else (await reader.readexactly(size + 2))[:-2]
        if line[:1] == b"+":
            return line[1:]
        raise ValueError(f"it answered {line[:100].decode(errors='replace')}")


def open_cache(variables: Mapping[str, str]) -> Cache:
    """Return the cache that CACHE_HOST and CACHE_PORT name; nothing is connected yet, and without them never.

    Raises: Misconfigured, naming the variable, for a port that is none.
    """
    port = number(variables, "CACHE_PORT", default=DEFAULT_PORT, highest=65535)
    return Cache(variables.get("CACHE_HOST", "").strip(), int(port))


def _command(words: tuple[str | bytes, ...]) -> bytes:
    encoded = [word.encode() if isinstance(word, str) else word for word in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded)
