"""Operations on their way to workers: leased to a stream, renewed by its heartbeats, put back when it ends.

Delivery is at least once. Operations of one unit go out one at a time, in the order they were
queued; those of different units go out together.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, Select, and_, exists, select, update

from confighub.hub.domain import lifecycle
from confighub.hub.hub import Hub
from confighub.hub.store.entities import targets, units
from confighub.hub.store.history import blobs
from confighub.hub.store.work_queue import live_states, queued_operations, unit_events
from confighub.hub.usecases import queue
from confighub.records.work import BridgePayload, FunctionPayload

BATCH = 64
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
        return [_lease(tx, hub, operation, stream) for operation in tx.execute(query).all()]


def renew_leases(hub: Hub, *, stream: str) -> None:
    """Tell that the stream lives, so that what it carries stays with it."""
    c = queued_operations.c
    own = c.lease_owner == stream, c.status.in_(lifecycle.IN_FLIGHT)
    with hub.read() as tx:
        if tx.execute(select(c.cursor_id).where(*own).limit(1)).first() is None:
            return
    with hub.write() as tx:
        tx.execute(update(queued_operations).where(*own).values(lease_until=_lease_end(hub)))


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


def _lease(tx: Connection, hub: Hub, operation: Row[Any], stream: str) -> Delivery:
    now = hub.now()
    queue.move(
        tx,
        hub,
        operation,
        "Submitted",
        started_at=operation.started_at or now,
        lease_owner=stream,
        lease_until=_lease_end(hub),
        attempts=operation.attempts + 1,
    )
    if operation.action == lifecycle.INVOKE:
        request = msgspec.Raw(operation.request)
        payload = FunctionPayload(queued_operation_id=operation.queued_operation_id, invocation_request=request)
        return Delivery(operation.action, payload)
    unit = queue.unit_by_id(tx, operation.unit_id)
    if unit is not None:
        sent = lifecycle.sent(queue.numbers_of(unit), action=operation.action, revision_num=operation.revision_num)
        queue.store_numbers(tx, unit, sent)
    return Delivery(operation.action, _payload(tx, operation))


def _payload(tx: Connection, operation: Row[Any]) -> BridgePayload:
    unit = tx.execute(select(units.c.slug, units.c.toolchain_type).where(units.c.unit_id == operation.unit_id)).one()
    target = tx.execute(
        select(targets.c.provider_type, targets.c.parameters).where(targets.c.target_id == operation.target_id)
    ).first()
    live = live_states.c.unit_id == operation.unit_id
    return BridgePayload(
        queued_operation_id=operation.queued_operation_id,
        toolchain_type=unit.toolchain_type,
        provider_type=target.provider_type if target else "",
        unit_slug=unit.slug,
        unit_id=operation.unit_id,
        space_id=operation.space_id,
        data=b"" if operation.action == "Import" else _content(tx, operation.data_sha),
        live_state=tx.execute(select(live_states.c.live_state).where(live)).scalar() or b"",
        target_params=target.parameters.encode() if target else b"",
        extra_params=operation.extra_params,
        revision_num=operation.revision_num,
    )


def _content(tx: Connection, sha: bytes | None) -> bytes:
    return tx.execute(select(blobs.c.content).where(blobs.c.sha == sha)).scalar() or b""
