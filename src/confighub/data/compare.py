"""What changed between two texts, as mutation records.

Resources pair by type family and name, then by fewest differences. Inside a resource maps compare by key and lists by
position; a scalar counts as changed when its YAML text differs, quotes and the comment beside it included.
Source: spec merge.md, "Computing mutations".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from confighub.data import normal, resource
from confighub.data.document import Document, Stream, parse
from confighub.data.path import escape
from confighub.data.tree import (
    ALIAS,
    MAP,
    NONE,
    PROPERTIES,
    SEQ,
    VAL_STYLE,
    find_child,
    first_child,
    next_sibling,
    node_key,
    node_type,
    node_value,
)
from confighub.records.mutations import MutationInfo, MutationType, ResourceInfo, ResourceMutation


class Naming(Protocol):
    """How resources are told apart; the module ``resource`` is the Kubernetes way."""

    def identity(self, document: Document) -> ResourceInfo:
        """Return a document's type and name."""

    def are_similar(self, one: str, other: str) -> bool:
        """Say whether a resource may change from one type to the other."""


Changes = dict[str, tuple[MutationType, str]]
"""Path → what happened, and the YAML text: the new value, or the removed one."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A resource of the new text and the one it was in the old text; one side is None when it came or went."""

    old: Document | None
    new: Document | None
    info: ResourceInfo
    changes: Changes = field(default_factory=dict)


def mutations(old: str, new: str, *, index: int) -> list[ResourceMutation]:
    """Return one record per resource of the new text in its order, then one per resource that went.

    Raises: NotYaml, NotAResource.
    """
    return [record(pair, index=index) for pair in pairs(parse(old), parse(new))]


def record(pair: Pair, *, index: int, naming: Naming = resource) -> ResourceMutation:
    """Return a pair's changes as the wire writes them."""
    if pair.old is None or pair.new is None:
        document = pair.new or pair.old
        kind: MutationType = "Delete" if pair.new is None else "Add"
        value = normal.document_text(document) if document else ""
        return resource_mutation(pair.info, kind, index=index, value=value)
    return resource_mutation(
        pair.info,
        "Update" if pair.changes else "None",
        index=index,
        changes=pair.changes,
        former=naming.identity(pair.old),
    )


def resource_mutation(
    info: ResourceInfo,
    kind: MutationType,
    *,
    index: int,
    value: str = "",
    changes: Changes | None = None,
    former: ResourceInfo | None = None,
) -> ResourceMutation:
    """Return one record; ``former`` is what the resource was called before."""
    aliases: dict[str, dict[str, Any]] = {info.resource_name: {}}
    bare: dict[str, dict[str, Any]] = {info.resource_name_without_scope: {}}
    if former is not None and former is not info:
        aliases[former.resource_name] = {}
        bare[former.resource_name_without_scope] = {}
    return ResourceMutation(
        resource=info,
        resource_mutation_info=MutationInfo(mutation_type=kind, index=index, predicate=True, value=value),
        path_mutation_map={
            path: MutationInfo(mutation_type=what, index=index, predicate=True, value=text)
            for path, (what, text) in changes.items()
        }
        if changes
        else {},
        aliases=aliases,
        aliases_without_scopes=bare,
    )


def pairs(old: Stream, new: Stream, naming: Naming = resource) -> list[Pair]:
    """Return the new text's resources in order with what each was, then those of the old text that are gone."""
    before = [placed.document for placed in old.documents]
    free = list(range(len(before)))
    found: list[Pair] = []
    for placed in new.documents:
        document = placed.document
        info = naming.identity(document)
        match, changes = _best(before, free, document, info, naming)
        if match < 0:
            found.append(Pair(None, document, info))
            continue
        free.remove(match)
        found.append(Pair(before[match], document, info, changes))
    found += [Pair(before[position], None, naming.identity(before[position])) for position in free]
    return found


def _best(
    before: list[Document], free: list[int], document: Document, info: ResourceInfo, naming: Naming
) -> tuple[int, Changes]:
    names = {at: naming.identity(before[at]) for at in free}
    similar = [at for at in free if naming.are_similar(names[at].resource_type, info.resource_type)]
    for at in similar:
        if names[at].resource_name_without_scope == info.resource_name_without_scope:
            return at, changes(before[at], document)
    best, fewest = -1, {}  # type: tuple[int, Changes]
    for at in similar:
        found = changes(before[at], document)
        if best < 0 or len(found) < len(fewest):
            best, fewest = at, found
    # more differences than the text has lines: another resource altogether
    if best >= 0 and len(fewest) > document.source.count(b"\n") + 1:
        return -1, {}
    return best, fewest


