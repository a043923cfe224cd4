"""Upgrades: what upstream changed since the last one, brought into our text, our own changes kept.

Three texts take part, always in this order: ``base`` (upstream as we last took it), ``ours``, ``theirs`` (upstream
now). What upstream changed is found by comparing base with theirs, list items by their keys. A recorded mutation of
our own on a path, or above it, protects the path: ours stays, and what upstream has is listed as *held*. Where our own
change lies inside something that upstream took away or turned into something else, both cannot be: a *conflict*.
Source: spec merge.md; lists are matched by key where the reference counts positions.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from confighub.data import compare, keyed, normal, resource
from confighub.data.assembly import rebuilt, with_document
from confighub.data.cache import Cache
from confighub.data.differences import Changes
from confighub.data.document import Document, Stream, document, parse
from confighub.data.editor import Editor
from confighub.data.path import MISSING, Steps, join
from confighub.data.protection import Protection
from confighub.data.render import Raw
from confighub.data.tree import NONE
from confighub.data.upstream import Item, Upstream, are_same, path_of, place_behind, resolve, upstream_changes
from confighub.records.mutations import MutationType, ResourceInfo, ResourceMutation

_SCOPE_PATHS = frozenset({"metadata.namespace", "metadata.name"})
"""What every clone changes: no reason to keep a resource that upstream dropped."""
_NAMESPACE: Steps = ("metadata", "namespace")


@dataclass(frozen=True, slots=True)
class Held:
    """A change of upstream that our own mutation keeps out; both values are YAML text, empty for "not there".

    ``path`` counts positions in the merged text; where ours has no such place, in the base.
    """

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


def upgrade(*, base: str, ours: str, theirs: str, own: list[ResourceMutation], index: int = 0) -> Merged:
    """Return our text with upstream's changes since the base.

    ``own`` are the records of our unit against its present text; a false predicate protects.
    Raises: NotYaml, NotAResource.
    """
    return _Upgrade(_step(base, theirs), parse(ours), own, index).merged()


class _Upgrade:
    def __init__(self, step: _Step, ours: Stream, own: list[ResourceMutation], index: int) -> None:
        self.base, self.pairs, self.ours, self.index = step.base, step.pairs, ours, index
        self.records = {_key(record.resource): record for record in own}
        self.held: list[Held] = []
        self.conflicts: list[Conflict] = []

    def merged(self) -> Merged:
        pairs = {id(pair.old): pair for pair in self.pairs if pair.old is not None}
        counterparts = self._counterparts()
        changed: dict[int, bytes] = {}
        removed: set[int] = set()
        records: list[ResourceMutation] = []
        for position, placed in enumerate(self.ours.documents):
            mine = placed.document
            was = counterparts.get(position)
            pair = pairs.get(id(was)) if was is not None else None
            if was is None or pair is None:
                records.append(self._record(mine, resource.identity(mine), {}))
                continue
            record = self.records.get(_key(resource.identity(mine)))
            if pair.new is None:
                if self._is_dropped(mine, record):
                    removed.add(position)
                else:
                    records.append(self._record(mine, resource.identity(mine), {}))
                continue
            source, info, changes = self._one(mine, was, pair.new, record)
            if source != mine.source:
                changed[position] = source
            records.append(self._record(mine, info, changes))
        records += [
            compare.record(compare.Pair(self.ours.documents[at].document, None, self._info(at)), index=self.index)
            for at in sorted(removed)
        ]
        text = rebuilt(self.ours, changed, removed)
        text, added = self._with_added(text, counterparts)
        return Merged(text, records + added, self.held, self.conflicts)

    def _info(self, position: int) -> ResourceInfo:
        return resource.identity(self.ours.documents[position].document)

    def _record(self, old: Document, info: ResourceInfo, changes: Changes) -> ResourceMutation:
        what: MutationType = "Update" if changes else "None"
        return compare.resource_mutation(info, what, index=self.index, changes=changes, former=resource.identity(old))

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
    ) -> tuple[bytes, ResourceInfo, Changes]:
        changes = upstream_changes(was, theirs)
        if not changes:
            return mine.source, resource.identity(mine), {}
        if record is not None and not record.resource_mutation_info.predicate:
            self.held += [Held(path_of(change.steps), resource.identity(mine), "", change.text) for change in changes]
            return mine.source, resource.identity(mine), {}
        return _OneDocument(self, mine, was, record).brought_in(changes)

    def _namespaces(self, counterparts: dict[int, Document]) -> dict[str, str]:
        """Return which namespace became which here; one whose resources went different ways is left out."""
        found: dict[str, set[str]] = {}
        for position, was in counterparts.items():
            before, now = (one.at(_NAMESPACE) for one in (was, self.ours.documents[position].document))
            if isinstance(before, str) and isinstance(now, str):
                found.setdefault(before, set()).add(now)
        return {before: now.pop() for before, now in found.items() if len(now) == 1}

    def _with_added(self, text: str, counterparts: dict[int, Document]) -> tuple[str, list[ResourceMutation]]:
        """Bring in the resources that upstream added, each at the end; one that we have under its name stays ours.

        They come into the namespace that took the place of theirs.
        """
        if all(pair.old is not None for pair in self.pairs):
            return text, []
        namespaces = self._namespaces(counterparts)
        records: list[ResourceMutation] = []
        mine = {_key(self._info(at)): placed.document for at, placed in enumerate(self.ours.documents)}
        for pair in self.pairs:
            if pair.old is not None or pair.new is None:
                continue
            if _key(pair.info) in mine:
                ours, theirs = (normal.document_text(one) for one in (mine[_key(pair.info)], pair.new))
                if ours != theirs:
                    self.held.append(Held("", pair.info, ours, theirs))
                continue
            new = _settled(pair.new, namespaces)
            text = with_document(text, new.source)
            records.append(compare.record(compare.Pair(None, new, resource.identity(new)), index=self.index))
        return text, records


def _settled(new: Document, namespaces: dict[str, str]) -> Document:
    """Return a resource that is new here in our namespace, those of its subjects included."""
    editor = Editor(new)
    subjects = new.at(("subjects",))
    places: list[Steps] = [_NAMESPACE]
    places += [("subjects", at, "namespace") for at in range(len(subjects) if isinstance(subjects, list) else 0)]
    for steps in places:
        before = new.at(steps)
        if isinstance(before, str) and before in namespaces:
            editor.set(steps, namespaces[before])
    return document(editor.finish()[0])


class _OneDocument:
    """Brings upstream's changes into one of our documents."""

    def __init__(self, whole: _Upgrade, mine: Document, was: Document, record: ResourceMutation | None) -> None:
        self.whole, self.mine, self.info = whole, mine, resource.identity(mine)
        self.editor = Editor(mine)
        self.protection = Protection(was, mine, record)
        self.held: list[tuple[Steps, str, str]] = []

    def brought_in(self, changes: tuple[Upstream, ...]) -> tuple[bytes, ResourceInfo, Changes]:
        for change in changes:
            getattr(self, f"_{change.what}")(change)
        self.whole.held += [Held(join(steps), self.info, ours, theirs) for steps, ours, theirs in self.held]
        info = resource.identity_by(self.editor.at) if self.editor.touches(resource.NAMING) else self.info
        source, found = self.editor.finish()
        return source, info, found

    def _move_held(self, place: Steps, position: int, by: int) -> None:
        """Keep the places of what is held while list items come and go before them."""
        size = len(place)
        for at, (steps, ours, theirs) in enumerate(self.held):
            step = steps[size] if len(steps) > size and steps[:size] == place else None
            if isinstance(step, int) and step >= position:
                self.held[at] = ((*place, step + by, *steps[size + 1 :]), ours, theirs)

    def _set(self, change: Upstream) -> None:
        steps, depth = resolve(self.editor, change.steps)
        if self._is_kept(change, steps, depth):
            return
        if depth < len(change.steps) and any(isinstance(step, Item) for step in change.steps[depth:]):
            return
        here = self.editor.at(steps)
        if change.is_container or here is MISSING:
            self._check_below(change, steps, "upstream gave it another shape")
        # only equal data can have equal text
        if not are_same(here, change.value) or self._text_at(steps) != change.text:
            self.editor.set(steps, Raw(change.text, is_wire=True))

    def _delete(self, change: Upstream) -> None:
        steps, depth = resolve(self.editor, change.steps)
        if depth < len(change.steps) or self._is_kept(change, steps, depth):
            return
        self._check_below(change, steps, "upstream deleted it")
        self.editor.remove(steps)
        if isinstance(steps[-1], int):
            self._move_held(steps[:-1], steps[-1] + 1, -1)

    def _insert(self, change: Upstream) -> None:
        steps, depth = resolve(self.editor, change.steps)
        if self._is_kept(change, steps, depth):
            return
        if depth < len(change.steps) or self.editor.shape(steps) != "list":
            self.editor.set(steps, [change.value])
            return
        name = next((step for step in reversed(change.steps) if isinstance(step, str)), "")
        twin = keyed.find(self.editor, steps, name, change.value)
        if twin is not None and twin >= 0:
            if not are_same(self.editor.at((*steps, twin)), change.value):
                self._hold((*steps, twin), change)
            return
        position = place_behind(self.editor, steps, name, change)
        self.editor.insert(steps, Raw(change.text, is_wire=True), position=position)
        self._move_held(steps, position, 1)

    def _is_kept(self, change: Upstream, steps: Steps, depth: int) -> bool:
        own = self.protection.of(steps[:depth] if depth < len(change.steps) else steps)
        if own is None and depth < len(change.steps):
            own = self.protection.of_missing(steps, change.steps[depth])
        if own is None:
            return False
        if depth < len(change.steps):
            # another item may stand where the missing one stood: the place is upstream's
            self.whole.held.append(Held(path_of(change.steps), self.info, "", change.text))
        elif change.what == "insert" or self._text_at(steps) != change.text:
            self._hold(steps, change)
        return True

    def _check_below(self, change: Upstream, steps: Steps, reason: str) -> None:
        for path, own in self.protection.below(steps):
            self.whole.conflicts.append(Conflict(join(path), self.info, own.value, change.text, reason, own.index))

    def _hold(self, steps: Steps, change: Upstream) -> None:
        self.held.append((steps, self._text_at(steps), change.text))

    def _text_at(self, steps: Steps) -> str:
        mine = self.editor.document
        node = mine.find(steps)
        return "" if node == NONE else normal.value_text(mine, node)


def _key(info: ResourceInfo) -> tuple[str, str]:
    bare = info.resource_name_without_scope or resource.without_scope(info.resource_name)
    return info.resource_type, bare


@dataclass(frozen=True, slots=True)
class _Step:
    """Upstream's two texts, paired; many clones take the same step."""

    base: Stream
    pairs: list[compare.Pair]


_steps: Cache[tuple[str, str], _Step] = Cache(2**21)


def clear_caches() -> None:
    """Forget what is known of upstream's texts, for measurements of a cold start."""
    _steps.clear()
    upstream_changes.cache_clear()


def _step(base: str, theirs: str) -> _Step:
    found = _steps.get((base, theirs))
    if found is None:
        old = parse(base)
        found = _Step(old, compare.pairs(old, parse(theirs)))
        _steps.put((base, theirs), found, len(base) + len(theirs))
    return found
