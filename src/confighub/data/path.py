r"""The path language: dotted segments, read once and kept.

    spec.template.spec.containers.?name=web.image#reference

Segments: a map key or list position; ``*`` every child; ``?key=value`` the first list item whose key has that text;
``?key:param=value`` the same, naming the match; ``*?key:param`` every item, naming each; ``@key:param`` a map key
that is named; ``*@:param`` every map entry, named; ``|key`` nothing is created above this point. ``~1`` is a dot inside
a key, ``~0`` a tilde; ``#part`` at the end names a part of the text (functions/known_paths.py has the patterns).
Source: spec functions/README.md, Paths, and where.md §2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import lru_cache
from typing import Any, NamedTuple

from confighub.errors import BadPath

Step = str | int
Steps = tuple[Step, ...]

_SEGMENT = re.compile(r'"[^"]+"|[^.]+')
_INDEX = re.compile(r"[0-9]{1,10}\Z")


class Kind(Enum):
    """What a segment selects."""

    KEY = "key or position"
    EVERY = "every child"
    MATCH = "the item with a value"


@dataclass(frozen=True, slots=True)
class Segment:
    """One step of a pattern; ``match`` is the key to compare or record, ``param`` the name of what is recorded."""

    kind: Kind
    key: str = ""
    match: str = ""
    value: str = ""
    param: str | None = None
    names_keys: bool = False
    must_exist_before: bool = False


@dataclass(frozen=True, slots=True)
class Pattern:
    """A path as read; ``accessor`` is the part behind ``#``, empty when there is none."""

    text: str
    segments: tuple[Segment, ...]
    accessor: str = ""
    is_resolved: bool = True
    tail: int = 0
    """From this segment on every segment is a plain key: what an upsert may create."""
    keys: Steps = field(default=())
    """The keys, when the pattern is resolved."""
    bindings: tuple[tuple[str, Any], ...] = ()
    """What a resolved pattern records wherever it leads."""

    def translated(self, characters: dict[int, str]) -> Pattern:
        """Return the pattern with single characters exchanged for texts, in keys and values alike."""
        return replace(
            self,
            segments=tuple(
                replace(one, key=one.key.translate(characters), value=one.value.translate(characters))
                for one in self.segments
            ),
            keys=tuple(key.translate(characters) if isinstance(key, str) else key for key in self.keys),
            bindings=tuple((name, str(value).translate(characters)) for name, value in self.bindings),
        )


class Place(NamedTuple):
    """One place that a pattern leads to; ``bindings`` are the (param, value) pairs it recorded, in path order."""

    steps: Steps
    value: Any
    exists: bool
    bindings: tuple[tuple[str, Any], ...] = ()


MISSING: Any = object()
"""Stands for "nothing there", since None is a value."""


@lru_cache(maxsize=4096)
def pattern(text: str) -> Pattern:
    """Return the path as segments.

    Raises: BadPath for an empty path or a segment that cannot be read.
    """
    path, _, accessor = text.partition("#")
    if not path:
        raise BadPath("a path cannot be empty")
    segments = tuple(_segment(part) for part in split(path))
    if not segments:
        raise BadPath(f"no segment in path: {text}")
    tail = len(segments)
    while tail and segments[tail - 1].kind is Kind.KEY:
        tail -= 1
    resolved = all(segment.kind is Kind.KEY and not segment.must_exist_before for segment in segments)
    keys = tuple(segment.key for segment in segments) if resolved else ()
    bindings = tuple((segment.param, segment.key) for segment in segments if segment.param) if resolved else ()
    return Pattern(text, segments, accessor, resolved, tail, keys, bindings)


@lru_cache(maxsize=4096)
def split(path: str) -> tuple[str, ...]:
    """Return the segments of a dotted path, unescaped."""
    if '"' not in path and "~" not in path:
        return tuple(part for part in path.split(".") if part)
    return tuple(unescape(part.strip('"')) for part in _SEGMENT.findall(path))


def unescape(segment: str) -> str:
    """Return a segment with ``~1`` and ``~0`` read."""
    if "~" not in segment:
        return segment
    return re.sub("~[01]", lambda match: "." if match.group() == "~1" else "~", segment)


def escape(key: str) -> str:
    """Return a key as one segment of a path, its dots as ``~1``."""
    return key.replace(".", "~1") if "." in key else key


def join(steps: Steps) -> str:
    """Return steps as a path, as the wire writes it."""
    return ".".join([escape(step) if type(step) is str else str(step) for step in steps])


def _segment(text: str) -> Segment:
    if text.startswith("?"):
        return _match(text)
    if text.startswith("*"):
        return _every(text)
    guarded = text.startswith("|")
    key = text[1:] if guarded else text
    if not key.startswith("@"):
        return Segment(Kind.KEY, key, must_exist_before=guarded)
    name, *params = key[1:].split(":")
    if len(params) > 1:
        raise BadPath(f"invalid map parameter in path: {text}")
    return Segment(Kind.KEY, name, param=params[0] if params else None, must_exist_before=guarded)


