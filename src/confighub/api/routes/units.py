"""Units one at a time: the five verbs, approval, and what they show of themselves."""

from __future__ import annotations

from typing import Any

import msgspec

from confighub.api.call import Answer, Call
from confighub.api.listing import GET, LIST, RESOURCE_TYPE, WHERE_DATA, listing, trimmed
from confighub.api.routing import MERGE_PATCH, Parameter, Route
from confighub.hub.domain.live_view import LiveStatus
from confighub.hub.kinds import UNIT
from confighub.hub.usecases import history, live, units
from confighub.hub.usecases.unit_changes import Change, Changed, held_changes
from confighub.records.answers import DeleteResponse
from confighub.records.extended import ExtendedUnit, UnitExtended
from confighub.records.units import ChangedUnit, Unit

UPGRADE = Parameter("upgrade", "true merges the head of the upstream unit.", type="boolean")
RESTORE = Parameter("restore", "The revision to go back to, by the name of a number attribute.")
REVISION_ID = Parameter("revision_id", "The revision to go back to.")
DATA_PATCH = Parameter("data_patch", "true: the body is a merge patch of the unit's data.", type="boolean")
CHANGE_DESC = Parameter("change_desc", "With data_patch: why, as the description of the revision.")
DRY_RUN = Parameter("dry_run", "true shows what would be and stores nothing.", type="boolean")
REVISION = Parameter("revision", "A revision number, N for the head, N-1 for the one before it.")
CHANGE = (UPGRADE, RESTORE, REVISION_ID, DRY_RUN)


def change_of(call: Call) -> Change:
    """Return what the query asks for beyond the body."""
    return Change(
        upgrade=call.flag("upgrade"),
        restore=call.text("restore"),
        revision_id=call.text("revision_id") or None,
        data_patch=call.flag("data_patch"),
        description=call.text("change_desc"),
        is_dry_run=call.flag("dry_run"),
    )


def list_units(call: Call) -> Any:
    """Return the units that the listing chooses."""
    asked = listing(call)
    space_id = call.id("space_id") if "space_id" in call.path else None
    return trimmed(UNIT, units.list_units(call.hub, call.caller, asked, space_id=space_id), asked)


def get_unit(call: Call) -> Any:
    """Return one unit."""
    asked, space_id, unit_id = listing(call), call.id("space_id"), call.id("unit_id")
    return trimmed(UNIT, units.get_unit(call.hub, call.caller, unit_id, asked, space_id=space_id), asked)


def create_unit(call: Call) -> Any:
    """Return the new unit, or the new clone."""
    return units.create_unit(
        call.hub,
        call.caller,
        call.id("space_id"),
        call.record(Unit),
        upstream_unit_id=call.text("upstream_unit_id") or None,
        upstream_space_id=call.text("upstream_space_id") or None,
    )


def update_unit(call: Call) -> Any:
    """Return the unit with everything that callers set replaced."""
    space_id, unit_id, body = call.id("space_id"), call.id("unit_id"), call.record(Unit)
    change = change_of(call)
    return changed_unit(units.update_unit(call.hub, call.caller, unit_id, body, space_id=space_id, change=change))


def patch_unit(call: Call) -> Any:
    """Return the unit with the merge patch applied, to itself or to its data."""
    space_id, unit_id, change = call.id("space_id"), call.id("unit_id"), change_of(call)
    patch = call.json() if change.data_patch else call.changes()
    return changed_unit(units.patch_unit(call.hub, call.caller, unit_id, patch, space_id=space_id, change=change))


def changed_unit(changed: Changed) -> Unit:
    """Return the unit, with what an upgrade left as it was when there is anything."""
    held = held_changes(changed)
    return ChangedUnit(**msgspec.structs.asdict(changed.unit), held=held) if held else changed.unit


def delete_unit(call: Call) -> Any:
    """Delete the unit."""
    return units.delete_unit(call.hub, call.caller, call.id("unit_id"), space_id=call.id("space_id"))


def approve_unit(call: Call) -> Any:
    """Approve a revision, the head when none is named."""
    space_id, unit_id = call.id("space_id"), call.id("unit_id")
    return units.approve_unit(call.hub, call.caller, unit_id, space_id=space_id, revision=call.text("revision"))


def download_live_state(call: Call) -> Any:
    """Return what the worker last reported, as it came."""
    blob = history.get_live_state(call.hub, call.caller, call.id("unit_id"), space_id=call.id("space_id"))
    return Answer(blob, media_type="application/octet-stream")


def get_unit_extended(call: Call) -> Any:
    """Return the unit in its old flat form."""
    return history.get_unit_extended(call.hub, call.caller, call.id("unit_id"), space_id=call.id("space_id"))


def live_status(call: Call) -> Any:
    """Return status, replicas, conditions and addresses."""
    return live.live_status(call.hub, call.caller, space_id=call.id("space_id"), unit_id=call.id("unit_id"))


_MANY = "/space/{space_id}/unit"
_ONE = "/space/{space_id}/unit/{unit_id}"
_TAG = "unit"
_UPSTREAM = (
    Parameter("upstream_unit_id", "The unit to clone."),
    Parameter("upstream_space_id", "The space of the unit to clone."),
)

ROUTES = (
    Route("GET", _MANY, "ListUnits", list_units, "List the units of a space", list[ExtendedUnit], query=LIST, tag=_TAG),
    Route(
        "GET",
        f"{_MANY}/extended",
        "ListExtendedUnits",
        list_units,
        "List the units of a space",
        list[ExtendedUnit],
        query=LIST,
        tag=_TAG,
    ),
    Route(
        "GET",
        "/unit",
        "ListAllUnits",
        list_units,
        "List the units of all spaces",
        list[ExtendedUnit],
        query=(*LIST, WHERE_DATA, RESOURCE_TYPE),
        tag=_TAG,
    ),
    Route("POST", _MANY, "CreateUnit", create_unit, "Create or clone a unit", Unit, Unit, query=_UPSTREAM, tag=_TAG),
    Route("GET", _ONE, "GetUnit", get_unit, "Return a unit", ExtendedUnit, query=GET, tag=_TAG),
    Route("PUT", _ONE, "UpdateUnit", update_unit, "Replace a unit", Unit, Unit, query=CHANGE, tag=_TAG),
    Route(
        "PATCH",
        _ONE,
        "PatchUnit",
        patch_unit,
        "Change a unit by a merge patch",
        Unit,
        dict[str, Any],
        MERGE_PATCH,
        query=(*CHANGE, DATA_PATCH, CHANGE_DESC),
        tag=_TAG,
    ),
    Route("DELETE", _ONE, "DeleteUnit", delete_unit, "Delete a unit", DeleteResponse, tag=_TAG),
    Route(
        "POST", f"{_ONE}/approve", "ApproveUnit", approve_unit, "Approve a revision", str, query=(REVISION,), tag=_TAG
    ),
    Route(
        "GET",
        f"{_ONE}/extended",
        "GetUnitExtended",
        get_unit_extended,
        "Return a unit with its action and links, in the old flat form",
        UnitExtended,
        tag=_TAG,
    ),
    Route(
        "GET",
        f"{_ONE}/live-state",
        "DownloadLiveStateUnit",
        download_live_state,
        "Download what the worker last reported",
        bytes,
        tag=_TAG,
    ),
    Route(
        "GET",
        f"{_ONE}/live_status",
        "GetLiveStatus",
        live_status,
        "Return status, replicas, conditions and addresses",
        LiveStatus,
        tag=_TAG,
        is_ours=True,
    ),
)
