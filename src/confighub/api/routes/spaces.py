"""Spaces: the five verbs with counters, and a fresh prefix."""

from __future__ import annotations

from typing import Any

from confighub.api.call import Call
from confighub.api.listing import GET, LIST, SUMMARY, listing, trimmed
from confighub.api.routing import MERGE_PATCH, Route
from confighub.hub.kinds import SPACE
from confighub.hub.usecases import entities, spaces
from confighub.records.answers import DeleteResponse
from confighub.records.base import Record
from confighub.records.extended import ExtendedSpace
from confighub.records.spaces import Space


class Prefix(Record):
    """Two words joined by a hyphen."""

    prefix: str


def list_spaces(call: Call) -> Any:
    """Return the spaces that the listing chooses."""
    asked = listing(call)
    return trimmed(SPACE, spaces.list_spaces(call.hub, call.caller, asked, summary=call.flag("summary")), asked)


def get_space(call: Call) -> Any:
    """Return one space."""
    asked, space_id, summary = listing(call), call.id("space_id"), call.flag("summary")
    return trimmed(SPACE, spaces.get_space(call.hub, call.caller, space_id, asked, summary=summary), asked)


def create_space(call: Call) -> Any:
    """Return the new space."""
    return entities.create_entity(call.hub, call.caller, SPACE, call.record(Space))


def update_space(call: Call) -> Any:
    """Return the space with everything that callers set replaced."""
    return entities.update_entity(call.hub, call.caller, SPACE, call.id("space_id"), call.record(Space))


def patch_space(call: Call) -> Any:
    """Return the space with the merge patch applied."""
    return entities.patch_entity(call.hub, call.caller, SPACE, call.id("space_id"), call.changes())


def delete_space(call: Call) -> Any:
    """Delete the space with everything in it."""
    return entities.delete_entity(call.hub, call.caller, SPACE, call.id("space_id"))


def new_prefix(call: Call) -> Any:
    """Return two words that no space begins with."""
    return Prefix(prefix=spaces.new_prefix(call.hub, call.caller))


_ONE = "/space/{space_id}"
_TAG = "space"

ROUTES = (
    Route(
        "GET",
        "/space",
        "ListSpaces",
        list_spaces,
        "List the spaces",
        list[ExtendedSpace],
        query=(*LIST, SUMMARY),
        tag=_TAG,
    ),
    Route("POST", "/space", "CreateSpace", create_space, "Create a space", Space, Space, tag=_TAG),
    Route("GET", _ONE, "GetSpace", get_space, "Return a space", ExtendedSpace, query=(*GET, SUMMARY), tag=_TAG),
    Route("PUT", _ONE, "UpdateSpace", update_space, "Replace a space", Space, Space, tag=_TAG),
    Route(
        "PATCH",
        _ONE,
        "PatchSpace",
        patch_space,
        "Change a space by a merge patch",
        Space,
        dict[str, Any],
        MERGE_PATCH,
        tag=_TAG,
    ),
    Route(
        "DELETE", _ONE, "DeleteSpace", delete_space, "Delete a space with everything in it", DeleteResponse, tag=_TAG
    ),
    Route(
        "GET",
        "/space/new_prefix",
        "NewPrefix",
        new_prefix,
        "Return two words that no space begins with",
        Prefix,
        tag=_TAG,
        is_ours=True,
    ),
)
