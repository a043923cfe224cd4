"""What workers report: progress and ends of operations, live state, signs of life.

A report may come twice, late, or after the operation was put back; only one that moves the
operation forward changes anything. The unit's numbers move in the transaction of the report.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from confighub.errors import ConfigHubError, NotFound
from confighub.hub.caller import Caller
from confighub.hub.domain import content, lifecycle
from confighub.hub.domain.mutations import Origin, Step, compared
from confighub.hub.hub import Hub
from confighub.hub.kinds import SPACE, UNIT
from confighub.hub.store.entities import bridge_workers, spaces, targets, units
from confighub.hub.store.history import applications
from confighub.hub.store.rows import columns, own_id, record
from confighub.hub.store.work_queue import live_states, queued_operations
from confighub.hub.usecases import heads, queue, remote_functions, trigger_answers, work
from confighub.hub.usecases.audit import note
from confighub.hub.usecases.fillings import text_of
from confighub.records.base import Record
from confighub.records.units import Unit
from confighub.records.work import FINAL, ActionResult

DRIFTED = "Drifted"


class PushedLiveState(Record):
    """One unit's live objects, sent by a worker as they change."""

    unit_id: str
    space_id: str = ""
    revision_num: int = 0
    live_state: bytes = b""


def record_result(hub: Hub, caller: Caller, result: ActionResult) -> None:
    """Keep what the calling worker reports; a report without an operation is a sign of life.

    Raises: NotFound when the operation is not this worker's.
    """
    with hub.write() as tx:
        _seen(tx, hub, caller, result.message if result.action == "Heartbeat" else None)
        operation_id = own_id(result.queued_operation_id)
        if operation_id is None:
            return
        c = queued_operations.c
        one = c.queued_operation_id == operation_id, c.bridge_worker_id == caller.worker_id
        operation = tx.execute(select(queued_operations).where(*one)).first()
        if operation is None:
            raise NotFound(f"no operation of this worker has the id {operation_id}")
        if not lifecycle.accepts(now=operation.status, result_now=operation.result, then=result.status):
            return
        if operation.status in FINAL and _has_successor(tx, operation):
            return
        if operation.trigger_id is not None:
            trigger_answers.keep_answer(tx, hub, caller, operation, result)
            return
        if operation.action == lifecycle.INVOKE:
            remote_functions.keep_answer(tx, hub, operation, result)
            return
        _progress(tx, hub, caller, operation, result)


def keep_live_states(hub: Hub, caller: Caller, pushed: list[PushedLiveState]) -> int:
    """Keep the live states that the calling worker pushes, for units of its targets; return how many.

    Units that are not the worker's are left out without an error: they may just have moved.
    """
    with hub.write() as tx:
        kept = 0
        for one in pushed:
            joined = select(units.c.unit_id).join(targets, targets.c.target_id == units.c.target_id)
            own = units.c.unit_id == own_id(one.unit_id), targets.c.bridge_worker_id == caller.worker_id
            if tx.execute(joined.where(*own)).first() is None:
                continue
            _keep_live(tx, hub, own_id(one.unit_id), live_state=one.live_state, revision_num=one.revision_num)
            kept += 1
        return kept


def _seen(tx: Connection, hub: Hub, caller: Caller, message: str | None) -> None:
    values: dict[str, Any] = {"last_seen_at": hub.now(), "condition": "Ready"}
    if message is not None:
        values["last_message"] = message
    tx.execute(update(bridge_workers).where(bridge_workers.c.bridge_worker_id == caller.worker_id).values(**values))


def _has_successor(tx: Connection, operation: Row[Any]) -> bool:
    """Whether a later operation of the unit was sent, so that a late success no longer says how things are."""
    c = queued_operations.c
    own = c.unit_id == operation.unit_id, c.action != lifecycle.INVOKE
    later = *own, c.cursor_id > operation.cursor_id, c.attempts > 0
    return tx.execute(select(c.cursor_id).where(*later).limit(1)).first() is not None


