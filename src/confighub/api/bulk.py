"""The bulk forms of the verbs: everything that ``where`` matches, one element each.

The answer is 200 when everything worked, else 207. Without ``where`` and filter everything that
the caller sees matches, as in the public API.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from confighub.api.call import Answer, Call
from confighub.api.crud import LINK, NOUNS, Noun
from confighub.api.listing import CHOOSE, SELECT, listing
from confighub.api.routes.units import CHANGE_DESC, DATA_PATCH, DRY_RUN, RESTORE, UPGRADE, change_of
from confighub.api.routing import MERGE_PATCH, Parameter, Route, list_of
from confighub.hub import kinds
from confighub.hub.usecases import bulk, bulk_units
from confighub.records.answers import ApproveResponse, DeleteResponse, UnitTagRequest, UnitTagResponse
from confighub.records.extended import LinkCreateOrUpdateResponse, UnitCreateOrUpdateResponse

NAME_PREFIXES = Parameter("name_prefixes", "Comma list: one copy with each prefix.")
WHERE_SPACE = Parameter("where_space", "The spaces that get the copies; without it, each original's own.")

_SPACES = Noun(kinds.SPACE, "_space", "Spaces")


def many(elements: Sequence[Any]) -> Answer:
    """Return the elements with the status that says whether all of them worked."""
    has_failed = any(one.get("Error") if isinstance(one, dict) else one.error for one in elements)
    return Answer(elements, status=207 if has_failed else 200)


def routes() -> Iterator[Route]:
    """Return the rows of the bulk forms."""
    yield from UNITS
    yield BULK_LINKS
    for noun in (_SPACES, *(noun for noun in NOUNS if noun.has_bulk)):
        yield from _of(noun)


def _of(noun: Noun) -> Iterator[Route]:
    kind, path, tag = noun.kind, f"/{noun.path}", noun.path.strip("_")
    words = noun.words.strip()

    def patch(call: Call) -> Any:
        where, contains = call.text("where"), call.text("contains")
        changes = call.changes()
        return many(bulk.bulk_patch_entities(call.hub, call.caller, kind, changes, where=where, contains=contains))

    def delete(call: Call) -> Any:
        where, contains = call.text("where"), call.text("contains")
        answer = many(bulk.bulk_delete_entities(call.hub, call.caller, kind, where=where, contains=contains))
        # The public client looks for the elements of a bulk link delete under 200 only.
        return Answer(answer.body) if kind is kinds.LINK else answer

    def create(call: Call) -> Any:
        elements = bulk.bulk_create_entities(
            call.hub,
            call.caller,
            kind,
            call.changes(),
            where=call.text("where"),
            contains=call.text("contains"),
            where_space=call.text("where_space"),
            name_prefixes=call.text("name_prefixes"),
        )
        return many(elements)

    yield Route(
        "PATCH",
        path,
        f"BulkPatch{noun.plural}",
        patch,
        f"Change every {words} that matches",
        list_of(noun.extended),
        dict[str, Any],
        MERGE_PATCH,
        query=CHOOSE,
        tag=tag,
        is_bulk=True,
    )
    yield Route(
        "DELETE",
        path,
        f"BulkDelete{noun.plural}",
        delete,
        f"Delete every {words} that matches",
        list[DeleteResponse],
        query=(*CHOOSE, SELECT) if kind is kinds.BRIDGE_WORKER else CHOOSE,
        tag=tag,
        is_bulk=True,
    )
    if noun.has_bulk_create:
        yield Route(
            "POST",
            path,
            f"BulkCreate{noun.plural}",
            create,
            f"Copy every {words} that matches",
            list_of(noun.extended),
            dict[str, Any],
            MERGE_PATCH,
            query=(*CHOOSE, NAME_PREFIXES) if noun is _SPACES else (*CHOOSE, NAME_PREFIXES, WHERE_SPACE),
            tag=tag,
            is_bulk=True,
        )


def create_links(call: Call) -> Any:
    """Make a link from each unit of one selection to each of another."""
    elements = bulk.bulk_create_links(
        call.hub,
        call.caller,
        call.changes(),
        where_space=call.text("where_space"),
        where_from=call.text("where_from"),
        where_to=call.text("where_to"),
        where_to_space=call.text("where_to_space"),
    )
    return many(elements)


def patch_units(call: Call) -> Any:
    """Change every unit that matches."""
    change = change_of(call)
    patch = call.json() if change.data_patch else call.changes()
    return many(bulk_units.bulk_patch_units(call.hub, call.caller, patch, listing(call), change=change))


def clone_units(call: Call) -> Any:
    """Clone every unit that matches."""
    elements = bulk_units.bulk_clone_units(
        call.hub,
        call.caller,
        call.changes(),
        listing(call),
        where_space=call.text("where_space"),
        name_prefixes=call.text("name_prefixes"),
    )
    return many(elements)


def delete_units(call: Call) -> Any:
    """Delete every unit that matches."""
    return many(bulk_units.bulk_delete_units(call.hub, call.caller, listing(call)))


def approve_units(call: Call) -> Any:
    """Approve the head of every unit that matches."""
    return many(bulk_units.bulk_approve_units(call.hub, call.caller, listing(call)))


def tag_units(call: Call) -> Any:
    """Tag a revision of every unit that matches."""
    request = call.record(UnitTagRequest)
    return many(bulk_units.bulk_tag_units(call.hub, call.caller, request, listing(call)))


BULK_LINKS = Route(
    "POST",
    f"/{LINK.path}",
    "BulkCreateLinks",
    create_links,
    "Link each unit of one selection to each of another",
    list[LinkCreateOrUpdateResponse],
    dict[str, Any],
    MERGE_PATCH,
    query=(
        Parameter("where_space", "The spaces that get the links."),
        Parameter("where_from", "The units that need something."),
        Parameter("where_to", "The units that provide it."),
        Parameter("where_to_space", "The spaces of the units that provide it; without it, the same space."),
    ),
    tag="link",
    is_bulk=True,
)

_TAG = "unit"

UNITS = (
    Route(
        "PATCH",
        "/unit",
        "BulkPatchUnits",
        patch_units,
        "Change every unit that matches",
        list[UnitCreateOrUpdateResponse],
        dict[str, Any],
        MERGE_PATCH,
        query=(*CHOOSE, UPGRADE, RESTORE, DATA_PATCH, CHANGE_DESC, DRY_RUN),
        tag=_TAG,
        is_bulk=True,
    ),
    Route(
        "POST",
        "/unit",
        "BulkCreateUnits",
        clone_units,
        "Clone every unit that matches",
        list[UnitCreateOrUpdateResponse],
        dict[str, Any],
        MERGE_PATCH,
        query=(*CHOOSE, NAME_PREFIXES, WHERE_SPACE),
        tag=_TAG,
        is_bulk=True,
    ),
    Route(
        "DELETE",
        "/unit",
        "BulkDeleteUnits",
        delete_units,
        "Delete every unit that matches",
        list[DeleteResponse],
        query=CHOOSE,
        tag=_TAG,
        is_bulk=True,
    ),
    Route(
        "POST",
        "/unit/approve",
        "BulkApproveUnits",
        approve_units,
        "Approve the head of every unit that matches",
        list[ApproveResponse],
        query=CHOOSE,
        tag=_TAG,
        is_bulk=True,
    ),
    Route(
        "POST",
        "/unit/tag",
        "BulkTagUnits",
        tag_units,
        "Tag a revision of every unit that matches",
        list[UnitTagResponse],
        UnitTagRequest,
        query=CHOOSE,
        tag=_TAG,
        is_bulk=True,
    ),
)
