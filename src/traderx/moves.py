"""An environment moved to another place and back; a note on disk says where it came from while it is elsewhere."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from confighub.errors import BadRequest, ConfigHubError, Conflict, NotFound
from confighub.operations import deploy, plan
from confighub.operations.retarget import retarget
from traderx import topology
from traderx.dns import Switch, address_in, run_hook, write_batch
from traderx.elsewhere import Elsewhere, OnCluster, OnThisMachine
from traderx.places import Place
from traderx.project import read_json
from traderx.site import Site
from traderx.status import read_status
from traderx.workers import LAPTOP_TARGET

BATCH_BACK = "dns-update-return.json"


def find_elsewhere(site: Site, environment: str, target: str, *, timeout_s: float) -> Elsewhere:
    """Return the place to go to: that target of a cluster, else ``traderx-ENV-dr``, else a second runtime here.

    Raises: NotFound when an environment on a cluster has no such target; BadRequest when a runtime's name is no slug.
    """
    if not site.is_on_cluster(environment):
        if target and not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", target):
            # it becomes the name of a folder that is removed on the way back
            raise BadRequest(f"no name of a place: {target}", hint="lower-case words joined by hyphens")
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


def refuse_taken(site: Site, elsewhere: Elsewhere, *, first: str) -> None:
    """Return when the place is not the one that the environment is in, and nothing of others is there.

    Raises: BadRequest, Conflict.
    """
    if elsewhere.target == first:
        raise BadRequest(f"the environment is at {first} already", hint="name another place with --to")
    if not isinstance(elsewhere, OnThisMachine):
        return
    place = elsewhere.place
    slugs = {one["Target"]["Slug"] for one in site.hub.targets.list(space_id=site.space_id(place.environment))}
    if place.folder.exists() or place.slug in slugs:
        raise Conflict(
            f"{place.slug} is there already and no drill of {place.environment} made it", hint="name another with --to"
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


def go_back(site: Site, environment: str, timeout_s: float, *, yes: bool = False, hook: str = "") -> str:
    """Point the environment at the place that it came from, apply what is live there, and take the other one away.

    The name is led back before anything is taken away, by ``hook``, else by the one that led it there. With ``yes``
    what was booked there and is not at the first place goes; a copy of the database stays where one can be made.
    Raises: NotFound when it is not elsewhere; Conflict when something would go, before anything is done;
    ConfigHubError when a unit does not come up or the name is not led back, and nothing is taken away.
    """
    note = note_of(site, environment)
    kept = read_json(note)
    if not kept:
        raise NotFound(f"{environment} is where it belongs: no drill has moved it")
    site.wake_worker(environment)
    elsewhere = find_elsewhere(site, environment, str(kept["to"]), timeout_s=timeout_s)
    if isinstance(elsewhere, OnCluster):
        elsewhere.was_empty = bool(kept.get("wasEmpty"))
    _refuse_loss(site, environment, elsewhere, yes=yes)
    if kept["from"] == LAPTOP_TARGET:
        site.stack.ensure_runtime()
    space, space_id = site.project.space(environment), site.space_id(environment)
    retarget(site.hub, space=space, space_id=space_id, target=str(kept["from"]), say=site.say)
    outcome = apply_live(site, environment, timeout_s)
    if outcome.failure is not None:
        raise ConfigHubError(f"{outcome.failure.slug} failed at {kept['from']}: {outcome.failure.reason}")
    named = _lead_back(site, environment, kept, hook or str(kept.get("hook") or ""))
    # once more, since it was used until the name was led back
    _refuse_loss(site, environment, elsewhere, yes=yes)
    said = elsewhere.take_away()
    note.unlink()
    return f"back at {kept['from']} in {outcome.seconds:.1f} s; {named}{said}"


def _refuse_loss(site: Site, environment: str, elsewhere: Elsewhere, *, yes: bool) -> None:
    """Say what would go with the other place. Raises: Conflict for anything, unless somebody said yes."""
    lost = elsewhere.what_would_go(site.project.data / "drills" / "before-return" / environment)
    if not lost:
        return
    if not yes:
        raise Conflict(
            f"{lost}, and would be gone with {elsewhere.target}",
            hint=f"bin/traderx disaster return {environment} --yes",
        )
    site.say(lost)


def _lead_back(site: Site, environment: str, kept: dict[str, Any], hook: str) -> str:
    """Lead the name to the first place again, if it was led away, and return the words for it."""
    if not kept.get("named"):
        return ""
    host = topology.INGRESS_HOSTS[environment]
    ingress = read_status(site, environment).ingress or str(kept.get("ingress") or "")
    file = site.project.data / "drills" / BATCH_BACK
    switch = Switch(host, address_in(ingress))
    write_batch(switch, file, why=f"{environment} is back at {kept['from']}")
    if not hook:
        return f"{file} leads {host} back to {switch.address}; not sent, since there is no --dns-hook; "
    said = run_hook(hook, file, switch, zone=str(kept.get("zone") or ""))
    return f"{host} leads back to {switch.address}: {said}; "
