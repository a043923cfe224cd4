"""Going back: rollback of units, quarantine of what they were rolled back from; and what a unit waits for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from confighub.api.call import Call
from confighub.api.listing import FILTER, WHERE, listing
from confighub.api.routes.work import chosen
from confighub.api.routing import Parameter, Route
from confighub.errors import BadRequest
from confighub.hub.usecases import quarantine, rollback, waiting
from confighub.records.answers import Quarantine, QuarantineRequest, Rollback, RollbackRequest, Waiting


def roll_back(call: Call) -> Any:
    """Bring every unit that matches back; all or none."""
    request = call.record(RollbackRequest)
    if not request.to:
        raise BadRequest("a rollback goes somewhere", hint="To: a number, Tag:x, Before:ChangeSet:x or Time:x")
    return rollback.roll_back(call.hub, call.caller, chosen(call), to=request.to, reason=request.reason)


def list_quarantines(call: Call) -> Any:
    """Return what is in quarantine."""
    return quarantine.list_quarantines(call.hub, call.caller, listing(call))


def put_into_quarantine(call: Call) -> Any:
    """Quarantine the text of a revision."""
    return _on_revision(call, quarantine.quarantine_unit)


def lift(call: Call) -> Any:
    """Take the text of a revision out of quarantine."""
    return _on_revision(call, quarantine.lift_quarantine)


def _on_revision(call: Call, act: Callable[..., Any]) -> Any:
    """Do what needs a revision and a reason."""
    request = call.record(QuarantineRequest)
    return act(
        call.hub,
        call.caller,
        space_id=call.id("space_id"),
        unit_id=call.id("unit_id"),
        revision_num=request.revision_num,
        reason=request.reason,
    )


def unit_waiting(call: Call) -> Any:
    """Return why the head is not live."""
    space_id, unit_id = call.id("space_id"), call.id("unit_id")
    return waiting.unit_waiting(call.hub, call.caller, space_id=space_id, unit_id=unit_id)


_ONE = "/space/{space_id}/unit/{unit_id}"
_TAG = "recovery"
_WHERE = (Parameter("where", WHERE.description, is_required=True), FILTER)

ROUTES = (
    Route(
        "POST",
        "/unit/rollback",
        "RollBackUnits",
        roll_back,
        "Bring units of one space back to what they were, all or none",
        Rollback,
        RollbackRequest,
        query=_WHERE,
        tag=_TAG,
        is_ours=True,
    ),
    Route(
        "GET",
        "/unit/quarantine",
        "ListQuarantines",
        list_quarantines,
        "List what units were rolled back from",
        list[Quarantine],
        query=(WHERE, FILTER),
        tag=_TAG,
        is_ours=True,
    ),
    Route(
        "GET",
        f"{_ONE}/waiting",
        "GetUnitWaiting",
        unit_waiting,
        "Return why the head of a unit is not live",
        Waiting,
        tag=_TAG,
        is_ours=True,
    ),
    Route(
        "POST",
        f"{_ONE}/quarantine",
        "QuarantineUnit",
        put_into_quarantine,
        "Put the text of a revision into quarantine",
        Quarantine,
        QuarantineRequest,
        tag=_TAG,
        is_ours=True,
    ),
    Route(
        "POST",
        f"{_ONE}/quarantine/lift",
        "LiftQuarantine",
        lift,
        "Take the text of a revision out of quarantine",
        str,
        QuarantineRequest,
        tag=_TAG,
        is_ours=True,
    ),
)
