"""Who set which path: numbering the records of a change, and adding them up over a unit's life.

A change has one or more steps; each becomes a ``Mutation`` with the next number. The unit's
``MutationSources`` are the sum of all of them (``data.mutations.accumulate``). ``Predicate``
false means "set here, a later upgrade leaves it alone"; true means "came from upstream".
Source: the accumulation rules of the public library.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from confighub.data import compare
from confighub.data.mutations import accumulate
from confighub.hub.domain import positions
from confighub.records.functions import FunctionInvocation
from confighub.records.mutations import MutationInfo, ResourceInfo, ResourceMutation

YAML = "Kubernetes/YAML"
"""The toolchain whose texts are compared path by path."""


@dataclass(frozen=True)
class Origin:
    """What made a step: a function, a trigger, a link, a restore, an upgrade; nothing of it means a person's edit."""

    function_invocation: FunctionInvocation = field(default_factory=FunctionInvocation)
    invocation_id: str | None = None
    trigger_id: str | None = None
    link_id: str | None = None
    provided_resource: ResourceInfo = field(default_factory=ResourceInfo)
    provided_path: str = ""
    restored_revision_num: int = 0
    upgraded_from_upstream_revision_num: int = 0


@dataclass(frozen=True)
class Step:
    """One mutation to be: what made it and which paths it set; ``is_upstream`` when the values came from upstream."""

    origin: Origin
    records: list[ResourceMutation]
    is_upstream: bool = False


def stamped(step: Step, number: int) -> list[ResourceMutation]:
    """Return the step's records with its mutation number, and with the predicate that its origin asks for.

    Records of resources that the step did not touch are left out.
    """
    return [
        _stamped(record, number, may_overwrite=step.is_upstream)
        for record in step.records
        if record.resource_mutation_info.mutation_type != "None"
    ]


def by_call(records: Iterable[ResourceMutation], index: int) -> list[ResourceMutation]:
    """Return the part of a function answer's records that the call at ``index`` made."""
    return [part for record in records if (part := _of_call(record, index)) is not None]


def compared(old: str, new: str, toolchain: str) -> list[ResourceMutation]:
    """Return what changed from the old text to the new one; nothing is recorded for texts that are no YAML."""
    return compare.mutations(old, new, index=0) if toolchain == YAML and old != new else []


def advanced(
    sources: list[ResourceMutation], steps: Iterable[tuple[list[ResourceMutation], bool]], *, old: str, new: str
) -> list[ResourceMutation]:
    """Return the sources after the steps that led from the old text to the new one.

    A step is its stamped records and whether its values came from upstream. What was set here stays
    marked as ours through an upgrade, whatever list items the upgrade's own records count over it.
    """
    sources = positions.moved(sources, old, new)
    for records, is_upstream in steps:
        before, sources = sources, accumulate(sources, records)
        if is_upstream:
            # The accumulation keeps what it had in place and appends what is new.
            kept = sources[: len(before)]
            sources = [*map(_keeping_own, before, kept), *sources[len(before) :]]
    return sources


def _keeping_own(was: ResourceMutation, now: ResourceMutation) -> ResourceMutation:
    if now.resource_mutation_info.mutation_type in ("Delete", "Replace"):
        return now
    own = {path: info for path, info in was.path_mutation_map.items() if not info.predicate}
    if all(now.path_mutation_map.get(path) == info for path, info in own.items()):
        return now
    return ResourceMutation(
        resource=now.resource,
        resource_mutation_info=now.resource_mutation_info,
        path_mutation_map={**now.path_mutation_map, **own},
        aliases=now.aliases,
        aliases_without_scopes=now.aliases_without_scopes,
    )


def _stamped(record: ResourceMutation, number: int, *, may_overwrite: bool) -> ResourceMutation:
    info = record.resource_mutation_info
    # An edit inside a resource that came from upstream protects its paths, never the resource as a whole.
    whole = may_overwrite or info.mutation_type == "Update"
    return ResourceMutation(
        resource=record.resource,
        resource_mutation_info=_with(info, number, predicate=whole),
        path_mutation_map={
            path: _with(one, number, predicate=may_overwrite) for path, one in record.path_mutation_map.items()
        },
        aliases=record.aliases,
        aliases_without_scopes=record.aliases_without_scopes,
    )


def _with(info: MutationInfo, number: int, *, predicate: bool) -> MutationInfo:
    return MutationInfo(mutation_type=info.mutation_type, index=number, predicate=predicate, value=info.value)


def _of_call(record: ResourceMutation, index: int) -> ResourceMutation | None:
    paths = {path: info for path, info in record.path_mutation_map.items() if info.index == index}
    info = record.resource_mutation_info
    if info.index != index:
        if not paths:
            return None
        info = MutationInfo(mutation_type="Update", index=index, predicate=info.predicate)
    return ResourceMutation(
        resource=record.resource,
        resource_mutation_info=info,
        path_mutation_map=paths,
        aliases=record.aliases,
        aliases_without_scopes=record.aliases_without_scopes,
    )
