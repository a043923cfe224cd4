"""What upstream changed between two texts of a resource, list items by their keys, and where that is in ours."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from confighub.data import keyed, lists, normal
from confighub.data.document import Document
from confighub.data.editor import Editor
from confighub.data.path import Steps, get, join
from confighub.data.tree import ALIAS, MAP, NONE, SEQ, parent, prev_sibling


@dataclass(frozen=True, slots=True)
class Item:
    """A list item as a step: its content in the base, and where it stood there; ``field`` holds its list."""

    field: str
    value: Any
    position: int


ItemSteps = tuple[str | Item, ...]


@dataclass(frozen=True, slots=True)
class Upstream:
    """One change of upstream: ``set``, ``delete``, or ``insert`` of an item behind the item ``after``."""

    what: str
    steps: ItemSteps
    text: str = ""
    is_container: bool = False
    after: Any = None
    position: int = 0
    value: Any = None
    """What upstream put there, as data."""


def resolve(holder: Editor, steps: ItemSteps) -> tuple[Steps, int]:
    """Return the steps with items as positions in a document, and how many of them exist; the rest stay as keys."""
    found: Steps = ()
    for depth, step in enumerate(steps):
        if isinstance(step, Item):
            position = _find(holder, found, step)
            if position is None:
                return (*found, step.position, *(_plain(rest) for rest in steps[depth + 1 :])), depth
            found = (*found, position)
            continue
        below = (*found, step)
        if not holder.shape(below):
            return (*found, *(_plain(rest) for rest in steps[depth:])), depth
        found = below
    return found, len(steps)


def _plain(step: str | Item) -> str | int:
    return step.position if isinstance(step, Item) else step


def _find(holder: Editor, steps: Steps, step: Item) -> int | None:
    if holder.shape(steps) != "list":
        return None
    found = keyed.find(holder, steps, step.field, step.value)
    if found is not None:
        return found if found >= 0 else None
    items = holder.at(steps)
    if isinstance(step.value, (dict, list)):
        same = [at for at, item in enumerate(items) if item == step.value]
        return same[0] if len(same) == 1 else (step.position if step.position < len(items) else None)
    if step.position < len(items) and are_same(items[step.position], step.value):
        return step.position
    same = [at for at, item in enumerate(items) if are_same(item, step.value)]
    if len(same) == 1:
        return same[0]
    return step.position if step.position < len(items) else None


def are_same(one: Any, other: Any) -> bool:
    """Say whether two values are equal and of one type: 1 and true are not the same in YAML."""
    return type(one) is type(other) and bool(one == other)


def place_behind(holder: Editor, steps: Steps, name: str, change: Upstream) -> int:
    """Return where upstream's new item belongs in our list at the steps: behind the one that it follows upstream."""
    if change.position == 0:
        return 0
    found = _find(holder, steps, Item(name, change.after, change.position - 1))
    return holder.size(steps) if found is None else found + 1


def path_of(steps: ItemSteps) -> str:
    """Return the steps as a path by the positions of the base."""
    return join(tuple(_plain(step) for step in steps))


@lru_cache(maxsize=256)
def upstream_changes(base: Document, theirs: Document) -> tuple[Upstream, ...]:
    """Return what changed from the base to theirs in one resource, list items by key; parents before children."""
    found: list[Upstream] = []
    if base.source != theirs.source:
        _Comparison(base, theirs, found).nodes(base.root, theirs.root, ())
    return tuple(found)


class _Comparison:
    """Compares two documents node by node, with the data at hand for list keys."""

    def __init__(self, base: Document, theirs: Document, found: list[Upstream]) -> None:
        self.base, self.theirs, self.found = base, theirs, found

    def nodes(self, old: int, new: int, steps: ItemSteps) -> None:
        was, now = _shape(self.base, old), _shape(self.theirs, new)
        if was == now == "map":
            self._maps(old, new, steps)
        elif was == now == "list":
            self._lists(old, new, steps)
        elif was != now or normal.value_text(self.base, old) != normal.value_text(self.theirs, new):
            self._set(steps, new, is_container=was != "scalar" or now != "scalar")

    def _set(self, steps: ItemSteps, node: int, *, is_container: bool) -> None:
        text, value = normal.value_text(self.theirs, node), _data(self.theirs, node)
        self.found.append(Upstream("set", steps, text, is_container=is_container, value=value))

    def _maps(self, old: int, new: int, steps: ItemSteps) -> None:
        before = {self.base.key_of(node): node for node in reversed(self.base.children(old))}
        seen = set()
        for node in self.theirs.children(new):
            key = self.theirs.key_of(node)
            if key in seen:
                continue
            seen.add(key)
            if key in before:
                self.nodes(before[key], node, (*steps, key))
            else:
                self._set((*steps, key), node, is_container=_shape(self.theirs, node) != "scalar")
        for node in self.base.children(old):
            name = self.base.key_of(node)
            if name not in seen:
                self.found.append(Upstream("delete", (*steps, name)))

    def _lists(self, old: int, new: int, steps: ItemSteps) -> None:
        name = next((step for step in reversed(steps) if isinstance(step, str)), "")
        before, after = self.base.children(old), self.theirs.children(new)
        old_items = [_data(self.base, node) for node in before]
        new_items = [_data(self.theirs, node) for node in after]
        same = lists.match(name, old_items, new_items)
        came_from = {new_at: old_at for old_at, new_at in same.items()}
        for at, node in enumerate(before):
            if at in same:
                self.nodes(node, after[same[at]], (*steps, Item(name, old_items[at], at)))
        # from the back, so that positions of unkeyed items still hold
        for at in range(len(before) - 1, -1, -1):
            if at not in same:
                self.found.append(Upstream("delete", (*steps, Item(name, old_items[at], at))))
        for at, node in enumerate(after):
            if at not in came_from:
                previous = new_items[at - 1] if at else None
                text = normal.entry_text(self.theirs, node)
                self.found.append(Upstream("insert", steps, text, after=previous, position=at, value=new_items[at]))


def _shape(holder: Document, node: int) -> str:
    kind = holder.type_of(node)
    if kind & ALIAS:
        return "scalar"
    return "map" if kind & MAP else "list" if kind & SEQ else "scalar"


def _data(holder: Document, node: int) -> Any:
    steps: list[str | int] = []
    tree = holder.tree
    while node != holder.root:
        up = parent(tree, node)
        if holder.type_of(up) & MAP:
            steps.append(holder.key_of(node))
        else:
            position, before = 0, prev_sibling(tree, node)
            while before != NONE:
                position, before = position + 1, prev_sibling(tree, before)
            steps.append(position)
        node = up
    return get(holder.data, tuple(reversed(steps)))
