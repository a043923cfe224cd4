"""Related records for a whole list at once: one query a relation, never one a row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select, tuple_

from confighub.hub.caller import Caller
from confighub.hub.kinds import KINDS, UNIT_EVENT, USER, Kind
from confighub.hub.store.rows import columns, record
from confighub.hub.store.work_queue import live_states, unit_events
from confighub.hub.usecases.access import visible
from confighub.hub.usecases.fillings import chunks
from confighub.query import fields
from confighub.records.work import FINAL, UnitEvent, UnitStatus

_BY_NUMBER = {
    "HeadRevisionNum": ("Revision", "head_revision_num", "revision_num"),
    "LiveRevisionNum": ("Revision", "live_revision_num", "revision_num"),
    "LastAppliedRevisionNum": ("Revision", "last_applied_revision_num", "revision_num"),
    "HeadMutationNum": ("Mutation", "head_mutation_num", "mutation_num"),
}


def expand(tx: Connection, caller: Caller, kind: Kind, found: list[Any], includes: tuple[str, ...]) -> list[Any]:
    """Return the extended records, with the relations that ``includes`` names filled in.

    A related record that is gone, or that the caller may not see, stays empty.
    """
    if kind.extended is None:
        return found
    extended = [kind.extended(**{kind.own_attribute: one}) for one in found]
    known = fields.of(kind.name).includes
    for include in includes:
        relation = known[include]
        attribute = kind.holder[relation.name]
        if include == "UnitEventID":
            _add_events(tx, kind, extended)
        elif include == "ApprovedBy":
            _add_approvers(tx, caller, kind, extended)
        elif kind.name == "Unit" and include in _BY_NUMBER:
            _add_by_number(tx, kind, extended, include, attribute)
        else:
            reference = kind.by_wire_name[include]
            related = by_ids(tx, caller, KINDS[relation.entity], (getattr(one, reference) for one in found))
            for holder, one in zip(extended, found, strict=True):
                setattr(holder, attribute, related.get(getattr(one, reference)))
    return extended


def relations_of(extended: Any) -> Iterator[tuple[str, Any]]:
    """Yield what the extended record holds, by name on the wire."""
    for f in msgspec.structs.fields(extended):
        yield f.encode_name, getattr(extended, f.name)


def by_ids(tx: Connection, caller: Caller, kind: Kind, ids: Iterable[str | None]) -> dict[str, Any]:
    """Return the records of those ids that the caller sees, by id."""
    wanted = sorted({one for one in ids if one})
    found: dict[str, Any] = {}
    for chunk in chunks(wanted):
        query = select(*columns(kind)).where(kind.id_column.in_(chunk), visible(kind, caller))
        found |= {getattr(one, kind.id_attribute): one for one in (record(kind, row) for row in tx.execute(query))}
    for one in found.values():
        if kind.name == "BridgeWorker":
            one.secret = ""  # a relation shows who, never the key
    return found


def latest_events(tx: Connection, unit_ids: Iterable[str]) -> dict[str, UnitEvent]:
    """Return the newest event of each unit that has one."""
    found: dict[str, UnitEvent] = {}
    for chunk in chunks(sorted(set(unit_ids))):
        newest = select(func.max(unit_events.c.cursor_id)).where(unit_events.c.unit_id.in_(chunk))
        query = select(*columns(UNIT_EVENT)).where(unit_events.c.cursor_id.in_(newest.group_by(unit_events.c.unit_id)))
        found |= {event.unit_id: event for event in (record(UNIT_EVENT, row) for row in tx.execute(query))}
    return found


def unit_status(event: UnitEvent | None, *, drift: str = "") -> UnitStatus:
    """Return how a unit stands for display, from its latest event."""
    if event is None:
        return UnitStatus(status="NoActions", drift=drift)
    status = "Ready" if event.status == "Completed" else event.status if event.status in FINAL else "Progressing"
    return UnitStatus(
        status=status,
        action=event.action,
        action_result=event.result,
        action_started_at=event.started_at,
        action_terminated_at=event.terminated_at,
        drift=drift,
    )


def _add_events(tx: Connection, kind: Kind, extended: list[Any]) -> None:
    ids = [getattr(one, kind.own_attribute).unit_id for one in extended]
    events, drifts = latest_events(tx, ids), _drifts(tx, ids)
    for holder, unit_id in zip(extended, ids, strict=True):
        holder.latest_unit_event = events.get(unit_id)
        holder.unit_status = unit_status(events.get(unit_id), drift=drifts.get(unit_id, ""))


def _drifts(tx: Connection, unit_ids: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    drifted = select(live_states.c.unit_id, live_states.c.drift).where(live_states.c.drift != "")
    for chunk in chunks(unit_ids):
        rows = tx.execute(drifted.where(live_states.c.unit_id.in_(chunk)))
        found.update((row.unit_id, row.drift) for row in rows)
    return found


def _add_approvers(tx: Connection, caller: Caller, kind: Kind, extended: list[Any]) -> None:
    units = [getattr(one, kind.own_attribute) for one in extended]
    users = by_ids(tx, caller, USER, (user for unit in units for user in unit.approved_by))
    for holder, unit in zip(extended, units, strict=True):
        holder.approved_by = [users[user] for user in unit.approved_by if user in users]


def _add_by_number(tx: Connection, kind: Kind, extended: list[Any], include: str, attribute: str) -> None:
    entity, number, column = _BY_NUMBER[include]
    related = KINDS[entity]
    units = [getattr(one, kind.own_attribute) for one in extended]
    keys = [(unit.unit_id, getattr(unit, number)) for unit in units]
    found: dict[tuple[str, int], Any] = {}
    for chunk in chunks(keys):
        pair = tuple_(related.table.c.unit_id, related.table.c[column])
        for row in tx.execute(select(*columns(related)).where(pair.in_(chunk))):
            one = record(related, row)
            found[one.unit_id, getattr(one, column)] = one
    for holder, key in zip(extended, keys, strict=True):
        setattr(holder, attribute, found.get(key))
