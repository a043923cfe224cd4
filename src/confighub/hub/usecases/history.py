"""What happened to a unit: revisions, mutations, events, live state; and its old flat form.

list_revisions(hub, caller, unit_id, listing=ALL, *, space_id=None) -> list[ExtendedRevision]
get_revision(hub, caller, unit_id, revision_id, listing=ALL, *, space_id=None) -> ExtendedRevision
get_revision_data(hub, caller, unit_id, revision_id, *, space_id=None) -> bytes
list_mutations(hub, caller, unit_id, listing=ALL, *, space_id=None) -> list[ExtendedMutation]
get_mutation(hub, caller, unit_id, mutation_id, listing=ALL, *, space_id=None) -> ExtendedMutation
list_unit_events(hub, caller, unit_id, listing=ALL, *, space_id=None) -> list[UnitEvent]
get_unit_event(hub, caller, unit_id, unit_event_id, *, space_id=None) -> UnitEvent
get_live_state(hub, caller, unit_id, *, space_id=None) -> bytes
get_unit_extended(hub, caller, unit_id, *, space_id=None) -> UnitExtended

Lists are by CursorID, the oldest first.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, select

from confighub.hub.caller import Caller
from confighub.hub.hub import Hub
from confighub.hub.kinds import LINK, MUTATION, REVISION, UNIT, UNIT_EVENT, USER, Kind
from confighub.hub.store.entities import links
from confighub.hub.store.rows import columns, record
from confighub.hub.store.work_queue import live_states
from confighub.hub.usecases import entities
from confighub.hub.usecases.access import visible
from confighub.hub.usecases.fillings import fill
from confighub.hub.usecases.includes import by_ids, latest_events, unit_status
from confighub.hub.usecases.listing import ALL, Listing, find, find_one
from confighub.records.extended import ExtendedMutation, ExtendedRevision, UnitExtended
from confighub.records.units import Unit
from confighub.records.work import UnitEvent


def list_revisions(
    hub: Hub, caller: Caller, unit_id: str, listing: Listing = ALL, *, space_id: str | None = None
) -> list[ExtendedRevision]:
    """Return the revisions of the unit that the listing chooses."""
    return _list(hub, caller, REVISION, unit_id, listing, space_id)


def get_revision(
    hub: Hub, caller: Caller, unit_id: str, revision_id: str, listing: Listing = ALL, *, space_id: str | None = None
) -> ExtendedRevision:
    """Return one revision of the unit."""
    found: ExtendedRevision = _get(hub, caller, REVISION, unit_id, revision_id, listing, space_id)
    return found


def get_revision_data(
    hub: Hub, caller: Caller, unit_id: str, revision_id: str, *, space_id: str | None = None
) -> bytes:
    """Return the bytes of one revision."""
    found = get_revision(hub, caller, unit_id, revision_id, Listing(select="Data"), space_id=space_id)
    assert found.revision is not None
    return found.revision.data


def list_mutations(
    hub: Hub, caller: Caller, unit_id: str, listing: Listing = ALL, *, space_id: str | None = None
) -> list[ExtendedMutation]:
    """Return the mutations of the unit that the listing chooses."""
    return _list(hub, caller, MUTATION, unit_id, listing, space_id)


def get_mutation(
    hub: Hub, caller: Caller, unit_id: str, mutation_id: str, listing: Listing = ALL, *, space_id: str | None = None
) -> ExtendedMutation:
    """Return one mutation of the unit."""
    found: ExtendedMutation = _get(hub, caller, MUTATION, unit_id, mutation_id, listing, space_id)
    return found


def list_unit_events(
    hub: Hub, caller: Caller, unit_id: str, listing: Listing = ALL, *, space_id: str | None = None
) -> list[UnitEvent]:
    """Return the events of the unit that the listing chooses."""
    return _list(hub, caller, UNIT_EVENT, unit_id, listing, space_id)


def get_unit_event(
    hub: Hub, caller: Caller, unit_id: str, unit_event_id: str, *, space_id: str | None = None
) -> UnitEvent:
    """Return one event of the unit."""
    found: UnitEvent = _get(hub, caller, UNIT_EVENT, unit_id, unit_event_id, ALL, space_id)
    return found


def get_live_state(hub: Hub, caller: Caller, unit_id: str, *, space_id: str | None = None) -> bytes:
    """Return what the worker last reported of the unit's objects; empty when nothing is known."""
    with hub.read() as tx:
        unit = _unit(tx, caller, unit_id, space_id)
        query = select(live_states.c.live_state).where(live_states.c.unit_id == unit.unit_id)
        return tx.execute(query).scalar() or b""


def get_unit_extended(hub: Hub, caller: Caller, unit_id: str, *, space_id: str | None = None) -> UnitExtended:
    """Return the unit with its latest action and its links, in the old flat form."""
    with hub.read() as tx:
        unit = _unit(tx, caller, unit_id, space_id)
        fill(hub, tx, caller, UNIT, [unit])
        status = unit_status(latest_events(tx, [unit.unit_id or ""]).get(unit.unit_id or ""))
        approvers = by_ids(tx, caller, USER, unit.approved_by or [])
        return UnitExtended(
            unit=unit,
            status=status.status,
            action=status.action,
            action_result=status.action_result,
            action_started_at=status.action_started_at,
            action_terminated_at=status.action_terminated_at,
            approved_by_users=[approvers[one].username for one in unit.approved_by or [] if one in approvers],
            drift=status.drift,
            from_links=_links(tx, caller, links.c.from_unit_id == unit.unit_id),
            to_links=_links(tx, caller, links.c.to_unit_id == unit.unit_id),
        )


def _unit(tx: Connection, caller: Caller, unit_id: str, space_id: str | None) -> Unit:
    unit: Unit = entities.load(tx, caller, UNIT, unit_id, *entities.scope(UNIT, space_id))
    return unit


def _list(hub: Hub, caller: Caller, kind: Kind, unit_id: str, listing: Listing, space_id: str | None) -> list[Any]:
    with hub.read() as tx:
        unit = _unit(tx, caller, unit_id, space_id)
        return find(hub, tx, caller, kind, listing, kind.table.c.unit_id == unit.unit_id)


def _get(
    hub: Hub, caller: Caller, kind: Kind, unit_id: str, entity_id: str, listing: Listing, space_id: str | None
) -> Any:
    with hub.read() as tx:
        unit = _unit(tx, caller, unit_id, space_id)
        return find_one(hub, tx, caller, kind, entity_id, listing, kind.table.c.unit_id == unit.unit_id)


def _links(tx: Connection, caller: Caller, end: ColumnElement[bool]) -> list[Any]:
    query = select(*columns(LINK)).where(end, visible(LINK, caller)).order_by(links.c.cursor_id)
    return [record(LINK, row) for row in tx.execute(query)]
