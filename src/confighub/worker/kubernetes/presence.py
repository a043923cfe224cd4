"""Which names are taken on a cluster: asked for one by one, and for all of a namespace at once when many are wanted."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from confighub.errors import ConfigHubError
from confighub.worker.kubernetes.api import Api, Resource

# A list costs about as much as so many single questions, and holds for as long as it takes to use it up.
_MANY = 20
_WINDOW_S = 1.0
# A namespace with more objects of the kind is not listed for the few that are applied.
_AT_MOST = 10_000


@dataclass
class _Look:
    """The names of one kind in one namespace as of ``at``, None when they cannot be had, and how much is asked."""

    at: float = float("-inf")
    names: frozenset[str] | None = None
    since: float = float("-inf")
    asked: int = 0
    asked_before: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def is_busy(self) -> bool:
        """Count a question; return whether there are many."""
        now = time.monotonic()
        if now - self.since > _WINDOW_S:
            is_next = now - self.since < 2 * _WINDOW_S
            self.asked_before, self.asked, self.since = self.asked if is_next else 0, 0, now
        self.asked += 1
        return max(self.asked, self.asked_before) >= _MANY


class Presence:
    """The taken names of one cluster."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._looks: dict[str, _Look] = {}

    async def is_absent(self, resource: Resource, namespace: str, name: str) -> bool:
        """True when there was no such object within the last second; False when there was, or it has to be asked for.

        Who acts on it sees from the server's answer (200 and not 201) when the object has come meanwhile.
        """
        path = resource.path(namespace)
        look = self._looks.setdefault(path, _Look())
        if not look.is_busy():
            return False
        async with look.turn:
            now = time.monotonic()
            if now - look.at > _WINDOW_S:
                look.names = await self._names(path)
                look.at = now
        return look.names is not None and name not in look.names

    async def _names(self, path: str) -> frozenset[str] | None:
        try:
            return await self._api.names(path, at_most=_AT_MOST)
        except ConfigHubError:
            return None  # then each is asked for alone, and says itself what is wrong
