"""Work for clusters: targets, workers, queued operations, their events and results."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

from confighub.records.base import NIL_ID, Record, SpaceEntity
from confighub.records.functions import FunctionSignature
from confighub.records.mutations import ResourceInfo

ActionType = Literal[
    "Apply", "Destroy", "Refresh", "Import", "Finalize", "Heartbeat", "InvokeFunctions", "ListFunctions", "N/A"
]
ActionStatus = Literal["None", "Pending", "Submitted", "Progressing", "Completed", "Failed", "Canceled"]
ActionResultType = Literal[
    "None",
    "ApplyCompleted",
    "ApplyFailed",
    "ApplyWaitFailed",
    "DestroyCompleted",
    "DestroyFailed",
    "DestroyWaitFailed",
    "RefreshAndDrifted",
    "RefreshAndNoDrift",
    "RefreshFailed",
    "ImportCompleted",
    "ImportFailed",
    "FunctionInvocationCompleted",
    "FunctionInvocationFailed",
]
FINAL: frozenset[str] = frozenset({"Completed", "Failed", "Canceled"})
"""Statuses after which an operation changes no more."""


class Target(SpaceEntity):
    """A place that units can be applied to; ``parameters`` is JSON text for the worker."""

    target_id: str | None = None
    toolchain_type: str = "Kubernetes/YAML"
    provider_type: str = ""
    parameters: str = ""
    bridge_worker_id: str | None = None


class AvailableTarget(Record):
    """A target that a worker offers when it connects."""

    name: str = ""
    params: dict[str, Any] = {}


class ConfigType(Record):
    """One toolchain and provider that a worker serves."""

    toolchain_type: str = ""
    provider_type: str = ""
    available_targets: list[AvailableTarget] | None = None


class BridgeWorkerInfo(Record):
    """What a worker can apply."""

    supported_config_types: list[ConfigType] | None = None


class FunctionWorkerInfo(Record):
    """Which functions a worker can run, by toolchain and name."""

    supported_functions: dict[str, dict[str, FunctionSignature]] | None = None


class WorkerInfo(Record):
    """What a worker says of itself when it connects."""

    bridge_worker_info: BridgeWorkerInfo | None = None
    function_worker_info: FunctionWorkerInfo | None = None


class BridgeWorker(SpaceEntity):
    """A process near a cluster that carries out operations.

    ``auto_apply`` and ``poll_interval`` (Go duration text) are ours; the rest is the public model.
    """

    bridge_worker_id: str | None = None
    user_id: str | None = None
    secret: str = ""
    condition: str = "Disconnected"
    last_seen_at: datetime | None = None
    last_message: str = ""
    ip_address: str = ""
    provided_info: WorkerInfo | None = None
    auto_apply: bool = False
    poll_interval: str = ""


class BridgeWorkerStatus(Record):
    """One moment of a worker's connection."""

    bridge_worker_status_id: str | None = None
    bridge_worker_id: str | None = None
    bridge_worker_slug: str = ""
    organization_id: str | None = None
    space_id: str | None = None
    status: str = ""
    ip_address: str = ""
    seen_at: datetime | None = None


class QueuedOperation(Record):
    """One action on one unit, from the queue to its end."""

    queued_operation_id: str | None = None
    organization_id: str | None = None
    space_id: str | None = None
    unit_id: str | None = None
    target_id: str | None = None
    bridge_worker_id: str | None = None
    action: ActionType = "N/A"
    status: ActionStatus = "Pending"
    revision_num: int = 0
    extra_params: str = ""
    version: int = 1
    created_at: datetime | None = None


class UnitEvent(Record):
    """How far one operation is; one row an operation, updated in place."""

    unit_event_id: str | None = None
    organization_id: str | None = None
    space_id: str | None = None
    unit_id: str | None = None
    bridge_worker_id: str | None = None
    queued_operation_id: str | None = None
    revision_num: int = 0
    action: ActionType = "N/A"
    status: ActionStatus = "None"
    result: ActionResultType = "None"
    message: str = ""
    started_at: datetime | None = None
    terminated_at: datetime | None = None
    entity_type: str = "UnitEvent"
    version: int = 1
    cursor_id: int = 0
    created_at: datetime | None = None
    updated_at: datetime | None = None


class UnitStatus(Record):
    """A unit's state for display."""

    status: str = ""
    action: ActionType = "N/A"
    action_result: ActionResultType = "None"
    action_started_at: datetime | None = None
    action_terminated_at: datetime | None = None
    drift: str = ""


class ImportFilter(Record):
    """One term of an import filter."""

    type: str = ""
    operator: str = ""
    values: list[str] = []


class ImportRequest(Record):
    """What to import: a where-expression or a list of resources."""

    where: str = ""
    filters: list[ImportFilter] | None = None
    options: dict[str, Any] | None = None
    resource_info_list: list[ResourceInfo] | None = None


class ActionResult(Record):
    """What a worker reports of an operation; several may come before the final one."""

    queued_operation_id: str = NIL_ID
    unit_id: str = NIL_ID
    space_id: str = NIL_ID
    revision_num: int = 0
    action: str = "N/A"
    status: ActionStatus = "None"
    result: ActionResultType = "None"
    message: str = ""
    started_at: datetime | None = None
    terminated_at: datetime | None = None
    data: bytes | None = None
    live_state: bytes | None = None
    outputs: bytes | None = None


class BridgePayload(Record):
    """What a worker needs to carry out one operation."""

    queued_operation_id: str = NIL_ID
    toolchain_type: str = "Kubernetes/YAML"
    provider_type: str = ""
    unit_slug: str = ""
    unit_id: str = NIL_ID
    space_id: str = NIL_ID
    data: bytes = b""
    live_state: bytes = b""
    target_params: bytes = b""
    extra_params: str = ""
    revision_num: int = 0


class FunctionPayload(Record):
    """What a worker needs to run functions; the request is a ``WorkerInvocationRequest``."""

    queued_operation_id: str = NIL_ID
    invocation_request: msgspec.Raw = msgspec.Raw(b"{}")


class WorkerEventBody(Record):
    """The inner part of an event for a worker; the payload's shape follows from the event."""

    action: str = ""
    payload: msgspec.Raw = msgspec.Raw(b"{}")


class WorkerEvent(Record):
    """One ``data:`` line of a worker's stream; event is WorkerEvent, BridgeWorkerEvent or FunctionWorkerEvent."""

    event: str = ""
    data: WorkerEventBody = msgspec.field(default_factory=WorkerEventBody)
