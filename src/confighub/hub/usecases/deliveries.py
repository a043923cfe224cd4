"""Operations on their way to workers: leased to a stream, renewed by its heartbeats, put back when it ends.

Delivery is at least once. Operations of one unit go out one at a time, in the order they were
queued; those of different units go out together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, Select, and_, exists, select, update

from confighub.hub.domain import lifecycle
from confighub.hub.hub import Hub
from confighub.hub.store.entities import targets, units
from confighub.hub.store.history import blobs
from confighub.hub.store.many import portions
from confighub.hub.store.work_queue import live_states, queued_operations, unit_events
from confighub.hub.usecases import queue
from confighub.records.units import Unit
from confighub.records.work import BridgePayload, FunctionPayload

BATCH = 256
"""Operations in one delivery, so that a long queue does not hold the writer."""


@dataclass(frozen=True)
class Delivery:
    """One operation for a worker: the action with what it needs."""

    action: str
    payload: BridgePayload | FunctionPayload

    @property
    def event(self) -> str:
        """The name of the event that carries it."""
        return "FunctionWorkerEvent" if self.action == lifecycle.INVOKE else "BridgeWorkerEvent"


def lease_operations(hub: Hub, *, worker_id: str, stream: str) -> list[Delivery]:
    """Lease what is due to the stream and return it, oldest first; empty when there is nothing."""
    c = queued_operations.c
    due = c.bridge_worker_id == worker_id, c.status == "Pending", ~_has_open_elder()
    with hub.read() as tx:
        if tx.execute(select(c.cursor_id).where(*due).limit(1)).first() is None:
            return []
    with hub.write() as tx:
        query = select(queued_operations).where(*due).order_by(c.cursor_id).limit(BATCH)
        if not hub.database.is_sqlite:
            query = query.with_for_update(skip_locked=True)
        return _lease(tx, hub, tx.execute(query).all(), stream)


def renew_leases(hub: Hub, *, stream: str) -> None:
    """Tell that the stream lives, so that what it carries stays with it."""
    c = queued_operations.c
    own = c.lease_owner == stream, c.status.in_(lifecycle.IN_FLIGHT)
    with hub.read() as tx:
        if tx.execute(select(c.cursor_id).where(*own).limit(1)).first() is None:
            return
    with hub.write() as tx:
        # In the order in which others take them: see ``lock_all``.
        ordered = select(c.cursor_id).where(*own).order_by(c.cursor_id).with_for_update()
        renewed = update(queued_operations).where(c.cursor_id.in_(ordered))
        tx.execute(renewed.values(lease_until=_lease_end(hub)))


def end_leases(tx: Connection, hub: Hub, *, stream: str) -> int:
    """Put back what the stream carried, to be sent again; return how many operations."""
    return _put_back(tx, hub, queued_operations.c.lease_owner == stream, "the worker's connection was lost")


def recover(hub: Hub) -> int:
    """Put back everything in flight: no stream outlives the process; return how many operations.

    Only for a store that one process owns.
    """
    c = queued_operations.c
    with hub.write() as tx:
        # Whoever waited for the answer of a function went with the process.
        calls = c.action == lifecycle.INVOKE, c.trigger_id.is_(None), c.status.in_(lifecycle.OPEN)
        tx.execute(update(queued_operations).where(*calls).values(status="Canceled", lease_owner="", lease_until=None))
        return _put_back(tx, hub, c.lease_owner != "", "the hub was started again")


def is_expiry_due(tx: Connection, hub: Hub) -> bool:
    """Whether ``expire_leases`` would change anything."""
    over = select(queued_operations.c.cursor_id).where(_is_over(hub))
    return any(tx.execute(query.limit(1)).first() is not None for query in (over, _silent(hub)))


def expire_leases(tx: Connection, hub: Hub) -> int:
    """Put back what no living stream carries; end or repeat what a worker is silent about."""
    count = _put_back(tx, hub, _is_over(hub), "the worker's connection was lost")
    # Another process may be at it: what it has in hand is its matter.
    for operation in tx.execute(_silent(hub).with_for_update(skip_locked=True, of=queued_operations)).all():
        count += 1
        message = f"the worker said nothing for {hub.settings.operation_timeout_s:g} s"
        if operation.attempts < lifecycle.MAX_DELIVERIES:
            queue.put_back(tx, hub, operation, message=message)
        else:
            queue.move(tx, hub, operation, "Failed", message=message)
            hub.wake(tx, operation.bridge_worker_id or "")
    return count


def _is_over(hub: Hub) -> ColumnElement[bool]:
    c = queued_operations.c
    return and_(c.status.in_(lifecycle.IN_FLIGHT), c.lease_until < hub.now())


def _silent(hub: Hub) -> Select[Any]:
    c = queued_operations.c
    since = hub.now() - timedelta(seconds=hub.settings.operation_timeout_s)
    return (
        select(queued_operations)
        .join(unit_events, unit_events.c.queued_operation_id == c.queued_operation_id)
        .where(c.status.in_(lifecycle.IN_FLIGHT), unit_events.c.updated_at < since)
    )


def _has_open_elder() -> ColumnElement[bool]:
    """Whether an operation of the unit must end first; function calls neither wait nor are waited for."""
    elder = queued_operations.alias("elder")
    c = queued_operations.c
    same_unit = elder.c.unit_id == c.unit_id, elder.c.cursor_id < c.cursor_id
    waits = elder.c.action != lifecycle.INVOKE, c.action != lifecycle.INVOKE
    return exists().where(*same_unit, *waits, elder.c.status.in_(lifecycle.OPEN))


def _lease_end(hub: Hub) -> Any:
    return hub.now() + timedelta(seconds=hub.settings.lease_s)


def _put_back(tx: Connection, hub: Hub, condition: ColumnElement[bool], message: str) -> int:
    c = queued_operations.c
    query = select(queued_operations).where(condition, c.status.in_(lifecycle.IN_FLIGHT)).order_by(c.cursor_id)
    found = tx.execute(query.with_for_update()).all()
    for operation in found:
        queue.put_back(tx, hub, operation, message=message)
    return len(found)


def _lease(tx: Connection, hub: Hub, operations: Sequence[Row[Any]], stream: str) -> list[Delivery]:
    """Give the operations to the stream; return what it carries, in order."""
    now, until = hub.now(), _lease_end(hub)
    queue.move_all(tx, hub, [_leased(operation, stream, now=now, until=until) for operation in operations])
    sent = [operation for operation in operations if operation.action != lifecycle.INVOKE]
    found = queue.units_by_id(tx, (operation.unit_id for operation in sent))
    queue.store_numbers(tx, _numbers_after(sent, found))
    payloads = _payloads(tx, sent)
    return [
        Delivery(operation.action, payloads.get(operation.queued_operation_id) or _call(operation))
        for operation in operations
    ]


def _leased(operation: Row[Any], stream: str, *, now: datetime, until: datetime) -> queue.Move:
    lease = {"lease_owner": stream, "lease_until": until, "attempts": operation.attempts + 1}
    return queue.Move(operation, "Submitted", started_at=operation.started_at or now, columns=lease)


def _numbers_after(operations: Sequence[Row[Any]], found: dict[str, Unit]) -> Iterator[tuple[Unit, lifecycle.Numbers]]:
    for operation in operations:
        if unit := found.get(operation.unit_id):
            numbers, number = queue.numbers_of(unit), operation.revision_num
            yield unit, lifecycle.sent(numbers, action=operation.action, revision_num=number)


def _call(operation: Row[Any]) -> FunctionPayload:
    request = msgspec.Raw(operation.request)
    return FunctionPayload(queued_operation_id=operation.queued_operation_id, invocation_request=request)


def _payloads(tx: Connection, operations: Sequence[Row[Any]]) -> dict[str, BridgePayload]:
    """Return what a worker gets for each operation on a unit, by the operation's id."""
    o, content = queued_operations.c, blobs.c.content
    joined = queued_operations.join(units, units.c.unit_id == o.unit_id)
    joined = joined.outerjoin(targets, targets.c.target_id == o.target_id)
    joined = joined.outerjoin(live_states, live_states.c.unit_id == o.unit_id)
    # What an import brings takes the place of the text, so the worker gets none.
    joined = joined.outerjoin(blobs, and_(blobs.c.sha == o.data_sha, o.action != "Import"))
    shown = units.c.slug, units.c.toolchain_type, targets.c.provider_type, targets.c.parameters
    query = select(queued_operations, *shown, content, live_states.c.live_state).select_from(joined)
    payloads: dict[str, BridgePayload] = {}
    for some in portions([operation.queued_operation_id for operation in operations]):
        for row in tx.execute(query.where(o.queued_operation_id.in_(some))):
            payloads[row.queued_operation_id] = _payload(row)
    return payloads


def _payload(row: Row[Any]) -> BridgePayload:
    return BridgePayload(
        queued_operation_id=row.queued_operation_id,
        toolchain_type=row.toolchain_type,
        provider_type=row.provider_type or "",
        unit_slug=row.slug,
        unit_id=row.unit_id,
        space_id=row.space_id,
        data=row.content or b"",
        live_state=row.live_state or b"",
        target_params=(row.parameters or "").encode(),
        extra_params=row.extra_params,
        revision_num=row.revision_num,
    )
