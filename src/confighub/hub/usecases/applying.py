"""Many units applied by one call: what is asked about them is asked together, and what is queued is queued together.

One unit, older revisions and the other verbs are in ``work``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, delete, or_, select, tuple_

from confighub.errors import ConfigHubError
from confighub.hub.caller import Caller
from confighub.hub.hub import Hub
from confighub.hub.kinds import TARGET, UNIT
from confighub.hub.store.database import looked_up_once
from confighub.hub.store.entities import targets
from confighub.hub.store.history import gate_results, quarantines, revisions
from confighub.hub.store.many import portions
from confighub.hub.store.rows import columns, record
from confighub.hub.store.work_queue import holds as holds_table
from confighub.hub.store.work_queue import queued_operations
from confighub.hub.usecases import holds, queue, work
from confighub.hub.usecases.access import require_space
from confighub.hub.usecases.audit import Noted, note_all
from confighub.hub.usecases.elements import failure
from confighub.hub.usecases.gates import closed_gates
from confighub.hub.usecases.listing import Listing, choose_units
from confighub.hub.usecases.surroundings import LOOK_AROUND
from confighub.records.answers import ResponseError
from confighub.records.extended import UnitActionResponse
from confighub.records.units import Unit
from confighub.records.work import QueuedOperation, Target


def apply_units(hub: Hub, caller: Caller, selection: Listing, *, is_dry_run: bool = False) -> list[UnitActionResponse]:
    """Queue the head of every unit of the selection, each on its own; return one element a unit, by CursorID.

    An element holds the operation or why there is none. A dry run queues nothing and shows the
    operations as they would be, without ids.
    """
    with hub.write() as tx:
        chosen = choose_units(tx, hub, caller, selection)
        known = _Known.of(tx, chosen)
        with looked_up_once(tx):
            found = [_order(tx, caller, known, unit) for unit in chosen]
        orders = [one for one in found if isinstance(one, queue.Order)]
        if is_dry_run:
            savepoint = tx.begin_nested()
            operations = _queue(tx, hub, caller, known, orders)
            savepoint.rollback()
            for operation in operations:
                operation.queued_operation_id = None
        else:
            operations = _queue(tx, hub, caller, known, orders)
        queued = iter(operations)
        return [
            UnitActionResponse(action=next(queued)) if isinstance(one, queue.Order) else UnitActionResponse(error=one)
            for one in found
        ]


@dataclass(frozen=True)
class _Known:
    """What was asked about all units at once, by their ids.

    ``unclear`` have a gate that is closed or must be looked at now, ``waiting`` an apply that no worker has taken,
    ``braked`` a hold of an older revision; ``shas`` are of the texts of the heads that were chosen.
    """

    targets: dict[str, Target]
    unclear: frozenset[str]
    waiting: frozenset[str]
    braked: frozenset[str]
    shas: dict[str, bytes]
    spaces: dict[str, ConfigHubError | None]

    @classmethod
    def of(cls, tx: Connection, chosen: Sequence[Unit]) -> _Known:
        """Ask."""
        ids = [unit.unit_id or "" for unit in chosen]
        # By number: on a PostgreSQL a newer head may come in between, whose gates nobody has looked at.
        heads = [(unit.unit_id or "", unit.head_revision_num) for unit in chosen]
        c, g, r = queued_operations.c, gate_results.c, revisions.c
        waiting = select(c.unit_id).where(c.action == "Apply", c.status == "Pending", c.attempts == 0)
        braked = select(holds_table.c.unit_id).where(holds_table.c.kind == holds.OLDER_REVISION)
        unclear = _first_of(tx, _closed_or_looking_around(), tuple_(g.unit_id, g.revision_num), heads)
        unclear |= _first_of(tx, select(quarantines.c.unit_id), quarantines.c.unit_id, ids)
        return cls(
            targets=_targets(tx, chosen),
            unclear=frozenset(unclear),
            waiting=frozenset(_first_of(tx, waiting, c.unit_id, ids)),
            braked=frozenset(_first_of(tx, braked, holds_table.c.unit_id, ids)),
            shas=dict(_rows(tx, select(r.unit_id, r.data_sha), tuple_(r.unit_id, r.revision_num), heads)),
            spaces={},
        )


def _closed_or_looking_around() -> Select[Any]:
    """Ask for the units of stored gates that do not simply let a revision through."""
    g = gate_results.c
    looks_around = [g.gate.endswith(name, autoescape=True) for name in sorted(LOOK_AROUND)]
    return select(g.unit_id).where(or_(g.closed.is_(True), *looks_around)).distinct()


def _targets(tx: Connection, chosen: Sequence[Unit]) -> dict[str, Target]:
    ids = sorted({unit.target_id for unit in chosen if unit.target_id})
    query = select(*columns(TARGET)).where(targets.c.deleted_at.is_(None))
    found = (record(TARGET, row) for row in _rows(tx, query, targets.c.target_id, ids))
    return {target.target_id: target for target in found}


def _first_of(tx: Connection, query: Select[Any], key: Any, wanted: Sequence[Any]) -> set[str]:
    return {row[0] for row in _rows(tx, query, key, wanted)}


def _rows(tx: Connection, query: Select[Any], key: Any, wanted: Sequence[Any]) -> list[Any]:
    return [row for some in portions(wanted) for row in tx.execute(query.where(key.in_(some)))]


def _order(tx: Connection, caller: Caller, known: _Known, unit: Unit) -> queue.Order | ResponseError:
    """Return what is to be queued for the unit, or why nothing is."""
    unit_id, number = unit.unit_id or "", unit.head_revision_num
    try:
        _require(tx, caller, known, unit.space_id or "")
        target = work.target_given(unit, known.targets.get(unit.target_id or ""))
        if unit_id in known.unclear and (gates := closed_gates(tx, unit_id, number)):
            raise work.gated(tx, unit, number, gates)
    except ConfigHubError as error:
        return failure(error, UNIT, unit)
    return queue.Order(unit, target, action="Apply", revision_num=number, sha=known.shas[unit_id])


def _require(tx: Connection, caller: Caller, known: _Known, space_id: str) -> None:
    """Raise what keeps the caller from applying in the space, asked once."""
    if space_id not in known.spaces:
        known.spaces[space_id] = _failing(lambda: require_space(tx, caller, space_id, "apply"))
    if (error := known.spaces[space_id]) is not None:
        raise error


def _failing(ask: Callable[[], object]) -> ConfigHubError | None:
    try:
        ask()
    except ConfigHubError as error:
        return error
    return None


def _queue(
    tx: Connection, hub: Hub, caller: Caller, known: _Known, orders: Sequence[queue.Order]
) -> list[QueuedOperation]:
    """Queue the orders in place of what waited, and end the hand-brakes."""
    ids = {order.unit.unit_id or "" for order in orders}
    queue.cancel_waiting(tx, hub, ids & known.waiting)
    for some in portions(sorted(ids & known.braked)):
        braked = holds_table.c.kind == holds.OLDER_REVISION, holds_table.c.unit_id.in_(some)
        tx.execute(delete(holds_table).where(*braked))
    noted = [Noted("apply", order.unit, detail={"RevisionNum": order.revision_num}) for order in orders]
    note_all(tx, hub, caller, UNIT, noted)
    return queue.enqueue_all(tx, hub, caller, orders)
