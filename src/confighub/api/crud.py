"""The five verbs for every noun of ``hub.kinds`` that lives in a space, as rows of the route table.

The bulk forms are in ``bulk``. Nouns with verbs of their own (spaces, units) have a module in ``routes``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from confighub.api.call import Call
from confighub.api.listing import GET, LIST, SUMMARY, listing, trimmed
from confighub.api.routing import MERGE_PATCH, Route, list_of
from confighub.hub import kinds
from confighub.hub.kinds import Kind
from confighub.hub.usecases import entities, workers
from confighub.records.answers import DeleteResponse


@dataclass(frozen=True)
class Noun:
    """How the API spells one noun; ``plural`` is part of operation names.

    ``list_all`` is the operation that lists all spaces, where it has a name of its own.
    """

    kind: Kind
    path: str
    plural: str
    list_all: str = ""
    has_bulk: bool = True
    has_bulk_create: bool = True

    @property
    def name(self) -> str:
        """The noun in operation names."""
        return self.kind.name

    @property
    def words(self) -> str:
        """The noun in sentences."""
        return self.path.replace("_", " ")

    @property
    def many(self) -> str:
        """The path of the noun in one space."""
        return f"/space/{{space_id}}/{self.path}"

    @property
    def one(self) -> str:
        """The path of one of it."""
        return f"{self.many}/{{{self.kind.id_attribute}}}"

    @property
    def extended(self) -> Any:
        """The record with its relations."""
        assert self.kind.extended is not None
        return self.kind.extended


LINK = Noun(kinds.LINK, "link", "Links", list_all="SearchListLinks", has_bulk_create=False)

NOUNS = (
    LINK,
    Noun(kinds.FILTER, "filter", "Filters"),
    Noun(kinds.SET, "set", "Sets", has_bulk=False),
    Noun(kinds.TAG, "tag", "Tags"),
    Noun(kinds.VIEW, "view", "Views"),
    Noun(kinds.CHANGE_SET, "change_set", "ChangeSets"),
    Noun(kinds.INVOCATION, "invocation", "Invocations"),
    Noun(kinds.TRIGGER, "trigger", "Triggers"),
    Noun(kinds.TARGET, "target", "Targets", has_bulk_create=False),
    Noun(kinds.BRIDGE_WORKER, "bridge_worker", "BridgeWorkers", has_bulk_create=False),
)
"""Links, targets and workers are not copied by prefix; links have a bulk form of their own."""


def routes() -> Iterator[Route]:
    """Return the rows of every noun."""
    for noun in NOUNS:
        yield from _reading(noun)
        yield from _writing(noun)


def _reading(noun: Noun) -> Iterator[Route]:
    kind, extended, tag = noun.kind, noun.extended, noun.path

    def list_(call: Call) -> Any:
        asked = listing(call)
        space_id = call.id("space_id") if "space_id" in call.path else None
        found = entities.list_entities(call.hub, call.caller, kind, asked, space_id=space_id)
        if kind is kinds.BRIDGE_WORKER and call.flag("summary"):
            workers.count_targets(call.hub, found)
        return trimmed(kind, found, asked)

    def get(call: Call) -> Any:
        asked = listing(call)
        space_id, one = call.id("space_id"), call.id(kind.id_attribute)
        return trimmed(kind, entities.get_entity(call.hub, call.caller, kind, one, asked, space_id=space_id), asked)

    summary = f"List the {noun.words}s"
    yield Route(
        "GET", noun.many, f"List{noun.plural}", list_, f"{summary} of a space", list_of(extended), query=LIST, tag=tag
    )
    yield Route(
        "GET",
        f"/{noun.path}",
        noun.list_all or f"ListAll{noun.plural}",
        list_,
        f"{summary} of all spaces",
        list_of(extended),
        query=(*LIST, SUMMARY) if kind is kinds.BRIDGE_WORKER else LIST,
        tag=tag,
        is_ours=not noun.has_bulk,
    )
    yield Route("GET", noun.one, f"Get{noun.name}", get, f"Return a {noun.words}", extended, query=GET, tag=tag)


def _writing(noun: Noun) -> Iterator[Route]:
    kind, record, words, tag = noun.kind, noun.kind.record, noun.words, noun.path

    def create(call: Call) -> Any:
        return entities.create_entity(call.hub, call.caller, kind, call.record(record), call.id("space_id"))

    def update(call: Call) -> Any:
        space_id, one = call.id("space_id"), call.id(kind.id_attribute)
        return entities.update_entity(call.hub, call.caller, kind, one, call.record(record), space_id=space_id)

    def patch(call: Call) -> Any:
        space_id, one = call.id("space_id"), call.id(kind.id_attribute)
        return entities.patch_entity(call.hub, call.caller, kind, one, call.changes(), space_id=space_id)

    def delete(call: Call) -> Any:
        space_id, one = call.id("space_id"), call.id(kind.id_attribute)
        return entities.delete_entity(call.hub, call.caller, kind, one, space_id=space_id)

    yield Route("POST", noun.many, f"Create{noun.name}", create, f"Create a {words}", record, record, tag=tag)
    yield Route("PUT", noun.one, f"Update{noun.name}", update, f"Replace a {words}", record, record, tag=tag)
    yield Route(
        "PATCH",
        noun.one,
        f"Patch{noun.name}",
        patch,
        f"Change a {words} by a merge patch",
        record,
        dict[str, Any],
        MERGE_PATCH,
        tag=tag,
        # The public API changes sets by PUT only.
        is_ours=not noun.has_bulk,
    )
    yield Route("DELETE", noun.one, f"Delete{noun.name}", delete, f"Delete a {words}", DeleteResponse, tag=tag)
