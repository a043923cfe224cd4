"""``cub worker``: the processes that carry out operations near a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confighub.cli.changing import delete_command, store_new, update_command
from confighub.cli.command import Group, argument, command, flag, option, options, space_option
from confighub.cli.kinds import Column, Kind
from confighub.cli.output import an_id, labels, moment, moment_utc, pairs
from confighub.cli.record_input import DRY_RUN, RECORD_INPUT, given_record, put_labels, slug_of
from confighub.cli.selecting import WHERE
from confighub.cli.showing import (
    CONTAINS,
    DATA_OUTPUT,
    LIST_OUTPUT,
    SELECT,
    VERBOSE,
    list_command,
    show_list,
    show_record,
    the_record,
)
from confighub.cli.typed import truth
from confighub.cli.waiting import WAITING, seconds
from confighub.client.collection import WORKER, Noun

if TYPE_CHECKING:
    from confighub.cli.call import Call
    from confighub.client.transport import Wire

KIND = Kind(
    WORKER,
    lambda hub: hub.workers,
    said="bridgeworker",
    columns=(
        Column("NAME", "BridgeWorker.Slug"),
        Column("CONDITION", "BridgeWorker.Condition"),
        Column("SPACE", "Space.Slug"),
        Column("LAST-SEEN", "BridgeWorker.LastSeenAt", moment),
    ),
    select="BridgeWorkerID,Condition,LastSeenAt,OrganizationID,Secret,Slug,Space.Slug,SpaceID",
    details=(
        Column("ID", "BridgeWorker.BridgeWorkerID", an_id),
        Column("Name", "BridgeWorker.Slug"),
        Column("Space", "Space.Slug"),
        Column("Condition", "BridgeWorker.Condition"),
        Column("Last Seen At", "BridgeWorker.LastSeenAt", moment_utc),
        Column("Last Message", "BridgeWorker.LastMessage"),
        Column("Auto Apply", "BridgeWorker.AutoApply"),
        Column("Poll Interval", "BridgeWorker.PollInterval"),
        Column("Labels", "BridgeWorker.Labels", labels),
    ),
)
STATUS_KIND = Kind(
    Noun("status", "BridgeWorkerStatus", "status"),
    lambda hub: hub.workers,
    columns=(
        Column("ID", "BridgeWorkerStatusID"),
        Column("STATUS", "Status"),
        Column("REMOTE IP", "IPAddress"),
        Column("SEEN AT", "SeenAt", moment_utc),
    ),
    select="",
)

_HABITS = (
    option("poll-interval", "How often at most it looks by itself.", metavar="DURATION"),
    option("auto-apply", "Apply new heads of live units by itself.", metavar="true|false", bare="true"),
)

_OF_ONE = (argument("name", complete="workers"), space_option(), WHERE, CONTAINS, SELECT, *LIST_OUTPUT)


def fill(call: Call, record: Wire) -> None:
    """Put what the call says of the worker's habits into the record."""
    if call.text("poll-interval"):
        seconds(call.text("poll-interval"))
        record["PollInterval"] = call.text("poll-interval")
    if call.given("auto-apply"):
        record["AutoApply"] = truth("auto-apply", call.text("auto-apply"))


def default_name(space: Wire) -> str:
    """Return the name of a space's worker when none is given: ``<project>-worker-<environment>`` (C-26)."""
    held = space.get("Labels") or {}
    project, environment = held.get("project"), held.get("environment") or held.get("env")
    return f"{project}-worker-{environment}" if project and environment else f"{space['Slug']}-worker"


@command(
    argument("name", required=False),
    space_option(),
    *_HABITS,
    RECORD_INPUT,
    DATA_OUTPUT,
    VERBOSE,
    flag("allow-exists", "Be content when it exists already."),
    DRY_RUN,
    example="cub worker create --space my-traderx-dev --poll-interval 10s --auto-apply true",
)
def create(call: Call) -> None:
    """Create a worker; without a name it is called PROJECT-worker-ENVIRONMENT."""
    record = put_labels(call, given_record(call))
    name = call.arg("name") or str(record.get("Slug") or "") or default_name(call.hub.space(call.space_id))
    record["Slug"] = slug_of(name)
    fill(call, record)
    store_new(call, KIND, record)


@command(
    argument("name", complete="workers"),
    space_option(),
    flag("include-secret", "Show the secret too."),
    SELECT,
    DATA_OUTPUT,
    example="cub worker get dev-worker",
)
def get(call: Call) -> None:
    """Show one worker."""
    found = the_record(call, KIND)
    if not call.yes("include-secret"):
        found = {**found, "BridgeWorker": {key: one for key, one in found["BridgeWorker"].items() if key != "Secret"}}
    show_record(call, KIND, found)


@command(argument("name", complete="workers"), space_option(), example='eval "$(cub worker get-envs dev-worker)"')
def get_envs(call: Call) -> None:
    """Print the environment variables that a worker process needs, ready for a shell."""
    worker = the_record(call, KIND)["BridgeWorker"]
    call.out.write(
        "# Source these environment variables with:\n"
        f'# eval "$({call.name} {worker["Slug"]})"\n'
        f"export CONFIGHUB_URL={call.hub.transport.url}\n"
        f"export CONFIGHUB_WORKER_ID={worker['BridgeWorkerID']}\n"
        f"export CONFIGHUB_WORKER_SECRET={worker['Secret']}"
    )


