"""Functions: which there are, and running them on units."""

from __future__ import annotations

from typing import Any

from confighub.api.call import Answer, Call
from confighub.api.listing import CONTAINS, FILTER, RESOURCE_TYPE, WHERE, WHERE_DATA, listing
from confighub.api.routes.units import DRY_RUN
from confighub.api.routing import Parameter, Route
from confighub.hub.usecases import functions
from confighub.records.functions import FunctionInvocationsRequest, FunctionInvocationsResponse, FunctionSignature


def list_functions(call: Call) -> Any:
    """Return the functions by toolchain and name."""
    space_id = call.id("space_id") if "space_id" in call.path else None
    entity, entity_id = call.text("entity"), call.text("id")
    return functions.list_functions(call.hub, call.caller, space_id=space_id, entity=entity, entity_id=entity_id)


def invoke_functions(call: Call) -> Any:
    """Run functions on every unit that matches; 207 when some could not be done."""
    answers = functions.invoke_functions(
        call.hub,
        call.caller,
        call.record(FunctionInvocationsRequest),
        listing(call),
        space_id=call.id("space_id") if "space_id" in call.path else None,
        unit_id=call.text("unit_id") or None,
        revision_id=call.text("revision_id") or None,
        is_dry_run=call.flag("dry_run"),
    )
    has_failed = any(not answer.success for answer in answers)
    return Answer(answers, status=207 if has_failed else 200)


_SIGNATURES = dict[str, dict[str, FunctionSignature]]
_TAG = "function"
_CHOOSE = (WHERE, CONTAINS, FILTER, WHERE_DATA, RESOURCE_TYPE, DRY_RUN)
_ENTITY = (
    Parameter("entity", "target, worker or unit: what the functions are for."),
    Parameter("id", "The id of that target, worker or unit."),
)
_ONE = (Parameter("unit_id", "Only this unit."), Parameter("revision_id", "An older revision; nothing is stored."))

ROUTES = (
    Route("GET", "/function", "ListOrgFunctions", list_functions, "List the functions", _SIGNATURES, tag=_TAG),
    Route(
        "GET",
        "/space/{space_id}/function",
        "ListFunctions",
        list_functions,
        "List the functions for something in a space",
        _SIGNATURES,
        query=_ENTITY,
        tag=_TAG,
    ),
    Route(
        "POST",
        "/function/invoke",
        "InvokeFunctionsOnOrg",
        invoke_functions,
        "Run functions on units of all spaces",
        list[FunctionInvocationsResponse],
        FunctionInvocationsRequest,
        query=_CHOOSE,
        tag=_TAG,
        is_bulk=True,
    ),
    Route(
        "POST",
        "/space/{space_id}/function/invoke",
        "InvokeFunctions",
        invoke_functions,
        "Run functions on units of a space",
        list[FunctionInvocationsResponse],
        FunctionInvocationsRequest,
        query=(*_CHOOSE, *_ONE),
        tag=_TAG,
        is_bulk=True,
    ),
)
