"""``cub trigger``: function calls that run on an event of the units in a space."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confighub.cli.changing import create_command, delete_command, update_command
from confighub.cli.command import Group, argument, flag, space_option
from confighub.cli.commands.invocation import CALLED, count, fill_call
from confighub.cli.kinds import Column, Kind
from confighub.cli.output import yes_no
from confighub.cli.showing import get_command, list_command
from confighub.client.collection import TRIGGER

if TYPE_CHECKING:
    from confighub.cli.call import Call
    from confighub.client.transport import Wire

KIND = Kind(
    TRIGGER,
    lambda hub: hub.triggers,
    columns=(
        Column("NAME", "Trigger.Slug"),
        Column("SPACE", "Space.Slug"),
        Column("WORKER", "BridgeWorker.Slug"),
        Column("EVENT", "Trigger.Event"),
        Column("VALIDATING", "Trigger.Validating", yes_no),
        Column("DISABLED", "Trigger.Disabled", yes_no),
        Column("ENFORCED", "Trigger.Enforced", yes_no),
        Column("TOOLCHAIN-TYPE", "Trigger.ToolchainType"),
        Column("FUNCTION-NAME", "Trigger.FunctionName"),
        Column("NUM-ARGS", "Trigger.Arguments", count),
    ),
    select=(
        "Arguments,BridgeWorker.Slug,BridgeWorkerID,Disabled,Enforced,Event,FunctionName,OrganizationID,Slug,"
        "Space.Slug,SpaceID,ToolchainType,TriggerID,Validating"
    ),
)

_SWITCHES = (
    flag("disable", "Do not run it for now."),
    flag("enforce", "Run it in every space of the organization."),
)
_CONTENT = (argument("event", required=False), *CALLED)


def fill(call: Call, record: Wire) -> None:
    """Put what the call says of the trigger into the record."""
    if call.arg("event"):
        record["Event"] = call.arg("event")
    fill_call(call, record)
    for switch, key, value in (
        ("disable", "Disabled", True),
        ("enable", "Disabled", False),
        ("enforce", "Enforced", True),
        ("unenforce", "Enforced", False),
    ):
        if call.yes(switch):
            record[key] = value


GROUP = Group(
    "Triggers: function calls that run when units change.",
    {
        "list": list_command(KIND, example="cub trigger list"),
        "get": get_command(KIND, example="cub trigger get no-placeholders"),
        "create": create_command(
            KIND,
            *_CONTENT,
            *_SWITCHES,
            fill=fill,
            example="cub trigger create no-placeholders Mutation Kubernetes/YAML no-placeholders",
        ),
        "update": update_command(
            KIND,
            *_CONTENT,
            *_SWITCHES,
            flag("enable", "Run it again."),
            flag("unenforce", "Run it in its own space only."),
            fill=fill,
            example="cub trigger update no-placeholders --patch --disable",
        ),
        "delete": delete_command(KIND, example="cub trigger delete no-placeholders"),
    },
    options=[space_option()],
)
