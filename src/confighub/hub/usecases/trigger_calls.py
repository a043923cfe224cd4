"""Triggers that name a worker: their calls are queued with the head, and its gates stay closed until the answers.

queue_calls(tx, hub, unit, text, …) -> gates     what workers are to say of a revision, in the transaction that made it
ask_again(tx, hub, unit, text) -> gates          have a revision checked once more: approvals or triggers changed
settle(tx, hub, unit_id, revision_num, gates)    keep what is known now
is_late(tx, hub), give_up_waiting(tx, hub)          what only time asks for
reasons(tx, unit_id, revision_num) -> {gate: sentence}    why they are closed, and what to do

Those that change the text run first and one after the other, each on what the one before has left; then
all that check, on the same text. Meanwhile the gate ``awaiting/triggers`` is closed: clients wait for it.
A worker that is away, or silent, closes the trigger's own gate instead, so that nobody waits for it; the
call stays queued and runs when the worker is there. Source: the public wire contract, ApplyGates.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, insert, select, update

from confighub.hub.domain import lifecycle
from confighub.hub.hub import Hub
from confighub.hub.kinds import BRIDGE_WORKER, SPACE, UNIT
from confighub.hub.store.entities import bridge_workers, spaces, units
from confighub.hub.store.history import gate_results
from confighub.hub.store.rows import columns, record
from confighub.hub.store.work_queue import queued_operations
from confighub.hub.usecases import gates, queue, worker_calls
from confighub.hub.usecases.gates import Call
from confighub.records.units import Unit
from confighub.records.work import BridgeWorker

AWAITING = "awaiting/triggers"
"""The gate that is closed while a worker is expected to answer."""

SUPERSEDED = "a newer revision came before its worker looked at this one: apply the head, or restore this revision"

_C = queued_operations.c
_OPEN = _C.trigger_id.is_not(None), _C.status.in_(lifecycle.OPEN)

Found = dict[str, bool]
"""Gates by name; true means closed."""


def calls_of(tx: Connection, unit: Unit, *, is_clone: bool = False) -> list[Call]:
    """Return the calls that workers make for a new head of the unit, in order; a clone's own come first."""
    events = [("Mutation", unit.space_id)]
    if is_clone:
        events = [("PreClone", unit.upstream_space_id), ("PostClone", unit.space_id), *events]
    found = [gates.triggers_of(tx, space_id, event, unit.toolchain_type) for event, space_id in events]
    return [call for calls in found for call in calls if call.worker_id]


def queue_calls(
    tx: Connection,
    hub: Hub,
    unit: Unit,
    text: str,
    *,
    after: str | None = None,
    is_clone: bool = False,
    only_checks: bool = False,
    user_id: str | None = None,
) -> Found:
    """Queue what is next for the revision that ``unit.head_revision_num`` names; return the gates that it closes.

    ``after`` is the id of the trigger whose answer came last. The gates are the caller's to keep.
    """
    calls = calls_of(tx, unit, is_clone=is_clone)
    if not calls:
        return {}
    _cancel_older(tx, hub, unit)
    workers = _workers(tx, calls)
    changing = [] if only_checks else _after([call for call in calls if is_mutating(call, workers)], after)
    checking = [
        call for call in calls if not is_mutating(call, workers) and call.trigger.event == "Mutation" and call.worker_id
    ]
    found: Found = {}
    for call in changing[:1] or checking:
        found |= _enqueue(tx, hub, unit, text, call, workers[call.worker_id or ""], user_id)
    return found


def ask_again(tx: Connection, hub: Hub, unit: Unit, text: str, *, user_id: str | None = None) -> Found:
    """Have the checks of a revision run again; those that change the text are not, and what they left stays."""
    calls = calls_of(tx, unit)
    under_way = tx.execute(select(queued_operations).where(*_of(unit.unit_id, unit.head_revision_num), *_OPEN)).all()
    workers = _workers(tx, calls)
    changing = {call.trigger.trigger_id: call.gate for call in calls if is_mutating(call, workers)}
    kept = {gate: closed for gate, closed in _kept(tx, unit).items() if gate in changing.values()}
    waiting = [operation for operation in under_way if operation.trigger_id in changing]
    if waiting:
        return kept | ({AWAITING: True} if any(not operation.reason for operation in waiting) else {})
    for operation in under_way:
        worker_calls.end(tx, hub, operation.queued_operation_id, status="Canceled")
    return kept | queue_calls(tx, hub, unit, text, only_checks=True, user_id=user_id)