def _match(text: str) -> Segment:
    name, equals, value = text[1:].partition("=")
    if not equals:
        raise BadPath(f"invalid associative lookup: {text}")
    key, *params = name.split(":")
    if len(params) > 1:
        raise BadPath(f"invalid associative parameter: {text}")
    if value == "*":
        return Segment(Kind.EVERY, match=key, param=params[0] if params else "")
    return Segment(Kind.MATCH, match=key, value=value, param=params[0] if params else "")


def _every(text: str) -> Segment:
    if text.startswith("*?"):
        key, *params = text[2:].split(":")
        if len(params) > 1:
            raise BadPath(f"invalid parameter in path: {text}")
        return Segment(Kind.EVERY, match=key, param=params[0] if params else "")
    if text.startswith("*@:"):
        return Segment(Kind.EVERY, param=text[3:], names_keys=True)
    return Segment(Kind.EVERY)


def get(data: Any, steps: Steps) -> Any:
    """Return the value at plain steps, or MISSING."""
    for step in steps:
        data = child(data, step)
        if data is MISSING:
            return MISSING
    return data


def child(data: Any, step: Step) -> Any:
    """Return one child of a map or list, or MISSING; a text of digits is a position in a list."""
    kind = type(data)
    if kind is dict:
        return data.get(step if type(step) is str else str(step), MISSING)
    if kind is list:
        if type(step) is str:
            if not _INDEX.match(step):
                return MISSING
            step = int(step)
        return data[step] if step < len(data) else MISSING  # type: ignore[operator]
    return MISSING


def places(data: Any, path: Pattern, *, upsert: bool = False) -> list[Place]:
    """Return every place that a pattern leads to, in document order.

    Without upsert all of them exist. With it, plain keys at the end need not: the places to be created come too,
    ``exists`` false, and so do all places of a path without patterns.
    """
    if path.is_resolved:
        return _resolved(data, path, upsert=upsert)
    return list(_walk(data, path, upsert))


def _resolved(data: Any, path: Pattern, *, upsert: bool) -> list[Place]:
    value, steps = data, path.keys
    for key in path.keys:
        if type(value) is dict:
            value = value.get(key, MISSING)
        else:
            value = child(value, key)
            steps = ()
        if value is MISSING:
            return [Place(positioned(data, path.keys), None, False, path.bindings)] if upsert else []
    return [Place(steps or positioned(data, path.keys), value, True, path.bindings)]


def positioned(data: Any, keys: Steps) -> Steps:
    """Return the steps with list positions as numbers, as far as the data goes."""
    steps: list[Step] = []
    for key in keys:
        if type(data) is list and type(key) is str and _INDEX.match(key):
            steps.append(int(key))
        else:
            steps.append(key)
        data = child(data, key) if data is not MISSING else MISSING
    return tuple(steps)


def _walk(data: Any, path: Pattern, upsert: bool) -> Iterator[Place]:
    segments, size = path.segments, len(path.segments)
    guard = max((at for at, segment in enumerate(segments) if segment.must_exist_before), default=0)
    work: list[tuple[int, Steps, Any, tuple[tuple[str, Any], ...]]] = [(0, (), data, ())]
    while work:
        at, steps, here, bindings = work.pop()
        if at == size:
            if here is not MISSING or upsert:
                yield Place(steps, None if here is MISSING else here, here is not MISSING, bindings)
            continue
        segment = segments[at]
        if segment.kind is Kind.KEY:
            below = child(here, segment.key) if here is not MISSING else MISSING
            if below is MISSING and not (upsert and at >= path.tail and at >= guard):
                continue
            if segment.param:
                bindings = (*bindings, (segment.param, segment.key))
            step: Step = int(segment.key) if type(here) is list and _INDEX.match(segment.key) else segment.key
            work.append((at + 1, (*steps, step), below, bindings))
        else:
            work.extend(reversed(matches(here, segment, at + 1, steps, bindings)))


def matches(
    here: Any, segment: Segment, at: int, steps: Steps, bindings: tuple[tuple[str, Any], ...]
) -> list[tuple[int, Steps, Any, tuple[tuple[str, Any], ...]]]:
    """Return the children that a segment with a pattern selects, in order: (at, steps, value, bindings)."""
    if segment.kind is not Kind.MATCH:
        return _children(here, segment, at, steps, bindings)
    if type(here) is list:
        for position, item in enumerate(here):
            if child(item, segment.match) == segment.value:
                return [(at, (*steps, position), item, (*bindings, (segment.param or "", segment.value)))]
    return []


def _children(
    here: Any, segment: Segment, at: int, steps: Steps, bindings: tuple[tuple[str, Any], ...]
) -> list[tuple[int, Steps, Any, tuple[tuple[str, Any], ...]]]:
    found: list[tuple[int, Steps, Any, tuple[tuple[str, Any], ...]]] = []
    if type(here) is dict:
        pairs: list[tuple[Step, Any]] = list(here.items())
    elif type(here) is list:
        pairs = list(enumerate(here))
    else:
        return found
    for step, item in pairs:
        named = bindings
        if segment.match:
            value = child(item, segment.match)
            if value is not MISSING:
                named = (*bindings, (segment.param or "", value))
        elif segment.names_keys and type(here) is dict:
            named = (*bindings, (segment.param or "", step))
        found.append((at, (*steps, step), item, named))
    return found
