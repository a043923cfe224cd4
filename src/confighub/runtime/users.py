"""Who is using a replica right now, so that it can be stopped when nobody does."""

from __future__ import annotations

import asyncio
from typing import Protocol


class User(Protocol):
    """A connection or a request that a replica is serving."""

    def release(self) -> None:
        """Leave as soon as what is in flight is done; the replica is about to stop."""


class Users:
    """The users of one replica."""

    def __init__(self) -> None:
        self._present: set[User] = set()
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        return len(self._present)

    def enter(self, user: User) -> None:
        """Count a user in."""
        self._present.add(user)
        self._empty.clear()

    def leave(self, user: User) -> None:
        """Count a user out; leaving twice is leaving once."""
        self._present.discard(user)
        if not self._present:
            self._empty.set()

    async def drain(self, limit_s: float) -> int:
        """Ask everybody to leave and wait for it; return how many stayed beyond the limit."""
        for user in list(self._present):
            user.release()
        try:
            async with asyncio.timeout(limit_s):
                await self._empty.wait()
        except TimeoutError:
            return len(self._present)
        return 0
