"""What changed between two documents, by positional path.

Maps compare by key, lists by position, scalars by their YAML text, quotes and the comment beside them included. Entries
whose bytes are equal are not looked into, so a small change in a large document is found fast.
Source: spec merge.md, "Computing mutations".
"""

from __future__ import annotations

from typing import NamedTuple

from confighub.data import normal
from confighub.data.comments import can_be_beside
from confighub.data.document import Document
from confighub.data.path import escape
from confighub.data.tree import (
    ALIAS,
    BLOCK_SCALAR,
    MAP,
    NONE,
    PROPERTIES,
    QUOTED,
    SEQ,
    VAL_STYLE,
    first_child,
    key_place,
    next_sibling,
    node_key,
    node_type,
    node_value,
    value_place,
    value_size,
)
from confighub.records.mutations import MutationType

Changes = dict[str, tuple[MutationType, str]]
"""Path → what happened, and the YAML text: the new value, or the removed one."""


def changes(old: Document, new: Document) -> Changes:
    """Return what changed in one resource, by positional path."""
    if old is new or old.source == new.source:
        return {}
    was, now = (_Part(one.root, "", -1, len(one.source)) for one in (old, new))
    return _changed(old, was, new, now, "")


def changes_at(old: Document, old_node: int, new: Document, new_node: int, path: str) -> Changes:
    """Return what changed at and below one place that both documents have."""
    was, now = (_Part(node, "", -1, -1) for node in (old_node, new_node))
    return _changed(old, was, new, now, path)


def _changed(old: Document, was: _Part, new: Document, now: _Part, path: str) -> Changes:
    comparison = _Comparison(old, new)
    comparison.parts(was, now, path)
    return comparison.found


class _Part(NamedTuple):
    """A node, the key of an entry, and where its bytes begin and end; -1 when that cannot be told."""

    node: int
    key: str
    start: int
    end: int


