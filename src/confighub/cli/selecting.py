"""Which units a command means: one by name, or many by ``--unit``, ``--where`` and ``--filter``.

A filter and a where-expression narrow each other, and a named space always narrows both (C-10).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from confighub.cli.command import option, options
from confighub.client.collection import Noun, any_of, is_id
from confighub.client.names import Selection
from confighub.errors import BadRequest, NotFound

if TYPE_CHECKING:
    from confighub.cli.call import Call
    from confighub.client.transport import Wire

WHERE = option("where", "A where-expression.", metavar="EXPRESSION")
FILTER = option(
    "filter",
    "A filter: SLUG, SPACE/SLUG, PROJECT/SLUG, or an expression.",
    metavar="FILTER",
    complete="filters",
)
UNITS = options("unit", "Units by slug or id.", metavar="UNIT,…", complete="units")
MANY_UNITS = (UNITS, WHERE, FILTER)


def id_term(noun: Noun, names: list[str]) -> str:
    """Return the term that selects by slugs or by ids. Raises: BadRequest when they are mixed."""
    ids = [is_id(name) for name in names]
    if any(ids) and not all(ids):
        raise BadRequest(f"slugs and ids cannot be mixed: {', '.join(names)}")
    return any_of(noun.id_key if all(ids) else "Slug", names)


def wants_many(call: Call) -> bool:
    """Tell whether the command selects units instead of naming one."""
    return bool(call.many("unit") or call.text("where") or call.text("filter"))


def chosen_units(call: Call) -> Selection:
    """Return what the selecting options ask for, inside the space; everything there without any.

    Names of services stand for their Deployments. Raises: BadRequest when ``--unit`` and
    ``--where`` are both given.
    """
    names = call.many("unit")
    if names and call.text("where"):
        raise BadRequest("--unit and --where cannot be combined")
    selection = Selection()
    if call.text("filter"):
        selection = call.hub.filter(call.text("filter"), space=home_of_filters(call))
    terms = [id_term(call.hub.units.noun, _slugs(call, names))] if names else []
    return selection.narrowed(call.text("where"), *terms, call.scope.term)


def where_of(call: Call) -> str:
    """Return the where-expression of the units that the selecting options mean, since bulk calls take nothing more.

    What a filter looks for in the configuration is answered first, and becomes a list of ids.
    Raises: NotFound when no unit has it.
    """
    selection = chosen_units(call)
    if not selection.where_data and not selection.resource_type:
        return selection.where
    found = call.hub.units.list(include="", select="Slug", **selection.query)
    if not found:
        raise NotFound(f"no unit in {call.scope.words} matches the filter")
    return any_of("UnitID", [str(one["Unit"]["UnitID"]) for one in found])


def units_meant(call: Call, *, include: str = "TargetID,SpaceID,UpstreamUnitID,UnitEventID") -> list[Wire]:
    """Return the extended units that the selecting options mean.

    Raises: NotFound when there are none, because a command on nothing is a mistake.
    """
    selection = chosen_units(call)
    units = call.hub.units.list(include=include, **selection.query)
    if not units:
        raise NotFound(f"no unit in {call.scope.words} matches: {selection.where or 'everything'}")
    return units


def the_unit(call: Call, name: str) -> Wire:
    """Return the one extended unit of that name in the call's space, which may be written SPACE/UNIT."""
    owner, slash, slug = name.rpartition("/")
    if slash:
        return call.hub.unit(slug, space_id=call.hub.space_id(owner))
    return call.hub.unit(name, space_id=call.space_id)


def _slugs(call: Call, names: list[str]) -> list[str]:
    """Return slugs for names of services; what is a slug or an id already stays."""
    space_id = call.scope.space_id
    if not space_id or all(is_id(name) for name in names):
        return names
    known = {
        one["Unit"]["Slug"]
        for one in call.hub.units.list(where=any_of("Slug", names), space_id=space_id, select="Slug", include="")
    }
    return [
        name if name in known or is_id(name) else str(call.hub.unit(name, space_id=space_id)["Unit"]["Slug"])
        for name in names
    ]


def home_of_filters(call: Call) -> str:
    """Return the space whose filters are meant: the command's, or for ``*`` the context's."""
    if call.scope.space_id:
        return call.scope.space_id
    context = call.home.context()
    return context.space or context.space_id
