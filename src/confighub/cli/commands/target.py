"""``cub target``: places that units can be applied to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from confighub.cli.changing import create_command, delete_command, update_command
from confighub.cli.command import Group, argument, option, space_option
from confighub.cli.kinds import Column, Kind
from confighub.cli.showing import get_command, list_command
from confighub.client.collection import TARGET
from confighub.errors import BadRequest

if TYPE_CHECKING:
    from confighub.cli.call import Call
    from confighub.client.transport import Wire

KIND = Kind(
    TARGET,
    lambda hub: hub.targets,
    columns=(
        Column("NAME", "Target.Slug"),
        Column("WORKER", "BridgeWorker.Slug"),
        Column("PROVIDERTYPE", "Target.ProviderType"),
        Column("PARAMETERS", "Target.Parameters"),
        Column("SPACE", "Space.Slug"),
    ),
    select="BridgeWorker.Slug,BridgeWorkerID,OrganizationID,Parameters,ProviderType,Slug,Space.Slug,SpaceID,TargetID",
    is_got_extended=True,
    details=(
        Column("ID", "Target.TargetID"),
        Column("Name", "Target.Slug"),
        Column("Space", "Space.Slug"),
        Column("Worker", "BridgeWorker.Slug"),
        Column("Toolchain Type", "Target.ToolchainType"),
        Column("Provider Type", "Target.ProviderType"),
        Column("Parameters", "Target.Parameters"),
    ),
)

_ORIGIN = (
    option("from-target", "Copy the content of this target.", metavar="TARGET", complete="targets"),
    option("from-target-space", "The space of that target.", metavar="SPACE", complete="spaces"),
    option("provider", "Provider type.", metavar="TYPE", short="p"),
    option("toolchain", "Toolchain type.", metavar="TYPE", short="t"),
)


def fill(call: Call, record: Wire) -> None:
    """Put what the call says of the target into a new record."""
    if call.text("from-target"):
        space = call.text("from-target-space")
        space_id = call.hub.space_id(space) if space else call.space_id
        origin = call.hub.targets.find(call.text("from-target"), space_id=space_id)["Target"]
        for key in ("ToolchainType", "ProviderType", "Parameters", "BridgeWorkerID"):
            record.setdefault(key, origin.get(key))
    parameters = call.arg("parameters")
    if parameters:
        check_parameters(parameters)
        record["Parameters"] = parameters
    if call.arg("worker"):
        worker = call.hub.workers.find(call.arg("worker"), space_id=call.space_id)
        record["BridgeWorkerID"] = worker["BridgeWorker"]["BridgeWorkerID"]
    record["ProviderType"] = call.text("provider") or record.get("ProviderType") or "Kubernetes"
    record["ToolchainType"] = call.text("toolchain") or record.get("ToolchainType") or "Kubernetes/YAML"


def check_parameters(text: str) -> None:
    """Raise BadRequest unless the text is a JSON object, as workers expect."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise BadRequest(f"the parameters are not JSON: {error}") from error
    if not isinstance(value, dict):
        raise BadRequest("the parameters are no JSON object", hint='such as {"KubeContext":"kind-dev"}')


GROUP = Group(
    "Targets: places that units can be applied to.",
    {
        "list": list_command(KIND, example="cub target list --space '*'"),
        "get": get_command(KIND, example="cub target get dev-cluster"),
        "create": create_command(
            KIND,
            argument("parameters", required=False),
            argument("worker", required=False, complete="workers"),
            *_ORIGIN,
            fill=fill,
            bulk=False,
            example="""cub target create dev-cluster '{"KubeContext":"kind-dev"}' dev-worker""",
        ),
        "update": update_command(KIND, example="cub target update dev-cluster --patch --label region=eu"),
        "delete": delete_command(KIND, example="cub target delete dev-cluster"),
    },
    options=[space_option()],
)
