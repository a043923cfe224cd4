"""Functions run by a connected worker: the call is queued, streamed and answered like any operation.

The caller waits for the answer, so a call that no worker takes in time is given up.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, insert, select, update

from confighub.errors import BadRequest, RetryLater
from confighub.hub.caller import Caller
from confighub.hub.domain import lifecycle
from confighub.hub.hub import Hub
from confighub.hub.store.rows import own_id
from confighub.hub.store.work_queue import queued_operations
from confighub.records.base import to_wire
from confighub.records.functions import WorkerInvocationRequest, WorkerInvocationResponse
from confighub.records.work import FINAL, ActionResult

TIMEOUT_S = 30.0
"""How long a caller waits: below the patience of clients, above a slow function."""


def invoke_on_worker(
    hub: Hub, caller: Caller, worker_id: str, request: WorkerInvocationRequest, *, timeout_s: float = TIMEOUT_S
) -> WorkerInvocationResponse:
    """Return what the worker answers.

    Raises: BadRequest when the call failed there; RetryLater when no answer came in time.
    """
    operation_id = hub.new_id()
    moved = threading.Event()
    unsubscribe = hub.wakeups.subscribe(operation_id, moved.set)
    deadline = time.monotonic() + timeout_s
    try:
        _enqueue(hub, caller, worker_id, operation_id, request)
        # A wake-up may also say that a worker has taken the call.
        while moved.wait(max(0.0, deadline - time.monotonic())):
            moved.clear()
            if _has_ended(hub, operation_id):
                break
        return _take_answer(hub, operation_id, timeout_s)
    finally:
        unsubscribe()


def keep_answer(tx: Connection, hub: Hub, operation: Row[Any], result: ActionResult) -> None:
    """Keep what the worker reports of a call, and wake the one who waits when it is the end."""
    if result.status not in FINAL:
        return
    _end(tx, hub, operation.queued_operation_id, status=result.status, answer=result.data or b"", reason=result.message)
    hub.wake(tx, operation.queued_operation_id)


def _enqueue(hub: Hub, caller: Caller, worker_id: str, operation_id: str, request: WorkerInvocationRequest) -> None:
    with hub.write() as tx:
        tx.execute(
            insert(queued_operations).values(
                queued_operation_id=operation_id,
                organization_id=request.organization_id,
                space_id=request.space_id,
                unit_id=request.unit_id,
                bridge_worker_id=worker_id,
                user_id=own_id(caller.user_id),
                action=lifecycle.INVOKE,
                status="Pending",
                revision_num=request.revision_num,
                request=to_wire(request),
                created_at=hub.now(),
            )
        )
        hub.wake(tx, worker_id)


def _has_ended(hub: Hub, operation_id: str) -> bool:
    c = queued_operations.c
    with hub.read() as tx:
        return tx.execute(select(c.status).where(c.queued_operation_id == operation_id)).scalar_one() in FINAL


def _take_answer(hub: Hub, operation_id: str, timeout_s: float) -> WorkerInvocationResponse:
    with hub.write() as tx:
        own = queued_operations.c.queued_operation_id == operation_id
        operation = tx.execute(select(queued_operations).where(own)).one()
        if operation.status not in FINAL:
            _end(tx, hub, operation_id, status="Canceled", answer=b"", reason="nobody answered in time")
    if operation.status not in FINAL:
        raise RetryLater(
            f"no worker answered the function call within {timeout_s:g} s", hint="is the worker connected?"
        )
    if operation.status != "Completed":
        raise BadRequest(f"the worker could not run the functions: {operation.reason or operation.status}")
    try:
        return msgspec.json.decode(operation.request, type=WorkerInvocationResponse)
    except msgspec.DecodeError as bad:
        raise BadRequest(f"the worker's answer cannot be read: {bad}") from bad


def _end(tx: Connection, hub: Hub, operation_id: str, *, status: str, answer: bytes, reason: str) -> None:
    """End the operation; its request makes room for the answer."""
    values = {"status": status, "request": answer, "reason": reason, "finished_at": hub.now()}
    own = queued_operations.c.queued_operation_id == operation_id
    tx.execute(update(queued_operations).where(own).values(**values, lease_owner="", lease_until=None))
