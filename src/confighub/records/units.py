"""Units, their revisions and mutations, and the links between them.

A unit is a named piece of configuration: one or more YAML documents kept as text.
Every change of that text makes a revision, and one or more mutations say what made it.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from confighub.records.base import ZERO_TIME, Record, SpaceEntity
from confighub.records.functions import FunctionInvocation
from confighub.records.mutations import ResourceInfo, ResourceMutation


class Unit(SpaceEntity):
    """A unit with the numbers of its revisions; 0 means none."""

    unit_id: str | None = None
    toolchain_type: str = "Kubernetes/YAML"
    data: bytes = b""
    content_hash: int = 0
    head_revision_num: int = 0
    head_mutation_num: int = 0
    last_applied_revision_num: int = 0
    live_revision_num: int = 0
    previous_live_revision_num: int = 0
    last_change_description: str = ""
    live_state: bytes = b""
    outputs: bytes = b""
    mutation_sources: list[ResourceMutation] | None = []
    apply_gates: dict[str, bool] = {}
    approved_by: list[str] | None = []
    target_id: str | None = None
    set_id: str | None = None
    upstream_organization_id: str | None = None
    upstream_space_id: str | None = None
    upstream_unit_id: str | None = None
    upstream_revision_num: int = 0


class HeldChange(Record):
    """A change of upstream that an upgrade left out since the place was set here; values are YAML text."""

    resource: ResourceInfo
    path: str
    ours: str = ""
    theirs: str = ""


class ChangedUnit(Unit):
    """A unit after an upgrade; ``held`` is ours, the public API has no such thing."""

    held: list[HeldChange] = []


class Revision(Record):
    """One immutable state of a unit's text; number 1 is the first."""

    revision_id: str | None = None
    organization_id: str | None = None
    space_id: str | None = None
    unit_id: str | None = None
    revision_num: int = 0
    source: str = ""
    description: str = ""
    user_id: str | None = None
    user_agent: str = ""
    data: bytes = b""
    content_hash: int = 0
    mutation_sources: list[ResourceMutation] | None = []
    apply_gates: dict[str, bool] = {}
    approved_by: list[str] | None = []
    live_at: datetime = ZERO_TIME
    tags: dict[str, str] = {}
    entity_type: str = "Revision"
    version: int = 1
    cursor_id: int = 0
    created_at: datetime | None = None
    updated_at: datetime | None = None


class Mutation(Record):
    """What made a change: exactly one of function, link, trigger, restore, upgrade, or a person's edit."""

    mutation_id: str | None = None
    organization_id: str | None = None
    space_id: str | None = None
    unit_id: str | None = None
    revision_id: str | None = None
    mutation_num: int = 0
    revision_num: int = 0
    function_invocation: FunctionInvocation = msgspec.field(default_factory=FunctionInvocation)
    invocation_id: str | None = None
    trigger_id: str | None = None
    link_id: str | None = None
    provided_resource: ResourceInfo = msgspec.field(default_factory=ResourceInfo)
    provided_path: str = ""
    restored_revision_num: int = 0
    upgraded_from_upstream_revision_num: int = 0
    entity_type: str = "Mutation"
    version: int = 1
    cursor_id: int = 0
    created_at: datetime | None = None
    updated_at: datetime | None = None


class Link(SpaceEntity):
    """A unit that needs something from another; it lives in the space of the unit that needs."""

    link_id: str | None = None
    from_unit_id: str | None = None
    to_unit_id: str | None = None
    to_space_id: str | None = None
