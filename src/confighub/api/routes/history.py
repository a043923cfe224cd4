"""What became of a unit: its revisions, mutations and events."""

from __future__ import annotations

from typing import Any

from confighub.api.call import Answer, Call
from confighub.api.listing import CONTAINS, GET, LIMIT, LIST, WHERE, listing, trimmed
from confighub.api.routing import Route
from confighub.hub.kinds import MUTATION, REVISION
from confighub.hub.usecases import history
from confighub.records.extended import ExtendedMutation, ExtendedRevision
from confighub.records.work import UnitEvent


def list_revisions(call: Call) -> Any:
    """Return the revisions of a unit."""
    asked, space_id, unit_id = listing(call), call.id("space_id"), call.id("unit_id")
    return trimmed(REVISION, history.list_revisions(call.hub, call.caller, unit_id, asked, space_id=space_id), asked)


def get_revision(call: Call) -> Any:
    """Return one revision."""
    asked, space_id, unit_id, one = listing(call), call.id("space_id"), call.id("unit_id"), call.id("revision_id")
    return trimmed(REVISION, history.get_revision(call.hub, call.caller, unit_id, one, asked, space_id=space_id), asked)


def get_revision_data(call: Call) -> Any:
    """Return the text of one revision."""
    space_id, unit_id, one = call.id("space_id"), call.id("unit_id"), call.id("revision_id")
    data = history.get_revision_data(call.hub, call.caller, unit_id, one, space_id=space_id)
    return Answer(data, media_type="application/octet-stream")


def list_mutations(call: Call) -> Any:
    """Return the mutations of a unit."""
    asked, space_id, unit_id = listing(call), call.id("space_id"), call.id("unit_id")
    return trimmed(MUTATION, history.list_mutations(call.hub, call.caller, unit_id, asked, space_id=space_id), asked)


def get_mutation(call: Call) -> Any:
    """Return one mutation."""
    asked, space_id, unit_id, one = listing(call), call.id("space_id"), call.id("unit_id"), call.id("mutation_id")
    return trimmed(MUTATION, history.get_mutation(call.hub, call.caller, unit_id, one, asked, space_id=space_id), asked)


def list_events(call: Call) -> Any:
    """Return the events of a unit."""
    asked, space_id, unit_id = listing(call), call.id("space_id"), call.id("unit_id")
    return history.list_unit_events(call.hub, call.caller, unit_id, asked, space_id=space_id)


def get_event(call: Call) -> Any:
    """Return one event."""
    space_id, unit_id, one = call.id("space_id"), call.id("unit_id"), call.id("unit_event_id")
    return history.get_unit_event(call.hub, call.caller, unit_id, one, space_id=space_id)


_ONE = "/space/{space_id}/unit/{unit_id}"
_TAG = "history"

ROUTES = (
    Route(
        "GET",
        f"{_ONE}/revision",
        "ListExtendedRevisions",
        list_revisions,
        "List the revisions of a unit",
        list[ExtendedRevision],
        query=LIST,
        tag=_TAG,
    ),
    Route(
        "GET",
        f"{_ONE}/revision/{{revision_id}}",
        "GetExtendedRevision",
        get_revision,
        "Return a revision",
        ExtendedRevision,
        query=GET,
        tag=_TAG,
    ),
    Route(
        "GET",
        f"{_ONE}/revision/{{revision_id}}/data",
        "GetRevisionData",
        get_revision_data,
        "Download the text of a revision",
        bytes,
        tag=_TAG,
    ),
    Route(
        "GET",
        f"{_ONE}/mutation",
        "ListExtendedMutations",
        list_mutations,
        "List the mutations of a unit",
        list[ExtendedMutation],
        query=LIST,
        tag=_TAG,
    ),
    Route(
        "GET",
        f"{_ONE}/mutation/{{mutation_id}}",
        "GetExtendedMutation",
        get_mutation,
        "Return a mutation",
        ExtendedMutation,
        query=GET,
        tag=_TAG,
    ),
    Route(
        "GET",
        f"{_ONE}/unit_event",
        "ListUnitEvents",
        list_events,
        "List the events of a unit",
        list[UnitEvent],
        query=(WHERE, CONTAINS, LIMIT),
        tag=_TAG,
    ),
    Route(
        "GET",
        f"{_ONE}/unit_event/{{unit_event_id}}",
        "GetUnitEvent",
        get_event,
        "Return an event",
        UnitEvent,
        tag=_TAG,
    ),
)
