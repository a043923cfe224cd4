"""The rows of the work queue: an operation with its one event, made together and moved together.

What callers may ask for is in ``work``, what workers get and report in ``deliveries`` and ``results``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from confighub.hub.caller import Caller
from confighub.hub.domain import lifecycle
from confighub.hub.hub import Hub
from confighub.hub.kinds import UNIT
from confighub.hub.store.entities import units
from confighub.hub.store.history import revisions
from confighub.hub.store.rows import columns, own_id, record
from confighub.hub.store.work_queue import queued_operations, unit_events
from confighub.records.units import Unit
from confighub.records.work import FINAL, QueuedOperation, Target

SUPERSEDED = "superseded by a newer operation before a worker took it"


def enqueue(
    tx: Connection,
    hub: Hub,
    caller: Caller,
    unit: Unit,
    target: Target,
    *,
    action: str,
    revision_num: int,
    reason: str = "",
    extra_params: str = "",
) -> QueuedOperation:
    """Queue an operation on the unit, show its event at once, and wake the target's worker.

    An apply that no worker has taken yet is canceled by a newer apply or destroy.
    """
    if action in ("Apply", "Destroy"):
        _cancel_waiting(tx, hub, unit.unit_id)
    now = hub.now()
    shared: dict[str, Any] = {
        "queued_operation_id": hub.new_id(),
        "organization_id": unit.organization_id,
        "space_id": unit.space_id,
        "unit_id": unit.unit_id,
        "bridge_worker_id": target.bridge_worker_id,
        "action": action,
        "status": "Pending",
        "revision_num": revision_num,
        "created_at": now,
    }
    tx.execute(
        insert(queued_operations).values(
            **shared,
            target_id=target.target_id,
            user_id=own_id(caller.user_id),
            reason=reason,
            extra_params=extra_params,
            data_sha=_sha_of(tx, unit.unit_id, revision_num),
        )
    )
    tx.execute(insert(unit_events).values(**shared, unit_event_id=hub.new_id(), message=reason, updated_at=now))
    hub.wake(tx, target.bridge_worker_id or "")
    return QueuedOperation(**shared, target_id=target.target_id, extra_params=extra_params)


def move(
    tx: Connection,
    hub: Hub,
    operation: Row[Any],
    status: str,
    *,
    result: str = "None",
    message: str = "",
    started_at: datetime | None = None,
    terminated_at: datetime | None = None,
    **columns: Any,
) -> None:
    """Set the operation and its event to the status; further columns are the operation's own."""
    now = hub.now()
    is_final = status in FINAL
    own: dict[str, Any] = {"status": status, "result": result, "version": operation.version + 1, **columns}
    if is_final:
        own |= {"finished_at": now, "lease_owner": "", "lease_until": None}
    if operation.started_at is None and started_at is not None:
        own["started_at"] = started_at
    tx.execute(
        update(queued_operations)
        .where(queued_operations.c.queued_operation_id == operation.queued_operation_id)
        .values(**own)
    )
    event: dict[str, Any] = {
        "status": status,
        "result": result,
        "updated_at": now,
        "version": unit_events.c.version + 1,
    }
    if message or is_final:
        event["message"] = message
    if started_at is not None:
        event["started_at"] = started_at
    if is_final:
        event["terminated_at"] = terminated_at or now
    tx.execute(
        update(unit_events).where(unit_events.c.queued_operation_id == operation.queued_operation_id).values(**event)
    )
    hub.wake(tx, operation.queued_operation_id)
    hub.wake(tx, operation.unit_id)


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


def numbers_of(unit: Unit) -> lifecycle.Numbers:
    """Return the revision numbers that operations move."""
    return lifecycle.Numbers(
        live=unit.live_revision_num,
        previous_live=unit.previous_live_revision_num,
        last_applied=unit.last_applied_revision_num,
    )


def store_numbers(tx: Connection, unit: Unit, numbers: lifecycle.Numbers) -> None:
    """Keep the numbers; the unit's version stays, for nobody edited it."""
    if numbers == numbers_of(unit):
        return
    tx.execute(
        update(units)
        .where(units.c.unit_id == unit.unit_id)
        .values(
            live_revision_num=numbers.live,
            previous_live_revision_num=numbers.previous_live,
            last_applied_revision_num=numbers.last_applied,
        )
    )


def _cancel_waiting(tx: Connection, hub: Hub, unit_id: str | None) -> None:
    c = queued_operations.c
    waiting = select(queued_operations).where(
        c.unit_id == unit_id, c.action == "Apply", c.status == "Pending", c.attempts == 0
    )
    for operation in tx.execute(waiting).all():
        move(tx, hub, operation, "Canceled", message=SUPERSEDED)


def _sha_of(tx: Connection, unit_id: str | None, revision_num: int) -> bytes | None:
    one = revisions.c.unit_id == unit_id, revisions.c.revision_num == revision_num
    return tx.execute(select(revisions.c.data_sha).where(*one)).scalar()
