"""``cub view``: how to show what a filter selects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confighub.cli.changing import create_command, delete_command, update_command
from confighub.cli.command import Group, argument, option, options, space_option
from confighub.cli.kinds import Column, Kind, plain
from confighub.cli.showing import get_command, list_command
from confighub.client.collection import VIEW
from confighub.client.names import find_in_project

if TYPE_CHECKING:
    from confighub.cli.call import Call
    from confighub.client.transport import Wire


def columns_of(value: object) -> str:
    """Return the names of a view's columns, comma separated."""
    return ",".join(plain(one.get("Name")) for one in value) if isinstance(value, list) else ""


KIND = Kind(
    VIEW,
    lambda hub: hub.views,
    columns=(
        Column("NAME", "View.Slug"),
        Column("SPACE", "Space.Slug"),
        Column("FILTER", "Filter.Slug"),
        Column("COLUMNS", "View.Columns", columns_of),
        Column("GROUP-BY", "View.GroupBy"),
        Column("ORDER-BY", "View.OrderBy"),
    ),
    select="Columns,Filter.Slug,FilterID,GroupBy,OrderBy,OrganizationID,Slug,Space.Slug,SpaceID,ViewID",
)

_CONTENT = (
    argument("of", required=False),
    option("filter", "The filter whose records are shown.", metavar="FILTER", complete="filters"),
    options("column", "A column, by the path of its field.", metavar="FIELD,…"),
    option("group-by", "The column to group by.", metavar="FIELD"),
    option("order-by", "The column to order by.", metavar="FIELD"),
    option("order-by-direction", "ASC or DESC.", metavar="DIRECTION"),
)


def fill(call: Call, record: Wire) -> None:
    """Put what the call says of the view's content into the record."""
    chosen = call.arg("of") or call.text("filter")
    if chosen:
        owner, _, slug = chosen.rpartition("/")
        found = find_in_project(call.hub.filters, call.hub.space, slug, space=owner or call.space_id)
        record["FilterID"] = found["Filter"]["FilterID"]
    if call.many("column"):
        record["Columns"] = [{"Name": name} for name in call.many("column")]
    said = {
        "GroupBy": call.text("group-by"),
        "OrderBy": call.text("order-by"),
        "OrderByDirection": call.text("order-by-direction"),
    }
    record.update({key: value for key, value in said.items() if value})


GROUP = Group(
    "Views: how to show what a filter selects.",
    {
        "list": list_command(KIND, example="cub view list"),
        "get": get_command(KIND, example="cub view get overview --json"),
        "create": create_command(
            KIND,
            *_CONTENT,
            fill=fill,
            example="cub view create overview backend --column Slug --column Labels.order --order-by Slug",
        ),
        "update": update_command(
            KIND, *_CONTENT, fill=fill, example="cub view update overview --patch --group-by Space.Slug"
        ),
        "delete": delete_command(KIND, example="cub view delete overview"),
    },
    options=[space_option()],
)
