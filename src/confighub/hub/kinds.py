"""The nouns that are stored, listed and named, in one table.

Each row of ``KINDS`` says how one noun is kept and shown; ``usecases.entities`` does the five
verbs for all of them. What can be asked of a noun, and where its references lead, is in
``query.fields``. Revisions, mutations and events are history: they are listed with the same
mechanism, but nobody creates or changes them directly.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec
from sqlalchemy import Column, Table

from confighub.errors import NotFound
from confighub.hub.store import entities, history, people, work_queue
from confighub.query import fields
from confighub.records import automation, extended, groups, spaces, units, work
from confighub.records import people as persons
from confighub.records.base import wire_name


@dataclass(frozen=True)
class Kind:
    """How one noun is kept: its record, the record with relations, its table.

    ``writable`` are the attributes that callers set; everything else is the hub's.
    """

    name: str
    record: type[Any]
    extended: type[Any] | None
    table: Table
    id_attribute: str
    writable: tuple[str, ...] = ()

    @property
    def id_column(self) -> Column[Any]:
        """The column of the noun's own id."""
        return self.table.c[self.id_attribute]

    @property
    def id_name(self) -> str:
        """The name of the id on the wire, such as ``UnitID``."""
        return wire_name(self.id_attribute)

    @property
    def is_in_space(self) -> bool:
        """Whether the noun lives in a space."""
        return "space_id" in self.table.c and self.id_attribute != "space_id"

    @cached_property
    def stored(self) -> tuple[str, ...]:
        """The attributes of the record that have a column of their own."""
        return tuple(f.name for f in msgspec.structs.fields(self.record) if f.name in self.table.c)

    @cached_property
    def by_wire_name(self) -> dict[str, str]:
        """Attribute by name on the wire."""
        return {f.encode_name: f.name for f in msgspec.structs.fields(self.record)}

    @cached_property
    def has_type(self) -> bool:
        """Whether the record says on the wire what it is."""
        return "entity_type" in self.by_wire_name.values()

    @cached_property
    def is_immutable(self) -> bool:
        """Whether rows never change, so that "updated" means "created"."""
        return "updated_at" in self.by_wire_name.values() and "updated_at" not in self.table.c

    @cached_property
    def holder(self) -> dict[str, str]:
        """Attribute of the extended record by what it holds on the wire, such as ``upstream_unit``."""
        assert self.extended is not None
        return {f.encode_name: f.name for f in msgspec.structs.fields(self.extended)}

    @property
    def own_attribute(self) -> str:
        """The attribute of the extended record that holds the noun itself."""
        return self.holder[self.name]


_NAMED = ("slug", "display_name", "labels", "annotations")

SPACE = Kind("Space", spaces.Space, extended.ExtendedSpace, entities.spaces, "space_id", _NAMED)
UNIT = Kind(
    "Unit",
    units.Unit,
    extended.ExtendedUnit,
    entities.units,
    "unit_id",
    (*_NAMED, "toolchain_type", "last_change_description", "target_id", "set_id"),
)
LINK = Kind(
    "Link",
    units.Link,
    extended.ExtendedLink,
    entities.links,
    "link_id",
    (*_NAMED, "from_unit_id", "to_unit_id", "to_space_id"),
)
FILTER = Kind(
    "Filter",
    groups.Filter,
    extended.ExtendedFilter,
    entities.filters,
    "filter_id",
    (*_NAMED, "from_", "where", "where_data", "resource_type", "from_space_id"),
)
SET = Kind("Set", groups.Set, extended.ExtendedSet, entities.sets, "set_id", (*_NAMED, "where"))
TAG = Kind("Tag", groups.Tag, extended.ExtendedTag, entities.tags, "tag_id", _NAMED)
VIEW = Kind(
    "View",
    groups.View,
    extended.ExtendedView,
    entities.views,
    "view_id",
    (*_NAMED, "filter_id", "columns", "group_by", "order_by", "order_by_direction"),
)
CHANGE_SET = Kind(
    "ChangeSet",
    groups.ChangeSet,
    extended.ExtendedChangeSet,
    entities.change_sets,
    "change_set_id",
    (*_NAMED, "filter_id", "start_tag_id", "end_tag_id", "description"),
)
INVOCATION = Kind(
    "Invocation",
    automation.Invocation,
    extended.ExtendedInvocation,
    entities.invocations,
    "invocation_id",
    (*_NAMED, "toolchain_type", "function_name", "arguments", "bridge_worker_id"),
)
TRIGGER = Kind(
    "Trigger",
    automation.Trigger,
    extended.ExtendedTrigger,
    entities.triggers,
    "trigger_id",
    (
        *_NAMED,
        "event",
        "toolchain_type",
        "function_name",
        "arguments",
        "invocation_id",
        "bridge_worker_id",
        "disabled",
        "enforced",
    ),
)
TARGET = Kind(
    "Target",
    work.Target,
    extended.ExtendedTarget,
    entities.targets,
    "target_id",
    (*_NAMED, "toolchain_type", "provider_type", "parameters", "bridge_worker_id"),
)
BRIDGE_WORKER = Kind(
    "BridgeWorker",
    work.BridgeWorker,
    extended.ExtendedBridgeWorker,
    entities.bridge_workers,
    "bridge_worker_id",
    (*_NAMED, "auto_apply", "poll_interval"),
)

ORGANIZATION = Kind("Organization", persons.Organization, None, people.organizations, "organization_id", _NAMED)
USER = Kind("User", persons.User, None, people.users, "user_id")
REVISION = Kind("Revision", units.Revision, extended.ExtendedRevision, history.revisions, "revision_id")
MUTATION = Kind("Mutation", units.Mutation, extended.ExtendedMutation, history.mutations, "mutation_id")
UNIT_EVENT = Kind("UnitEvent", work.UnitEvent, None, work_queue.unit_events, "unit_event_id")

SIMPLE = (LINK, FILTER, SET, TAG, VIEW, CHANGE_SET, INVOCATION, TRIGGER, TARGET, BRIDGE_WORKER)
"""The nouns in a space whose five verbs need nothing of their own but a rule or two."""

KINDS: dict[str, Kind] = {
    kind.name: kind for kind in (SPACE, UNIT, *SIMPLE, ORGANIZATION, USER, REVISION, MUTATION, UNIT_EVENT)
}


def kind_of(name: str) -> Kind:
    """Return the kind of that name.

    Raises: NotFound, when there is none.
    """
    found = KINDS.get(name)
    if found is None:
        raise NotFound(f"no such kind of entity: {name}", hint=fields.suggestion(name, list(KINDS)))
    return found
