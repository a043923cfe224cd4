"""Places of a path in a document that is not read yet: found in its tree, only what is asked for is read.

The rules are those of path.places, which looks into data.
"""

from __future__ import annotations

from typing import Any

from confighub.data.document import Document
from confighub.data.path import Kind, Pattern, Place, Segment, Steps
from confighub.data.tree import MAP, NONE, SEQ, children, find_child, node_key, node_type, nth_child

Bindings = tuple[tuple[str, Any], ...]


def resolved(holder: Document, path: Pattern, *, upsert: bool) -> list[Place] | None:
    """Return the place that a path of plain keys leads to, with upsert also a missing one; None for other paths."""
    keys = path.keys
    if not path.is_resolved or any(key.isdigit() for key in keys if type(key) is str):
        return None
    node = holder.find(keys)
    if node == NONE:
        return [Place(keys, None, False, path.bindings)] if upsert else []
    return [Place(keys, holder.value(node, keys), True, path.bindings)]


def found(holder: Document, path: Pattern) -> list[Place]:
    """Return every place that a pattern leads to, in document order; all of them exist."""
    ends: list[tuple[int, Steps, Bindings]] = [(holder.root, (), ())]
    for segment in path.segments:
        ends = [below for node, steps, named in ends for below in matches(holder, node, segment, steps, named)]
    return [Place(steps, holder.value(node, steps), True, named) for node, steps, named in ends]


def matches(
    holder: Document, node: int, segment: Segment, steps: Steps, bindings: Bindings
) -> list[tuple[int, Steps, Bindings]]:
    """Return the children that a segment selects, in order: (node, steps, bindings)."""
    tree, kind = holder.tree, node_type(holder.tree, node)
    if segment.kind is Kind.KEY:
        child, step = NONE, segment.key  # type: int, str | int
        if kind & MAP:
            child = find_child(tree, node, segment.key.encode())
        elif kind & SEQ and segment.key.isdigit():
            step = int(segment.key)
            child = nth_child(tree, node, step)
        named = (*bindings, (segment.param, segment.key)) if segment.param else bindings
        return [] if child == NONE else [(child, (*steps, step), named)]
    if not kind & (MAP | SEQ):
        return []
    found: list[tuple[int, Steps, Bindings]] = []
    seen: set[str | int] = set()
    for position, child in enumerate(children(tree, node)):
        step = position if kind & SEQ else node_key(tree, child).decode()
        if step in seen:
            continue  # the first of equal keys counts
        seen.add(step)
        place = (*steps, step)
        if segment.kind is Kind.MATCH:
            if kind & SEQ and _value_below(holder, child, segment.match) == segment.value:
                return [(child, place, (*bindings, (segment.param or "", segment.value)))]
            continue
        named = bindings
        if segment.match:
            value = _value_below(holder, child, segment.match)
            named = bindings if value is _NOTHING else (*bindings, (segment.param or "", value))
        elif segment.names_keys and kind & MAP:
            named = (*bindings, (segment.param or "", step))
        found.append((child, place, named))
    return found


_NOTHING = object()


def _value_below(holder: Document, node: int, key: str) -> Any:
    """Return the scalar at a key of a map, or something equal to nothing."""
    tree = holder.tree
    if not node_type(tree, node) & MAP:
        return _NOTHING
    child = find_child(tree, node, key.encode())
    if child == NONE or node_type(tree, child) & (MAP | SEQ):
        return _NOTHING
    return holder.scalar(child)
