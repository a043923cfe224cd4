"""Function calls on their way to a worker and back: what is sent of a unit, the queue's row, what an answer means.

Who waits for an answer is in ``remote_functions``, what triggers make of one in ``trigger_answers``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import Connection, insert, update

from confighub.data import compare
from confighub.errors import BadRequest
from confighub.hub.domain import content, lifecycle
from confighub.hub.hub import Hub
from confighub.hub.store.rows import own_id
from confighub.hub.store.work_queue import queued_operations
from confighub.records.base import to_wire, without_nulls
from confighub.records.functions import FunctionInvocation, WorkerInvocationRequest, WorkerInvocationResponse
from confighub.records.units import Unit
from confighub.records.work import BridgeWorker

if TYPE_CHECKING:
    from confighub.functions.invoke import Context, Invoked


def offered(worker: BridgeWorker, toolchain: str) -> dict[str, Any]:
    """Return the signatures of the worker's functions by name; empty before it said what it offers."""
    info = worker.provided_info and worker.provided_info.function_worker_info
    return ((info and info.supported_functions) or {}).get(toolchain, {})


def request_for(
    unit: Unit, context: Context, text: str, calls: list[FunctionInvocation], **more: Any
) -> WorkerInvocationRequest:
    """Return what a worker gets for calls on the text of the unit's revision; ``more`` are fields of the request."""
    return WorkerInvocationRequest(
        function_invocations=calls,
        toolchain_type=unit.toolchain_type,
        config_data=text.encode(),
        live_state=unit.live_state,
        unit_slug=unit.slug,
        unit_display_name=unit.display_name,
        unit_labels=unit.labels,
        unit_annotations=unit.annotations,
        unit_id=unit.unit_id,
        space_id=unit.space_id,
        space_slug=context.space_slug,
        organization_id=unit.organization_id,
        revision_num=unit.head_revision_num,
        previous_content_hash=content.content_hash(text.encode()),
        approved_by=list(context.approved_by),
        **more,
    )


def enqueue(
    tx: Connection,
    hub: Hub,
    worker_id: str,
    request: WorkerInvocationRequest,
    *,
    operation_id: str,
    user_id: str | None,
    **more: Any,
) -> None:
    """Queue the request for the worker and wake it; ``more`` are columns of the operation."""
    tx.execute(
        insert(queued_operations).values(
            queued_operation_id=operation_id,
            organization_id=request.organization_id,
            space_id=request.space_id,
            unit_id=request.unit_id,
            bridge_worker_id=worker_id,
            user_id=own_id(user_id),
            action=lifecycle.INVOKE,
            status="Pending",
            revision_num=request.revision_num,
            request=to_wire(request),
            created_at=hub.now(),
            **more,
        )
    )
    hub.wake(tx, worker_id)


def end(tx: Connection, hub: Hub, operation_id: str, *, status: str, answer: bytes = b"", reason: str = "") -> None:
    """End the operation; its request makes room for the answer."""
    values = {"status": status, "request": answer, "reason": reason, "finished_at": hub.now()}
    own = queued_operations.c.queued_operation_id == operation_id
    tx.execute(update(queued_operations).where(own).values(**values, lease_owner="", lease_until=None))


def decoded(answer: bytes) -> WorkerInvocationResponse:
    """Return the worker's answer.

    Raises: BadRequest, when it cannot be read.
    """
    try:
        return msgspec.convert(without_nulls(msgspec.json.decode(answer)), WorkerInvocationResponse)
    except (msgspec.DecodeError, RecursionError) as bad:
        raise BadRequest(f"the worker's answer cannot be read: {bad}") from bad


def understood(old: bytes, answer: WorkerInvocationResponse) -> Invoked:
    """Return what the answer made of the text ``old``.

    Raises: BadRequest, when the new text is no text.
    """
    from confighub.functions.invoke import Invoked

    mutators = answer.mutators or []
    try:
        text = (answer.config_data if mutators and answer.config_data else old).decode()
    except UnicodeDecodeError as bad:
        raise BadRequest(f"the worker's answer is no UTF-8 text: {bad}") from bad
    mutations = answer.mutations or []
    if text.encode() != old and not mutations:
        # A worker may tell only what the text is now; what changed must be known to be protected in upgrades.
        mutations = compare.mutations(old.decode(), text, index=mutators[0])
    return Invoked(
        text=text,
        output=answer.output or b"null",
        output_type=answer.output_type,
        mutations=mutations,
        mutators=mutators,
        success=answer.success,
        errors=answer.error_messages or [],
        passed=_passed(answer),
    )


def _passed(answer: WorkerInvocationResponse) -> bool | None:
    """Return whether every check passed, None when there was none: one object, or a list with one a call."""
    if not answer.output_type.startswith("ValidationResult"):
        return None
    try:
        found = msgspec.json.decode(answer.output or b"null")
    except msgspec.DecodeError:
        return False
    checks = found if isinstance(found, list) else [found]
    return bool(checks) and all(isinstance(one, dict) and one.get("Passed") is True for one in checks)
