"""``cub tag``: names that revisions can carry."""

from __future__ import annotations

from confighub.cli.changing import create_command, delete_command, update_command
from confighub.cli.command import Group, space_option
from confighub.cli.kinds import Column, Kind
from confighub.cli.output import moment
from confighub.cli.showing import get_command, list_command
from confighub.client.collection import TAG

KIND = Kind(
    TAG,
    lambda hub: hub.tags,
    columns=(
        Column("NAME", "Tag.Slug"),
        Column("SPACE", "Space.Slug"),
        Column("DISPLAY-NAME", "Tag.DisplayName"),
        Column("CREATED-AT", "Tag.CreatedAt", moment),
    ),
    select="CreatedAt,DisplayName,OrganizationID,Slug,Space.Slug,SpaceID,TagID",
)

GROUP = Group(
    "Tags: names that revisions can carry.",
    {
        "list": list_command(KIND, example="cub tag list --space my-traderx-dev"),
        "get": get_command(KIND, example="cub tag get v1 --json"),
        "create": create_command(KIND, example="cub tag create v1 --label release=spring"),
        "update": update_command(KIND, example="cub tag update v1 --patch --label release=summer"),
        "delete": delete_command(KIND, example="cub tag delete v1"),
    },
    options=[space_option()],
)
