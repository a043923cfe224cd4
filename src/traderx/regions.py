"""The regions of prod: three spaces, each with its own worker and place, promoted one after the other.

One hub serves them all. A region is cloned from the one before, so promoting goes the same way, and goes on only
when the region before is validated.
Source: the seed, 10.1 and 10.2; each regional space has its own worker (its "3 workers" counts dev, staging, prod).
"""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from confighub.client.collection import any_of, conjoined, quoted
from confighub.errors import BadRequest, NotFound
from confighub.operations import deploy, plan, promote
from confighub.operations.retarget import retarget
from confighub.records.base import NIL_ID
from traderx import topology
from traderx.checking import Finding, check_health, verify_data
from traderx.environments import refuse_failures
from traderx.install import ensure_links, unit_ids
from traderx.places import Place, set_up
from traderx.site import Site
from traderx.status import read_status
from traderx.wording import counted

Role = Literal["primary", "secondary", "tertiary"]
SOURCE = "prod"
_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Region:
    """One region. ``latency_ms`` is how far from the primary it is expected to be; ``workers`` as the seed counts."""

    name: str
    role: Role
    latency_ms: int
    workers: int = 3

    @property
    def environment(self) -> str:
        """What the region's space is called without the project, as in ``prod-us-east-1``."""
        return f"{SOURCE}-{self.name}"

    @property
    def target(self) -> str:
        """The slug of its target: a second runtime here, or the context of its cluster."""
        return f"traderx-{self.environment}"


REGIONS = (
    Region("us-east-1", "primary", 0),
    Region("us-west-2", "secondary", 50),
    Region("eu-central-1", "tertiary", 100),
)
BY_NAME = {one.name: one for one in REGIONS}
PLACES = (*topology.ENVIRONMENTS, *(one.environment for one in REGIONS))
"""The names of all environments: the stages, then the regions of prod."""


@dataclass(frozen=True)
class Seen:
    """One region as it is. ``answer_ms`` is how long its ingress took from here; None where none answers."""

    region: Region
    space: str
    is_there: bool = False
    units: int = 0
    live: int = 0
    ahead: int = 0
    worker: str = ""
    condition: str = ""
    target: str = ""
    ingress: str = ""
    answer_ms: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the region for programs."""
        one = self.region
        return {
            "region": one.name,
            "role": one.role,
            "space": self.space,
            "there": self.is_there,
            "target": self.target or one.target,
            "workers": {"seed": one.workers, "own": self.worker, "condition": self.condition or None},
            "expectedLatencyMs": one.latency_ms,
            "answerMs": None if self.answer_ms is None else round(self.answer_ms, 1),
            "units": self.units,
            "live": self.live,
            "notApplied": self.ahead,
            "ingress": self.ingress or None,
        }


@dataclass
class Promoted:
    """What became of a promotion through the regions: what was validated of each, in order."""

    checked: dict[str, list[Finding]] = field(default_factory=dict)
    stopped: str = ""
    seconds: dict[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the outcome for programs."""
        return {
            "ok": not self.stopped,
            "stopped": self.stopped or None,
            "regions": [
                {
                    "region": name,
                    "ok": all(one.is_well for one in found),
                    "seconds": round(self.seconds.get(name, 0.0), 2),
                    "checks": [one.as_json() for one in found],
                }
                for name, found in self.checked.items()
            ],
        }


def between(first: Region, last: Region) -> list[Region]:
    """Return the regions from the first to the last. Raises: BadRequest when they are the wrong way round."""
    begin, end = REGIONS.index(first), REGIONS.index(last)
    if begin > end:
        raise BadRequest(f"{last.name} comes before {first.name}", hint=" → ".join(BY_NAME))
    return list(REGIONS[begin : end + 1])


def look(site: Site) -> list[Seen]:
    """Return every region as it is, the primary first; also those that nothing was made for yet."""
    return [_look(site, one) for one in REGIONS]


