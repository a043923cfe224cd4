"""Which part of a rollback brings back upstream's values, and which ours.

A rolled-back unit must take a later release as if the bad one had never come: a value that came from
upstream is upstream's again, and only what had been set here stays protected.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from confighub.records.mutations import MutationInfo, ResourceMutation

Key = tuple[str, str]


def divided(
    records: Iterable[ResourceMutation], sources: Iterable[ResourceMutation]
) -> tuple[list[ResourceMutation], list[ResourceMutation]]:
    """Return the records in two parts: what upstream had set, and what was set here.

    ``records`` lead back to the old revision, ``sources`` say who had set what there.
    """
    known = {_key(source): source for source in sources}
    upstream: list[ResourceMutation] = []
    own: list[ResourceMutation] = []
    for record in records:
        source = known.get(_key(record))
        if record.resource_mutation_info.mutation_type != "Update":
            is_own = source is not None and not source.resource_mutation_info.predicate
            (own if is_own else upstream).append(record)
            continue
        protected = [path for path, info in (source.path_mutation_map if source else {}).items() if not info.predicate]
        ours = {path: info for path, info in record.path_mutation_map.items() if _touches(path, protected)}
        theirs = {path: info for path, info in record.path_mutation_map.items() if path not in ours}
        if ours:
            own.append(_with(record, ours))
        if theirs:
            upstream.append(_with(record, theirs))
    return upstream, own


def _key(record: ResourceMutation) -> Key:
    return record.resource.resource_type, record.resource.resource_name


def _touches(path: str, others: Iterable[str]) -> bool:
    return any(path == one or path.startswith(f"{one}.") or one.startswith(f"{path}.") for one in others)


def _with(record: ResourceMutation, paths: Mapping[str, MutationInfo]) -> ResourceMutation:
    return ResourceMutation(
        resource=record.resource,
        resource_mutation_info=record.resource_mutation_info,
        path_mutation_map=dict(paths),
        aliases=record.aliases,
        aliases_without_scopes=record.aliases_without_scopes,
    )
