"""Functions that a connected worker runs."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from confighub.errors import BadRequest, RetryLater
from confighub.hub.usecases import deliveries, remote_functions, results, workers
from confighub.records.base import to_wire
from confighub.records.functions import FunctionInvocation, WorkerInvocationRequest, WorkerInvocationResponse
from confighub.records.units import Unit
from confighub.records.work import ActionResult, FunctionPayload
from tests.hub_work.conftest import Field


def request_for(unit: Unit) -> WorkerInvocationRequest:
    """Return a call on the unit."""
    return WorkerInvocationRequest(
        function_invocations=[FunctionInvocation(function_name="shout")],
        config_data=unit.data,
        unit_id=unit.unit_id,
        space_id=unit.space_id,
        organization_id=unit.organization_id,
    )


def call(dev: Field, unit: Unit, answer: Callable[[FunctionPayload], ActionResult]) -> WorkerInvocationResponse:
    """Call the worker, which answers as ``answer`` says."""
    hub, worker_id = dev.scene.hub, dev.worker.worker_id or ""
    with ThreadPoolExecutor(1) as caller:
        waiting = caller.submit(
            remote_functions.invoke_on_worker, hub, dev.scene.caller, worker_id, request_for(unit), timeout_s=20
        )
        due: list[deliveries.Delivery] = []
        while not due:
            due = deliveries.lease_operations(hub, worker_id=worker_id, stream="s")
        (delivery,) = due
        assert delivery.event == "FunctionWorkerEvent"
        assert isinstance(delivery.payload, FunctionPayload)
        results.record_result(hub, dev.worker, answer(delivery.payload))
        return waiting.result(30)


def ended(payload: FunctionPayload, status: str, **more: object) -> ActionResult:
    """Return the report of an end."""
    return ActionResult(
        queued_operation_id=payload.queued_operation_id,
        action="InvokeFunctions",
        status=status,  # type: ignore[arg-type]
        **more,  # type: ignore[arg-type]
    )


def test_a_worker_runs_functions_and_is_waited_for(dev: Field) -> None:
    unit = dev.unit()

    def shout(payload: FunctionPayload) -> ActionResult:
        request = msgspec.json.decode(payload.invocation_request, type=WorkerInvocationRequest)
        answer = WorkerInvocationResponse(config_data=request.config_data.upper(), mutators=[0])
        return ended(payload, "Completed", result="FunctionInvocationCompleted", data=to_wire(answer))

    found = call(dev, unit, shout)

    assert found.config_data == unit.data.upper()
    assert found.mutators == [0]
    assert dev.events(unit) == []


def test_a_call_that_fails_at_the_worker_says_why(dev: Field) -> None:
    with pytest.raises(BadRequest, match="no such function: shout"):
        call(dev, dev.unit(), lambda payload: ended(payload, "Failed", message="no such function: shout"))


def test_an_answer_that_cannot_be_read_is_refused(dev: Field) -> None:
    with pytest.raises(BadRequest, match="cannot be read"):
        call(dev, dev.unit(), lambda payload: ended(payload, "Completed", data=b"{"))


def test_a_call_that_nobody_takes_is_given_up_and_not_sent_later(dev: Field) -> None:
    hub, worker_id = dev.scene.hub, dev.worker.worker_id or ""

    with pytest.raises(RetryLater, match="no worker answered"):
        remote_functions.invoke_on_worker(hub, dev.scene.caller, worker_id, request_for(dev.unit()), timeout_s=0)

    assert deliveries.lease_operations(hub, worker_id=worker_id, stream="s") == []


def test_a_call_does_not_wait_for_an_apply_nor_an_apply_for_a_call(dev: Field) -> None:
    unit = dev.unit()
    dev.apply(unit)
    assert len(dev.take()) == 1

    answer = to_wire(WorkerInvocationResponse())
    assert call(dev, unit, lambda payload: ended(payload, "Completed", data=answer)).success


def test_calls_end_with_the_process_that_waited(dev: Field) -> None:
    hub, worker_id = dev.scene.hub, dev.worker.worker_id or ""
    remote_functions._enqueue(hub, dev.scene.caller, worker_id, hub.new_id(), request_for(dev.unit()))

    workers.recover(hub)

    assert deliveries.lease_operations(hub, worker_id=worker_id, stream="s") == []
