"""Paths whose values are each unit's own, whatever upstream does there: not taken along by an upgrade.

Which colour a Service selects is such a value: another environment has other colours at another time. Upstream's unit
says so in an annotation, and so may the clone's. What is kept that way is shown as held, like a mutation of our own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from confighub.data import resource
from confighub.data.document import parse
from confighub.records.mutations import MutationInfo, ResourceMutation

ANNOTATION = "confighub.com/own-paths"
"""The annotation of a unit: resource type and path, several of them separated by commas."""
SELECTOR = "v1/Service spec.selector"

OwnPath = tuple[str, str]


def own_paths(*annotations: Mapping[str, str] | None) -> list[OwnPath]:
    """Return the resource types and paths that the units' annotations name; what names none is passed over."""
    found = []
    for one in annotations:
        for text in (one or {}).get(ANNOTATION, "").split(","):
            kind, _, path = text.strip().partition(" ")
            if kind and path.strip():
                found.append((kind, path.strip()))
    return found


def with_own_paths(own: Sequence[ResourceMutation], text: str, paths: Sequence[OwnPath]) -> list[ResourceMutation]:
    """Return the records with these paths protected in the text's resources, as if they had been set here."""
    if not paths:
        return list(own)
    guarded = {_key(one): one for one in own}
    for placed in parse(text).documents:
        info = resource.identity(placed.document)
        chosen = {path: MutationInfo(mutation_type="Update") for kind, path in paths if kind == info.resource_type}
        if not chosen:
            continue
        blank = ResourceMutation(info, MutationInfo(mutation_type="None", predicate=True))
        known = guarded.get(_key(blank), blank)
        kept = {path: one for path, one in known.path_mutation_map.items() if path not in chosen or not one.predicate}
        guarded[_key(blank)] = ResourceMutation(
            known.resource,
            known.resource_mutation_info,
            chosen | kept,
            known.aliases,
            known.aliases_without_scopes,
        )
    return list(guarded.values())


def _key(record: ResourceMutation) -> tuple[str, str]:
    info = record.resource
    return info.resource_type, info.resource_name_without_scope or resource.without_scope(info.resource_name)
