"""The worker of an environment, its target, and the units pointed at it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

from confighub.client.collection import quoted
from confighub.client.hub import HubClient
from confighub.client.transport import Wire
from confighub.errors import NotFound, RetryLater
from confighub.records.base import NIL_ID
from traderx import topology
from traderx.environments import refuse_failures
from traderx.project import Project, replace_file
from traderx.secrets import ensure_secrets
from traderx.wording import counted

Say = Callable[[str], None]

LAPTOP_TARGET = "laptop"
PROBE_DELAY_SCALE = 0.02
"""The units wait 30 s and 10 s before the first probe; here processes are up in a second."""
UNIT_WAIT = "60s"
_PAUSE_S = 0.1


def ensure_worker(hub: HubClient, project: Project, environment: str, say: Say) -> Wire:
    """Return the environment's worker as the hub keeps it, making it when it is missing."""
    space_id = hub.space_id(project.space(environment))
    slug = topology.worker(project.name(), environment)
    found = hub.workers.list(where=f"Slug = {quoted(slug)}", space_id=space_id)
    if found:
        worker: Wire = found[0]["BridgeWorker"]
        return worker
    auto_apply = environment in ("dev", "staging")
    body = {"Slug": slug, "DisplayName": slug, "SpaceID": space_id}
    made = hub.workers.create(
        {**body, "AutoApply": auto_apply, "PollInterval": topology.POLL_INTERVAL}, space_id=space_id
    )
    how = "applies changes of live units by itself" if auto_apply else "applies only what a person asks for"
    say(f"worker {slug}: {how}")
    return made


def ensure_laptop_target(hub: HubClient, project: Project, environment: str, worker: Wire, say: Say) -> str:
    """Return the id of the target for this machine's processes, with catalogue and secrets beside it."""
    for name in ensure_secrets(project, environment):
        say(f"secret {name}: made for {environment}, outside the hub")
    return ensure_extra_laptop_target(
        hub,
        project,
        environment,
        worker,
        say,
        slug=LAPTOP_TARGET,
        runtime=project.runtime_folder,
        secrets=project.secrets_folder(environment),
    )


def ensure_extra_laptop_target(
    hub: HubClient,
    project: Project,
    environment: str,
    worker: Wire,
    say: Say,
    *,
    slug: str,
    runtime: Path,
    secrets: Path,
) -> str:
    """Return the id of the target of that slug, for processes in that runtime with those secrets."""
    write_catalogue(project)
    parameters = {
        "RuntimeDir": str(runtime),
        "Environment": environment,
        "Catalogue": str(project.catalogue_file),
        "SecretsDir": str(secrets),
        "ProbeDelayScale": PROBE_DELAY_SCALE,
        "WaitTimeout": UNIT_WAIT,
    }
    return _ensure_target(hub, project, environment, worker, slug, "Laptop", parameters, say)


def await_cluster_target(
    hub: HubClient, project: Project, environment: str, worker: Wire, context: str, *, timeout_s: float
) -> Wire:
    """Return the target of that context once the worker has registered it, which it does after it has connected.

    Raises: RetryLater when that takes too long.
    """
    space_id = hub.space_id(project.space(environment))
    deadline = time.monotonic() + timeout_s
    while True:
        for one in hub.targets.list(space_id=space_id):
            target: Wire = one["Target"]
            is_ours = target.get("BridgeWorkerID") == worker["BridgeWorkerID"]
            if is_ours and _parameters(target).get("KubeContext") == context:
                return target
        if time.monotonic() > deadline:
            raise RetryLater(
                f"the worker of {environment} registered no target for context {context} within {timeout_s:g} s",
                hint=f"see: bin/traderx logs worker-{environment}",
            )
        time.sleep(_PAUSE_S)


def is_on_cluster(hub: HubClient, project: Project, environment: str) -> bool:
    """Tell whether a unit of the environment points at a target that is not this machine."""
    space_id = hub.space_id(project.space(environment))
    foreign = {
        one["Target"]["TargetID"] for one in hub.targets.list(where="ProviderType != 'Laptop'", space_id=space_id)
    }
    if not foreign:
        return False
    records = hub.units.list(space_id=space_id, include="", select="UnitID,TargetID")
    return any(one["Unit"].get("TargetID") in foreign for one in records)


def count_pointed(hub: HubClient, project: Project, environment: str, target_id: str) -> tuple[int, int]:
    """Return how many units of the environment point at the target, and how many there are."""
    records = hub.units.list(space_id=hub.space_id(project.space(environment)), include="", select="UnitID,TargetID")
    return sum(one["Unit"].get("TargetID") == target_id for one in records), len(records)


def point_units(hub: HubClient, project: Project, environment: str, target_id: str, say: Say) -> int:
    """Point the environment's units at the target, and return how many pointed elsewhere before."""
    space_id = hub.space_id(project.space(environment))
    records = hub.units.list(space_id=space_id, include="", select="UnitID,Slug,TargetID")
    if not records:
        raise NotFound(f"{project.space(environment)} has no units", hint="make them: bin/install-envs")
    elsewhere = [one["Unit"] for one in records if (one["Unit"].get("TargetID") or NIL_ID) != target_id]
    if elsewhere:
        answers = hub.units.patch_all({"TargetID": target_id}, where=f"SpaceID = {quoted(space_id)}")
        refuse_failures(answers, "pointing the units at their target")
        say(f"  {counted(len(elsewhere), 'unit')} of {environment} pointed at the target")
    return len(elsewhere)


def write_catalogue(project: Project) -> None:
    """Write the laptop's image catalogue unless it is there: which command and tags each image stands for."""
    if project.catalogue_file.exists():
        return
    images = [
        {
            "repository": f"{topology.IMAGE_PREFIX}{one.name}",
            "command": ["traderx", "service", one.name],
            "tags": list(topology.IMAGE_TAGS),
        }
        for one in topology.SERVICES
    ]
    replace_file(project.catalogue_file, json.dumps({"images": images}, indent=2) + "\n")


def _parameters(target: Wire) -> Wire:
    try:
        found = json.loads(target.get("Parameters") or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _ensure_target(
    hub: HubClient,
    project: Project,
    environment: str,
    worker: Wire,
    slug: str,
    provider: str,
    parameters: Wire,
    say: Say,
) -> str:
    space_id = hub.space_id(project.space(environment))
    text = json.dumps(parameters)
    worker_id = str(worker["BridgeWorkerID"])
    found = hub.targets.list(where=f"Slug = {quoted(slug)}", space_id=space_id)
    if found:
        target = found[0]["Target"]
        if target.get("Parameters") != text or target.get("BridgeWorkerID") != worker_id:
            hub.targets.patch(target["TargetID"], {"Parameters": text, "BridgeWorkerID": worker_id}, space_id=space_id)
            say(f"target {slug}: brought up to date")
        return str(target["TargetID"])
    body = {"Slug": slug, "DisplayName": slug, "SpaceID": space_id, "ToolchainType": "Kubernetes/YAML"}
    body |= {"ProviderType": provider, "Parameters": text, "BridgeWorkerID": worker_id}
    made = hub.targets.create(body, space_id=space_id)
    say(f"target {slug} in {environment}")
    return str(made["TargetID"])
