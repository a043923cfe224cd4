"""Finding and showing: the part of every list and get that is the same for all kinds.

A ``Listing`` is the query of a request: ``where``, ``contains`` and ``filter`` choose,
``include`` adds related records, ``select`` trims, ``limit`` and ``after`` page by CursorID.
``find`` gives extended records in the order of their CursorID; ``shown`` trims them for the wire.
Source: the query parameters of the public API; filter, limit and after are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, select, true

from confighub.errors import BadRequest, NotFound
from confighub.hub.caller import Caller
from confighub.hub.hub import Hub
from confighub.hub.kinds import FILTER, SET, UNIT, Kind
from confighub.hub.store.finding import KnownSet, Stored
from confighub.hub.store.rows import columns, own_id, record
from confighub.hub.usecases import fillings, includes
from confighub.hub.usecases.access import visible
from confighub.query import evaluate, fields, parser, sql
from confighub.query.expression import Expression
from confighub.records.base import to_builtins


@dataclass(frozen=True)
class Listing:
    """What to find and how to show it; ``select`` and ``include`` are comma lists of names on the wire."""

    where: str = ""
    contains: str = ""
    filter: str = ""
    include: str = ""
    select: str = ""
    limit: int | None = None
    after: int = 0
    where_data: str = ""
    resource_type: str = ""

    @property
    def includes(self) -> tuple[str, ...]:
        """The attributes to expand, in order."""
        return _names(self.include)

    @property
    def selected(self) -> frozenset[str]:
        """The names to show; empty means all."""
        return frozenset(_names(self.select))

    def wants(self, name: str) -> bool:
        """Whether the attribute is to be shown."""
        return not self.selected or name in self.selected


ALL = Listing()


def find(
    hub: Hub, tx: Connection, caller: Caller, kind: Kind, listing: Listing, *scope: ColumnElement[bool]
) -> list[Any]:
    """Return the extended records that the caller sees and the listing chooses, by CursorID.

    ``scope`` narrows further, to one space or unit. Kinds without extended record come flat.
    Raises: BadQuery, BadRequest for what cannot be asked; NotFound for a filter that is not there.
    """
    expression = parser.parse(listing.where, kind.name)
    scopes = list(scope)
    if listing.filter:
        listing, expression, more = _apply_filter(tx, caller, kind, listing, expression)
        scopes += more
    fillings.check_includes(kind, listing.includes)
    stored = Stored(kind, sets=known_sets(tx, caller, expression))
    conditions = [visible(kind, caller), sql.condition(expression, stored, has_re2=hub.database.is_sqlite), *scopes]
    if listing.contains:
        conditions.append(sql.contains(kind.name, listing.contains, stored))
    if listing.after:
        conditions.append(kind.table.c.cursor_id > listing.after)
    query = select(*columns(kind)).where(*conditions).order_by(kind.table.c.cursor_id)
    is_rechecked = bool(listing.where_data or listing.resource_type) or not hub.database.is_sqlite
    if listing.limit is not None and not is_rechecked:
        query = query.limit(listing.limit)
    found = [record(kind, row) for row in tx.execute(query)]
    if listing.where_data or listing.resource_type:
        found = fillings.matching_data(tx, found, where_data=listing.where_data, resource_type=listing.resource_type)
    fillings.fill(hub, tx, caller, kind, found, listing.selected)
    extended = includes.expand(tx, caller, kind, found, listing.includes)
    if not hub.database.is_sqlite:
        extended = _with_patterns(kind, extended, expression)
    return extended[: listing.limit] if is_rechecked and listing.limit is not None else extended


def find_one(
    hub: Hub, tx: Connection, caller: Caller, kind: Kind, entity_id: str, listing: Listing = ALL, *scope: Any
) -> Any:
    """Return the extended record of that id.

    Raises: NotFound, when there is none that the caller sees.
    """
    wanted = Listing(include=listing.include, select=listing.select)
    found = find(hub, tx, caller, kind, wanted, kind.id_column == own_id(entity_id), *scope)
    if not found:
        raise NotFound(f"no such {kind.name.lower()}: {entity_id}")
    return found[0]


def shown(kind: Kind, found: Any, listing: Listing) -> Any:
    """Return the records as they go onto the wire, trimmed to what ``select`` asks for.

    Without ``select`` they come back as they are. Ids, ``Slug``, attributes named in ``where``
    and what the public client cannot do without stay. A dotted name, such as ``Space.Slug``,
    trims a related record.
    """
    if not listing.selected:
        return found
    if isinstance(found, list):
        return [shown(kind, one, listing) for one in found]
    kept = _kept(kind, listing)
    if kind.extended is None:
        return _trim(to_builtins(found), kept)
    tree = to_builtins(found)
    relations = {r.name: r.entity for r in fields.of(kind.name).includes.values()}
    for name, value in tree.items():
        if name == kind.name:
            tree[name] = _trim(value, kept)
        elif name in relations and isinstance(value, dict):
            dotted = {n.split(".", 1)[1] for n in listing.selected if n.startswith(f"{name}.")}
            if dotted:
                tree[name] = _trim(value, dotted | _always(relations[name]))
    return tree


def known_sets(tx: Connection, caller: Caller, expression: Expression) -> list[KnownSet]:
    """Return the sets that the caller sees, when the expression asks for membership at all."""
    if not any(attribute.name in fields.ACCEPTS_SLUG for attribute in expression.attributes()):
        return []
    c = SET.table.c
    rows = tx.execute(select(c.set_id, c.slug, c.where).where(visible(SET, caller)))
    return [KnownSet(*row) for row in rows]


def choose(
    tx: Connection, hub: Hub, caller: Caller, kind: Kind, where: str, *scope: ColumnElement[bool], contains: str = ""
) -> list[Any]:
    """Return the plain records that match, by CursorID, with nothing expanded or filled."""
    expression = parser.parse(where, kind.name)
    stored = Stored(kind, sets=known_sets(tx, caller, expression))
    conditions = [visible(kind, caller), sql.condition(expression, stored, has_re2=hub.database.is_sqlite), *scope]
    conditions.append(sql.contains(kind.name, contains, stored) if contains else true())
    query = select(*columns(kind)).where(*conditions).order_by(kind.table.c.cursor_id)
    found = [record(kind, row) for row in tx.execute(query)]
    if hub.database.is_sqlite:
        return found
    patterns = expression.only_patterns()
    return [one for one in found if evaluate.matches(patterns, {kind.name: one})]


def choose_units(
    tx: Connection, hub: Hub, caller: Caller, selection: Listing, *scope: ColumnElement[bool]
) -> list[Any]:
    """Return the plain units that where, contains, filter and the data filter of the selection choose."""
    wanted = replace(selection, include="", select="UnitID")
    return [one.unit for one in find(hub, tx, caller, UNIT, wanted, *scope)]


def find_filter(tx: Connection, caller: Caller, reference: str) -> Any:
    """Return the stored filter by id, slug, or ``space/slug``.

    Raises: NotFound, when there is none; BadRequest, when a bare slug names several.
    """
    from confighub.hub.store.entities import spaces

    space, _, slug = reference.rpartition("/")
    c = FILTER.table.c
    named = (c.filter_id == own_id(slug)) | (c.slug == slug)
    query = select(*columns(FILTER)).where(visible(FILTER, caller), named)
    if space:
        homes = select(spaces.c.space_id).where(spaces.c.slug == space, spaces.c.deleted_at.is_(None))
        query = query.where(c.space_id.in_(homes))
    rows = tx.execute(query).all()
    if not rows:
        raise NotFound(f"no such filter: {reference}")
    if len(rows) > 1:
        raise BadRequest(f"several filters have this slug: {reference}", hint="write space/slug")
    return record(FILTER, rows[0])


def _apply_filter(
    tx: Connection, caller: Caller, kind: Kind, listing: Listing, expression: Expression
) -> tuple[Listing, Expression, list[ColumnElement[bool]]]:
    stored_filter = find_filter(tx, caller, listing.filter)
    if stored_filter.from_ != kind.name:
        raise BadRequest(f"filter {listing.filter} is about {stored_filter.from_}, not about {kind.name}")
    more: list[ColumnElement[bool]] = []
    if stored_filter.from_space_id and kind.is_in_space:
        more.append(kind.table.c.space_id == stored_filter.from_space_id)
    data_terms = [term for term in (stored_filter.where_data, listing.where_data) if term]
    return (
        replace(
            listing,
            where_data=" AND ".join(data_terms),
            resource_type=listing.resource_type or stored_filter.resource_type,
        ),
        expression.and_(parser.parse(stored_filter.where, kind.name)),
        more,
    )


def _with_patterns(kind: Kind, found: list[Any], expression: Expression) -> list[Any]:
    patterns = expression.only_patterns()
    if not patterns.terms:
        return found
    return [one for one in found if evaluate.matches(patterns, _tree(kind, one))]


def _tree(kind: Kind, one: Any) -> dict[str, Any]:
    if kind.extended is None:
        return {kind.name: one}
    return dict(includes.relations_of(one))


_ALWAYS = {
    "Unit": frozenset({"MutationSources"}),
    "Revision": frozenset({"MutationSources"}),
    "Mutation": frozenset({"ProvidedResource", "FunctionInvocation"}),
}
"""What makes the public client crash when it is missing, selected or not."""

_PARENTS = frozenset({"OrganizationID", "SpaceID", "UnitID", "Slug"})


def _always(entity: str) -> frozenset[str]:
    return _PARENTS | {f"{entity}ID"} | _ALWAYS.get(entity, frozenset())


def _kept(kind: Kind, listing: Listing) -> frozenset[str]:
    used = {attribute.name for attribute in parser.parse(listing.where, kind.name).attributes()}
    return listing.selected | _always(kind.name) | used


def _trim(tree: dict[str, Any], kept: Sequence[str] | frozenset[str] | set[str]) -> dict[str, Any]:
    return {name: value for name, value in tree.items() if name in kept}


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
