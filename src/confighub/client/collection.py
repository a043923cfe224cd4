"""The five verbs, single and in bulk, for every noun that the hub stores.

A list answers *extended* records, each under its entity's name beside its relations:
``{"Unit": {…}, "Space": {…}}``. Create, update and patch answer the plain record.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from confighub.client.transport import MERGE_PATCH, Transport, Wire
from confighub.errors import BadRequest, NotFound

Records = list[Wire]

_LONGEST = 4000
"""How long an expression is sent in one piece; hubs take 4096 characters."""

_LISTED = re.compile(r"\b(?!NOT\b)[\w.]+ IN \((?P<values>'[^']*'(?:, '[^']*')*)\)")
_VALUE = re.compile(r"'[^']*'")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Noun(NamedTuple):
    """How one kind of entity is called: in paths, on the wire, and to people."""

    path: str
    entity: str
    word: str
    include: str = ""

    @property
    def id_key(self) -> str:
        """The key of its id, such as ``UnitID``."""
        return f"{self.entity}ID"


SPACE = Noun("space", "Space", "space")
UNIT = Noun("unit", "Unit", "unit", "UnitEventID,TargetID,UpstreamUnitID,SpaceID")
LINK = Noun("link", "Link", "link", "SpaceID,FromUnitID,ToUnitID,ToSpaceID")
FILTER = Noun("filter", "Filter", "filter", "SpaceID,FromSpaceID")
SET = Noun("set", "Set", "set", "SpaceID")
TAG = Noun("tag", "Tag", "tag", "SpaceID")
VIEW = Noun("view", "View", "view", "SpaceID,FilterID")
CHANGE_SET = Noun("change_set", "ChangeSet", "changeset", "SpaceID,FilterID,StartTagID,EndTagID")
TRIGGER = Noun("trigger", "Trigger", "trigger", "SpaceID,BridgeWorkerID")
INVOCATION = Noun("invocation", "Invocation", "invocation", "SpaceID,BridgeWorkerID")
TARGET = Noun("target", "Target", "target", "SpaceID,BridgeWorkerID")
WORKER = Noun("bridge_worker", "BridgeWorker", "worker", "SpaceID")
ORGANIZATION = Noun("organization", "Organization", "organization")
USER = Noun("user", "User", "user")


def is_id(name: str) -> bool:
    """Tell whether the name is an id (a UUID) rather than a slug."""
    return _UUID.fullmatch(name) is not None


def quoted(value: str) -> str:
    """Return the value as a literal of a where-expression.

    Raises: BadRequest for the three characters that no literal can hold.
    """
    if any(mark in value for mark in "'\"\\"):
        raise BadRequest(f"quotes and backslashes cannot be part of a name: {value}")
    return f"'{value}'"


def conjoined(*terms: str) -> str:
    """Return the where-expression that asks for all the terms; empty ones are left out."""
    return " AND ".join(term for term in terms if term)


def any_of(attribute: str, values: Iterable[str]) -> str:
    """Return the term that asks for one of the values, as ``Slug IN ('a', 'b')``."""
    return f"{attribute} IN ({', '.join(quoted(value) for value in values)})"


def pieces(where: str) -> list[str]:
    """Return expressions that together ask for the same records, each once, and are short enough to be sent.

    Only a list of values is taken apart (``Slug IN (…)``); an expression that is long for another reason stays whole.
    """
    listed = max(_LISTED.finditer(where), key=lambda found: len(found["values"]), default=None)
    if len(where) <= _LONGEST or listed is None:
        return [where]
    values = _VALUE.findall(listed["values"])
    start, end = listed.span("values")
    room = _LONGEST - (len(where) - (end - start))
    count = room // (max(map(len, values)) + 2)
    if count < 1:
        return [where]
    some = (values[first : first + count] for first in range(0, len(values), count))
    return [f"{where[:start]}{', '.join(one)}{where[end:]}" for one in some]


class Collection:
    """All records of one noun; ``space_id`` narrows to one space, without it the whole organization."""

    def __init__(self, transport: Transport, noun: Noun) -> None:
        self.transport = transport
        self.noun = noun

    def list(
        self,
        *,
        where: str = "",
        space_id: str = "",
        contains: str = "",
        include: str | None = None,
        select: str = "",
        **query: str,
    ) -> Records:
        """Return the extended records that match, in the hub's order.

        ``include`` and ``select`` are comma lists; the noun's usual relations are included
        unless told otherwise. Further query parameters pass through.
        """
        asked = {"where": where, "contains": contains, "select": select, **query}
        asked["include"] = self.noun.include if include is None else include
        path = self._path(space_id)
        return [
            one for part in pieces(where) for one in self.transport.request("GET", path, {**asked, "where": part}) or []
        ]

    def get(self, record_id: str, *, space_id: str = "", include: str | None = None, **query: str) -> Wire:
        """Return the extended record with that id; raises NotFound."""
        asked = {"include": self.noun.include if include is None else include, **query}
        answer: Wire = self.transport.request("GET", self._path(space_id, record_id), asked)
        return answer

    def find(self, name: str, *, space_id: str = "", where: str = "", **query: str) -> Wire:
        """Return the one extended record with that slug or id.

        Raises: NotFound, naming noun and slug; BadRequest when the slug occurs in several spaces.
        """
        key = self.noun.id_key if is_id(name) else "Slug"
        found = self.list(where=conjoined(f"{key} = {quoted(name)}", where), space_id=space_id, **query)
        if not found:
            raise NotFound(f"no such {self.noun.word}: {name}", hint=f"see: cub {self.noun.word} list")
        if len(found) > 1:
            raise BadRequest(f"{len(found)} {self.noun.word}s are called {name}", hint="name the space with --space")
        return found[0]

    def create(self, record: Wire, *, space_id: str = "", **query: str) -> Wire:
        """Store a new record and return it as stored; raises BadRequest when the slug is taken."""
        answer: Wire = self.transport.request("POST", self._path(space_id), query, record)
        return answer

    def update(self, record_id: str, record: Wire, *, space_id: str = "", **query: str) -> Wire:
        """Replace the record; raises Conflict when its ``Version`` is no longer the stored one."""
        answer: Wire = self.transport.request("PUT", self._path(space_id, record_id), query, record)
        return answer

    def patch(self, record_id: str, changes: Wire | None, *, space_id: str = "", **query: str) -> Wire:
        """Apply a merge patch (a value of None removes) and return the record."""
        answer: Wire = self.transport.request(
            "PATCH", self._path(space_id, record_id), query, changes or {}, content_type=MERGE_PATCH
        )
        return answer

    def delete(self, record_id: str, *, space_id: str = "") -> Wire:
        """Delete the record and return the hub's message."""
        return self.transport.request("DELETE", self._path(space_id, record_id)) or {}

    def create_all(self, changes: Wire | None, *, where: str, **query: str) -> Records:
        """Clone every match and apply the merge patch to the clones; one element a clone.

        ``where_space`` selects the destinations, ``name_prefixes`` is a comma list.
        An element holds the record under the entity's name, or ``Error``.
        """
        return self._bulk("POST", changes or {}, where=where, **query)

    def patch_all(self, changes: Wire | None, *, where: str, **query: str) -> Records:
        """Apply one merge patch to every match; elements as in ``create_all``."""
        return self._bulk("PATCH", changes or {}, where=where, **query)

    def delete_all(self, *, where: str, **query: str) -> Records:
        """Delete every match; an element holds ``Message`` or ``Error``."""
        return self._bulk("DELETE", None, where=where, **query)

    def _bulk(self, method: str, body: Wire | None, **query: str) -> Records:
        path = "/_space" if self.noun is SPACE else f"/{self.noun.path}"
        asked = {"include": self.noun.include, **query}
        return [
            one
            for part in pieces(query.get("where", ""))
            for one in self.transport.request(method, path, {**asked, "where": part}, body, content_type=MERGE_PATCH)
            or []
        ]

    def _path(self, space_id: str, record_id: str = "") -> str:
        parent = f"/space/{space_id}" if space_id and self.noun is not SPACE else ""
        return f"{parent}/{self.noun.path}" + (f"/{record_id}" if record_id else "")
