"""Records with their relations: what lists answer when ``include`` asks for more."""

from __future__ import annotations

from datetime import datetime

from confighub.records.answers import ResponseError
from confighub.records.automation import Invocation, Trigger
from confighub.records.base import Record
from confighub.records.groups import ChangeSet, Filter, Set, Tag, View
from confighub.records.people import Organization, User
from confighub.records.spaces import Space
from confighub.records.units import HeldChange, Link, Mutation, Revision, Unit
from confighub.records.work import BridgeWorker, QueuedOperation, Target, UnitEvent, UnitStatus


class Extended(Record, omit_defaults=True):
    """A record under its own name, beside the relations that were asked for."""

    error: ResponseError | None = None
    organization: Organization | None = None
    space: Space | None = None


class ExtendedSpace(Record):
    """A space with its counters, which are filled when ``summary`` asks for them."""

    space: Space | None = None
    organization: Organization | None = None
    total_unit_count: int = 0
    gated_unit_count: int = 0
    upgradable_unit_count: int = 0
    unapplied_unit_count: int = 0
    unapproved_unit_count: int = 0
    unlinked_unit_count: int = 0
    recent_change_unit_count: int = 0
    incomplete_apply_unit_count: int = 0
    total_bridge_worker_count: int = 0
    target_count_by_toolchain_type: dict[str, int] = {}
    trigger_count_by_event_type: dict[str, int] = {}


class ExtendedUnit(Extended, omit_defaults=True):
    """A unit with its target, upstream and latest event."""

    unit: Unit | None = None
    target: Target | None = None
    set: Set | None = None
    upstream_space: Space | None = None
    upstream_unit: Unit | None = None
    latest_unit_event: UnitEvent | None = None
    unit_status: UnitStatus | None = None
    head_revision: Revision | None = None
    live_revision: Revision | None = None
    last_applied_revision: Revision | None = None
    head_mutation: Mutation | None = None
    approved_by: list[User] | None = None


class ExtendedRevision(Extended, omit_defaults=True):
    """A revision with its author."""

    revision: Revision | None = None
    unit: Unit | None = None
    user: User | None = None


class ExtendedMutation(Extended, omit_defaults=True):
    """A mutation with what made it."""

    mutation: Mutation | None = None
    revision: Revision | None = None
    unit: Unit | None = None
    link: Link | None = None
    trigger: Trigger | None = None
    invocation: Invocation | None = None


class ExtendedLink(Extended, omit_defaults=True):
    """A link with both ends."""

    link: Link | None = None
    from_unit: Unit | None = None
    to_unit: Unit | None = None
    to_space: Space | None = None


class ExtendedFilter(Extended, omit_defaults=True):
    """A filter with the space it looks into."""

    filter: Filter | None = None
    from_space: Space | None = None


class ExtendedSet(Extended, omit_defaults=True):
    """A set."""

    set: Set | None = None


class ExtendedTag(Extended, omit_defaults=True):
    """A tag."""

    tag: Tag | None = None


class ExtendedView(Extended, omit_defaults=True):
    """A view with its filter."""

    view: View | None = None
    filter: Filter | None = None


class ExtendedChangeSet(Extended, omit_defaults=True):
    """A change set with its filter and tags."""

    change_set: ChangeSet | None = None
    filter: Filter | None = None
    start_tag: Tag | None = None
    end_tag: Tag | None = None


class ExtendedInvocation(Extended, omit_defaults=True):
    """An invocation with the worker that runs it."""

    invocation: Invocation | None = None
    bridge_worker: BridgeWorker | None = None


class ExtendedTrigger(Extended, omit_defaults=True):
    """A trigger with its invocation and worker."""

    trigger: Trigger | None = None
    invocation: Invocation | None = None
    bridge_worker: BridgeWorker | None = None


class ExtendedTarget(Extended, omit_defaults=True):
    """A target with its worker."""

    target: Target | None = None
    bridge_worker: BridgeWorker | None = None


class ExtendedBridgeWorker(Extended, omit_defaults=True):
    """A worker with the number of its targets."""

    bridge_worker: BridgeWorker | None = None
    target_count: int = 0


class LinkCreateOrUpdateResponse(Record, omit_defaults=True):
    """One link that was copied with a unit."""

    link: Link | None = None
    error: ResponseError | None = None


class UnitCreateOrUpdateResponse(Record, omit_defaults=True):
    """One element of a bulk create or patch of units.

    ``links`` are those copied with a clone, ``held`` what an upgrade left out; the latter is ours.
    """

    unit: Unit | None = None
    error: ResponseError | None = None
    links: list[LinkCreateOrUpdateResponse] = []
    held: list[HeldChange] = []


class UnitActionResponse(Record, omit_defaults=True):
    """One element of a bulk apply."""

    action: QueuedOperation | None = None
    error: ResponseError | None = None


class UnitExtended(Record):
    """The old flat form of a unit with its action and links."""

    unit: Unit | None = None
    status: str = ""
    action: str = ""
    action_result: str = ""
    action_started_at: datetime | None = None
    action_terminated_at: datetime | None = None
    approved_by_users: list[str] = []
    drift: str = ""
    from_links: list[Link] = []
    to_links: list[Link] = []
