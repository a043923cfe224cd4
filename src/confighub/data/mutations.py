"""Accumulated records: who last set which path of each resource.

Source: spec merge.md, "Accumulating". One deviation: a new path supersedes only recorded paths below it, never one
that merely begins with the same letters (the reference compares text: ``a.b`` would drop ``a.bc``).
"""

from __future__ import annotations

from confighub.data.resource import without_scope
from confighub.records.mutations import MutationInfo, ResourceMutation

_Key = tuple[str, str]


def _key(mutation: ResourceMutation, name: str | None = None) -> _Key:
    resource = mutation.resource
    bare = name or resource.resource_name_without_scope or without_scope(resource.resource_name)
    return resource.resource_type, bare


def accumulate(existing: list[ResourceMutation], new: list[ResourceMutation]) -> list[ResourceMutation]:
    """Return the existing records with newer ones brought in, in order; neither list is changed.

    A resource seen first is appended; one that was deleted and comes back is a Replace.
    """
    if not existing and len(new) == 1:
        return list(new)
    found = list(existing)
    places = {_key(mutation): at for at, mutation in enumerate(found)}
    for mutation in new:
        at = places.get(_key(mutation))
        if at is None:
            names = mutation.aliases_without_scopes
            at = next((places[_key(mutation, name)] for name in names if _key(mutation, name) in places), None)
        if at is None:
            places[_key(mutation)] = len(found)
            found.append(mutation)
        else:
            found[at] = _merged(found[at], mutation)
            places[_key(mutation)] = at
    return found


def _merged(old: ResourceMutation, new: ResourceMutation) -> ResourceMutation:
    was, what = old.resource_mutation_info.mutation_type, new.resource_mutation_info.mutation_type
    if what == "None":
        return old
    if what in ("Delete", "Replace") or was == "None":
        return new
    if was == "Delete":
        return _copy(new, info=_typed(new.resource_mutation_info, "Replace"))
    paths = dict(old.path_mutation_map)
    for path, info in new.path_mutation_map.items():
        before = paths.get(path)
        below = path + "."
        for other in [other for other in paths if other.startswith(below)]:
            del paths[other]
        if before is None:
            paths[path] = info
        elif before.mutation_type == "Delete" and info.mutation_type != "Delete":
            paths[path] = _typed(info, "Replace")
        else:
            paths[path] = _typed(info, before.mutation_type)
    return ResourceMutation(
        resource=new.resource,
        resource_mutation_info=old.resource_mutation_info,
        path_mutation_map=paths,
        aliases={**old.aliases, **new.aliases},
        aliases_without_scopes={**old.aliases_without_scopes, **new.aliases_without_scopes},
    )


def _typed(info: MutationInfo, kind: str) -> MutationInfo:
    return MutationInfo(mutation_type=kind, index=info.index, predicate=info.predicate, value=info.value)  # type: ignore[arg-type]


def _copy(mutation: ResourceMutation, *, info: MutationInfo) -> ResourceMutation:
    return ResourceMutation(
        resource=mutation.resource,
        resource_mutation_info=info,
        path_mutation_map=mutation.path_mutation_map,
        aliases=mutation.aliases,
        aliases_without_scopes=mutation.aliases_without_scopes,
    )


def with_offset(mutations: list[ResourceMutation], offset: int) -> list[ResourceMutation]:
    """Return the records with indices moved: from invocation numbers to a unit's mutation numbers."""
    return [
        ResourceMutation(
            resource=mutation.resource,
            resource_mutation_info=_moved(mutation.resource_mutation_info, offset),
            path_mutation_map={path: _moved(info, offset) for path, info in mutation.path_mutation_map.items()},
            aliases=mutation.aliases,
            aliases_without_scopes=mutation.aliases_without_scopes,
        )
        for mutation in mutations
    ]


def _moved(info: MutationInfo, offset: int) -> MutationInfo:
    return MutationInfo(
        mutation_type=info.mutation_type, index=info.index + offset, predicate=info.predicate, value=info.value
    )


def with_predicate(mutations: list[ResourceMutation], *, predicate: bool) -> list[ResourceMutation]:
    """Return the records with every path marked: true may be overwritten by an upgrade, false is protected."""
    return [
        ResourceMutation(
            resource=mutation.resource,
            resource_mutation_info=mutation.resource_mutation_info,
            path_mutation_map={
                path: MutationInfo(
                    mutation_type=info.mutation_type, index=info.index, predicate=predicate, value=info.value
                )
                for path, info in mutation.path_mutation_map.items()
            },
            aliases=mutation.aliases,
            aliases_without_scopes=mutation.aliases_without_scopes,
        )
        for mutation in mutations
    ]


def changes_nothing(mutations: list[ResourceMutation]) -> bool:
    """Say whether no resource changed."""
    return all(mutation.resource_mutation_info.mutation_type == "None" for mutation in mutations)
