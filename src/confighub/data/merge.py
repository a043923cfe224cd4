"""Upgrades: what upstream changed since the last one, brought into our text, our own changes kept.

Three texts take part, always in this order: ``base`` (upstream as we last took it), ``ours``, ``theirs`` (upstream
now). What upstream changed is found by comparing base with theirs, list items by their keys. A recorded mutation of
our own on a path, or above it, protects the path: ours stays, and what upstream has is listed as *held*. Where our own
change lies inside something that upstream took away or turned into something else, both cannot be: a *conflict*.
Source: spec merge.md; lists are matched by key where the reference counts positions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from confighub.data import compare, lists, normal, resource
from confighub.data.document import (
    ALIAS,
    MAP,
    NONE,
    SEQ,
    Document,
    Stream,
    document,
    parent,
    parse,
    prev_sibling,
)
from confighub.data.editor import Editor
from confighub.data.path import MISSING, Steps, child, get, join, positioned, split
from confighub.data.render import Raw
from confighub.records.mutations import MutationInfo, ResourceInfo, ResourceMutation

_SCOPE_PATHS = frozenset({"metadata.namespace", "metadata.name"})
"""What every clone changes: no reason to keep a resource that upstream dropped."""


@dataclass(frozen=True, slots=True)
class Held:
    """A change of upstream that our own mutation keeps out; both values are YAML text, empty for "not there"."""

    path: str
    resource: ResourceInfo
    ours: str
    theirs: str


@dataclass(frozen=True, slots=True)
class Conflict:
    """A place where both changes cannot be; values as in Held, ``author`` is the number of our mutation."""

    path: str
    resource: ResourceInfo
    ours: str
    theirs: str
    reason: str
    author: int = 0

    def __str__(self) -> str:
        name = f"{self.resource.resource_type} {self.resource.resource_name}"
        ours, theirs = (text.strip().replace("\n", "; ") or "nothing" for text in (self.ours, self.theirs))
        return f"{name} {self.path}: {self.reason} (ours, by mutation {self.author}: {ours}; upstream: {theirs})"


@dataclass(frozen=True, slots=True)
class Merged:
    """The result: our text with upstream's changes, their record, and what did not come along.

    Lists follow the order of our documents and are empty when everything fits. With conflicts, the text is what it
    would be if upstream won them; it should not be stored.
    """

    text: str
    mutations: list[ResourceMutation]
    held: list[Held] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)


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


def upgrade(*, base: str, ours: str, theirs: str, own: list[ResourceMutation], index: int = 0) -> Merged:
    """Return our text with upstream's changes since the base.

    ``own`` are the records of our unit against its present text; a false predicate protects.
    Raises: NotYaml, NotAResource.
    """
    return _Upgrade(parse(base), parse(ours), parse(theirs), own, index).merged()


class _Upgrade:
    def __init__(self, base: Stream, ours: Stream, theirs: Stream, own: list[ResourceMutation], index: int) -> None:
        self.base, self.ours, self.theirs, self.index = base, ours, theirs, index
        self.records = {_key(record.resource): record for record in own}
        self.held: list[Held] = []
        self.conflicts: list[Conflict] = []

    def merged(self) -> Merged:
        pairs = {id(pair.old): pair for pair in _pairs(self.base, self.theirs) if pair.old is not None}
        counterparts = self._counterparts()
        changed: dict[int, bytes] = {}
        removed: set[int] = set()
        records: list[ResourceMutation] = []
        for position, placed in enumerate(self.ours.documents):
            mine = placed.document
            was = counterparts.get(position)
            pair = pairs.get(id(was)) if was is not None else None
            if was is None or pair is None:
                records.append(self._record(mine, mine, {}))
                continue
            record = self.records.get(_key(resource.identity(mine)))
            if pair.new is None:
                if self._is_dropped(mine, record):
                    removed.add(position)
                else:
                    records.append(self._record(mine, mine, {}))
                continue
            source, changes = self._one(mine, was, pair.new, record)
            if source != mine.source:
                changed[position] = source
            records.append(self._record(mine, document(source), changes))
        records += [
            compare.record(compare.Pair(self.ours.documents[at].document, None, self._info(at)), index=self.index)
            for at in sorted(removed)
        ]
        text = rebuilt(self.ours, changed, removed)
        text, added = self._with_added(text)
        return Merged(text, records + added, self.held, self.conflicts)

    def _info(self, position: int) -> ResourceInfo:
        return resource.identity(self.ours.documents[position].document)

    def _record(self, old: Document, new: Document, changes: compare.Changes) -> ResourceMutation:
        return compare.record(compare.Pair(old, new, resource.identity(new), changes), index=self.index)

    def _counterparts(self) -> dict[int, Document]:
        """Return the base document of each of ours, by position: by type and name, else by a name it had before."""
        free = {_key(resource.identity(placed.document)): placed.document for placed in self.base.documents}
        found: dict[int, Document] = {}
        infos = [resource.identity(placed.document) for placed in self.ours.documents]
        for position, info in enumerate(infos):
            if _key(info) in free:
                found[position] = free.pop(_key(info))
        for position, info in enumerate(infos):
            record = self.records.get(_key(info))
            if position in found or record is None:
                continue
            for name in record.aliases_without_scopes:
                if (info.resource_type, name) in free:
                    found[position] = free.pop((info.resource_type, name))
                    break
        return found

    def _is_dropped(self, mine: Document, record: ResourceMutation | None) -> bool:
        info = resource.identity(mine)
        if record is not None and not record.resource_mutation_info.predicate:
            self.held.append(Held("", info, normal.document_text(mine), ""))
            return False
        if record is not None:
            for path, own in record.path_mutation_map.items():
                if not own.predicate and path not in _SCOPE_PATHS:
                    reason = "upstream deleted the resource, which is changed here"
                    self.conflicts.append(Conflict(path, info, own.value, "", reason, own.index))
                    break
        return True

    def _one(
        self, mine: Document, was: Document, theirs: Document, record: ResourceMutation | None
    ) -> tuple[bytes, compare.Changes]:
        changes = upstream_changes(was, theirs)
        if not changes:
            return mine.source, {}
        if record is not None and not record.resource_mutation_info.predicate:
            self.held += [Held(_path(change.steps), resource.identity(mine), "", change.text) for change in changes]
            return mine.source, {}
        return _OneDocument(self, mine, was, record).brought_in(changes)

    def _with_added(self, text: str) -> tuple[str, list[ResourceMutation]]:
        """Bring in the resources that upstream added, each at the end; one that we have under its name stays ours."""
        records: list[ResourceMutation] = []
        mine = {_key(self._info(at)) for at in range(len(self.ours.documents))}
        for pair in _pairs(self.base, self.theirs):
            if pair.old is not None or pair.new is None:
                continue
            if _key(pair.info) in mine:
                self.held.append(Held("", pair.info, "", normal.document_text(pair.new)))
                continue
            text = with_document(text, pair.new.source)
            records.append(compare.record(pair, index=self.index))
        return text, records


class _OneDocument:
    """Brings upstream's changes into one of our documents."""

    def __init__(self, whole: _Upgrade, mine: Document, was: Document, record: ResourceMutation | None) -> None:
        self.whole, self.mine, self.info = whole, mine, resource.identity(mine)
        self.editor = Editor(mine)
        self.protection = _Protection(was.data, mine.data, record)

    def brought_in(self, changes: tuple[Upstream, ...]) -> tuple[bytes, compare.Changes]:
        for change in changes:
            getattr(self, f"_{change.what}")(change)
        return self.editor.finish()

    def _set(self, change: Upstream) -> None:
        steps, depth = resolve(self.editor.data, change.steps)
        if self._is_kept(change, steps, depth):
            return
        if depth < len(change.steps) and any(isinstance(step, Item) for step in change.steps[depth:]):
            return
        if change.is_container or get(self.editor.data, steps) is MISSING:
            self._check_below(change, steps, "upstream gave it another shape")
        if self._text_at(steps) != change.text:
            self.editor.set(steps, Raw(change.text))

    def _delete(self, change: Upstream) -> None:
        steps, depth = resolve(self.editor.data, change.steps)
        if depth < len(change.steps) or self._is_kept(change, steps, depth):
            return
        self._check_below(change, steps, "upstream deleted it")
        self.editor.remove(steps)

    def _insert(self, change: Upstream) -> None:
        steps, depth = resolve(self.editor.data, change.steps)
        if self._is_kept(change, steps, depth):
            return
        items = get(self.editor.data, steps) if depth == len(change.steps) else MISSING
        if not isinstance(items, list):
            self.editor.set(steps, [document(change.text.encode()).data])
            return
        name = next((step for step in reversed(change.steps) if isinstance(step, str)), "")
        value = document(change.text.encode()).data
        twin = lists.match(name, [value], items).get(0) if lists.key_fields(name, [value], items) else None
        if twin is not None:
            if not _equal(items[twin], value):
                self._hold((*steps, twin), change)
            return
        position = _behind(name, items, change)
        self.editor.insert(steps, Raw(change.text), position=position)

    def _is_kept(self, change: Upstream, steps: Steps, depth: int) -> bool:
        own = self.protection.of(steps[:depth] if depth < len(change.steps) else steps)
        if own is None and depth < len(change.steps):
            own = self.protection.of_missing(steps, change.steps[depth])
        if own is None:
            return False
        here = self._text_at(steps)
        if change.what == "insert" or here != change.text:
            self._hold(steps, change)
        return True

    def _check_below(self, change: Upstream, steps: Steps, reason: str) -> None:
        for path, own in self.protection.below(steps):
            self.whole.conflicts.append(Conflict(join(path), self.info, own.value, change.text, reason, own.index))

    def _hold(self, steps: Steps, change: Upstream) -> None:
        self.whole.held.append(Held(join(steps), self.info, self._text_at(steps), change.text))

    def _text_at(self, steps: Steps) -> str:
        mine = self.editor.document
        node = mine.find(steps)
        return "" if node == NONE else normal.value_text(mine, node)


