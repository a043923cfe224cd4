"""The rows of the work queue: an operation with its one event, made together and moved together.

What callers may ask for is in ``work`` and ``applying``, what workers get and report in ``deliveries`` and
``results``. What concerns many operations takes few statements, whatever their number.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from confighub.hub.caller import Caller
from confighub.hub.domain import lifecycle
from confighub.hub.hub import Hub
from confighub.hub.kinds import UNIT
from confighub.hub.store.entities import units
from confighub.hub.store.history import revisions
from confighub.hub.store.many import insert_all, lock_all, portions, update_all
from confighub.hub.store.rows import columns, own_id, record
from confighub.hub.store.work_queue import queued_operations, unit_events
from confighub.records.units import Unit
from confighub.records.work import FINAL, QueuedOperation, Target

SUPERSEDED = "superseded by a newer operation before a worker took it"


@dataclass(frozen=True)
class Order:
    """What is to be done with a unit at a target: ``sha`` is of the text of the revision, None for none."""

    unit: Unit
    target: Target
    action: str
    revision_num: int
    sha: bytes | None
    reason: str = ""
    extra_params: str = ""


@dataclass(frozen=True)
class Move:
    """An operation, and what it and its event come to stand at; ``columns`` are further ones of the operation."""

    operation: Row[Any]
    status: str
    result: str = "None"
    message: str = ""
    started_at: datetime | None = None
    terminated_at: datetime | None = None
    columns: dict[str, Any] = field(default_factory=dict)


def enqueue(tx: Connection, hub: Hub, caller: Caller, unit: Unit, target: Target, **about: Any) -> QueuedOperation:
    """Queue an operation on the unit; ``about`` are the further attributes of its ``Order`` but the text.

    An apply that no worker has taken yet is canceled by a newer apply or destroy.
    """
    if about["action"] in ("Apply", "Destroy"):
        cancel_waiting(tx, hub, [unit.unit_id])
    sha = _sha_of(tx, unit.unit_id, about["revision_num"])
    (operation,) = enqueue_all(tx, hub, caller, [Order(unit, target, sha=sha, **about)])
    return operation


def enqueue_all(tx: Connection, hub: Hub, caller: Caller, orders: Sequence[Order]) -> list[QueuedOperation]:
    """Queue the operations, show their events at once, and wake the targets' workers; return them in order.

    What waited for a worker before is left as it is.
    """
    operations: list[dict[str, Any]] = []
    events: list[dict[str, Any]] = []
    made: list[QueuedOperation] = []
    for order in orders:
        shared, own = _rows(hub, caller, order)
        operations.append({**shared, **own})
        events.append(
            {**shared, "unit_event_id": hub.new_id(), "message": order.reason, "updated_at": shared["created_at"]}
        )
        made.append(QueuedOperation(**shared, target_id=order.target.target_id, extra_params=order.extra_params))
        hub.wake(tx, order.target.bridge_worker_id or "")
    insert_all(tx, queued_operations, operations)
    insert_all(tx, unit_events, events)
    return made


def _rows(hub: Hub, caller: Caller, order: Order) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what an operation and its event have in common, and what the operation has alone."""
    shared = {
        "queued_operation_id": hub.new_id(),
        "organization_id": order.unit.organization_id,
        "space_id": order.unit.space_id,
        "unit_id": order.unit.unit_id,
        "bridge_worker_id": order.target.bridge_worker_id,
        "action": order.action,
        "status": "Pending",
        "revision_num": order.revision_num,
        "created_at": hub.now(),
    }
    own = {
        "target_id": order.target.target_id,
        "user_id": own_id(caller.user_id),
        "reason": order.reason,
        "extra_params": order.extra_params,
        "data_sha": order.sha,
    }
    return shared, own


def move(tx: Connection, hub: Hub, operation: Row[Any], status: str, *, message: str = "", **columns: Any) -> None:
    """Set the operation and its event to the status; further columns are the operation's own."""
    move_all(tx, hub, [Move(operation, status, message=message, columns=columns)])


def move_all(tx: Connection, hub: Hub, moves: Sequence[Move]) -> None:
    """Set each operation and its event to what its move says; no operation is moved twice."""
    now = hub.now()
    key = "queued_operation_id"
    ordered = sorted(moves, key=lambda one: one.operation.cursor_id)
    # Whoever moves an operation has it, and its event goes with it; the updates come grouped by their columns.
    lock_all(tx, queued_operations.c.cursor_id, [one.operation.cursor_id for one in ordered])
    rows = [(one.operation.queued_operation_id, _moved(one, now)) for one in ordered]
    update_all(tx, queued_operations.c[key], [(operation_id, own) for operation_id, (own, _) in rows])
    events = [(operation_id, event) for operation_id, (_, event) in rows]
    update_all(tx, unit_events.c[key], events, version=unit_events.c.version + 1)
    for one in moves:
        hub.wake(tx, one.operation.queued_operation_id)
        hub.wake(tx, one.operation.unit_id)


