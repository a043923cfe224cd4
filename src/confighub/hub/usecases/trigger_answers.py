"""What a worker's answer to a trigger's call means: a gate opens or closes, a changed text becomes the head.

The answer of a trigger that changes texts counts for the head only: it becomes a revision, whose own calls are
those behind this trigger, so that none runs twice on what it made itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, select

from confighub.errors import BadRequest, ConfigHubError
from confighub.hub.caller import Caller
from confighub.hub.domain.describing import described
from confighub.hub.domain.mutations import Origin, Step
from confighub.hub.hub import Hub
from confighub.hub.kinds import SPACE, TRIGGER
from confighub.hub.store.entities import spaces, triggers
from confighub.hub.store.rows import columns, record
from confighub.hub.usecases import gates, heads, trigger_calls, work, worker_calls
from confighub.hub.usecases.fillings import text_of
from confighub.hub.usecases.gates import Call
from confighub.hub.usecases.unit_changes import Proposal, carry_out
from confighub.records.functions import WorkerInvocationRequest
from confighub.records.units import Unit
from confighub.records.work import FINAL, ActionResult

SOURCE = "Trigger"
"""What a revision made by a worker's answer says of itself."""

MAX_REASON = 1000


@dataclass(frozen=True)
class _Verdict:
    """What is known after an answer: whether the trigger's gate is closed, why, and the text that it made."""

    is_closed: bool
    reason: str = ""
    step: Step | None = None
    text: str = ""


def keep_answer(tx: Connection, hub: Hub, caller: Caller, operation: Row[Any], result: ActionResult) -> None:
    """Carry out what the worker reports of a trigger's call; progress is no answer yet."""
    if result.status not in FINAL:
        return
    unit = trigger_calls.lock_unit(tx, operation.unit_id)
    call = _call(tx, operation.trigger_id)
    is_head = unit is not None and unit.head_revision_num == operation.revision_num
    is_changing = trigger_calls.is_mutating(call, trigger_calls.workers_of(tx, call))
    verdict = _verdict(operation, result, call)
    if is_changing and not is_head:
        verdict = _Verdict(is_closed=True, reason=trigger_calls.SUPERSEDED)
    elif verdict.step and (unit is None or not is_changing):
        verdict = _Verdict(is_closed=False)
    if verdict.step and unit is not None:
        verdict = _change(tx, hub, caller, unit, call, verdict)
    answer, reason = result.data or b"", verdict.reason[:MAX_REASON]
    worker_calls.end(tx, hub, operation.queued_operation_id, status=result.status, answer=answer, reason=reason)
    if unit is None:
        return
    found = {call.gate: verdict.is_closed}
    if is_changing and is_head and verdict.step is None:
        found |= trigger_calls.queue_calls(
            tx, hub, unit, text_of(tx, operation.unit_id), after=call.trigger.trigger_id, is_clone=call.is_about_clones
        )
    trigger_calls.settle(tx, hub, operation.unit_id, operation.revision_num, found)
    if is_head:
        work.apply_if_due(tx, hub, caller, operation.unit_id)


def _call(tx: Connection, trigger_id: str) -> Call:
    """Return the trigger's call, also of one that was deleted meanwhile."""
    trigger = record(TRIGGER, tx.execute(select(*columns(TRIGGER)).where(triggers.c.trigger_id == trigger_id)).one())
    return gates.call_of(tx, trigger)


def _verdict(operation: Row[Any], result: ActionResult, call: Call) -> _Verdict:
    """Return what the answer says, before anything is done with it."""
    name = call.invocation.function_name
    if result.status != "Completed":
        return _Verdict(is_closed=True, reason=f"the worker could not run {name}: {result.message or result.status}")
    request = msgspec.json.decode(operation.request, type=WorkerInvocationRequest)
    try:
        made = worker_calls.understood(request.config_data, worker_calls.decoded(result.data or b""))
    except BadRequest as bad:
        return _Verdict(is_closed=True, reason=str(bad))
    told = "; ".join(made.errors)
    if not made.success:
        return _Verdict(is_closed=True, reason=f"the worker could not run {name}: {told or 'it says not why'}")
    if made.passed is not None:
        return _Verdict(is_closed=not made.passed, reason="" if made.passed else f"{name} did not pass: {told}")
    if call.trigger.validating:
        return _Verdict(is_closed=True, reason=f"{name} gave no verdict")
    if made.text.encode() == request.config_data:
        return _Verdict(is_closed=False)
    origin = Origin(function_invocation=call.invocation, trigger_id=call.trigger.trigger_id)
    return _Verdict(is_closed=False, step=Step(origin, made.mutations), text=made.text)


def _change(tx: Connection, hub: Hub, caller: Caller, unit: Unit, call: Call, verdict: _Verdict) -> _Verdict:
    """Make the text the unit's head; return what that means for the revision that it was made from."""
    assert verdict.step is not None
    unit.data = text_of(tx, unit.unit_id or "").encode()
    told = described(verdict.step.records, unit.data.decode())
    description = f"trigger {call.trigger.slug}: {told}" if told else f"trigger {call.trigger.slug}"
    draft = heads.Draft(verdict.text, (verdict.step,), SOURCE, description, after=call)
    space = record(SPACE, tx.execute(select(*columns(SPACE)).where(spaces.c.space_id == unit.space_id)).one())
    savepoint = tx.begin_nested()
    try:
        planned = heads.plan(tx, unit, space, draft)
        head = carry_out(tx, hub, caller, Proposal(unit, heads.replace_unit(unit), space, planned, [])).unit
        savepoint.commit()
    except ConfigHubError as error:
        # What a worker made may be refused as any other text; the trigger then did not work.
        savepoint.rollback()
        return _Verdict(is_closed=True, reason=f"what {call.invocation.function_name} made is refused: {error}")
    return _Verdict(is_closed=True, reason=f"revision {head.head_revision_num} was made of it", step=verdict.step)
