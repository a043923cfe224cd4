"""What workers send, and what callers ask of them beyond the five verbs. The stream is in ``stream``."""

from __future__ import annotations

from typing import Any

import msgspec

from confighub.api.call import Call
from confighub.api.routing import Route
from confighub.errors import BadRequest
from confighub.hub.usecases import results, workers
from confighub.hub.usecases.results import PushedLiveState
from confighub.records.base import Record
from confighub.records.functions import FunctionSignature
from confighub.records.work import ActionResult, BridgeWorker, BridgeWorkerStatus, WorkerInfo


class ReportAnswer(Record):
    """Why a report was not taken, empty when it was."""

    message: str = ""


def get_self(call: Call) -> Any:
    """Return the calling worker."""
    return workers.get_self(call.hub, call.caller)


def stream(call: Call) -> Any:
    """Never called: ``confighub.api.stream`` runs the streams."""
    raise AssertionError(call.method)


def create_action_result(call: Call) -> Any:
    """Keep what the worker reports of an operation."""
    results.record_result(call.hub, call.caller, call.record(ActionResult))
    return ""


def create_action_results(call: Call) -> Any:
    """Keep what the worker reports of many operations."""
    try:
        reported = msgspec.json.decode(call.body, type=list[ActionResult])
    except msgspec.DecodeError as bad:
        raise BadRequest(f"the body is no list of results: {bad}") from bad
    answers = results.record_results(call.hub, call.caller, reported)
    return [ReportAnswer(message=str(error) if error else "") for error in answers]


def push_live_state(call: Call) -> Any:
    """Keep the live states that the worker pushes."""
    try:
        pushed = msgspec.json.decode(call.body, type=list[PushedLiveState])
    except msgspec.DecodeError as bad:
        raise BadRequest(f"the body is no list of live states: {bad}") from bad
    return {"Kept": results.keep_live_states(call.hub, call.caller, pushed)}


def list_functions(call: Call) -> Any:
    """Return the functions that the worker offers."""
    space_id, worker_id = call.id("space_id"), call.id("bridge_worker_id")
    return workers.list_functions(call.hub, call.caller, space_id=space_id, worker_id=worker_id)


def list_statuses(call: Call) -> Any:
    """Return the moments of the worker's connection."""
    space_id, worker_id = call.id("space_id"), call.id("bridge_worker_id")
    return workers.list_statuses(call.hub, call.caller, space_id=space_id, worker_id=worker_id)


def get_status(call: Call) -> Any:
    """Return one moment of the worker's connection."""
    return workers.get_status(
        call.hub,
        call.caller,
        space_id=call.id("space_id"),
        worker_id=call.id("bridge_worker_id"),
        status_id=call.id("status_id"),
    )


_SELF = "/bridge_worker/{bridge_worker_id}"
_ONE = "/space/{space_id}/bridge_worker/{bridge_worker_id}"
_TAG = "bridge_worker"

ROUTES = (
    Route(
        "GET", f"{_SELF}/me", "GetSelf", get_self, "Return the calling worker", BridgeWorker, tag=_TAG, access="worker"
    ),
    Route(
        "POST",
        f"{_SELF}/stream",
        "StreamBridgeWorker",
        stream,
        "Connect a worker: operations come as events",
        bytes,
        WorkerInfo,
        tag=_TAG,
        access="worker",
        is_stream=True,
    ),
    Route(
        "POST",
        f"{_SELF}/action_result",
        "CreateActionResult",
        create_action_result,
        "Report progress or the end of an operation",
        str,
        ActionResult,
        tag=_TAG,
        access="worker",
    ),
    Route(
        "POST",
        f"{_SELF}/action_results",
        "CreateActionResults",
        create_action_results,
        "Report of many operations at once: one answer each, in order",
        list[ReportAnswer],
        list[ActionResult],
        tag=_TAG,
        access="worker",
        is_ours=True,
    ),
    Route(
        "POST",
        f"{_SELF}/live_state",
        "PushLiveState",
        push_live_state,
        "Push live states as they change",
        dict[str, int],
        list[PushedLiveState],
        tag=_TAG,
        access="worker",
        is_ours=True,
    ),
    Route(
        "GET",
        f"{_ONE}/function",
        "ListBridgeWorkerFunctions",
        list_functions,
        "List the functions that a worker offers",
        dict[str, dict[str, FunctionSignature]],
        tag=_TAG,
    ),
    Route(
        "GET",
        f"{_ONE}/status",
        "ListBridgeWorkerStatuses",
        list_statuses,
        "List the moments of a worker's connection",
        list[BridgeWorkerStatus],
        tag=_TAG,
    ),
    Route(
        "GET",
        f"{_ONE}/status/{{status_id}}",
        "GetBridgeWorkerStatus",
        get_status,
        "Return one moment of a worker's connection",
        BridgeWorkerStatus,
        tag=_TAG,
    ),
)