def lines(seen: Sequence[Seen]) -> Iterator[str]:
    """Yield the regions for people."""
    for one in seen:
        where = f"{one.live} of {one.units} units live" if one.is_there else "not made"
        ahead = f", {one.ahead} not applied" if one.ahead else ""
        took = f", answers in {one.answer_ms:.0f} ms" if one.answer_ms is not None else ""
        worker = f", worker {one.condition or 'none'}" if one.is_there else ""
        yield (
            f"{one.region.name:<13} {one.region.role:<10} +{one.region.latency_ms} ms expected; "
            f"{where}{ahead}{worker}{took}"
        )


def ensure_region(site: Site, region: Region) -> str:
    """Make the region's space with clones of the one before, and return the space's id; nothing is applied.

    Raises: NotFound when what it is cloned from is missing.
    """
    hub, project = site.hub, site.project
    source_id = site.space_id(_before(region))
    slug = project.space(region.environment)
    found = hub.spaces.list(where=f"Slug = {quoted(slug)}")
    if found:
        space_id = str(found[0]["Space"]["SpaceID"])
    else:
        labels = {"project": project.name(), "environment": SOURCE, "env": SOURCE, "region": region.name}
        labels |= {"targetable": "true", "critical": "true"}
        space_id = str(hub.spaces.create({"Slug": slug, "Labels": labels})["SpaceID"])
        site.say(f"space {slug}: {region.role} region")
    present, wanted = unit_ids(hub, space_id), unit_ids(hub, source_id)
    missing = [name for name in wanted if name not in present]
    if missing:
        answers = hub.units.create_all(
            {"Labels": {"region": region.name, "targetable": "true"}},
            where=conjoined(any_of("Slug", missing), f"SpaceID = {quoted(source_id)}"),
            where_space=f"SpaceID = {quoted(space_id)}",
        )
        refuse_failures(answers, f"cloning {_before(region)} to {region.environment}")
        site.say(f"  {counted(len(missing), 'unit')} cloned from {_before(region)}")
    ensure_links(hub, space_id, SOURCE, site.say)
    return space_id


def promote_through(
    site: Site, regions: Sequence[Region], *, approve: bool, asks_services: bool, timeout_s: float
) -> Promoted:
    """Promote, deploy and validate region by region; the first that is not well ends it.

    Raises: Conflict, Gated, NotFound, before anything of that region is applied.
    """
    done = Promoted()
    place = REGIONS.index(regions[0])
    if place:
        # what it comes from is looked at first, since nobody says when it was promoted
        earlier = REGIONS[place - 1]
        bad = [one for one in validate(site, earlier, asks_services=asks_services) if not one.is_well]
        if bad:
            done.stopped = f"{earlier.name}, which comes before, is not well: {bad[0].what}: {bad[0].said}"
            return done
    for region in regions:
        began = time.monotonic()
        site.say(f"{region.name} ({region.role}):")
        space_id = ensure_region(site, region)
        space = site.project.space(region.environment)
        shown = promote.preview(site.hub, source=site.project.space(_before(region)), target=space, lateral=True)
        promote.promote(site.hub, shown)
        site.say(f"  {counted(len(shown.changes), 'unit')} promoted from {_before(region)}")
        _ensure_place(site, region, space_id)
        made = plan.in_order(space=space, space_id=space_id, units=deploy.read_units(site.hub, space_id))
        options = deploy.Options(
            approve=approve,
            command=f"bin/traderx regions promote --to {region.name}",
            timeout_s=timeout_s,
            revive=lambda place=region.environment: site.revive(place),  # type: ignore[misc]
        )
        outcome = deploy.deploy(site.hub, made, options, site.say)
        done.seconds[region.name] = time.monotonic() - began
        if outcome.failure is not None:
            done.stopped = f"{region.name}: {outcome.failure.slug} failed: {outcome.failure.reason}"
            return done
        done.checked[region.name] = validate(site, region, asks_services=asks_services)
        bad = [one for one in done.checked[region.name] if not one.is_well]
        if bad:
            done.stopped = f"{region.name} is not well: {bad[0].what}: {bad[0].said}"
            return done
        site.say(f"  {region.name} is validated: {len(done.checked[region.name])} checks are well")
    return done


