"""Turns: of many applies some are begun, and the others when those have written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """Lets ``at_once`` begin; one that takes longer than ``moment_s`` no longer keeps others from beginning.

    So a thousand applies end one after the other and not all at the end, and none waits for one that hangs.
    """

    def __init__(self, at_once: int, *, moment_s: float) -> None:
        self._free, self._moment_s = asyncio.Semaphore(at_once), moment_s

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Wait for a turn and take it until the block ends, or its moment is over."""
        await self._free.acquire()
        is_taken = True

        def give_back() -> None:
            nonlocal is_taken
            if is_taken:
                is_taken = False
                self._free.release()

        over = asyncio.get_running_loop().call_later(self._moment_s, give_back)
        try:
            yield
        finally:
            over.cancel()
            give_back()