def resolve(data: Any, steps: ItemSteps) -> tuple[Steps, int]:
    """Return the steps with items as positions in this data, and how many of them exist; the rest stay as keys."""
    found: list[str | int] = []
    for depth, step in enumerate(steps):
        if isinstance(step, Item):
            position = _find(data, step)
            if position is None:
                return (*found, step.position, *(_plain(rest) for rest in steps[depth + 1 :])), depth
            found.append(position)
            data = data[position]
            continue
        below = child(data, step)
        if below is MISSING:
            return (*found, *(_plain(rest) for rest in steps[depth:])), depth
        found.append(step)
        data = below
    return tuple(found), len(steps)


def _plain(step: str | Item) -> str | int:
    return step.position if isinstance(step, Item) else step


def _find(items: Any, step: Item) -> int | None:
    if not isinstance(items, list):
        return None
    if lists.key_fields(step.field, [step.value], items) is not None:
        return lists.match(step.field, [step.value], items).get(0)
    if isinstance(step.value, (dict, list)):
        same = [at for at, item in enumerate(items) if item == step.value]
        return same[0] if len(same) == 1 else (step.position if step.position < len(items) else None)
    if step.position < len(items) and _equal(items[step.position], step.value):
        return step.position
    same = [at for at, item in enumerate(items) if _equal(item, step.value)]
    if len(same) == 1:
        return same[0]
    return step.position if step.position < len(items) else None