class _Comparison:
    def __init__(self, old: Document, new: Document) -> None:
        self.old, self.new = old, new
        self.found: Changes = {}
        # what an alias means, and which of equal keys counts, does not show in an entry's own bytes
        self._can_skip = not any(one.has_aliases or one.has_equal_keys for one in (old, new))
        self._has_comments = b"#" in old.source or b"#" in new.source
        # the content of a block scalar may depend on the column
        self._has_blocks = any(b"|" in one.source or b">" in one.source for one in (old, new))

    def parts(self, was: _Part, now: _Part, path: str) -> None:
        """Compare two nodes that stand at one path."""
        old_kind, new_kind = node_type(self.old.tree, was.node), node_type(self.new.tree, now.node)
        if new_kind & MAP and not new_kind & ALIAS:
            self._maps(was, old_kind, now, path)
        elif new_kind & SEQ and not new_kind & ALIAS:
            if old_kind & SEQ and not old_kind & ALIAS:
                self._lists(was, now, path)
            else:
                self._update(now, path)
        elif not self._are_equal_scalars(was.node, old_kind, now.node, new_kind):
            self._update(now, path)

    def _update(self, now: _Part, path: str) -> None:
        self.found[path] = ("Update", normal.entry_text(self.new, now.node))

    @staticmethod
    def _is_empty(holder: Document, part: _Part) -> bool:
        return first_child(holder.tree, part.node) == NONE

    def _are_same_bytes(self, was: _Part, now: _Part) -> bool:
        if not self._can_skip or was.start < 0 or was.end < 0 or now.start < 0 or now.end < 0:
            return False
        old, new = self.old.source, self.new.source
        if old[was.start : was.end] != new[now.start : now.end]:
            return False
        return not self._has_blocks or was.start - old.rfind(b"\n", 0, was.start) == now.start - new.rfind(
            b"\n", 0, now.start
        )

    def _maps(self, was: _Part, old_kind: int, now: _Part, path: str) -> None:
        is_map = bool(old_kind & MAP and not old_kind & ALIAS)
        if self._is_empty(self.new, now):
            if is_map:
                self._gone(_entries(self.old, was), path)
            else:
                self._update(now, path)
            return
        if not is_map or self._is_empty(self.old, was):
            self._update(now, path)
            return
        before = _entries(self.old, was)
        for key, part in _entries(self.new, now).items():
            old = before.pop(key, None)
            if old is None:
                self.found[_below(path, key)] = ("Add", normal.entry_text(self.new, part.node))
            elif not self._are_same_bytes(old, part):
                self.parts(old, part, _below(path, key))
        self._gone(before, path)

    def _gone(self, entries: dict[str, _Part], path: str) -> None:
        for key, part in entries.items():
            self.found[_below(path, key)] = ("Delete", normal.entry_text(self.old, part.node))

    def _lists(self, was: _Part, now: _Part, path: str) -> None:
        before, after = _items(self.old, was), _items(self.new, now)
        for at in range(max(len(before), len(after))):
            here = f"{path}.{at}" if path else str(at)
            if at >= len(before):
                self.found[here] = ("Add", normal.entry_text(self.new, after[at].node))
            elif at >= len(after):
                self.found[here] = ("Delete", normal.entry_text(self.old, before[at].node))
            elif self._has_comments and self._differ_above(before[at], after[at]):
                self._update(after[at], here)
            elif not self._are_same_bytes(before[at], after[at]):
                self.parts(before[at], after[at], here)

    def _differ_above(self, was: _Part, now: _Part) -> bool:
        """Say whether other comments stand above a scalar of a list: they are recorded with it."""
        if (node_type(self.old.tree, was.node) | node_type(self.new.tree, now.node)) & (MAP | SEQ):
            return False
        return normal.head_comment(self.old, was.node) != normal.head_comment(self.new, now.node)

    def _are_equal_scalars(self, old_node: int, old_kind: int, new_node: int, new_kind: int) -> bool:
        old, new = self.old, self.new
        if (old_kind ^ new_kind) & (VAL_STYLE | ALIAS) or old_kind & (MAP | SEQ) or (old_kind ^ new_kind) & PROPERTIES:
            return False
        old_view, new_view = node_value(old.tree, old_node), node_value(new.tree, new_node)
        if old_view != new_view:
            return False
        value = old_view or b""
        is_quoted = bool(old_kind & (QUOTED | BLOCK_SCALAR))
        if old_kind & PROPERTIES or any(can_be_beside(one, value, is_quoted=is_quoted) for one in (old, new)):
            return normal.value_text(old, old_node) == normal.value_text(new, new_node)
        return True


def _entries(holder: Document, part: _Part) -> dict[str, _Part]:
    """Return a map's entries by key, each up to where the next begins; the first of equal keys counts."""
    tree, child = holder.tree, first_child(holder.tree, part.node)
    keys: list[str] = []
    nodes: list[int] = []
    starts: list[int] = []
    while child != NONE:
        keys.append(node_key(tree, child).decode())
        nodes.append(child)
        starts.append(_within(holder, key_place(tree, child)))
        child = next_sibling(tree, child)
    ends = [*starts[1:], part.end]
    entries: dict[str, _Part] = {}
    for found in map(_Part, nodes, keys, starts, ends):
        entries.setdefault(found.key, found)
    return entries


def _items(holder: Document, part: _Part) -> list[_Part]:
    """Return a list's items, each up to where the next begins; bytes are counted from its first key or its value."""
    tree, child = holder.tree, first_child(holder.tree, part.node)
    nodes: list[int] = []
    starts: list[int] = []
    while child != NONE:
        nodes.append(child)
        kind = node_type(tree, child)
        first = first_child(tree, child) if kind & (MAP | SEQ) else NONE
        if kind & MAP:
            starts.append(_within(holder, key_place(tree, first)) if first != NONE else -1)
        else:
            has_text = not kind & SEQ and value_size(tree, child)
            starts.append(_within(holder, value_place(tree, child)) if has_text else -1)
        child = next_sibling(tree, child)
    return [
        _Part(node, "", start, end) for node, start, end in zip(nodes, starts, [*starts[1:], part.end], strict=False)
    ]


def _within(holder: Document, at: int) -> int:
    """Return where a scalar stands, or -1 for one that was decoded elsewhere."""
    return at if 0 <= at < len(holder.source) else -1


def _below(path: str, key: str) -> str:
    return f"{path}.{escape(key)}" if path else escape(key)
