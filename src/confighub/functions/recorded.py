"""Places as the public library's server finds them, its one mistake included: for comparison with recorded cases only.

That server keeps the steps of sibling places in one shared buffer. Where a ``*`` stands at a depth that is no power of
two, siblings overwrite each other's position, and every one of them leads to the last. The hub never asks for this;
see the decision record on deviations.
"""

from __future__ import annotations

from typing import Any

from confighub.data import path as paths
from confighub.data.path import MISSING, Kind, Pattern, Place, Segment, Step, Steps, child, get, positioned


class _Slice:
    """A window on a buffer that grows by doubling: appending in place is seen by everyone who shares it."""

    __slots__ = ("buffer", "length")

    def __init__(self, buffer: list[Any], length: int) -> None:
        self.buffer, self.length = buffer, length

    def appended(self, value: Any) -> _Slice:
        size = len(self.buffer)
        if self.length < size:
            self.buffer[self.length] = value
            return _Slice(self.buffer, self.length + 1)
        grown = self.buffer[: self.length] + [value] + [None] * (max(2 * size, 1) - self.length - 1)
        return _Slice(grown, self.length + 1)

    def values(self) -> list[Any]:
        return self.buffer[: self.length]


def places(data: Any, path: Pattern, *, upsert: bool = False) -> list[Place]:
    """Return the places that a pattern leads to, level by level, positions mixed up as in the recorded cases."""
    if path.is_resolved:
        return paths.places(data, path, upsert=upsert)
    guard = max((at for at, segment in enumerate(path.segments) if segment.must_exist_before), default=0)
    first_free = max(path.tail, guard) if upsert else len(path.segments)
    queue: list[tuple[int, _Slice, Any, _Slice]] = [(0, _Slice([], 0), data, _Slice([], 0))]
    found: list[tuple[Steps, tuple[Any, ...]]] = []
    while queue:
        at, steps, here, bindings = queue.pop(0)
        while at < len(path.segments) and path.segments[at].kind is not Kind.EVERY:
            segment = path.segments[at]
            step, below = _one(here, segment)
            if below is MISSING and at < first_free:
                break
            steps, here, at = steps.appended(step), below, at + 1
            if segment.kind is Kind.MATCH or segment.param:
                bindings = bindings.appended((segment.param or "", segment.value or segment.key))
        else:
            if at == len(path.segments):
                found.append((tuple(steps.values()), tuple(bindings.values())))
            else:
                queue += _enqueued(here, path.segments[at], at + 1, steps, bindings)
    return _looked_up(data, found, upsert=upsert)


def _enqueued(
    here: Any, segment: Segment, at: int, steps: _Slice, bindings: _Slice
) -> list[tuple[int, _Slice, Any, _Slice]]:
    waiting = []
    for step, item in _children(here):
        value = child(item, segment.match) if segment.match else step if segment.names_keys else MISSING
        named = bindings if value is MISSING else bindings.appended((segment.param or "", value))
        waiting.append((at, steps.appended(step), item, named))
    return waiting


def _one(here: Any, segment: Segment) -> tuple[Step, Any]:
    if segment.kind is Kind.KEY:
        return positioned(here, (segment.key,))[0], child(here, segment.key) if here is not MISSING else MISSING
    for at, item in enumerate(here if isinstance(here, list) else ()):
        if child(item, segment.match) == segment.value:
            return at, item
    return segment.key, MISSING


def _children(here: Any) -> list[tuple[Step, Any]]:
    if isinstance(here, dict):
        return list(here.items())
    return list(enumerate(here)) if isinstance(here, list) else []


def _looked_up(data: Any, found: list[tuple[Steps, tuple[Any, ...]]], *, upsert: bool) -> list[Place]:
    looked_up = []
    for steps, bindings in found:
        value = get(data, steps)
        if value is not MISSING:
            looked_up.append(Place(steps, value, exists=True, bindings=bindings))
        elif upsert:
            looked_up.append(Place(steps, None, exists=False, bindings=bindings))
    return looked_up
