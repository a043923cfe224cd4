"""The worker of an environment, its target, and the units pointed at it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

from confighub.client.collection import quoted
from confighub.client.hub import HubClient
from confighub.client.transport import Wire
from confighub.errors import BadRequest, NotFound
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


@dataclass(frozen=True)
class Cluster:
    """A Kubernetes cluster to work on: the file with its address and login, and the context in it."""

    kubeconfig: Path
    context: str


def read_cluster(kubeconfig: str, context: str | None) -> Cluster:
    """Return the cluster that file and context name; without a context the file's current one.

    Raises: NotFound when there is no such file or context; BadRequest when the file is none of its kind.
    """
    path = Path(kubeconfig).absolute()
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NotFound(f"no such kubeconfig: {path}") from error
    except yaml.YAMLError as error:
        raise BadRequest(f"{path} is no kubeconfig: {error}") from error
    if not isinstance(content, dict):
        raise BadRequest(f"{path} is no kubeconfig")
    names = [str(one.get("name")) for one in content.get("contexts") or []]
    chosen = context or str(content.get("current-context") or "")
    if chosen not in names:
        raise NotFound(f"{path} has no context {chosen or '(none is current)'}", hint=f"it has: {', '.join(names)}")
    return Cluster(path, chosen)


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
    write_catalogue(project)
    for name in ensure_secrets(project, environment):
        say(f"secret {name}: made for {environment}, outside the hub")
    parameters = {
        "RuntimeDir": str(project.runtime_folder),
        "Environment": environment,
        "Catalogue": str(project.catalogue_file),
        "SecretsDir": str(project.secrets_folder(environment)),
        "ProbeDelayScale": PROBE_DELAY_SCALE,
        "WaitTimeout": UNIT_WAIT,
    }
    return _ensure_target(hub, project, environment, worker, LAPTOP_TARGET, "Laptop", parameters, say)


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
