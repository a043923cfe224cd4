"""Functions run by a connected worker: the call is queued, streamed and answered like any operation.

The caller waits for the answer, so a call that no worker takes in time is given up.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, select

from confighub.errors import BadRequest, RetryLater
from confighub.hub.caller import Caller
from confighub.hub.hub import Hub
from confighub.hub.kinds import BRIDGE_WORKER, TARGET
from confighub.hub.store.rows import own_id
from confighub.hub.store.work_queue import queued_operations
from confighub.hub.usecases import entities, worker_calls
from confighub.records.functions import (
    FunctionInvocationsRequest,
    WorkerInvocationRequest,
    WorkerInvocationResponse,
)
from confighub.records.units import Unit
from confighub.records.work import FINAL, ActionResult, BridgeWorker

if TYPE_CHECKING:
    from confighub.functions.invoke import Context, Invoked


@dataclass(frozen=True)
class Errand:
    """Calls on one unit, and the worker that is to run them."""

    worker_id: str
    request: WorkerInvocationRequest


def errand(
    tx: Connection, caller: Caller, unit: Unit, request: FunctionInvocationsRequest, context: Context, text: str
) -> Errand:
    """Return the calls for the worker that the request names, else for the one of the unit's target.

    Raises: NotFound; BadRequest when there is no worker or it does not offer a function; RetryLater when it is away.
    """
    worker = _worker_for(tx, caller, unit, request)
    offered = worker_calls.offered(worker, unit.toolchain_type)
    for call in request.function_invocations:
        if call.function_name not in offered:
            raise BadRequest(
                f"worker {worker.slug} offers no function for {unit.toolchain_type}: {call.function_name}",
                hint=f"see what it offers: cub worker list-function {worker.slug}",
            )
    if worker.condition != "Ready":
        raise RetryLater(f"worker {worker.slug} is {worker.condition or 'Disconnected'}", hint="start it")
    body = worker_calls.request_for(
        unit,
        context,
        text,
        request.function_invocations,
        cast_string_args_to_scalars=request.cast_string_args_to_scalars,
        num_filters=request.num_filters,
        stop_on_error=request.stop_on_error,
        combine_validation_results=request.combine_results,
    )
    return Errand(worker.bridge_worker_id or "", body)


def run(hub: Hub, caller: Caller, one: Errand) -> Invoked:
    """Return what the worker made of the calls. Waits for it, so it is not for use inside a transaction.

    Raises: BadRequest when the call failed there; RetryLater when no answer came in time.
    """
    answer = invoke_on_worker(hub, caller, one.worker_id, one.request)
    return worker_calls.understood(one.request.config_data, answer)


def _worker_for(tx: Connection, caller: Caller, unit: Unit, request: FunctionInvocationsRequest) -> BridgeWorker:
    worker_id = own_id(request.bridge_worker_id)
    if worker_id is None:
        if unit.target_id is None:
            raise BadRequest(
                f"unit {unit.slug} has no target, so there is no worker to run its functions",
                hint="name a worker, or set a target",
            )
        worker_id = entities.load(tx, caller, TARGET, unit.target_id).bridge_worker_id
    if worker_id is None:
        raise BadRequest(f"the target of unit {unit.slug} has no worker", hint="name a worker")
    worker: BridgeWorker = entities.load(tx, caller, BRIDGE_WORKER, worker_id)
    return worker


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
    answer = result.data or b""
    worker_calls.end(tx, hub, operation.queued_operation_id, status=result.status, answer=answer, reason=result.message)
    hub.wake(tx, operation.queued_operation_id)


def _enqueue(hub: Hub, caller: Caller, worker_id: str, operation_id: str, request: WorkerInvocationRequest) -> None:
    with hub.write() as tx:
        worker_calls.enqueue(tx, hub, worker_id, request, operation_id=operation_id, user_id=caller.user_id)


def _has_ended(hub: Hub, operation_id: str) -> bool:
    c = queued_operations.c
    with hub.read() as tx:
        return tx.execute(select(c.status).where(c.queued_operation_id == operation_id)).scalar_one() in FINAL


def _take_answer(hub: Hub, operation_id: str, timeout_s: float) -> WorkerInvocationResponse:
    with hub.write() as tx:
        own = queued_operations.c.queued_operation_id == operation_id
        operation = tx.execute(select(queued_operations).where(own)).one()
        if operation.status not in FINAL:
            worker_calls.end(tx, hub, operation_id, status="Canceled", reason="nobody answered in time")
    if operation.status not in FINAL:
        raise RetryLater(
            f"no worker answered the function call within {timeout_s:g} s", hint="is the worker connected?"
        )
    if operation.status != "Completed":
        raise BadRequest(f"the worker could not run the functions: {operation.reason or operation.status}")
    return worker_calls.decoded(operation.request)
