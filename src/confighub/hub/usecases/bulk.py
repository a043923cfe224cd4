"""The bulk forms of the verbs for every noun but units: many at once, chosen by ``where``.

bulk_patch_entities(hub, caller, kind, patch, *, where="", contains="") -> list of {Kind: record} or {"Error": …}
bulk_delete_entities(hub, caller, kind, *, where="", contains="") -> list[DeleteResponse]
bulk_create_entities(hub, caller, kind, patch, *, where="", contains="", where_space="", name_prefixes="")
    clones each match into each destination space with each prefix, then applies the patch to the clones
bulk_create_links(hub, caller, patch, *, where_space="", where_from="", where_to="", where_to_space="")

Elements come by CursorID of what matched; an empty list when nothing did.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from confighub.errors import BadRequest
from confighub.hub.caller import Caller
from confighub.hub.domain.slugs import MAX_LENGTH
from confighub.hub.hub import Hub
from confighub.hub.kinds import LINK, SPACE, UNIT, Kind
from confighub.hub.usecases import entities
from confighub.hub.usecases.elements import each, first
from confighub.hub.usecases.listing import choose
from confighub.records.answers import DeleteResponse, ResponseError
from confighub.records.units import Link, Unit

Element = dict[str, Any]
"""``{"Filter": record}`` or ``{"Error": ResponseError}``, ready for the wire."""


def bulk_patch_entities(
    hub: Hub, caller: Caller, kind: Kind, patch: dict[str, Any] | None, *, where: str = "", contains: str = ""
) -> list[Element]:
    """Apply the merge patch to each match."""
    with hub.write() as tx:
        return each(
            tx,
            kind,
            choose(tx, hub, caller, kind, where, contains=contains),
            lambda one: {kind.name: entities.patch_in(tx, hub, caller, kind, one, patch or {})},
            _failed,
        )


def bulk_delete_entities(
    hub: Hub, caller: Caller, kind: Kind, *, where: str = "", contains: str = ""
) -> list[DeleteResponse]:
    """Delete each match."""
    with hub.write() as tx:
        return each(
            tx,
            kind,
            choose(tx, hub, caller, kind, where, contains=contains),
            lambda one: entities.delete_in(tx, hub, caller, kind, one),
            lambda error: DeleteResponse(error=error),
        )


def bulk_create_entities(
    hub: Hub,
    caller: Caller,
    kind: Kind,
    patch: dict[str, Any] | None,
    *,
    where: str = "",
    contains: str = "",
    where_space: str = "",
    name_prefixes: str = "",
) -> list[Element]:
    """Clone each match into each destination with each prefix; without ``where_space`` beside the original."""
    with hub.write() as tx:
        homes = destinations_of(tx, hub, caller, where_space) if kind.is_in_space else []
        items = [
            (one, home, prefix)
            for one in choose(tx, hub, caller, kind, where, contains=contains)
            for home in homes or [getattr(one, "space_id", None)]
            for prefix in prefixes_of(name_prefixes)
        ]

        def clone(item: tuple[Any, str | None, str]) -> Element:
            source, home, prefix = item
            body = entities.merged(kind, source, patch or {})
            if body.slug == source.slug:
                body.slug = prefix + source.slug
            return {kind.name: entities.create_in(tx, hub, caller, kind, body, home)}

        return each(tx, kind, items, clone, _failed, about=first)


def bulk_create_links(
    hub: Hub,
    caller: Caller,
    patch: dict[str, Any] | None,
    *,
    where_space: str = "",
    where_from: str = "",
    where_to: str = "",
    where_to_space: str = "",
) -> list[Element]:
    """Make a link from each unit of ``where_from`` to each of ``where_to``, in every space of ``where_space``.

    The units to link to are looked up in the spaces of ``where_to_space``, else in the same space.
    """
    c = UNIT.table.c
    with hub.write() as tx:
        bodies: list[Link] = []
        for space in choose(tx, hub, caller, SPACE, where_space):
            homes = choose(tx, hub, caller, SPACE, where_to_space) if where_to_space else [space]
            provided = choose(tx, hub, caller, UNIT, where_to, c.space_id.in_([home.space_id for home in homes]))
            for needs in choose(tx, hub, caller, UNIT, where_from, c.space_id == space.space_id):
                bodies += [_link(needs, provides) for provides in provided if provides.unit_id != needs.unit_id]

        def create(body: Link) -> Element:
            wanted = entities.merged(LINK, body, patch or {})
            return {"Link": entities.create_in(tx, hub, caller, LINK, wanted, body.space_id)}

        return each(tx, LINK, bodies, create, _failed)


def destinations_of(tx: Connection, hub: Hub, caller: Caller, where_space: str) -> list[str | None]:
    """Return the ids of the destination spaces; empty when ``where_space`` is, which means "the same space".

    Raises: BadRequest, when the expression matches no space, so that nothing is cloned where nobody meant it.
    """
    if not where_space.strip():
        return []
    found = choose(tx, hub, caller, SPACE, where_space)
    if not found:
        raise BadRequest(f"where_space matches no space: {where_space}")
    return [space.space_id for space in found]


def prefixes_of(name_prefixes: str) -> list[str]:
    """Return the prefixes of a comma list; one empty prefix when there is none."""
    return [prefix.strip() for prefix in name_prefixes.split(",")] if name_prefixes.strip() else [""]


def _link(needs: Unit, provides: Unit) -> Link:
    return Link(
        slug=f"{needs.slug}-{provides.slug}"[:MAX_LENGTH].rstrip("-._"),
        space_id=needs.space_id,
        from_unit_id=needs.unit_id,
        to_unit_id=provides.unit_id,
        to_space_id=provides.space_id,
    )


def _failed(error: ResponseError) -> Element:
    return {"Error": error}
