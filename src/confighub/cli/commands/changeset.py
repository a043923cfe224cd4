"""``cub changeset``: the start and the end of a change to many units."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confighub.cli.changing import create_command, delete_command, update_command
from confighub.cli.command import Group, option, space_option
from confighub.cli.kinds import Column, Kind
from confighub.cli.showing import get_command, list_command
from confighub.client.collection import CHANGE_SET
from confighub.client.names import find_in_project

if TYPE_CHECKING:
    from confighub.cli.call import Call
    from confighub.client.transport import Wire

KIND = Kind(
    CHANGE_SET,
    lambda hub: hub.change_sets,
    columns=(
        Column("NAME", "ChangeSet.Slug"),
        Column("SPACE", "Space.Slug"),
        Column("FILTER", "Filter.Slug"),
        Column("START-TAG", "StartTag.Slug"),
        Column("END-TAG", "EndTag.Slug"),
        Column("DESCRIPTION", "ChangeSet.Description"),
    ),
    select=(
        "ChangeSetID,Description,EndTag.Slug,EndTagID,Filter.Slug,FilterID,OrganizationID,Slug,Space.Slug,SpaceID,"
        "StartTag.Slug,StartTagID"
    ),
)

_CONTENT = (
    option("filter", "The filter that selects the units.", metavar="FILTER", complete="filters"),
    option("start-tag", "The tag of the revisions before.", metavar="TAG", complete="tags"),
    option("end-tag", "The tag of the revisions after.", metavar="TAG", complete="tags"),
    option("description", "What the change is.", metavar="TEXT"),
)


def fill(call: Call, record: Wire) -> None:
    """Put what the call says of the change set into the record."""
    for flag_name, key, records, id_key in (
        ("filter", "FilterID", call.hub.filters, "FilterID"),
        ("start-tag", "StartTagID", call.hub.tags, "TagID"),
        ("end-tag", "EndTagID", call.hub.tags, "TagID"),
    ):
        named = call.text(flag_name)
        if named:
            owner, _, slug = named.rpartition("/")
            found = find_in_project(records, call.hub.space, slug, space=owner or call.space_id)
            record[key] = found[records.noun.entity][id_key]
    if call.text("description"):
        record["Description"] = call.text("description")


GROUP = Group(
    "Change sets: the start and the end of a change to many units.",
    {
        "list": list_command(KIND, example="cub changeset list"),
        "get": get_command(KIND, example="cub changeset get release-v1.0"),
        "create": create_command(
            KIND,
            *_CONTENT,
            fill=fill,
            example="cub changeset create release-v1.0 --space my-traderx-prod --filter my-traderx/all",
        ),
        "update": update_command(
            KIND,
            *_CONTENT,
            fill=fill,
            example="cub changeset update release-v1.0 --patch --description 'spring release'",
        ),
        "delete": delete_command(KIND, example="cub changeset delete release-v1.0"),
        "apply": "changeset_apply:apply",
    },
    options=[space_option()],
)
