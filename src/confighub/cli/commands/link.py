"""``cub link``: units that need something from other units."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confighub.cli.changing import delete_command, destinations, report_many, store_new, update_command
from confighub.cli.command import Group, argument, command, flag, option, options, space_option
from confighub.cli.kinds import Column, Kind
from confighub.cli.record_input import DRY_RUN, RECORD_INPUT, given_record, label_patch, put_labels, slug_of
from confighub.cli.showing import DATA_OUTPUT, VERBOSE, get_command, list_command
from confighub.cli.waiting import WAITING
from confighub.client.collection import LINK
from confighub.errors import BadRequest

if TYPE_CHECKING:
    from confighub.cli.call import Call
    from confighub.client.transport import Wire

KIND = Kind(
    LINK,
    lambda hub: hub.links,
    columns=(
        Column("NAME", "Link.Slug"),
        Column("SPACE", "Space.Slug"),
        Column("FROM-UNIT", "FromUnit.Slug"),
        Column("TO-UNIT", "ToUnit.Slug"),
        Column("TO-SPACE", "ToSpace.Slug"),
    ),
    select=(
        "FromUnit.Slug,FromUnitID,LinkID,OrganizationID,Slug,Space.Slug,SpaceID,ToSpace.Slug,ToSpaceID,ToUnit.Slug,"
        "ToUnitID"
    ),
    details=(
        Column("ID", "Link.LinkID"),
        Column("Name", "Link.Slug"),
        Column("Space", "Space.Slug"),
        Column("From Unit", "FromUnit.Slug"),
        Column("To Unit", "ToUnit.Slug"),
        Column("To Space", "ToSpace.Slug"),
    ),
)

_ENDS = (
    argument("from-unit", required=False, complete="units"),
    argument("to-unit", required=False, complete="units"),
    argument("to-space", required=False, complete="spaces"),
)


def fill(call: Call, record: Wire) -> None:
    """Put both ends into the record, as far as the call names them."""
    if call.arg("from-unit"):
        unit = call.hub.unit(call.arg("from-unit"), space_id=call.space_id)["Unit"]
        record["FromUnitID"] = unit["UnitID"]
    if call.arg("to-unit"):
        named = call.arg("to-space")
        to_space_id = call.hub.space_id(named) if named else call.space_id
        record["ToUnitID"] = call.hub.unit(call.arg("to-unit"), space_id=to_space_id)["Unit"]["UnitID"]
        record["ToSpaceID"] = to_space_id


@command(
    argument("name", required=False),
    *_ENDS,
    space_option(),
    RECORD_INPUT,
    DATA_OUTPUT,
    VERBOSE,
    flag("allow-exists", "Be content when it exists already."),
    DRY_RUN,
    WAITING,
    options("dest-space", "Make links in these spaces.", metavar="SPACE,…", complete="spaces"),
    option("where-space", "Make links in the spaces that match.", metavar="EXPRESSION"),
    option("where-from", "Link from the units that match.", metavar="EXPRESSION"),
    option("where-to", "Link to the units that match.", metavar="EXPRESSION"),
    option("where-to-space", "Look for them in the spaces that match.", metavar="EXPRESSION"),
    example="cub link create web-to-trade web-gui trade-service --space my-traderx-dev",
)
def create(call: Call) -> None:
    """Create a link, or with --where-from and --where-to one for every pair.

    A name of - lets the hub choose one.
    """
    if call.text("where-from") or call.text("where-to"):
        if not (call.text("where-from") and call.text("where-to")):
            raise BadRequest("--where-from and --where-to belong together")
        done = call.hub.links.create_all(
            {**given_record(call), **label_patch(call)},
            where="",
            where_from=call.text("where-from"),
            where_to=call.text("where-to"),
            where_space=destinations(call) or call.scope.term,
            where_to_space=call.text("where-to-space"),
        )
        report_many(call, KIND, "create", done)
        return
    record = put_labels(call, given_record(call))
    fill(call, record)
    if not record.get("FromUnitID") or not record.get("ToUnitID"):
        raise BadRequest("a link needs two units", hint=f"{call.name} NAME FROM-UNIT TO-UNIT")
    name = call.arg("name") or str(record.get("Slug") or "")
    if not name:
        raise BadRequest("no name for the link", hint=f"{call.name} NAME FROM-UNIT TO-UNIT; - has the hub choose one")
    if name == "-":
        record.update({"Slug": "", "DisplayName": ""})
    else:
        record = {"DisplayName": name, **record, "Slug": slug_of(name)}
    store_new(call, KIND, record)


GROUP = Group(
    "Links: units that need something from other units.",
    {
        "list": list_command(KIND, example="cub link list"),
        "get": get_command(KIND, example="cub link get web-to-trade"),
        "create": create,
        "update": update_command(
            KIND, *_ENDS, *WAITING, fill=fill, example="cub link update web-to-trade web-gui trade-service"
        ),
        "delete": delete_command(KIND, *WAITING, example="cub link delete web-to-trade"),
    },
    options=[space_option()],
)
