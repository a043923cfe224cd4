"""``cub set``: groups of units, by an expression and by pinning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confighub.cli.changing import create_command, delete_command, report_many, update_command
from confighub.cli.command import Group, argument, command, flag, option, space_option
from confighub.cli.kinds import Column, Kind, common_details
from confighub.cli.output import pairs
from confighub.cli.record_input import DRY_RUN
from confighub.cli.selecting import FILTER, UNITS, WHERE, chosen_units, where_of
from confighub.cli.showing import DATA_OUTPUT, SELECT, list_command
from confighub.client.collection import SET, UNIT, Records, any_of, conjoined, quoted
from confighub.client.names import Selection
from confighub.errors import BadRequest, NotFound

if TYPE_CHECKING:
    from confighub.cli.call import Call
    from confighub.client.transport import Wire

KIND = Kind(
    SET,
    lambda hub: hub.sets,
    columns=(Column("NAME", "Set.Slug"), Column("SPACE", "Space.Slug")),
    select="OrganizationID,SetID,Slug,Space.Slug,SpaceID",
)
UNIT_KIND = Kind(UNIT, lambda hub: hub.units, columns=(), select="")

_MEMBERS = (argument("name", complete="sets"), space_option(), UNITS, WHERE, FILTER, DRY_RUN, *DATA_OUTPUT)


def fill(call: Call, record: Wire) -> None:
    """Put the expression of the members into the record."""
    if call.text("where"):
        record["Where"] = call.text("where")


def members_of(call: Call, found: Wire) -> Records:
    """Return the extended units of a set, pinned or matching, in the set's project or ``--space``."""
    record = found["Set"]
    home = call.hub.space(str(record["SpaceID"]))
    project = (home.get("Labels") or {}).get("project")
    scope = f"Space.Labels.project = {quoted(project)}" if project else f"SpaceID = {quoted(record['SpaceID'])}"
    if call.text("space") and call.scope.space_id and call.scope.space_id != record["SpaceID"]:
        scope = call.scope.term
    terms = [f"SetID = {quoted(record['SetID'])}"] + ([record["Where"]] if record.get("Where") else [])
    asked = {"include": "SpaceID", "select": "Slug,SpaceID,UnitID,Labels"}
    by_id = {
        one["Unit"]["UnitID"]: one
        for term in terms
        for one in call.hub.units.list(where=conjoined(term, scope), **asked)
    }
    return sorted(by_id.values(), key=lambda one: ((one.get("Space") or {}).get("Slug", ""), one["Unit"]["Slug"]))


@command(
    argument("name", complete="sets"), space_option(), SELECT, DATA_OUTPUT, example="cub set get critical-services"
)
def get(call: Call) -> None:
    """Show a set and its members.

    The set is looked for in the space, then in the filters space of its project. With --space
    the members in that space are shown, else those of the whole project.
    """
    found = call.hub.set(call.arg("name"), space=call.space_id)
    units = members_of(call, found)
    names = [f"{(one.get('Space') or {}).get('Slug', '')}/{one['Unit']['Slug']}" for one in units]
    shown = {**found["Set"], "Units": [one["Unit"] for one in units]}
    rows = [(one.title, one.cell(found)) for one in (*common_details(SET), Column("Where", "Set.Where"))]
    rows += [("Members" if not position else "", name) for position, name in enumerate(names)]
    call.out.show(shown, lambda: pairs(rows))


@command(
    *_MEMBERS,
    example="cub set add-units critical-services --filter \"Labels.service IN ('trade-service', 'position-service')\"",
)
def add_units(call: Call) -> None:
    """Add units to a set: an expression makes membership dynamic, --unit pins single units.

    A set has one expression. When it has another already, or the filter looks into the configuration, the
    units that match now are pinned.
    """
    found = call.hub.set(call.arg("name"), space=call.space_id)
    record = found["Set"]
    filtered = call.hub.filter(call.text("filter"), space=call.space_id) if call.text("filter") else Selection()
    expression = conjoined(call.text("where"), filtered.where)
    looks_inside = bool(filtered.where_data or filtered.resource_type)
    if not expression and not call.many("unit") and not looks_inside:
        raise BadRequest("which units?", hint="--filter EXPRESSION, --where EXPRESSION or --unit a,b")
    if not call.many("unit") and not looks_inside and record.get("Where") in ("", None, expression):
        changed = call.hub.sets.update(
            record["SetID"], {**record, "Where": expression}, space_id=str(record["SpaceID"])
        )
        members = members_of(call, {"Set": {**record, **changed}})
        holds = "would hold" if call.is_dry_run else "holds"
        sentence = f"Set {record['Slug']} {holds} the units where {expression}: {len(members)} now"
        call.out.show(changed, lambda: sentence)
        return
    selection = chosen_units(call)
    matching = [one["Unit"]["UnitID"] for one in call.hub.units.list(include="", select="Slug", **selection.query)]
    if not matching:
        raise NotFound(f"no unit matches: {selection.where}")
    done = call.hub.units.patch_all({"SetID": record["SetID"]}, where=any_of("UnitID", matching))
    report_many(call, UNIT_KIND, "update", done)


@command(
    *_MEMBERS,
    flag("all", "Unpin every unit."),
    example="cub set remove-units critical-services --unit position-service-deployment",
)
def remove_units(call: Call) -> None:
    """Unpin units from a set; what its expression selects stays."""
    record = call.hub.set(call.arg("name"), space=call.space_id)["Set"]
    pinned = f"SetID = {quoted(record['SetID'])}"
    if not call.yes("all") and not (call.many("unit") or call.text("where") or call.text("filter")):
        raise BadRequest("which units?", hint="--unit a,b, --where EXPRESSION or --all")
    where = pinned if call.yes("all") else conjoined(where_of(call), pinned)
    done = call.hub.units.patch_all({"SetID": None}, where=where)
    report_many(call, UNIT_KIND, "update", done)


_WHERE = option("where", "The expression that selects the members.", metavar="EXPRESSION")

GROUP = Group(
    "Sets: groups of units, by an expression and by pinning.",
    {
        "list": list_command(KIND, example="cub set list --space my-traderx-filters"),
        "get": get,
        "create": create_command(
            KIND, _WHERE, fill=fill, bulk=False, example="cub set create critical-services --label tier=critical"
        ),
        "update": update_command(
            KIND, _WHERE, fill=fill, bulk=False, example="cub set update critical-services --label monitor=true"
        ),
        "delete": delete_command(KIND, bulk=False, example="cub set delete critical-services"),
        "add-units": add_units,
        "remove-units": remove_units,
    },
    options=[space_option()],
)
