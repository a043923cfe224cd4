"""One document under edit: changes by path, applied in one splice, with the record of what changed.

The record comes from the edits themselves. Only where a list item came or went is that list compared, because the wire
counts positions. Whatever changes structure is read back and must mean what was asked; else nothing is changed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from confighub.data import comments, edit, normal, render
from confighub.data.additions import add_item
from confighub.data.differences import Changes, changes, changes_at
from confighub.data.document import (
    Apply,
    Change,
    Document,
    changed,
    document,
    position_in,
    remember,
    shape_of,
    size_of,
)
from confighub.data.path import MISSING, Step, Steps, get, join
from confighub.data.removals import remove
from confighub.data.render import Layout, Raw
from confighub.data.splice import Splice, spliced
from confighub.data.tree import (
    BLOCK_SCALAR,
    FLOW,
    MAP,
    NONE,
    PROPERTIES,
    SEQ,
    children,
    first_child,
    node_type,
    nth_child,
)
from confighub.errors import BadPath, NotYaml
from confighub.records.mutations import MutationType

_UNREAD: Any = object()
"""Stands for data that nobody asked for yet."""
_MANY = 16
"""From so many changes on, the data with all of them is kept at hand."""


class Editor:
    """Edits one document; ``document`` is its present state, ``origin`` what it was."""

    def __init__(self, origin: Document) -> None:
        self.origin = origin
        self._now = origin
        self._splices: list[Splice] = []
        # the data with all changes is only made when single places do not tell enough
        self._expected: Any = _UNREAD
        self._waiting: list[Change] = []
        self._needs_reading = False
        self._touched: dict[Steps, MutationType] = {}
        self._texts: dict[Steps, str] = {}
        self._moved: set[Steps] = set()
        self._failure = ""
        self._grown = 0
        self._pending: set[Steps] = set()
        self._busy: list[Steps] = []
        self._placed: list[tuple[Steps, Any]] = []

    @property
    def data(self) -> Any:
        """The document's data with all changes so far."""
        if self._expected is _UNREAD:
            self._expected = changed(self._now.data, self._waiting)
        return self._expected

    def at(self, steps: Steps) -> Any:
        """Return the value at plain steps with all changes so far, or MISSING."""
        if self._expected is not _UNREAD:
            return get(self._expected, steps)
        for change in reversed(self._waiting):
            apply, place, value = change
            if _moves(change, steps):
                return get(self.data, steps)
            if place[: len(steps)] == steps[: len(place)]:
                return value if place == steps and apply is _with else get(self.data, steps)
        return self._now.at(steps)

    def unchanged_keys(self, steps: Steps, fields: tuple[str, ...]) -> Document | None:
        """Return the present document when no waiting change touches these fields of the list's items, else None."""
        size = len(steps)
        for change in self._waiting:
            _, place, _ = change
            if _moves(change, steps) or (
                place[:size] == steps[: len(place)]
                and (len(place) < size + 2 or (len(place) == size + 2 and place[-1] in fields))
            ):
                return None
        return self._now

    def _keeps_shape(self, steps: Steps) -> bool:
        """Say whether the present container at the steps stays one: changes below it wait at most."""
        return not self._is_moved(steps) and all(
            place[: len(steps)] != steps[: len(place)] or len(place) > len(steps) for _, place, _ in self._waiting
        )

    def _is_moved(self, steps: Steps) -> bool:
        """Say whether a waiting change moved what stands at the steps to another position of a list."""
        return any(_moves(change, steps) for change in self._waiting)

    def _unchanged(self, steps: Steps) -> bool:
        """Say whether no change waits at, above or below the steps."""
        return not any(
            place[: len(steps)] == steps[: len(place)] or _moves((apply, place, value), steps)
            for apply, place, value in self._waiting
        )

    def shape(self, steps: Steps) -> str:
        """Return the shape of what stands at plain steps with all changes so far; see Document.shape."""
        if self._unchanged(steps):
            return self._now.shape(steps)
        shape = self._now.shape(steps) if self._keeps_shape(steps) else ""
        return shape if shape in ("map", "list") else shape_of(self.at(steps))

    def size(self, steps: Steps) -> int:
        """Return the number of entries at plain steps with all changes so far; see Document.size."""
        is_kept = not self._is_moved(steps) and all(
            place[: len(steps)] != steps[: len(place)] or len(place) > len(steps) + 1 for _, place, _ in self._waiting
        )
        return self._now.size(steps) if is_kept else size_of(self.at(steps))

    def position(self, steps: Steps, key: str, value: str) -> int | None:
        """Return the position of an item with all changes so far; see Document.position."""
        if self._unchanged(steps):
            return self._now.position(steps, key, value)
        return position_in(self.at(steps), key, value)

    def _expect(self, apply: Apply, steps: Steps, value: Any = None) -> None:
        self._waiting.append((apply, steps, value))
        if self._expected is not _UNREAD:
            self._expected = apply(self._expected, steps, value)
        elif len(self._waiting) == _MANY:
            self._expected = self.data

    @property
    def document(self) -> Document:
        """The document with all changes so far."""
        self._settle()
        return self._now

    @property
    def is_changed(self) -> bool:
        """True when the text differs from the origin's."""
        return bool(self._splices) or self._now is not self.origin

    def touches(self, places: tuple[Steps, ...]) -> bool:
        """Say whether anything at, above or below one of the places was changed."""
        heads = {place[0] for place in places}
        return any(
            steps[: len(place)] == place[: len(steps)]
            for steps in (*self._touched, *self._moved)
            if not steps or steps[0] in heads
            for place in places
        )

    def set(self, steps: Steps, value: Any) -> bool:
        """Put a value at the steps, adding missing map keys; return whether anything changed.

        A value equal to the present one changes nothing. Raw text always replaces.
        Raises: BadPath when the steps do not fit or the place cannot be edited safely.
        """
        current = self.at(steps)
        if current is not MISSING and not isinstance(value, Raw) and _same(current, value):
            return False
        if steps in self._pending or self._is_busy(steps):
            self._settle()
        node, depth = edit.locate(self._now, steps)
        leaf = edit.leaf_splice(self._now, node, value) if depth == len(steps) else None
        if leaf is not None:
            kind = node_type(self._now.tree, node)
            self._splices.append(leaf)
            self._pending.add(steps)
            has_head = bool(steps) and isinstance(steps[-1], int) and b"#" in self._now.source
            simple = not has_head and not kind & (PROPERTIES | BLOCK_SCALAR) and b"\n" not in leaf.new
            self._texts[steps] = self._leaf_text(leaf) if simple else ""
            self._note(steps, "Update")
        elif isinstance(current, (dict, list)) and depth == len(steps) and _is_container(value):
            if self._is_busy(steps) or self._has_pending_below(steps):
                self._settle()
            self._change(steps, lambda: edit.set_at(self._now, *edit.locate(self._now, steps), steps, value))
            # the wire records what differs inside
            self._moved.add(steps)
        else:
            place = steps[:depth]
            if self._is_busy(place) or (depth == len(steps) and self._has_pending_below(steps)):
                self._settle()
            self._change(place, lambda: edit.set_at(self._now, *edit.locate(self._now, steps), steps, value))
            self._note_structure(steps, *edit.locate(self._now, steps), value)
        new = render.plain(value)
        if leaf is None:
            self._grown += _added_nodes(current, new, len(steps) - depth)
        if leaf is None or self._now.has_aliases:
            self._placed.append((steps, new))
        self._expect(_with, steps, new)
        if self._now.has_aliases:
            self._settle()
        return True

    def _note_structure(self, steps: Steps, node: int, depth: int, value: Any) -> None:
        added = steps[: depth + 1]
        self._texts.pop(added, None)
        tree = self._now.tree
        is_empty = bool(node_type(tree, node) & MAP) and first_child(tree, node) == NONE
        if depth < len(steps) and is_empty and not self._was_filled(steps[:depth]):
            # a map that was empty is recorded as a whole
            self._note(steps[:depth], "Update")
            return
        if depth < len(steps) and not isinstance(value, Raw):
            self._texts[added] = _record_text(steps[depth + 1 :], value)
        self._note(added, "Update" if depth == len(steps) else "Add")

    def _was_filled(self, steps: Steps) -> bool:
        """Say whether a map that is empty now had entries before all changes."""
        was = get(self.origin.data, steps)
        return isinstance(was, dict) and bool(was)

    def _leaf_text(self, splice: Splice) -> str:
        text = splice.new.decode().strip()
        comment = comments.comment_behind(self._now.source, splice.end)
        return f"{text} {comment}\n" if comment else f"{text}\n"

    def remove(self, steps: Steps) -> bool:
        """Take out a map entry or list item; return whether there was one."""
        current = self.at(steps)
        if current is MISSING:
            return False
        place = steps[:-1]
        if self._is_busy(place) or self._has_pending_below(steps):
            self._settle()
        if edit.locate(self._now, steps)[1] < len(steps):
            return False
        self._change(place, lambda: remove(self._now, edit.locate(self._now, steps)[0]))
        self._grown -= _size(current)
        if isinstance(steps[-1], int):
            self._moved.add(steps[:-1])
        else:
            self._texts.pop(steps, None)
            self._note(steps, "Delete")
        self._expect(_without, steps)
        if self._now.has_aliases:
            self._settle()
        return True

    def insert(self, steps: Steps, value: Any, *, position: int | None = None) -> None:
        """Add an item to the list at the steps, at a position or at the end."""
        if self._is_busy(steps):
            self._settle()
        node, depth = edit.locate(self._now, steps)
        if depth < len(steps) or not node_type(self._now.tree, node) & SEQ:
            raise BadPath(f"no list at {join(steps)}")
        size = len(children(self._now.tree, node))
        at = size if position is None else min(position, size)
        self._change(steps, lambda: self._added_item(steps, value, at, size))
        if at == size:
            self._note_item((*steps, at), node, value)
            self._note((*steps, at), "Add")
        else:
            self._moved.add(steps)
        new = render.plain(value)
        self._grown += _size(new)
        self._placed.append(((*steps, at), new))
        self._expect(_with_item, (*steps, at), new)

    def _note_item(self, steps: Steps, node: int, value: Any) -> None:
        if node_type(self._now.tree, node) & FLOW:
            return
        if not isinstance(value, Raw):
            self._texts[steps] = _record_text((), value)
        elif value.is_wire:
            self._texts[steps] = value.text

    def _added_item(self, steps: Steps, value: Any, at: int, size: int) -> list[Splice]:
        node = edit.locate(self._now, steps)[0]
        after = None if at == size else NONE if at == 0 else nth_child(self._now.tree, node, at - 1)
        return add_item(self._now, node, value, after=after)

    def _change(self, place: Steps, make: Callable[[], list[Splice]]) -> None:
        """Note a change of structure at a place; together with the splices that wait, unless they meet."""
        made = make()
        if any(
            one.start == other.start or (one.start < other.end and other.start < one.end)
            for one in self._splices
            for other in made
        ):
            self._settle()
            made = make()
        self._splices += made
        if not all(splice.is_sure for splice in made):
            self._needs_reading = True
        self._busy.append(place)

    def _is_busy(self, steps: Steps) -> bool:
        """Say whether a change of structure waits at the place, above it or below it."""
        return bool(self._busy) and any(steps[: len(place)] == place[: len(steps)] for place in self._busy)

    def _has_pending_below(self, steps: Steps) -> bool:
        return any(place[: len(steps)] == steps for place in self._pending)

    def set_comment(self, steps: Steps, text: str) -> bool:
        """Put a comment beside the value at the steps; return whether there is such a place."""
        self._settle()
        node = self._now.find(steps)
        if node == NONE:
            return False
        splices = comments.set_comment(self._now, node, text)
        if splices:
            self._splices += splices
            self._needs_reading = True
            # the wire records comments of scalars only
            if not self._now.type_of(node) & (MAP | SEQ):
                self._note(steps, "Update")
        return True

    def replace_all(self, source: bytes) -> None:
        """Take other bytes for the whole document; the record is then a comparison."""
        self._settle()
        self._now = document(source)
        self._expected = _UNREAD
        self._moved.add(())

    def _note(self, steps: Steps, what: MutationType) -> None:
        for length in range(1, len(steps)):
            if steps[:length] in self._touched:
                # the record of what stands above covers this; its text is taken from the document at the end
                self._texts.pop(steps[:length], None)
                self._texts.pop(steps, None)
                return
        old = self._touched.get(steps)
        if what == "Update" and old == "Add":
            self._texts.pop(steps, None)
            return
        if old == "Delete" and what == "Add":
            what = "Update"
        for other in [other for other in self._touched if len(other) > len(steps) and other[: len(steps)] == steps]:
            del self._touched[other]
            self._texts.pop(other, None)
        if old == "Add" and what == "Delete":
            del self._touched[steps]
            return
        self._touched[steps] = what

    def _settle(self) -> None:
        if not self._splices:
            return
        source = spliced(self._now.source, self._splices)
        before, self._splices = self._now, []
        is_read, self._needs_reading = self._needs_reading, False
        try:
            if before.has_aliases:
                # a change at an anchor shows at every alias: only the text itself tells what it means now
                self._now = document(source)
                self._expected = _UNREAD
                is_proven = all(_same(get(self._now.data, steps), value) for steps, value in self._placed)
            else:
                self._now = Document.derived(before, source, self._waiting)
                is_proven = not is_read or self._is_proven(before)
                if is_proven and (is_read or self._now.is_known):
                    # one that was not even parsed is not worth it
                    self._now = remember(self._now)
        except NotYaml:
            is_proven = False
        if not is_proven:
            self._give_up(before)
        self._grown = 0
        self._waiting = []
        self._placed.clear()
        self._pending.clear()
        self._busy.clear()

    def _is_proven(self, before: Document) -> bool:
        """Read the new text and say whether it means what was asked."""
        new = self._now
        # one node more for each value that came, and each at its place: nothing else can have moved
        is_grown = new.tree.size() == before.tree.size() + self._grown
        if is_grown and all(_means(new, steps, value) for steps, value in self._placed):
            return True
        if not before.has_equal_keys:
            return False
        return bool(Document(new.source).data == changed(before.data, self._waiting))

    def _give_up(self, before: Document) -> None:
        self._now, self._expected, self._waiting = before, _UNREAD, []
        self._failure = "this change cannot be made without touching other places"
        if before.has_aliases:
            self._failure += ": an anchor or alias stands in the way"
        raise BadPath(self._failure)

    def finish(self) -> tuple[bytes, Changes]:
        """Return the new bytes and what changed, by positional path.

        Raises: BadPath when the new text does not mean what was asked.
        """
        if self._failure:
            raise BadPath(self._failure)
        if self._needs_reading or self._moved:
            self._settle()
        if self._moved:
            return self._now.source, self._compared()
        if self._splices:
            self._settle()
        source = self._now.source
        found: Changes = {}
        for steps, what in self._touched.items():
            text = self._texts.get(steps)
            if not text:
                text = self._text(steps, what)
            found[join(steps)] = (what, text)
        return source, found

    def _text(self, steps: Steps, what: MutationType) -> str:
        holder = self.origin if what == "Delete" else self._now
        return normal.entry_text(holder, holder.find(steps))

    def _compared(self) -> Changes:
        old, new = self.origin, self._now
        if () in self._moved:
            return changes(old, new)
        found: Changes = {}
        covered = sorted(self._moved | set(self._touched), key=len)
        done: list[Steps] = []
        for steps in covered:
            if any(steps[: len(above)] == above for above in done):
                continue
            was, now = old.find(steps), new.find(steps)
            if was == NONE or now == NONE:
                self._record_one_sided(steps, was, now, found)
            else:
                found.update(changes_at(old, was, new, now, join(steps)))
            done.append(steps)
        return found

    def _record_one_sided(self, steps: Steps, was: int, now: int, found: Changes) -> None:
        if now != NONE:
            found[join(steps)] = ("Add", normal.entry_text(self._now, now))
        elif was != NONE:
            found[join(steps)] = ("Delete", normal.entry_text(self.origin, was))


