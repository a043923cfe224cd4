"""``cub invocation``: function calls under a name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confighub.cli.calls import arguments_of
from confighub.cli.changing import create_command, delete_command, update_command
from confighub.cli.command import Group, argument, option, space_option
from confighub.cli.kinds import Column, Kind
from confighub.cli.showing import get_command, list_command
from confighub.client.collection import INVOCATION

if TYPE_CHECKING:
    from confighub.cli.call import Call
    from confighub.client.transport import Wire


def count(value: object) -> str:
    """Return how many arguments a call has."""
    return str(len(value)) if isinstance(value, list) else "0"


KIND = Kind(
    INVOCATION,
    lambda hub: hub.invocations,
    columns=(
        Column("NAME", "Invocation.Slug"),
        Column("SPACE", "Space.Slug"),
        Column("WORKER", "BridgeWorker.Slug"),
        Column("TOOLCHAIN-TYPE", "Invocation.ToolchainType"),
        Column("FUNCTION-NAME", "Invocation.FunctionName"),
        Column("NUM-ARGS", "Invocation.Arguments", count),
    ),
    select=(
        "Arguments,BridgeWorker.Slug,BridgeWorkerID,FunctionName,InvocationID,OrganizationID,Slug,Space.Slug,SpaceID,"
        "ToolchainType"
    ),
)

CALLED = (
    argument("toolchain", required=False),
    argument("function", required=False, complete="functions"),
    argument("arguments", required=False, many=True),
    option("worker", "The worker that runs the function.", metavar="WORKER", complete="workers"),
)


def fill_call(call: Call, record: Wire) -> None:
    """Put the toolchain, the function, its arguments and its worker into the record."""
    if call.arg("toolchain"):
        record["ToolchainType"] = call.arg("toolchain")
    if call.arg("function"):
        record["FunctionName"] = call.arg("function")
        record["Arguments"] = arguments_of(call.args("arguments")) or None
    if call.text("worker"):
        worker = call.hub.workers.find(call.text("worker"), space_id=call.space_id)
        record["BridgeWorkerID"] = worker["BridgeWorker"]["BridgeWorkerID"]


GROUP = Group(
    "Invocations: function calls under a name.",
    {
        "list": list_command(KIND, example="cub invocation list"),
        "get": get_command(KIND, example="cub invocation get three-replicas"),
        "create": create_command(
            KIND,
            *CALLED,
            fill=fill_call,
            example="cub invocation create three-replicas Kubernetes/YAML set-replicas 3",
        ),
        "update": update_command(
            KIND,
            *CALLED,
            fill=fill_call,
            example="cub invocation update three-replicas Kubernetes/YAML set-replicas 4",
        ),
        "delete": delete_command(KIND, example="cub invocation delete three-replicas"),
    },
    options=[space_option()],
)
