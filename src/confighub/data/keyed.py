"""What identifies the items of a list in a document, read from its tree when the document is not read yet."""

from __future__ import annotations

from typing import Any

from confighub.data import lists
from confighub.data.document import Document
from confighub.data.editor import Editor
from confighub.data.meaning import scalar
from confighub.data.path import Steps, get
from confighub.data.tree import MAP, NONE, SEQ, children, find_child, node_type, nodes_below


def identities(holder: Document | Editor, steps: Steps, fields: tuple[str, ...]) -> list[Any] | None:
    """Return what identifies each item of the list at the steps; None when these fields do not tell all items apart."""
    if isinstance(holder, Document):
        return _kept(holder, steps, fields)
    now = holder.unchanged_keys(steps, fields)
    return lists.identities(holder.at(steps), fields) if now is None else _kept(now, steps, fields)


def _kept(holder: Document, steps: Steps, fields: tuple[str, ...]) -> list[Any] | None:
    known = holder.memo.get((steps, fields), _UNKNOWN)
    if known is _UNKNOWN:
        read = lists.identities(get(holder.data, steps), fields) if holder.is_read else _read(holder, steps, fields)
        known = holder.memo[(steps, fields)] = read
    found: list[Any] | None = known
    return found


_UNKNOWN = object()


def _read(holder: Document, steps: Steps, fields: tuple[str, ...]) -> list[Any] | None:
    tree, node = holder.tree, holder.find(steps)
    if node == NONE or not node_type(tree, node) & SEQ:
        return None
    entries = nodes_below(tree, node, fields[0].encode())
    if entries is None:
        return None
    found: list[Any] = []
    for entry in entries:
        kind = node_type(tree, entry)
        if kind & (MAP | SEQ):
            return None
        found.append(scalar(tree, entry, kind))
    if len(fields) > 1:
        others = [(field.encode(), lists.DEFAULTS.get(field)) for field in fields[1:]]
        items = children(tree, node)
        found = [
            (key, *(_other(holder, item, name, default) for name, default in others))
            for key, item in zip(found, items, strict=True)
        ]
        if any(_CONTAINER in key for key in found):
            return None
    return found if len(set(found)) == len(found) else None


_CONTAINER = object()


def _other(holder: Document, item: int, name: bytes, default: Any) -> Any:
    below = find_child(holder.tree, item, name)
    if below == NONE:
        return default
    return _CONTAINER if node_type(holder.tree, below) & (MAP | SEQ) else holder.scalar(below)


def find(holder: Document | Editor, steps: Steps, field: str, item: Any) -> int | None:
    """Return where an item stands in the keyed list at the steps, -1 for nowhere; None when the list is not keyed."""
    for fields in lists.candidates(field):
        before = lists.identities([item], fields)
        after = identities(holder, steps, fields) if before is not None else None
        if before is None or after is None:
            continue
        if before[0] in after:
            return after.index(before[0])
        if lists.has_other_name(item, fields[0]):
            return lists.find(field, item, holder.at(steps))
        return -1
    return None