def _moves(change: Change, steps: Steps) -> bool:
    """Say whether the change adds or removes a list item at or before the one that the steps pass through."""
    apply, place, _ = change
    if apply is _with or not place or len(steps) < len(place):
        return False
    item, passed = place[-1], steps[len(place) - 1]
    is_behind = isinstance(item, int) and isinstance(passed, int) and passed >= item
    return is_behind and place[:-1] == steps[: len(place) - 1]


def _is_container(value: Any) -> bool:
    return isinstance(render.plain(value), (dict, list))


def _record_text(below: Steps, value: Any) -> str:
    """Return new data as the wire records it: in block form, whatever form the document gave it."""
    for step in reversed(below):
        value = {str(step): value}
    return "\n".join(render.block(value, _RECORD)) + "\n"


_RECORD = Layout(2, 0, is_json=False)


def _size(value: Any) -> int:
    """Count the nodes of a value."""
    if isinstance(value, dict):
        return 1 + sum(map(_size, value.values()))
    if isinstance(value, list):
        return 1 + sum(map(_size, value))
    return 1


def _added_nodes(old: Any, new: Any, missing: int) -> int:
    """Count the nodes that a new value adds, the maps made on the way included."""
    return _size(new) - _size(old) if old is not MISSING else _size(new) + max(missing - 1, 0)