def settle(tx: Connection, hub: Hub, unit_id: str, revision_num: int, found: Found) -> None:
    """Keep the gates of the revision, and whether a worker is still expected; a head's are shown on its unit.

    The unit's version stays, for nobody edited it.
    """
    known = {**found, AWAITING: _is_awaited(tx, unit_id, revision_num)}
    own = gate_results.c.unit_id == unit_id, gate_results.c.revision_num == revision_num
    tx.execute(delete(gate_results).where(*own, gate_results.c.gate.in_(known)))
    rows = [
        {"unit_id": unit_id, "revision_num": revision_num, "gate": gate, "closed": closed}
        for gate, closed in known.items()
        if closed or gate != AWAITING
    ]
    if rows:
        tx.execute(insert(gate_results), rows)
    shown = select(gate_results.c.gate).where(*own, gate_results.c.closed.is_(True)).order_by(gate_results.c.gate)
    closed = dict.fromkeys(tx.execute(shown).scalars(), True)
    head = units.c.unit_id == unit_id, units.c.head_revision_num == revision_num
    tx.execute(update(units).where(*head).values(apply_gates=closed))
    hub.wake(tx, unit_id)


def is_late(tx: Connection, hub: Hub) -> bool:
    """Whether ``give_up_waiting`` would change anything."""
    return tx.execute(select(_C.cursor_id).where(_late(hub)).limit(1)).first() is not None


def give_up_waiting(tx: Connection, hub: Hub) -> int:
    """Let nobody wait longer for workers that are silent, and send their calls once more; return how many."""
    found = tx.execute(select(queued_operations).where(_late(hub)).order_by(_C.unit_id)).all()
    for operation in found:
        lock_unit(tx, operation.unit_id)
        worker = tx.execute(select(bridge_workers).where(bridge_workers.c.bridge_worker_id == _worker(operation))).one()
        reason = _away(worker.slug, worker.condition)
        if worker.condition == "Ready":
            reason = (
                f"worker {worker.slug} has not answered within {hub.settings.trigger_timeout_s:g} s: "
                "see its log, or start it again"
            )
        own = _C.queued_operation_id == operation.queued_operation_id
        tx.execute(update(queued_operations).where(own).values(reason=reason))
        if operation.status in lifecycle.IN_FLIGHT and operation.attempts < lifecycle.MAX_DELIVERIES:
            queue.put_back(tx, hub, operation, message="")
        settle(tx, hub, operation.unit_id, operation.revision_num, {operation.extra_params: True})
    return len(found)


def reasons(tx: Connection, unit_id: str, revision_num: int) -> dict[str, str]:
    """Return why gates of workers are closed, by gate; the newest call of each trigger counts."""
    found: dict[str, str] = {}
    query = select(queued_operations, bridge_workers.c.slug).join(
        bridge_workers, bridge_workers.c.bridge_worker_id == _C.bridge_worker_id
    )
    own = *_of(unit_id, revision_num), _C.trigger_id.is_not(None)
    for operation in tx.execute(query.where(*own).order_by(_C.cursor_id)):
        is_awaited = operation.status in lifecycle.OPEN and not operation.reason
        gate = AWAITING if is_awaited else operation.extra_params
        found[gate] = operation.reason or (f"worker {operation.slug} has not answered yet" if is_awaited else "")
    return {gate: reason for gate, reason in found.items() if reason}


def lock_unit(tx: Connection, unit_id: str) -> Unit | None:
    """Return the living unit, which no other process changes until this transaction ends; None when it is deleted."""
    query = select(*columns(UNIT)).where(units.c.unit_id == unit_id, units.c.deleted_at.is_(None))
    row = tx.execute(query.with_for_update()).first()
    return None if row is None else record(UNIT, row)


