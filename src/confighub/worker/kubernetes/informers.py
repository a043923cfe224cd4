"""What there is of one kind in one namespace, kept by a list and the watch that follows it.

A broken watch goes on at the version where it broke; a version that the server has forgotten (410) begins
again with a list. Memory is bounded by the label: only objects of units are kept, without their managedFields.
Source: the reflector of client-go.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from confighub.errors import Forbidden, NotFound, RetryLater
from confighub.worker.documents import Manifest
from confighub.worker.kubernetes import inventory, ownership
from confighub.worker.kubernetes.api import Api, Resource
from confighub.worker.kubernetes.inventory import Owner

_LOG = logging.getLogger("confighub.worker")
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0
# A kind that is gone or may not be read is asked for again in case that changes.
_REFUSED_PAUSE_S = 30.0


@dataclass(frozen=True)
class Seen:
    """An object as it was last seen; ``item`` is without managedFields, ``foreign`` what others added to it.

    ``makers`` are the people and other deployers that manage an object of no unit, in the order of managedFields.
    """

    item: Manifest
    owner: Owner | None
    foreign: tuple[str, ...]
    makers: tuple[str, ...] = ()

    @property
    def version(self) -> int:
        """The resourceVersion, which grows with every change."""
        return _number(self.item)

    @classmethod
    def of(cls, item: Manifest) -> Seen:
        """Read what counts from the managedFields and let go of them."""
        owner = inventory.owner(item)
        foreign = tuple(str(one) for one in ownership.additions(item, to_leaves=True)) if owner else ()
        makers = () if owner else ownership.makers(item)
        metadata = {key: value for key, value in item["metadata"].items() if key != "managedFields"}
        return cls({**item, "metadata": metadata}, owner, foreign, makers)


Changed = Callable[[Seen | None, Seen | None], None]
"""Takes an object before and after a change; None where it was not or is no more."""


class Informer:
    """One kind in one namespace, all namespaces when it is empty; ``selector`` chooses by labels."""

    def __init__(
        self,
        api: Api,
        resource: Resource,
        namespace: str,
        selector: str,
        changed: Changed,
        read: Callable[[Manifest], Seen] = Seen.of,
    ) -> None:
        self.resource, self.namespace = resource, namespace
        self.trouble = ""
        self.lists, self.watches = 0, 0
        self._api, self._selector, self._changed, self._read = api, selector, changed, read
        self._seen: dict[tuple[str, str], Seen] = {}
        self._version = ""
        self._is_synced = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name=f"watch {resource.plural} in {namespace or 'all'}")

    def __iter__(self) -> Iterator[Seen]:
        """All objects, in the order in which they came."""
        return iter(self._seen.values())

    def get(self, namespace: str, name: str) -> Seen | None:
        """Return one object, None when it is not there."""
        return self._seen.get((namespace, name))

    async def synced(self, *, at_most_s: float) -> bool:
        """Return whether the first list is in, or known that there can be none; False when it takes longer."""
        with suppress(TimeoutError):
            async with asyncio.timeout(at_most_s):
                await self._is_synced.wait()
        return self._is_synced.is_set()

    def learn(self, item: Manifest) -> None:
        """Take in an object as the server told it, unless it is known as new already.

        One that we wrote comes twice, as the answer and by the watch: it is read once.
        """
        key = _key(item)
        before = self._seen.get(key)
        if before is not None and before.version >= _number(item):
            return
        self._seen[key] = seen = self._read(item)
        self._changed(before, seen)

    def resume_at(self, version: str) -> None:
        """Go on at this version when the watch is next begun."""
        self._version = version

    async def close(self) -> None:
        """End the watch."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                if not self._version:
                    await self._list()
                    self._is_synced.set()
                await self._follow()
                pause_s = _FIRST_PAUSE_S
                continue
            except NotFound as error:
                self._replace([])
                self.trouble, self._version = str(error), ""
                self._api.forget(self.resource.group_version)
                self._is_synced.set()
                await asyncio.sleep(_REFUSED_PAUSE_S)
            except (Forbidden, RetryLater) as error:
                self.trouble = str(error)
                self._is_synced.set()
            except Exception:
                _LOG.exception("the watch of %s stumbled and begins again", self.resource.plural)
                self._version = ""
            await asyncio.sleep(pause_s * random.uniform(0.7, 1.3))  # noqa: S311 - spreads callers, no secret
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    async def _list(self) -> None:
        self.lists += 1
        items, self._version = await self._api.listed(self.resource, self.namespace, self._selector)
        self._replace(items)
        self.trouble = ""

    async def _follow(self) -> None:
        """Follow the changes after the version until the server ends the stream.

        Raises: RetryLater when it breaks, NotFound when the kind is gone; the version says where to go on.
        """
        self.watches += 1
        async for kind, item in self._api.events(self.resource, self.namespace, self._selector, self._version):
            if kind == "ERROR":
                self._refused(item)
                return
            self.trouble = ""
            self._version = str((item.get("metadata") or {}).get("resourceVersion") or self._version)
            if kind == "DELETED":
                self._drop(item)
            elif kind != "BOOKMARK":
                self.learn(item)

    def _refused(self, status: Manifest) -> None:
        if status.get("code") == 410:
            self._version = ""  # too old: begin again with a list
            return
        if status.get("code") == 404:
            raise NotFound(f"{self.resource.plural} are no longer served")
        raise RetryLater(f"the watch of {self.resource.plural} was refused: {status.get('message', '')}")

    def _replace(self, items: list[Manifest]) -> None:
        there = {_key(item) for item in items}
        for key in [key for key in self._seen if key not in there]:
            self._changed(self._seen.pop(key), None)
        for item in items:
            self.learn(item)

    def _drop(self, item: Manifest) -> None:
        before = self._seen.get(_key(item))
        # An object that came anew in the meantime has a later version than the end of the old one.
        if before is not None and before.version <= _number(item):
            self._changed(self._seen.pop(_key(item)), None)


def _key(item: Manifest) -> tuple[str, str]:
    metadata = item.get("metadata") or {}
    return str(metadata.get("namespace") or ""), str(metadata.get("name", ""))


def _number(item: Manifest) -> int:
    text = str((item.get("metadata") or {}).get("resourceVersion") or "0")
    return int(text) if text.isdigit() else 0