@command(argument("name", complete="workers"), space_option(), example="cub worker get-secret dev-worker")
def get_secret(call: Call) -> None:
    """Print the worker's secret."""
    call.out.write(str(the_record(call, KIND)["BridgeWorker"]["Secret"]))


@command(
    argument("name", required=False, complete="workers"),
    space_option(),
    DATA_OUTPUT,
    example="cub worker status dev-worker",
)
def status(call: Call) -> None:
    """Show whether a worker, or every worker of the space, is connected."""
    if call.arg("name"):
        worker = the_record(call, KIND)["BridgeWorker"]
        rows = [
            ("Name", str(worker["Slug"])),
            ("Condition", str(worker.get("Condition") or "Disconnected")),
            ("Last Seen At", moment_utc(worker.get("LastSeenAt"))),
            ("Last Message", str(worker.get("LastMessage") or "")),
        ]
        value = {key: worker.get(key) for key in ("Slug", "Condition", "LastSeenAt", "LastMessage")}
        call.out.show(value, lambda: pairs(rows))
        return
    show_list(call, KIND, call.hub.workers.list(space_id=call.scope.space_id, select=KIND.select))


@command(
    *_OF_ONE,
    example="cub worker list-status dev-worker",
)
def list_status(call: Call) -> None:
    """List the moments of a worker's connection."""
    worker = the_record(call, KIND)["BridgeWorker"]
    records = call.hub.workers.statuses(worker["BridgeWorkerID"], space_id=worker["SpaceID"])
    show_list(call, STATUS_KIND, records)


@command(
    *_OF_ONE,
    example="cub worker list-function dev-worker",
)
def list_function(call: Call) -> None:
    """List the functions that a worker offers."""
    from confighub.cli.commands.function import show_signatures

    worker = the_record(call, KIND)["BridgeWorker"]
    show_signatures(call, call.hub.workers.functions(worker["BridgeWorkerID"], space_id=worker["SpaceID"]))


@command(
    argument("name", required=False, complete="workers"),
    space_option(),
    option("provider", "What it applies to: laptop or kubernetes.", metavar="PROVIDER", default="laptop", short="p"),
    option("runtime", "Laptop: the folder of the project's runtime.", metavar="DIR"),
    option("catalogue", "Laptop: the file that says which images there are.", metavar="FILE"),
    option("secrets", "Laptop: the folder of the environment's secrets.", metavar="DIR"),
    option("environment", "Laptop: the environment's name, by default the space's label.", metavar="NAME"),
    option("probe-delay-scale", "Laptop: multiply the delays of probes.", metavar="X"),
    option("wait-timeout", "How long an apply waits until ready.", metavar="DURATION", default="60s"),
    option("kubeconfig", "Kubernetes: the file to read.", metavar="FILE"),
    option("context", "Kubernetes: the context to use.", metavar="NAME"),
    example="cub worker run dev-worker --space my-traderx-dev --runtime .traderx/runtime",
)
def run(call: Call) -> None:
    """Run a worker in the foreground until it is interrupted; it is created when there is none."""
    from confighub.cli.worker_process import run_worker

    run_worker(call)


@command(
    argument("name", required=False, complete="workers"),
    space_option(),
    option("namespace", "The namespace to install into.", metavar="NAME", short="n", default="confighub"),
    option("worker-type", "What the worker applies to.", metavar="TYPE", short="t", default="kubernetes"),
    option("image", "The container image.", metavar="IMAGE"),
    option("deployment-name", "The name of the Deployment.", metavar="NAME"),
    options("env", "Further environment variables.", metavar="KEY=VALUE", short="e"),
    option("functions", "Further functions to offer.", metavar="LIST"),
    option("unit", "Store the manifest as this unit.", metavar="UNIT", complete="units"),
    option("target", "The target of that unit.", metavar="TARGET", complete="targets"),
    flag("export", "Print the manifest."),
    flag("export-secret-only", "Print the Secret only."),
    flag("include-secret", "Put the Secret into the manifest."),
    flag("host-network", "Use the node's network."),
    DRY_RUN,
    *WAITING,
    example="cub worker install prod-worker --export --include-secret | kubectl apply -f -",
)
def install(call: Call) -> None:
    """Print or store the manifest that runs a worker in a cluster."""
    from confighub.cli.worker_manifest import install_worker

    install_worker(call)


GROUP = Group(
    "Workers: the processes that carry out operations.",
    {
        "list": list_command(KIND, example="cub worker list --space '*'"),
        "get": get,
        "create": create,
        "update": update_command(
            KIND, *_HABITS, fill=fill, example="cub worker update dev-worker --patch --auto-apply false"
        ),
        "delete": delete_command(KIND, example="cub worker delete dev-worker"),
        "get-envs": get_envs,
        "get-secret": get_secret,
        "status": status,
        "list-status": list_status,
        "list-function": list_function,
        "run": run,
        "install": install,
    },
    options=[space_option()],
)
