"""Work for clusters: apply, destroy, refresh and import; holds."""

from __future__ import annotations

from typing import Any

from confighub.api.bulk import many
from confighub.api.call import Call
from confighub.api.listing import CHOOSE, FILTER, WHERE, listing
from confighub.api.routes.units import DRY_RUN, REVISION
from confighub.api.routing import Parameter, Route
from confighub.errors import BadRequest
from confighub.hub.usecases import applying, work
from confighub.hub.usecases.listing import Listing
from confighub.records.base import Record
from confighub.records.extended import UnitActionResponse
from confighub.records.work import ImportRequest, QueuedOperation


class HoldRequest(Record):
    """Why units are held, and for how long at most; 0 is for ever. ``holder`` is the operation that holds them."""

    reason: str = ""
    ttl_seconds: int = 0
    holder: str = ""


class HeldUnit(Record):
    """A unit that was held or released."""

    unit_id: str


def apply_unit(call: Call) -> Any:
    """Queue the head, or the revision named."""
    space_id, unit_id = call.id("space_id"), call.id("unit_id")
    operation = work.apply_unit(
        call.hub,
        call.caller,
        space_id=space_id,
        unit_id=unit_id,
        revision=call.text("revision"),
        despite_quarantine=call.text("despite_quarantine"),
    )
    return queued(call, operation)


def correct_unit(call: Call) -> Any:
    """Queue what is live once more."""
    space_id, unit_id, reason = call.id("space_id"), call.id("unit_id"), call.required("reason")
    return queued(call, work.correct_unit(call.hub, call.caller, space_id=space_id, unit_id=unit_id, reason=reason))


def destroy_unit(call: Call) -> Any:
    """Queue the removal from the target."""
    space_id, unit_id = call.id("space_id"), call.id("unit_id")
    return queued(call, work.destroy_unit(call.hub, call.caller, space_id=space_id, unit_id=unit_id))


def refresh_unit(call: Call) -> Any:
    """Queue a comparison with the target."""
    space_id, unit_id = call.id("space_id"), call.id("unit_id")
    return queued(call, work.refresh_unit(call.hub, call.caller, space_id=space_id, unit_id=unit_id))


def import_unit(call: Call) -> Any:
    """Queue the reading of objects from the target."""
    request = call.record(ImportRequest)
    space_id, unit_id = call.id("space_id"), call.id("unit_id")
    return queued(call, work.import_unit(call.hub, call.caller, request, space_id=space_id, unit_id=unit_id))


_LONGEST_HOLD_S = 10 * 365 * 86_400


def apply_units(call: Call) -> Any:
    """Queue the head of every unit that matches."""
    return many(applying.apply_units(call.hub, call.caller, chosen(call), is_dry_run=call.flag("dry_run")))


def hold_units(call: Call) -> Any:
    """Keep every unit that matches from applying by itself."""
    request = call.record(HoldRequest)
    if not 0 <= request.ttl_seconds <= _LONGEST_HOLD_S:
        raise BadRequest(f"TTLSeconds is from 0 (no end) to {_LONGEST_HOLD_S} (ten years)")
    reason, ttl_s, holder = request.reason, request.ttl_seconds, request.holder
    found = work.hold_units(call.hub, call.caller, chosen(call), reason=reason, ttl_s=ttl_s, holder=holder)
    return [HeldUnit(unit_id=unit_id) for unit_id in found]


def release_units(call: Call) -> Any:
    """End the holds of every unit that matches, those of one operation when it is named."""
    found = work.release_units(call.hub, call.caller, chosen(call), holder=call.text(_HOLDER.name))
    return [HeldUnit(unit_id=unit_id) for unit_id in found]


def queued(call: Call, operation: QueuedOperation) -> QueuedOperation:
    """Return the operation; that of a dry run has no id, for there is nothing to wait for."""
    if call.flag(DRY_RUN.name):
        operation.queued_operation_id = None
    return operation


def chosen(call: Call) -> Listing:
    """Return which units the request means; it must say so by ``where`` or a filter.

    Raises: BadRequest when it does not.
    """
    if not call.text("filter"):
        call.required("where")
    return listing(call)


_ONE = "/space/{space_id}/unit/{unit_id}"
_TAG = "work"
DESPITE_QUARANTINE = Parameter("despite_quarantine", "Why to apply, this once, what was rolled back from.")
_HOLDER = Parameter("holder", "Only the holds of this operation; without it all end but that of an older revision.")
_WHERE = (Parameter("where", WHERE.description, is_required=True), FILTER)

ROUTES = (
    Route(
        "POST",
        f"{_ONE}/apply",
        "ApplyUnit",
        apply_unit,
        "Queue a revision for the unit's target",
        QueuedOperation,
        query=(REVISION, DESPITE_QUARANTINE),
        tag=_TAG,
    ),
    Route(
        "POST",
        f"{_ONE}/correct",
        "CorrectUnit",
        correct_unit,
        "Queue what is live once more, against drift",
        QueuedOperation,
        query=(Parameter("reason", "How the target differs, for the history.", is_required=True),),
        tag=_TAG,
        is_ours=True,
    ),
    Route(
        "POST",
        f"{_ONE}/destroy",
        "DestroyUnit",
        destroy_unit,
        "Queue the removal from the target",
        QueuedOperation,
        tag=_TAG,
    ),
    Route(
        "POST",
        f"{_ONE}/refresh",
        "RefreshUnit",
        refresh_unit,
        "Queue a comparison with the target",
        QueuedOperation,
        tag=_TAG,
    ),
    Route(
        "POST",
        f"{_ONE}/import",
        "ImportUnit",
        import_unit,
        "Queue the reading of objects from the target",
        QueuedOperation,
        ImportRequest,
        tag=_TAG,
    ),
    Route(
        "POST",
        "/unit/apply",
        "BulkApplyUnits",
        apply_units,
        "Queue the head of every unit that matches",
        list[UnitActionResponse],
        query=(*_WHERE, *CHOOSE[1:], DRY_RUN),
        tag=_TAG,
        is_bulk=True,
    ),
    Route(
        "POST",
        "/unit/hold",
        "HoldUnits",
        hold_units,
        "Keep every unit that matches from applying by itself",
        list[HeldUnit],
        HoldRequest,
        query=_WHERE,
        tag=_TAG,
        is_ours=True,
    ),
    Route(
        "POST",
        "/unit/release",
        "ReleaseUnits",
        release_units,
        "End the holds of every unit that matches",
        list[HeldUnit],
        query=(*_WHERE, _HOLDER),
        tag=_TAG,
        is_ours=True,
    ),
)
