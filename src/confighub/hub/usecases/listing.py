"""Finding and showing: the part of every list and get that is the same for all kinds.

A ``Listing`` is the query of a request: ``where``, ``contains`` and ``filter`` choose,
``include`` adds related records, ``select`` trims, ``limit`` and ``after`` page by CursorID.
``find`` gives extended records in the order of their CursorID; ``shown`` trims them for the wire.
Source: the query parameters of the public API; filter, limit and after are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, select

from confighub.errors import BadRequest, NotFound
from confighub.hub.caller import Caller
from confighub.hub.hub import Hub
from confighub.hub.kinds import FILTER, SET, UNIT, Kind
from confighub.hub.store.entities import spaces
from confighub.hub.store.finding import KnownSet, Stored, leading
from confighub.hub.store.rows import columns, own_id, record, records
from confighub.hub.usecases import fillings, includes, showing
from confighub.hub.usecases.access import visible
from confighub.query import evaluate, fields, parser, sql
from confighub.query.expression import Expression


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

    @cached_property
    def includes(self) -> tuple[str, ...]:
        """The attributes to expand, in order."""
        return _names(self.include)

    @cached_property
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
    fillings.check_includes(kind, listing.includes)
    attributes = None
    if listing.selected:
        attributes = showing.read_attributes(kind, listing.selected, listing.where, listing.includes)
    found = _matching(hub, tx, caller, kind, listing, scope, attributes)
    fillings.fill(hub, tx, caller, kind, found, listing.selected)
    return includes.expand(tx, caller, kind, found, listing.includes)


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
    """Return a record, or a list of them, as ``showing`` says; without ``select`` they are unchanged."""
    if not listing.selected:
        return found
    trim = showing.Trim(kind, listing.selected, listing.where)
    return [trim(one) for one in found] if isinstance(found, list) else trim(found)


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
    return _matching(hub, tx, caller, kind, Listing(where=where, contains=contains), scope)


def choose_units(
    tx: Connection, hub: Hub, caller: Caller, selection: Listing, *scope: ColumnElement[bool]
) -> list[Any]:
    """Return the plain units that where, contains, filter and the data filter of the selection choose."""
    return _matching(hub, tx, caller, UNIT, selection, scope)


def find_filter(tx: Connection, caller: Caller, reference: str) -> Any:
    """Return the stored filter by id, slug, or ``space/slug``; ``project/slug`` finds those in ``project-filters``.

    Raises: NotFound, when there is none; BadRequest, when a bare slug names several.
    """
    space, _, slug = reference.rpartition("/")
    for home in (space, f"{space}-filters") if space else ("",):
        rows = tx.execute(_filters_named(caller, home, slug)).all()
        if len(rows) > 1:
            raise BadRequest(f"several filters have this slug: {reference}", hint="write space/slug")
        if rows:
            return record(FILTER, rows[0])
    raise NotFound(f"no such filter: {reference}")


def _filters_named(caller: Caller, space: str, slug: str) -> Select[Any]:
    c = FILTER.table.c
    named = (c.filter_id == own_id(slug)) | (c.slug == slug)
    query = select(*columns(FILTER)).where(visible(FILTER, caller), named)
    if space:
        homes = select(spaces.c.space_id).where(spaces.c.slug == space, spaces.c.deleted_at.is_(None))
        query = query.where(c.space_id.in_(homes))
    return query


def _matching(
    hub: Hub,
    tx: Connection,
    caller: Caller,
    kind: Kind,
    listing: Listing,
    scope: Sequence[ColumnElement[bool]],
    attributes: frozenset[str] | None = None,
) -> list[Any]:
    """Return the plain records that are chosen, with some or all of their attributes."""
    expression = parser.parse(listing.where, kind.name)
    scopes = list(scope)
    if listing.filter:
        listing, expression, scopes = _with_filter(tx, caller, kind, listing, expression, scopes)
    has_re2 = hub.database.is_sqlite
    stored = Stored(kind, sets=known_sets(tx, caller, expression))
    conditions = [leading(tx, kind, expression), visible(kind, caller)]
    conditions += [sql.condition(expression, stored, has_re2=has_re2), *scopes]
    if listing.contains:
        conditions.append(sql.contains(kind.name, listing.contains, stored))
    if listing.after:
        conditions.append(kind.table.c.cursor_id > listing.after)
    patterns = Expression(kind.name) if has_re2 else expression.only_patterns()
    is_sifted = bool(listing.where_data or listing.resource_type or patterns.terms)
    if is_sifted:
        attributes = None
    query = select(*columns(kind, attributes)).where(*conditions).order_by(kind.table.c.cursor_id)
    if listing.limit is not None and not is_sifted:
        query = query.limit(listing.limit)
    found = records(kind, tx.execute(query), attributes)
    if not is_sifted:
        return found
    if patterns.terms:
        found = _with_patterns(tx, caller, kind, found, patterns)
    if listing.where_data or listing.resource_type:
        found = fillings.matching_data(tx, found, where_data=listing.where_data, resource_type=listing.resource_type)
    return found if listing.limit is None else found[: listing.limit]


def _with_filter(
    tx: Connection,
    caller: Caller,
    kind: Kind,
    listing: Listing,
    expression: Expression,
    scopes: list[ColumnElement[bool]],
) -> tuple[Listing, Expression, list[ColumnElement[bool]]]:
    stored_filter = find_filter(tx, caller, listing.filter)
    if stored_filter.from_ != kind.name:
        raise BadRequest(f"filter {listing.filter} is about {stored_filter.from_}, not about {kind.name}")
    if stored_filter.from_space_id and kind.is_in_space:
        scopes = [*scopes, kind.table.c.space_id == stored_filter.from_space_id]
    data_terms = [term for term in (stored_filter.where_data, listing.where_data) if term]
    resource_type = listing.resource_type or stored_filter.resource_type
    listing = replace(listing, where_data=" AND ".join(data_terms), resource_type=resource_type)
    return listing, expression.and_(parser.parse(stored_filter.where, kind.name)), scopes


def _with_patterns(tx: Connection, caller: Caller, kind: Kind, found: list[Any], patterns: Expression) -> list[Any]:
    """Return those that match the patterns, which this database cannot evaluate."""
    known = fields.of(kind.name).includes
    wanted = tuple(include for include, relation in known.items() if relation.name in patterns.relations)
    trees: list[dict[str, Any]] = [{kind.name: one} for one in found]
    if wanted:
        trees = [dict(includes.relations_of(one)) for one in includes.expand(tx, caller, kind, found, wanted)]
    return [one for one, tree in zip(found, trees, strict=True) if evaluate.matches(patterns, tree)]


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