def changes(old: Document, new: Document) -> Changes:
    """Return what changed in one resource, by positional path."""
    if old is new or old.source == new.source:
        return {}
    found: Changes = {}
    _compare(old, old.root, new, new.root, "", found)
    return found


def changes_at(old: Document, old_node: int, new: Document, new_node: int, path: str) -> Changes:
    """Return what changed below one place that both documents have."""
    found: Changes = {}
    _compare(old, old_node, new, new_node, path, found)
    return found


def _compare(old: Document, old_node: int, new: Document, new_node: int, path: str, found: Changes) -> None:
    old_kind, new_kind = node_type(old.tree, old_node), node_type(new.tree, new_node)
    if new_kind & MAP and not new_kind & ALIAS:
        _compare_maps(old, old_node, old_kind, new, new_node, path, found)
    elif new_kind & SEQ and not new_kind & ALIAS:
        if old_kind & SEQ and not old_kind & ALIAS:
            _compare_lists(old, old_node, new, new_node, path, found)
        elif first_child(new.tree, new_node) != NONE or not old_kind & MAP or first_child(old.tree, old_node) != NONE:
            found[path] = ("Update", normal.value_text(new, new_node))
    elif not _are_equal_scalars(old, old_node, old_kind, new, new_node, new_kind):
        found[path] = ("Update", normal.value_text(new, new_node))


def _compare_maps(
    old: Document, old_node: int, old_kind: int, new: Document, new_node: int, path: str, found: Changes
) -> None:
    tree, before = new.tree, old.tree
    child = first_child(tree, new_node)
    is_map = old_kind & MAP and not old_kind & ALIAS
    if child == NONE:
        if is_map:
            _record_gone(old, old_node, set(), path, found)
        elif not (old_kind & SEQ and first_child(before, old_node) == NONE):
            found[path] = ("Update", normal.value_text(new, new_node))
        return
    if not is_map or first_child(before, old_node) == NONE:
        found[path] = ("Update", normal.value_text(new, new_node))
        return
    seen: set[bytes] = set()
    while child != NONE:
        key = bytes(node_key(tree, child))
        if key not in seen:
            seen.add(key)
            here = _below(path, key.decode())
            was = find_child(before, old_node, key)
            if was == NONE:
                found[here] = ("Add", normal.value_text(new, child))
            else:
                _compare(old, was, new, child, here, found)
        child = next_sibling(tree, child)
    _record_gone(old, old_node, seen, path, found)


def _record_gone(old: Document, old_node: int, seen: set[bytes], path: str, found: Changes) -> None:
    child = first_child(old.tree, old_node)
    while child != NONE:
        key = bytes(node_key(old.tree, child))
        if key not in seen:
            found[_below(path, key.decode())] = ("Delete", normal.value_text(old, child))
        child = next_sibling(old.tree, child)


def _compare_lists(old: Document, old_node: int, new: Document, new_node: int, path: str, found: Changes) -> None:
    was, child, position = first_child(old.tree, old_node), first_child(new.tree, new_node), 0
    while child != NONE:
        here = f"{path}.{position}" if path else str(position)
        if was == NONE:
            found[here] = ("Add", normal.value_text(new, child))
        else:
            _compare(old, was, new, child, here, found)
            was = next_sibling(old.tree, was)
        child = next_sibling(new.tree, child)
        position += 1
    while was != NONE:
        found[f"{path}.{position}" if path else str(position)] = ("Delete", normal.value_text(old, was))
        was = next_sibling(old.tree, was)
        position += 1


def _are_equal_scalars(
    old: Document, old_node: int, old_kind: int, new: Document, new_node: int, new_kind: int
) -> bool:
    if (old_kind ^ new_kind) & (VAL_STYLE | ALIAS) or old_kind & (MAP | SEQ) or (old_kind ^ new_kind) & PROPERTIES:
        return False
    old_view, new_view = node_value(old.tree, old_node), node_value(new.tree, new_node)
    if (old_view is None) != (new_view is None):
        return False
    if old_view is not None and bytes(old_view) != bytes(new_view):
        return False
    if b"#" in old.source or b"#" in new.source or old_kind & PROPERTIES:
        return normal.value_text(old, old_node) == normal.value_text(new, new_node)
    return True


def _below(path: str, key: str) -> str:
    return f"{path}.{escape(key)}" if path else escape(key)