def _moved(move: Move, now: datetime) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the values of the operation and of its event."""
    operation, is_final = move.operation, move.status in FINAL
    both = {"status": move.status, "result": move.result}
    own = {**both, "version": operation.version + 1, **move.columns}
    if is_final:
        own |= {"finished_at": now, "lease_owner": "", "lease_until": None}
    if operation.started_at is None and move.started_at is not None:
        own["started_at"] = move.started_at
    event: dict[str, Any] = {**both, "updated_at": now}
    if move.message or is_final:
        event["message"] = move.message
    if move.started_at is not None:
        event["started_at"] = move.started_at
    if is_final:
        event["terminated_at"] = move.terminated_at or now
    return own, event


def put_back(tx: Connection, hub: Hub, operation: Row[Any], *, message: str) -> None:
    """Make the operation wait for its worker again."""
    move(tx, hub, operation, "Pending", message=message, lease_owner="", lease_until=None)
    hub.wake(tx, operation.bridge_worker_id or "")


def cancel_text(tx: Connection, hub: Hub, unit_id: str | None, sha: bytes, *, message: str) -> None:
    """Cancel what waits to apply the text with that SHA-256 to the unit."""
    c = queued_operations.c
    waiting = c.unit_id == unit_id, c.action == "Apply", c.status == "Pending", c.data_sha == sha
    for operation in tx.execute(select(queued_operations).where(*waiting).with_for_update()).all():
        move(tx, hub, operation, "Canceled", message=message)


def is_busy(tx: Connection, unit_id: str | None) -> bool:
    """Whether an operation of the unit has not ended."""
    c = queued_operations.c
    own = c.unit_id == unit_id, c.action != lifecycle.INVOKE
    open_ = select(c.cursor_id).where(*own, c.status.in_(lifecycle.OPEN)).limit(1)
    return tx.execute(open_).first() is not None


def unit_by_id(tx: Connection, unit_id: str) -> Unit | None:
    """Return the living unit, None when it was deleted meanwhile."""
    query = select(*columns(UNIT)).where(units.c.unit_id == unit_id, units.c.deleted_at.is_(None))
    row = tx.execute(query).first()
    return None if row is None else record(UNIT, row)


def units_by_id(tx: Connection, unit_ids: Iterable[str]) -> dict[str, Unit]:
    """Return those of the units that are living, by id."""
    found: dict[str, Unit] = {}
    for some in portions(sorted(set(unit_ids))):
        query = select(*columns(UNIT)).where(units.c.unit_id.in_(some), units.c.deleted_at.is_(None))
        found |= {unit.unit_id: unit for unit in (record(UNIT, row) for row in tx.execute(query))}
    return found


def numbers_of(unit: Unit) -> lifecycle.Numbers:
    """Return the revision numbers that operations move."""
    return lifecycle.Numbers(
        live=unit.live_revision_num,
        previous_live=unit.previous_live_revision_num,
        last_applied=unit.last_applied_revision_num,
    )


def store_numbers(tx: Connection, changed: Iterable[tuple[Unit, lifecycle.Numbers]]) -> None:
    """Keep the units' numbers; their versions stay, for nobody edited them."""
    ordered = sorted(changed, key=lambda pair: pair[0].cursor_id)
    rows = [(unit.unit_id or "", _columns_of(numbers)) for unit, numbers in ordered if numbers != numbers_of(unit)]
    update_all(tx, units.c.unit_id, rows)


def _columns_of(numbers: lifecycle.Numbers) -> dict[str, int]:
    return {
        "live_revision_num": numbers.live,
        "previous_live_revision_num": numbers.previous_live,
        "last_applied_revision_num": numbers.last_applied,
    }


def cancel_waiting(tx: Connection, hub: Hub, unit_ids: Iterable[str | None]) -> None:
    """Cancel the applies of the units that no worker has taken yet: newer operations take their place."""
    c = queued_operations.c
    waiting = c.action == "Apply", c.status == "Pending", c.attempts == 0
    query = select(queued_operations).where(*waiting).order_by(c.cursor_id).with_for_update()
    wanted = sorted({one for one in unit_ids if one})
    found = [row for some in portions(wanted) for row in tx.execute(query.where(c.unit_id.in_(some)))]
    move_all(tx, hub, [Move(operation, "Canceled", message=SUPERSEDED) for operation in found])


def _sha_of(tx: Connection, unit_id: str | None, revision_num: int) -> bytes | None:
    one = revisions.c.unit_id == unit_id, revisions.c.revision_num == revision_num
    return tx.execute(select(revisions.c.data_sha).where(*one)).scalar()
