"""An environment moved to another place and back; a note on disk says where it came from while it is elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

from confighub.errors import ConfigHubError, NotFound
from confighub.operations import deploy, plan
from confighub.operations.retarget import retarget
from traderx.elsewhere import Elsewhere, OnCluster, OnThisMachine
from traderx.places import Place
from traderx.project import read_json
from traderx.site import Site
from traderx.workers import LAPTOP_TARGET


def find_elsewhere(site: Site, environment: str, target: str, *, timeout_s: float) -> Elsewhere:
    """Return the place to go to: that target of a cluster, else ``traderx-ENV-dr``, else a second runtime here.

    Raises: NotFound when an environment on a cluster has no such target.
    """
    if not site.is_on_cluster(environment):
        return OnThisMachine(site, Place(site.project, target or f"dr-{environment}", environment))
    wanted = target or f"traderx-{environment}-dr"
    for one in site.hub.targets.list(space_id=site.space_id(environment)):
        if one["Target"]["Slug"] == wanted:
            context = json.loads(one["Target"].get("Parameters") or "{}").get("KubeContext", wanted)
            return OnCluster(site, environment, context, wanted, timeout_s)
    raise NotFound(
        f"{environment} has no target {wanted}",
        hint=f"bin/setup-worker {environment} --kubeconfig FILE --context {wanted}; or name one with --to",
    )


def note_of(site: Site, environment: str) -> Path:
    """Return the file that says where the environment came from while it is elsewhere."""
    return site.project.data / "drills" / f"{environment}.json"


def heads(site: Site, environment: str) -> dict[str, tuple[int, int]]:
    """Return head and live revision of each unit of the environment."""
    return {unit.slug: (unit.head, unit.live) for unit in deploy.read_units(site.hub, site.space_id(environment))}


def apply_live(site: Site, environment: str, timeout_s: float) -> deploy.Outcome:
    """Apply again, at the target that the units point at, what is live."""
    space, space_id = site.project.space(environment), site.space_id(environment)
    units = [unit for unit in deploy.read_units(site.hub, space_id) if unit.live]
    options = deploy.Options(
        command=f"bin/apply-all {environment}",
        timeout_s=timeout_s,
        again=True,
        live_revisions=True,
        revive=lambda: site.revive(environment),
    )
    return deploy.deploy(site.hub, plan.at_once(space=space, space_id=space_id, units=units), options, site.say)


def go_back(site: Site, environment: str, timeout_s: float) -> str:
    """Point the environment at the place that it came from, apply what is live there, and take the other one away.

    Raises: NotFound when it is not elsewhere; ConfigHubError when a unit does not come up, and nothing is taken away.
    """
    note = note_of(site, environment)
    kept = read_json(note)
    if not kept:
        raise NotFound(f"{environment} is where it belongs: no drill has moved it")
    site.wake_worker(environment)
    elsewhere = find_elsewhere(site, environment, str(kept["to"]), timeout_s=timeout_s)
    if isinstance(elsewhere, OnCluster):
        elsewhere.was_empty = bool(kept.get("wasEmpty"))
    if kept["from"] == LAPTOP_TARGET:
        site.stack.ensure_runtime()
    space, space_id = site.project.space(environment), site.space_id(environment)
    retarget(site.hub, space=space, space_id=space_id, target=str(kept["from"]), say=site.say)
    outcome = apply_live(site, environment, timeout_s)
    if outcome.failure is not None:
        raise ConfigHubError(f"{outcome.failure.slug} failed at {kept['from']}: {outcome.failure.reason}")
    said = elsewhere.take_away()
    note.unlink()
    return f"back at {kept['from']} in {outcome.seconds:.1f} s; {said}"
