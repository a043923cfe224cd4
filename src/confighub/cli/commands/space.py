"""``cub space``: the drawers that hold units."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confighub.cli.changing import create_command, delete_command, update_command
from confighub.cli.command import Group, argument, command
from confighub.cli.kinds import Column, Kind, plain
from confighub.cli.output import labels, moment_utc
from confighub.cli.showing import DATA_OUTPUT, SELECT, list_command, show_record
from confighub.client.collection import SPACE

if TYPE_CHECKING:
    from confighub.cli.call import Call


def total(value: object) -> str:
    """Return the sum of a map of counts."""
    return str(sum(value.values())) if isinstance(value, dict) else "0"


def environment(value: object) -> str:
    """Return the label that says which environment a space is, in any of its three spellings."""
    held = value if isinstance(value, dict) else {}
    return str(held.get("Environment") or held.get("environment") or held.get("env") or "")


def count(value: object) -> str:
    """Return a count; 0 for none."""
    return str(value or 0)


KIND = Kind(
    SPACE,
    lambda hub: hub.spaces,
    in_space=False,
    columns=(
        Column("NAME", "Space.Slug"),
        Column("ENVIRONMENT", "Space.Labels", environment),
        Column("#UNITS", "TotalUnitCount", count),
        Column("#GATED", "GatedUnitCount", count),
        Column("#UPGRADABLE", "UpgradableUnitCount", count),
        Column("#WORKERS", "TotalBridgeWorkerCount", count),
        Column("#TARGETS", "TargetCountByToolchainType", total),
        Column("#TRIGGERS", "TriggerCountByEventType", total),
    ),
    select="Labels,OrganizationID,Slug,SpaceID",
    query={"summary": "true"},
    is_got_extended=True,
    details=(
        Column("ID", "Space.SpaceID"),
        Column("Name", "Space.Slug"),
        Column("Created At", "Space.CreatedAt", moment_utc),
        Column("Updated At", "Space.UpdatedAt", moment_utc),
        Column("Labels", "Space.Labels", labels),
        Column("Annotations", "Space.Annotations", labels),
        Column("Organization ID", "Space.OrganizationID"),
        Column("# Units", "TotalUnitCount", count),
        Column("# Unapplied Units", "UnappliedUnitCount", count),
        Column("# Unapproved Units", "UnapprovedUnitCount", count),
        Column("# Gated Units", "GatedUnitCount", count),
        Column("# Upgradable Units", "UpgradableUnitCount", count),
        Column("# Unlinked Units", "UnlinkedUnitCount", count),
        Column("# Recently Changed Units", "RecentChangeUnitCount", count),
        Column("# Incomplete Applies", "IncompleteApplyUnitCount", count),
        Column("# Workers", "TotalBridgeWorkerCount", count),
        Column("# Targets", "TargetCountByToolchainType", total),
        Column("# Triggers", "TriggerCountByEventType", total),
    ),
)


@command(argument("name", complete="spaces"), SELECT, DATA_OUTPUT, example="cub space get my-traderx-dev")
def get(call: Call) -> None:
    """Show one space and what is in it."""
    space = call.hub.space(call.arg("name"))
    extended = call.hub.spaces.get(str(space["SpaceID"]), summary="true", select=call.text("select"))
    show_record(call, KIND, extended)


@command(DATA_OUTPUT, example="prefix=$(cub space new-prefix)")
def new_prefix(call: Call) -> None:
    """Print two words that start no space's name yet."""
    prefix = call.hub.new_prefix()
    call.out.show({"Prefix": prefix}, lambda: prefix)


@command(argument("name", complete="spaces"), example="cub space set my-traderx-dev")
def make_current(call: Call) -> None:
    """Make a space the current one; the same as `cub context set --space`."""
    space = call.hub.space(call.arg("name"))
    context = call.home.context()._replace(space=plain(space.get("Slug")), space_id=plain(space.get("SpaceID")))
    call.home.keep_context(context)
    call.out.say(f"Current space set to {context.space} ({context.space_id})")


GROUP = Group(
    "Spaces: the drawers that hold units.",
    {
        "list": list_command(KIND, example="cub space list --where \"Labels.environment = 'dev'\""),
        "get": get,
        "create": create_command(KIND, example="cub space create my-traderx-dev --label environment=dev"),
        "update": update_command(KIND, example="cub space update my-space --patch --label owner=payments"),
        "delete": delete_command(KIND, example="cub space delete my-space"),
        "new-prefix": new_prefix,
        "set": make_current,
    },
)