def validate(site: Site, region: Region, *, asks_services: bool = True) -> list[Finding]:
    """Return what was found of one region: revisions, units, worker, drift; then its services, ingress and books.

    ``asks_services`` False leaves out what is asked over the network, for a cluster that is not reached from here.
    """
    environment = region.environment
    units = deploy.read_units(site.hub, site.space_id(environment))
    behind = [unit.slug for unit in units if unit.live != unit.head]
    said = f"not live: {', '.join(behind)}" if behind else f"all {len(units)} heads are live"
    found = [Finding("revisions", bool(units) and not behind, said)]
    found += check_health(site, environment)
    if asks_services:
        return found + verify_data(site, environment)
    return [one for one in found if one.what in ("revisions", "drift") or one.what.startswith(("unit ", "worker "))]


def _before(region: Region) -> str:
    place = REGIONS.index(region)
    return REGIONS[place - 1].environment if place else SOURCE


def _ensure_place(site: Site, region: Region, space_id: str) -> None:
    """Point the region's units at its own place, unless they point somewhere: on this machine, a runtime of its own."""
    targets = {unit.target_id for unit in deploy.read_units(site.hub, space_id)}
    inherited = {one["Target"]["TargetID"]: one["Target"]["Slug"] for one in site.hub.targets.list(space_id=space_id)}
    pointed = targets - {""}
    if pointed and pointed <= set(inherited):
        if pointed != targets and len(pointed) == 1:
            # units that were cloned after the others were pointed
            space = site.project.space(region.environment)
            retarget(site.hub, space=space, space_id=space_id, target=inherited[pointed.pop()], say=site.say)
        site.wake_worker(region.environment)
        place = Place(site.project, region.target, region.environment)
        if place.folder.exists():
            set_up(site, place)
        return
    if site.is_on_cluster(SOURCE):
        raise BadRequest(
            f"{region.name} has no cluster yet",
            hint=f"bin/setup-worker {region.environment} --kubeconfig FILE --context {region.target}",
        )
    place = Place(site.project, region.target, region.environment)
    set_up(site, place)
    site.ensure_laptop(region.environment)
    space = site.project.space(region.environment)
    retarget(site.hub, space=space, space_id=space_id, target=place.slug, say=site.say)


def _look(site: Site, region: Region) -> Seen:
    space = site.project.space(region.environment)
    try:
        space_id = site.space_id(region.environment)
    except NotFound:
        return Seen(region, space)
    units = deploy.read_units(site.hub, space_id)
    name = topology.worker(site.project.name(), region.environment)
    workers = [one["BridgeWorker"] for one in site.hub.workers.list(space_id=space_id)]
    slugs = {one["Target"]["TargetID"]: one["Target"]["Slug"] for one in site.hub.targets.list(space_id=space_id)}
    used = sorted({slugs.get(unit.target_id, "") for unit in units if unit.target_id not in ("", NIL_ID)})
    ingress = read_status(site, region.environment).ingress if any(unit.live for unit in units) else ""
    return Seen(
        region,
        space,
        is_there=True,
        units=len(units),
        live=sum(unit.live > 0 for unit in units),
        ahead=sum(unit.live != unit.head for unit in units),
        worker=name if workers else "",
        condition=str(workers[0].get("Condition")) if workers else "",
        target=", ".join(filter(None, used)),
        ingress=ingress,
        answer_ms=_answer_ms(ingress),
    )


def _answer_ms(ingress: str) -> float | None:
    if not ingress:
        return None
    began = time.monotonic()
    try:
        with urllib.request.urlopen(f"{ingress}/health", timeout=_TIMEOUT_S):  # noqa: S310 an address from live state
            return (time.monotonic() - began) * 1000
    except OSError:
        return None