def _progress(tx: Connection, hub: Hub, caller: Caller, operation: Row[Any], result: ActionResult) -> None:
    status: str = result.status
    kind: str = result.result
    message = result.message
    unit = queue.unit_by_id(tx, operation.unit_id)
    if status == "Completed" and unit is not None:
        savepoint = tx.begin_nested()
        try:
            _complete(tx, hub, caller, operation, unit, result)
            savepoint.commit()
        except ConfigHubError as error:
            # What came from the cluster may be refused as any other text; the operation then failed.
            savepoint.rollback()
            status, kind, message = "Failed", f"{operation.action}Failed", str(error)
    queue.move(
        tx,
        hub,
        operation,
        status,
        result=kind,
        message=message,
        started_at=result.started_at if _is_set(result.started_at) else None,
        terminated_at=result.terminated_at if _is_set(result.terminated_at) else None,
        **_lease_of(hub, operation, status),
    )
    if unit is not None and result.live_state is not None and status != "Completed":
        _keep_live(tx, hub, operation.unit_id, live_state=result.live_state)
    if status in FINAL:
        hub.wake(tx, operation.bridge_worker_id or "")
        if unit is not None:
            note(tx, hub, caller, f"{operation.action.lower()} {status.lower()}", UNIT, unit, message=message)
            work.apply_if_due(tx, hub, caller, operation.unit_id)


def _lease_of(hub: Hub, operation: Row[Any], status: str) -> dict[str, Any]:
    """Return the lease of an operation whose worker reports while no stream has it: it needs none to go on."""
    if status in FINAL or operation.lease_owner:
        return {}
    return {"lease_owner": "result", "lease_until": hub.now() + timedelta(seconds=hub.settings.lease_s)}


def _complete(tx: Connection, hub: Hub, caller: Caller, operation: Row[Any], unit: Unit, result: ActionResult) -> None:
    """Carry out what a completed operation means for the unit."""
    action, number = operation.action, operation.revision_num
    numbers = queue.numbers_of(unit)
    if action == "Apply":
        _keep_application(tx, hub, operation, number)
    elif action == "Import" and result.data:
        _adopt(tx, hub, caller, unit, result.data, source="Import")
    elif action == "Refresh" and result.result == "RefreshAndDrifted" and result.data:
        head = _adopt(tx, hub, caller, unit, result.data, source="Refresh")
        action, number = "Apply", head.head_revision_num
        _keep_application(tx, hub, operation, number)
    queue.store_numbers(tx, unit, lifecycle.completed(numbers, action=action, revision_num=number))
    drifted = result.result == "RefreshAndDrifted" and not result.data
    if action == "Destroy":
        _keep_live(tx, hub, operation.unit_id, live_state=b"", outputs=b"")
    else:
        _keep_live(
            tx,
            hub,
            operation.unit_id,
            live_state=result.live_state,
            outputs=result.outputs,
            revision_num=number if action == "Apply" else None,
            drift=DRIFTED if drifted else "",
        )


def _keep_application(tx: Connection, hub: Hub, operation: Row[Any], number: int) -> None:
    c = applications.c
    if tx.execute(select(c.cursor_id).where(c.queued_operation_id == operation.queued_operation_id)).first() is None:
        tx.execute(
            insert(applications).values(
                unit_id=operation.unit_id,
                revision_num=number,
                queued_operation_id=operation.queued_operation_id,
                live_at=hub.now(),
            )
        )


def _adopt(tx: Connection, hub: Hub, caller: Caller, unit: Unit, data: bytes, *, source: str) -> Unit:
    """Make what was found in the target the unit's head; return the unit as it is then."""
    text, before = content.decoded(data), text_of(tx, unit.unit_id or "")
    if text == before:
        return unit
    heads.refuse_text(text, unit.toolchain_type)
    space = record(SPACE, tx.execute(select(*columns(SPACE)).where(spaces.c.space_id == unit.space_id)).one())
    step = Step(Origin(), compared(before, text, unit.toolchain_type))
    draft = heads.Draft(text, (step,), source=source, description="taken from the target")
    head = heads.write(tx, hub, caller, unit, heads.plan(tx, unit, space, draft))
    tx.execute(
        update(units)
        .where(units.c.unit_id == unit.unit_id)
        .values(version=units.c.version + 1, updated_at=head.updated_at)
    )
    return head


def _keep_live(
    tx: Connection,
    hub: Hub,
    unit_id: str | None,
    *,
    live_state: bytes | None,
    outputs: bytes | None = None,
    revision_num: int | None = None,
    drift: str | None = None,
) -> None:
    """Keep what is known of the unit's live objects; None leaves a value as it was."""
    given = {"live_state": live_state, "outputs": outputs, "revision_num": revision_num, "drift": drift}
    values: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    values["updated_at"] = hub.now()
    own = live_states.c.unit_id == unit_id
    if tx.execute(update(live_states).where(own).values(**values)).rowcount == 0:
        tx.execute(insert(live_states).values(unit_id=unit_id, **values))
    hub.wake(tx, unit_id or "")


def _is_set(moment: Any) -> bool:
    return moment is not None and moment.year > 1
