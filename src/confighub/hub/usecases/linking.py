"""Links resolved: what a unit needs comes from the units that it links to, and follows them when they change.

resolved(tx, unit, text) -> (text, steps): the needs of a text about to be stored, filled through the unit's links
resolve_unit(tx, hub, caller, unit_id): do that for a head that is there, since a link is new
follow(tx, hub, caller, provider, before_num): bring the units that link to this one along with its new names

Whoever made the link wanted its values to come along, so no right in the space of the needing unit is asked for.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, select

from confighub.hub.caller import Caller
from confighub.hub.domain import needs
from confighub.hub.domain.describing import described
from confighub.hub.domain.mutations import YAML, Origin, Step
from confighub.hub.hub import Hub
from confighub.hub.kinds import LINK, SPACE, UNIT
from confighub.hub.store.entities import links, units
from confighub.hub.store.history import mutation_sources, mutations
from confighub.hub.store.rows import columns, record
from confighub.hub.usecases.fillings import revision_text, text_of
from confighub.records.units import Link, Unit

SOURCE = "Link"
"""What a revision made by a link says of itself."""


def resolved(tx: Connection, unit: Unit, text: str) -> tuple[str, list[Step]]:
    """Return the text with its needs filled as far as the unit's links provide, and a step for each value."""
    steps: list[Step] = []
    if unit.toolchain_type != YAML or needs.PLACEHOLDER not in text:
        return text, steps
    for link in _links(tx, links.c.from_unit_id == unit.unit_id):
        offers = needs.provided(text_of(tx, link.to_unit_id or ""), unit.toolchain_type)
        for offer in offers:
            wanted = needs.needed(text, unit.toolchain_type)
            places = [need for need in wanted if needs.fitting(need, offers) == offer]
            text, steps = _fill(text, steps, link, offer, places)
    return text, steps


def resolve_unit(tx: Connection, hub: Hub, caller: Caller, unit_id: str | None) -> None:
    """Fill the needs of the unit's head; nothing is written when nothing can be filled."""
    unit = _unit(tx, unit_id)
    text, steps = resolved(tx, unit, unit.data.decode())
    _store(tx, hub, caller, unit, text, steps)


def follow(tx: Connection, hub: Hub, caller: Caller, provider: Unit, before_num: int) -> None:
    """Set what links to this unit have set to what it provides now, and fill what it did not provide at that revision.

    The provider has its new data.
    """
    if provider.toolchain_type != YAML or not before_num:
        return
    leading_here = _links(tx, links.c.to_unit_id == provider.unit_id)
    if not leading_here:
        return
    offers = needs.provided(provider.data.decode(), YAML)
    if offers == needs.provided(revision_text(tx, provider.unit_id or "", before_num), YAML):
        return
    for link in leading_here:
        unit = _unit(tx, link.from_unit_id)
        text, steps = unit.data.decode(), list[Step]()
        for was, places in _set_by(tx, link, unit):
            now = _successor(was, offers)
            if now is not None:
                text, steps = _fill(text, steps, link, now, places)
        text, more = resolved(tx, unit, text)
        _store(tx, hub, caller, unit, text, [*steps, *more])


def _fill(
    text: str, steps: list[Step], link: Link, offer: needs.Attribute, places: list[needs.Attribute]
) -> tuple[str, list[Step]]:
    if not places:
        return text, steps
    new, records = needs.filled(text, YAML, places, offer.value)
    if new == text:
        return text, steps
    origin = Origin(link_id=link.link_id, provided_resource=offer.resource, provided_path=offer.path)
    return new, [*steps, Step(origin, records)]


def _store(tx: Connection, hub: Hub, caller: Caller, unit: Unit, text: str, steps: list[Step]) -> None:
    """Make the text the unit's head, unless it is that already."""
    from confighub.hub.usecases import heads
    from confighub.hub.usecases.unit_changes import Proposal, carry_out

    old = unit.data.decode()
    if text == old:
        return
    row = tx.execute(select(*columns(SPACE)).where(SPACE.id_column == unit.space_id)).one()
    told = described([each for step in steps for each in step.records], old)
    space = record(SPACE, row)
    planned = heads.plan(tx, unit, space, heads.Draft(text, tuple(steps), SOURCE, f"linked: {told}"))
    carry_out(tx, hub, caller, Proposal(unit, heads.replace_unit(unit), space, planned, []))


def _set_by(tx: Connection, link: Link, unit: Unit) -> list[tuple[needs.Attribute, list[needs.Attribute]]]:
    """Return what the link provided to the unit, each with the places that still hold it."""
    c = mutations.c
    query = select(c.mutation_num, c.provided_resource, c.provided_path)
    own = c.link_id == link.link_id, c.unit_id == unit.unit_id
    given = {row.mutation_num: row for row in tx.execute(query.where(*own).order_by(c.mutation_num))}
    if not given:
        return []
    sources = tx.execute(select(mutation_sources.c.sources).where(mutation_sources.c.unit_id == unit.unit_id)).scalar()
    places: dict[int, list[needs.Attribute]] = {}
    for source in sources or []:
        resource = needs.named_now(unit.data.decode(), source)
        for path, info in source.path_mutation_map.items():
            if resource is not None and info.index in given:
                places.setdefault(info.index, []).append(needs.Attribute(resource, path, "", None, "string"))
    return [
        (needs.Attribute(given[number].provided_resource, given[number].provided_path, "", None, ""), found)
        for number, found in sorted(places.items())
    ]


def _successor(was: needs.Attribute, offers: list[needs.Attribute]) -> needs.Attribute | None:
    """Return what stands now where the value came from; a resource of another name only if none other differs."""
    alike = [one for one in offers if (one.resource.resource_type, one.path) == (was.resource.resource_type, was.path)]
    same = [one for one in alike if one.resource.resource_name == was.resource.resource_name]
    if same:
        return same[0]
    return alike[0] if len({str(one.value) for one in alike}) == 1 else None


def _links(tx: Connection, *conditions: ColumnElement[bool]) -> list[Link]:
    query = select(*columns(LINK)).where(*conditions, links.c.deleted_at.is_(None)).order_by(links.c.cursor_id)
    return [record(LINK, row) for row in tx.execute(query)]


def _unit(tx: Connection, unit_id: str | None) -> Unit:
    unit: Unit = record(UNIT, tx.execute(select(*columns(UNIT)).where(units.c.unit_id == unit_id)).one())
    unit.data = text_of(tx, unit.unit_id or "").encode()
    return unit