def _equal(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _behind(name: str, items: list[Any], change: Upstream) -> int:
    if change.position == 0:
        return 0 if items else len(items)
    found = _find(items, Item(name, change.after, change.position - 1))
    return len(items) if found is None else found + 1


def _path(steps: ItemSteps) -> str:
    return join(tuple(_plain(step) for step in steps))


def _key(info: ResourceInfo) -> tuple[str, str]:
    bare = info.resource_name_without_scope or resource.without_scope(info.resource_name)
    return info.resource_type, bare


@lru_cache(maxsize=64)
def _cached_pairs(base: str, theirs: str) -> tuple[compare.Pair, ...]:
    return tuple(compare.pairs(parse(base), parse(theirs)))


def _pairs(base: Stream, theirs: Stream) -> tuple[compare.Pair, ...]:
    # parse keeps documents by content, so the cached pairs hold the very documents of these streams
    pairs = _cached_pairs(base.text, theirs.text)
    known = {id(placed.document) for placed in base.documents}
    if all(pair.old is None or id(pair.old) in known for pair in pairs):
        return pairs
    return tuple(compare.pairs(base, theirs))


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
            text = normal.value_text(self.theirs, new)
            self.found.append(Upstream("set", steps, text, is_container=was != "scalar" or now != "scalar"))

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
                text = normal.value_text(self.theirs, node)
                self.found.append(
                    Upstream("set", (*steps, key), text, is_container=_shape(self.theirs, node) != "scalar")
                )
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
                text = normal.value_text(self.theirs, node)
                self.found.append(Upstream("insert", steps, text, after=previous, position=at))


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


class _Protection:
    """Which places of our document our own records protect, as positions in our present text."""

    def __init__(self, base: Any, ours: Any, record: ResourceMutation | None) -> None:
        self.base, self.ours = base, ours
        self.own: dict[Steps, MutationInfo] = {}
        self._gone: dict[Steps, MutationInfo] = {}
        shifted: dict[Steps, MutationInfo] = {}
        for path, info in record.path_mutation_map.items() if record is not None else ():
            if not info.predicate:
                self._add(path, info, shifted)
        for steps, info in shifted.items():
            self._add_by_key(steps, get(base, steps), get(ours, steps), info)

    def _add(self, path: str, info: MutationInfo, shifted: dict[Steps, MutationInfo]) -> None:
        steps = positioned(self.ours, split(path))
        was, now = self.base, self.ours
        for depth, step in enumerate(steps):
            if isinstance(step, int) and isinstance(now, list):
                name = next((key for key in reversed(steps[:depth]) if isinstance(key, str)), "")
                if isinstance(was, list) and not _keeps_places(name, was, now):
                    shifted[steps[:depth]] = info
                    return
                if step >= len(now):
                    self._gone[steps[:depth]] = info
                    return
            was = child(was, step) if was is not MISSING else MISSING
            now = child(now, step) if now is not MISSING else MISSING
        self.own[steps] = info

    def _add_by_key(self, steps: Steps, was: Any, now: Any, info: MutationInfo) -> None:
        if isinstance(was, dict) and isinstance(now, dict):
            for key in {**was, **now}:
                if key not in was or key not in now:
                    self.own[(*steps, key)] = info
                elif not _equal(was[key], now[key]):
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
                elif not _equal(was[came_from[at]], item):
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


def _keeps_places(name: str, was: list[Any], now: list[Any]) -> bool:
    """Say whether items common to both lists stand at equal positions, so that recorded positions still hold."""
    shorter = min(len(was), len(now))
    same = lists.match(name, was, now)
    return all(same.get(at, at) == at for at in range(shorter)) and all(new == old for old, new in same.items())


def rebuilt(stream: Stream, changed: dict[int, bytes], removed: set[int]) -> str:
    """Return a stream's text with some documents changed and some taken out, each with the marker before it."""
    if not removed:
        return stream.replaced(changed) if changed else stream.text
    source = stream.source
    kept = [at for at in range(len(stream.documents)) if at not in removed]
    if not kept:
        return ""
    parts: list[bytes] = []
    for number, at in enumerate(kept):
        placed = stream.documents[at]
        lead = source[: placed.start] if at == 0 else source[_marker_start(stream, at) : placed.start]
        if number == 0 and at > 0:
            lead = source[: stream.documents[0].start] if source.startswith(b"---") else b""
        parts += (lead, changed.get(at, source[placed.start : placed.end]))
    text = b"".join(parts)
    last = stream.documents[-1]
    if len(stream.documents) - 1 in removed:
        return (text.rstrip(b"\r\n") + b"\n").decode() if source.endswith(b"\n") else text.decode()
    return (text + source[last.end :]).decode()


def _marker_start(stream: Stream, at: int) -> int:
    """Return where the gap before a document begins: behind the document before it."""
    return stream.documents[at - 1].end


def with_document(text: str, source: bytes) -> str:
    """Return the text with one more document at its end."""
    body = source.decode().strip("\r\n")
    if not text.strip():
        return body + "\n"
    newline = "\r\n" if "\r\n" in text[:200] else "\n"
    end = "" if text.endswith("\n") else newline
    return f"{text}{end}---{newline}{body}{newline}"


__all__ = ["Conflict", "Held", "Merged", "rebuilt", "upgrade", "with_document"]
