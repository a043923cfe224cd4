"""Which places of our text our own recorded mutations protect from upstream's changes."""

from __future__ import annotations

from typing import Any

from confighub.data import keyed, lists
from confighub.data.document import Document
from confighub.data.path import Steps, join, split
from confighub.data.upstream import Item, are_same
from confighub.records.mutations import MutationInfo, ResourceMutation


class Protection:
    """Which places of our document our own records protect, as positions in our present text."""

    def __init__(self, base: Document, ours: Document, record: ResourceMutation | None) -> None:
        self.base, self.ours = base, ours
        self.own: dict[Steps, MutationInfo] = {}
        self._gone: dict[Steps, MutationInfo] = {}
        self._in_place: dict[Steps, bool | None] = {}
        shifted: dict[Steps, MutationInfo] = {}
        for path, info in record.path_mutation_map.items() if record is not None else ():
            if not info.predicate:
                self._add(path, info, shifted)
        for steps, info in shifted.items():
            self._add_by_key(steps, base.at(steps), ours.at(steps), info)

    def _add(self, path: str, info: MutationInfo, shifted: dict[Steps, MutationInfo]) -> None:
        steps: Steps = ()
        for key in split(path):
            if not (key.isascii() and key.isdigit()) or self.ours.shape(steps) != "list":
                steps = (*steps, key)
                continue
            if self.base.shape(steps) == "list" and not self._keeps_places(steps):
                shifted[steps] = info
                return
            if int(key) >= self.ours.size(steps):
                self._gone[steps] = info
                return
            steps = (*steps, int(key))
        self.own[steps] = info

    def _keeps_places(self, steps: Steps) -> bool:
        """Say whether items common to both lists stand at equal positions, so that recorded positions still hold."""
        known = self._in_place.get(steps)
        if known is None:
            name = next((key for key in reversed(steps) if isinstance(key, str)), "")
            known = self._in_place[steps] = self._are_alike(steps, name)
        if known is None:
            was, now = self.base.at(steps), self.ours.at(steps)
            same = lists.match(name, was, now)
            shorter = min(len(was), len(now))
            known = all(same.get(at, at) == at for at in range(shorter)) and all(
                new == old for old, new in same.items()
            )
            self._in_place[steps] = known
        return known

    def _are_alike(self, steps: Steps, name: str) -> bool | None:
        """Return True when both lists have the same keys in the same order; None says nothing."""
        for fields in lists.candidates(name):
            before = keyed.identities(self.base, steps, fields)
            after = keyed.identities(self.ours, steps, fields) if before is not None else None
            if before is not None and after is not None:
                return True if before == after and before else None
        return None

    def _add_by_key(self, steps: Steps, was: Any, now: Any, info: MutationInfo) -> None:
        if isinstance(was, dict) and isinstance(now, dict):
            for key in {**was, **now}:
                if key not in was or key not in now:
                    self.own[(*steps, key)] = info
                elif not are_same(was[key], now[key]):
                    self._add_by_key((*steps, key), was[key], now[key], info)
        elif isinstance(was, list) and isinstance(now, list):
            name = next((key for key in reversed(steps) if isinstance(key, str)), "")
            same = lists.match(name, was, now)
            if len(same) < len(was):
                self._gone[steps] = info
            came_from = {new: old for old, new in same.items()}
            for at, item in enumerate(now):
                if at not in came_from:
                    self.own[(*steps, at)] = info
                elif not are_same(was[came_from[at]], item):
                    self._add_by_key((*steps, at), was[came_from[at]], item, info)
        else:
            self.own[steps] = info

    def of(self, steps: Steps) -> MutationInfo | None:
        """Return our own record on the place or above it."""
        for length in range(len(steps), 0, -1):
            found = self.own.get(steps[:length])
            if found is not None:
                return found
        return self.own.get(())

    def of_missing(self, steps: Steps, missing: str | Item) -> MutationInfo | None:
        """Return our own record that took away the first missing step."""
        for length in range(len(steps), 0, -1):
            found = self.own.get(steps[:length])
            if found is not None:
                return found
        if isinstance(missing, Item):
            for length in range(len(steps), 0, -1):
                if steps[:length] in self._gone:
                    return self._gone[steps[:length]]
        return None

    def below(self, steps: Steps) -> list[tuple[Steps, MutationInfo]]:
        """Return our own records strictly below a place, in path order."""
        size = len(steps)
        found = [(path, info) for path, info in self.own.items() if len(path) > size and path[:size] == steps]
        found += [
            ((*path, "-"), info) for path, info in self._gone.items() if len(path) > size and path[:size] == steps
        ]
        return sorted(found, key=lambda pair: join(pair[0]))
