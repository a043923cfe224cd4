"""What changed between two texts, as mutation records.

Resources pair by type family and name, then by fewest differences. Inside a resource maps compare by key and lists by
position; a scalar counts as changed when its YAML text differs, quotes and the comment beside it included.
Source: spec merge.md, "Computing mutations".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from confighub.data import normal, resource
from confighub.data.differences import Changes, changes
from confighub.data.document import Document, Stream, parse
from confighub.records.mutations import MutationInfo, MutationType, ResourceInfo, ResourceMutation


class Naming(Protocol):
    """How resources are told apart; the module ``resource`` is the Kubernetes way."""

    def identity(self, document: Document) -> ResourceInfo:
        """Return a document's type and name."""

    def are_similar(self, one: str, other: str) -> bool:
        """Say whether a resource may change from one type to the other."""


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
        match, changes = _best(before, free, new, document, info, naming)
        if match < 0:
            found.append(Pair(None, document, info))
            continue
        free.remove(match)
        found.append(Pair(before[match], document, info, changes))
    found += [Pair(before[position], None, naming.identity(before[position])) for position in free]
    return found


def _best(
    before: list[Document], free: list[int], stream: Stream, document: Document, info: ResourceInfo, naming: Naming
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
    # more differences than the whole text has lines: another resource altogether
    if best >= 0 and len(fewest) > _lines(stream):
        return -1, {}
    return best, fewest


def _lines(stream: Stream) -> int:
    """Count the lines of a text in wire form, the separators included."""
    texts = [normal.document_text(placed.document) for placed in stream.documents]
    return sum(text.count("\n") for text in texts) + len(texts) - 1
