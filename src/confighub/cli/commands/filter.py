"""``cub filter``: stored where-expressions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confighub.cli.changing import create_command, delete_command, update_command
from confighub.cli.command import Group, argument, option, options, space_option
from confighub.cli.kinds import Column, Kind
from confighub.cli.showing import get_command, list_command
from confighub.client.collection import FILTER, conjoined

if TYPE_CHECKING:
    from confighub.cli.call import Call
    from confighub.client.transport import Wire

KIND = Kind(
    FILTER,
    lambda hub: hub.filters,
    columns=(
        Column("NAME", "Filter.Slug"),
        Column("SPACE", "Space.Slug"),
        Column("FROM", "Filter.From"),
        Column("WHERE", "Filter.Where"),
        Column("WHERE-DATA", "Filter.WhereData"),
        Column("RESOURCE-TYPE", "Filter.ResourceType"),
        Column("FROM-SPACE", "FromSpace.Slug"),
    ),
    select=(
        "FilterID,From,FromSpace.Slug,FromSpaceID,OrganizationID,ResourceType,Slug,Space.Slug,SpaceID,Where,WhereData"
    ),
    details=(
        Column("ID", "Filter.FilterID"),
        Column("Name", "Filter.Slug"),
        Column("Space", "Space.Slug"),
        Column("From", "Filter.From"),
        Column("Where", "Filter.Where"),
        Column("Where Data", "Filter.WhereData"),
        Column("Resource Type", "Filter.ResourceType"),
        Column("From Space", "FromSpace.Slug"),
        Column("Hash", "Filter.Hash"),
    ),
)

_CONTENT = (
    argument("from", required=False),
    option("where-data", "A condition on the units' configuration.", metavar="EXPRESSION"),
    option("resource-type", "Which resources the condition is about.", metavar="TYPE"),
    option("from-space", "Look into this space only.", metavar="SPACE", complete="spaces"),
    options("where-field", "One term of the where-expression; may be repeated.", metavar="TERM"),
)


def fill(call: Call, record: Wire) -> None:
    """Put what the call says of the filter's content into the record."""
    where = conjoined(call.text("where") if call.arg("name") else "", *call.words("where-field"))
    said = {
        "From": call.arg("from"),
        "Where": where,
        "WhereData": call.text("where-data"),
        "ResourceType": call.text("resource-type"),
    }
    record.update({key: value for key, value in said.items() if value})
    if call.text("from-space"):
        record["FromSpaceID"] = call.hub.space_id(call.text("from-space"))


GROUP = Group(
    "Filters: stored where-expressions.",
    {
        "list": list_command(KIND, example="cub filter list --space my-traderx-filters"),
        "get": get_command(KIND, example="cub filter get backend --space my-traderx-filters"),
        "create": create_command(
            KIND, *_CONTENT, fill=fill, example="cub filter create backend Unit --where \"Labels.layer = 'backend'\""
        ),
        "update": update_command(
            KIND, *_CONTENT, fill=fill, example="cub filter update backend --patch --where \"Labels.tier = 'b'\""
        ),
        "delete": delete_command(KIND, example="cub filter delete backend"),
    },
    options=[space_option()],
)
