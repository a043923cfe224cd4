"""What follows when an entity was written or deleted: gates are looked at again, dependants go too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from confighub.errors import BadRequest
from confighub.hub.caller import Caller
from confighub.hub.callers import PEOPLE
from confighub.hub.hub import Hub
from confighub.hub.kinds import FILTER, SIMPLE, SPACE, TARGET, UNIT
from confighub.hub.store.entities import change_set_members, labels, links, units
from confighub.hub.store.people import space_roles
from confighub.hub.store.rows import columns, record
from confighub.hub.store.work_queue import holds
from confighub.hub.usecases import gates, linking, rechecks, surroundings
from confighub.records.automation import Trigger
from confighub.records.groups import ChangeSet, Set
from confighub.records.spaces import Space
from confighub.records.units import Link, Unit
from confighub.records.work import BridgeWorker


def _space_written(tx: Connection, hub: Hub, caller: Caller, space: Space, before: Space | None) -> None:
    if before is None:
        if not caller.may("read"):
            tx.execute(insert(space_roles).values(space_id=space.space_id, user_id=caller.user_id, role="developer"))
    elif gates.environment_of(space) != gates.environment_of(before):
        rechecks.recompute_space_gates(tx, hub, caller, space)


def _space_deleted(tx: Connection, hub: Hub, _caller: Caller, space: Space) -> None:
    for kind in (UNIT, *SIMPLE):
        c = kind.table.c
        living = c.space_id == space.space_id, c.deleted_at.is_(None)
        tx.execute(delete(labels).where(labels.c.entity_id.in_(select(kind.id_column).where(*living))))
        tx.execute(update(kind.table).where(*living).values(deleted_at=hub.now(), version=c.version + 1))
    tx.execute(delete(space_roles).where(space_roles.c.space_id == space.space_id))
    hub.wake(tx, PEOPLE)


def _has_gate(trigger: Trigger) -> bool:
    """Whether the trigger may close a gate: it checks, or a worker may have to run it."""
    return trigger.validating or bool(trigger.bridge_worker_id or trigger.invocation_id)


def _trigger_written(tx: Connection, hub: Hub, caller: Caller, trigger: Trigger, before: Trigger | None) -> None:
    if _has_gate(trigger) or (before is not None and _has_gate(before)):
        rechecks.recompute_space_gates(tx, hub, caller, _space(tx, trigger.space_id))


def _trigger_deleted(tx: Connection, hub: Hub, caller: Caller, trigger: Trigger) -> None:
    if _has_gate(trigger):
        rechecks.recompute_space_gates(tx, hub, caller, _space(tx, trigger.space_id))


def _link_written(tx: Connection, hub: Hub, caller: Caller, link: Link, before: Link | None) -> None:
    ends = link.from_unit_id, link.to_unit_id
    if before is None or ends != (before.from_unit_id, before.to_unit_id):
        linking.resolve_unit(tx, hub, caller, link.from_unit_id)


def _change_set_written(tx: Connection, hub: Hub, caller: Caller, one: ChangeSet, before: ChangeSet | None) -> None:
    """Record where every selected unit of the change set's space stands."""
    if before is not None:
        return
    from confighub.hub.usecases.listing import choose

    where, scope = "", [units.c.space_id == one.space_id]
    if one.filter_id:
        chosen = record(FILTER, tx.execute(select(*columns(FILTER)).where(FILTER.id_column == one.filter_id)).one())
        if chosen.from_ != "Unit":
            raise BadRequest(f"the filter of a change set is about units, this one is about {chosen.from_}")
        where = chosen.where
    members = choose(tx, hub, caller, UNIT, where, *scope)
    if members:
        rows = [
            {"change_set_id": one.change_set_id, "unit_id": u.unit_id, "start_revision_num": u.head_revision_num}
            for u in members
        ]
        tx.execute(insert(change_set_members), rows)


def _set_deleted(tx: Connection, _hub: Hub, _caller: Caller, one: Set) -> None:
    pinned = update(units).where(units.c.set_id == one.set_id, units.c.deleted_at.is_(None))
    tx.execute(pinned.values(set_id=None, version=units.c.version + 1))


def _worker_deleted(tx: Connection, hub: Hub, _caller: Caller, worker: BridgeWorker) -> None:
    """Delete the worker's targets with it, unless a unit uses one."""
    c = TARGET.table.c
    own = c.bridge_worker_id == worker.bridge_worker_id, c.deleted_at.is_(None)
    used = select(units.c.slug).join(TARGET.table, c.target_id == units.c.target_id)
    slugs = list(tx.execute(used.where(*own, units.c.deleted_at.is_(None)).order_by(units.c.slug).limit(5)).scalars())
    if slugs:
        raise BadRequest(
            f"worker {worker.slug} serves the target of unit {', '.join(slugs)}", hint="set another target first"
        )
    tx.execute(delete(labels).where(labels.c.entity_id.in_(select(c.target_id).where(*own))))
    tx.execute(update(TARGET.table).where(*own).values(deleted_at=hub.now(), version=c.version + 1))
    hub.wake(tx, worker.bridge_worker_id or "")
    hub.wake(tx, PEOPLE)


def _unit_deleted(tx: Connection, hub: Hub, caller: Caller, unit: Unit) -> None:
    own = (links.c.from_unit_id == unit.unit_id) | (links.c.to_unit_id == unit.unit_id)
    living = own, links.c.deleted_at.is_(None)
    tx.execute(delete(labels).where(labels.c.entity_id.in_(select(links.c.link_id).where(*living))))
    tx.execute(update(links).where(*living).values(deleted_at=hub.now(), version=links.c.version + 1))
    tx.execute(delete(holds).where(holds.c.unit_id == unit.unit_id))
    surroundings.look_at_neighbours(tx, hub, caller, unit, is_gone=True)


def _space(tx: Connection, space_id: str | None) -> Any:
    return record(SPACE, tx.execute(select(*columns(SPACE)).where(SPACE.id_column == space_id)).one())


Written = Callable[[Connection, Hub, Caller, Any, Any], None]
Deleted = Callable[[Connection, Hub, Caller, Any], None]

WRITTEN: dict[str, Written] = {
    "Space": _space_written,
    "Trigger": _trigger_written,
    "Link": _link_written,
    "ChangeSet": _change_set_written,
}

DELETED: dict[str, Deleted] = {
    "Space": _space_deleted,
    "Trigger": _trigger_deleted,
    "Set": _set_deleted,
    "BridgeWorker": _worker_deleted,
    "Unit": _unit_deleted,
}