def is_mutating(call: Call, workers: dict[str, BridgeWorker]) -> bool:
    """Whether the call changes texts, as its worker says; one that says nothing is taken to check."""
    worker = workers.get(call.worker_id or "")
    if worker is None or call.trigger.validating:
        return False
    signature = worker_calls.offered(worker, call.trigger.toolchain_type).get(call.invocation.function_name)
    return bool(signature and signature.mutating and not signature.validating)


def workers_of(tx: Connection, call: Call) -> dict[str, BridgeWorker]:
    """Return the worker of the call, by its id."""
    return _workers(tx, [call])


def _workers(tx: Connection, calls: list[Call]) -> dict[str, BridgeWorker]:
    ids = {call.worker_id for call in calls}
    rows = tx.execute(select(*columns(BRIDGE_WORKER)).where(bridge_workers.c.bridge_worker_id.in_(ids))) if ids else ()
    return {worker.bridge_worker_id: worker for worker in (record(BRIDGE_WORKER, row) for row in rows)}


def _after(calls: list[Call], trigger_id: str | None) -> list[Call]:
    """Return the calls behind the trigger's; none when it is gone, for nobody knows what has run."""
    if trigger_id is None:
        return calls
    ids = [call.trigger.trigger_id for call in calls]
    return calls[ids.index(trigger_id) + 1 :] if trigger_id in ids else []


def _enqueue(
    tx: Connection, hub: Hub, unit: Unit, text: str, call: Call, worker: BridgeWorker, user_id: str | None
) -> Found:
    space = record(SPACE, tx.execute(select(*columns(SPACE)).where(spaces.c.space_id == unit.space_id)).one())
    context = gates.context_of(tx, unit, space, text)
    is_there = worker.condition == "Ready"
    worker_calls.enqueue(
        tx,
        hub,
        worker.bridge_worker_id or "",
        worker_calls.request_for(unit, context, text, [call.invocation], cast_string_args_to_scalars=True),
        operation_id=hub.new_id(),
        user_id=user_id,
        trigger_id=call.trigger.trigger_id,
        extra_params=call.gate,
        reason="" if is_there else _away(worker.slug, worker.condition),
    )
    return {AWAITING: True} if is_there else {call.gate: True}


def _away(slug: str, condition: str) -> str:
    return f"worker {slug} is {condition or 'Disconnected'}: start it with cub worker run {slug}"


def _cancel_older(tx: Connection, hub: Hub, unit: Unit) -> None:
    """Take back what no worker has taken of older revisions, which stay closed."""
    older = _C.unit_id == unit.unit_id, _C.revision_num < unit.head_revision_num, _C.status == "Pending"
    for operation in tx.execute(select(queued_operations).where(*older, *_OPEN)).all():
        worker_calls.end(tx, hub, operation.queued_operation_id, status="Canceled", reason=SUPERSEDED)
        settle(tx, hub, operation.unit_id, operation.revision_num, {operation.extra_params: True})


def _kept(tx: Connection, unit: Unit) -> Found:
    c = gate_results.c
    own = c.unit_id == unit.unit_id, c.revision_num == unit.head_revision_num
    return {row.gate: row.closed for row in tx.execute(select(gate_results).where(*own))}


def _is_awaited(tx: Connection, unit_id: str, revision_num: int) -> bool:
    waiting = select(_C.cursor_id).where(*_of(unit_id, revision_num), *_OPEN, _C.reason == "")
    return tx.execute(waiting.limit(1)).first() is not None


def _of(unit_id: str | None, revision_num: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return _C.unit_id == unit_id, _C.revision_num == revision_num


def _late(hub: Hub) -> ColumnElement[bool]:
    since = hub.now() - timedelta(seconds=hub.settings.trigger_timeout_s)
    return and_(*_OPEN, _C.reason == "", _C.created_at < since)


def _worker(operation: Row[Any]) -> str:
    return str(operation.bridge_worker_id)
