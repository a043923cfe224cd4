"""Recorded paths that stay with the list items they are about.

Paths on the wire count list items. When an edit or an upgrade moves items, the paths recorded before
would point at their neighbours; here they are moved along. Items are matched by their Kubernetes key.
"""

from __future__ import annotations

from typing import Any

from confighub.data import lists
from confighub.data.document import parse
from confighub.data.path import MISSING, Step, child, join, positioned, split
from confighub.data.resource import identity
from confighub.errors import NotAResource, NotYaml
from confighub.records.mutations import ResourceMutation


def moved(sources: list[ResourceMutation], old: str, new: str) -> list[ResourceMutation]:
    """Return the records, made against the old text, with their paths as they are in the new one.

    A path through an item that is gone is dropped; one that names nothing in the old text, such as
    that of a deleted value, stays as it is.
    """
    if old == new or not any(_counts_items(record) for record in sources):
        return sources
    before, after = trees_of(old), trees_of(new)
    return [_moved(record, before, after) for record in sources]


def _moved(
    record: ResourceMutation, before: dict[tuple[str, str], Any], after: dict[tuple[str, str], Any]
) -> ResourceMutation:
    was, now = tree_of(record, before), tree_of(record, after)
    if was is MISSING or now is MISSING or not _counts_items(record):
        return record
    paths = {}
    for path, info in record.path_mutation_map.items():
        place = _place(path, was, now)
        if place is not None:
            paths[place] = info
    return ResourceMutation(
        resource=record.resource,
        resource_mutation_info=record.resource_mutation_info,
        path_mutation_map=paths,
        aliases=record.aliases,
        aliases_without_scopes=record.aliases_without_scopes,
    )


def _place(path: str, was: Any, now: Any) -> str | None:
    """Return where the path leads in the new data, None when its item is gone."""
    steps: list[Step] = []
    for step in positioned(was, split(path)):
        if isinstance(step, int) and isinstance(was, list) and isinstance(now, list) and step < len(was):
            field = next((one for one in reversed(steps) if isinstance(one, str)), "")
            at = lists.match(field, was, now).get(step)
            if at is None:
                return None
            steps.append(at)
            now = child(now, at)
        else:
            steps.append(step)
            now = child(now, step) if now is not MISSING else MISSING
        was = child(was, step) if was is not MISSING else MISSING
    return join(tuple(steps))


def _counts_items(record: ResourceMutation) -> bool:
    return any(part.isdigit() for path in record.path_mutation_map for part in path.split("."))


def trees_of(text: str) -> dict[tuple[str, str], Any]:
    """Return the content of each resource of the text, by type and name without namespace.

    Empty for the text of another toolchain, such as properties: its paths count no list items.
    """
    found: dict[tuple[str, str], Any] = {}
    try:
        for placed in parse(text).documents:
            info = identity(placed.document)
            found[info.resource_type, info.resource_name_without_scope] = placed.document.data
    except (NotYaml, NotAResource):
        return {}
    return found


def tree_of(record: ResourceMutation, trees: dict[tuple[str, str], Any]) -> Any:
    """Return the content of the resource that the record is about, under any of its names, else MISSING."""
    kind = record.resource.resource_type
    names = (record.resource.resource_name_without_scope, *record.aliases_without_scopes)
    return next((trees[kind, name] for name in names if (kind, name) in trees), MISSING)