def _means(holder: Document, steps: Steps, value: Any) -> bool:
    node = holder.find(steps)
    if node == NONE:
        return False
    kind = holder.type_of(node)
    if kind & MAP:
        return isinstance(value, dict) and all(_means(holder, (*steps, key), item) for key, item in value.items())
    if kind & SEQ:
        return isinstance(value, list) and all(_means(holder, (*steps, at), item) for at, item in enumerate(value))
    return bool(_same(holder.scalar(node), value))


def _same(one: Any, other: Any) -> bool:
    # True == 1 in Python, not in YAML
    return type(one) is type(other) and one == other


def _with(data: Any, steps: Steps, value: Any) -> Any:
    """Return the data with a value at the steps; what is not on the way is shared."""
    if not steps:
        return value
    step: Step = steps[0]
    if isinstance(data, list):
        items = list(data)
        items[int(step)] = _with(items[int(step)], steps[1:], value)
        return items
    entries = dict(data) if isinstance(data, dict) else {}
    key = str(step)
    entries[key] = _with(entries.get(key), steps[1:], value)
    return entries


def _with_item(data: Any, steps: Steps, value: Any) -> Any:
    """Return the data with one more item in a list, at the last step."""
    items = list(get(data, steps[:-1]))
    items.insert(int(steps[-1]), value)
    return _with(data, steps[:-1], items)


def _without(data: Any, steps: Steps, _: Any = None) -> Any:
    """Return the data without what stands at the steps."""
    step = steps[0]
    if isinstance(data, list):
        items = list(data)
        if len(steps) == 1:
            del items[int(step)]
        else:
            items[int(step)] = _without(items[int(step)], steps[1:])
        return items
    entries = dict(data)
    if len(steps) == 1:
        del entries[str(step)]
    else:
        entries[str(step)] = _without(entries[str(step)], steps[1:])
    return entries
