"""A canary of one TraderX service, with the synthetic trader on both sides."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from confighub.errors import BadRequest
from confighub.operations.rollout import schedule
from confighub.operations.rollout.analysis import Limits
from confighub.operations.rollout.beginning import Wish, abort, begin
from confighub.operations.rollout.canary import Canary, Options
from confighub.operations.rollout.place import Place
from confighub.operations.rollout.record import Record
from confighub.operations.rollout.schedule import Schedule
from confighub.operations.rollout.steps import Outcome
from traderx import topology
from traderx.site import Site
from traderx.status import read_status
from traderx.synthetic import SyntheticTrader

_NOT_DOUBLE = "trade-feed"
UNIT_TIMEOUT_S = 120.0
"""How long a unit of a rollout may take to get ready; nothing waits for it but the operator."""


@dataclass(frozen=True)
class CanaryWish:
    """What the command line says of the stages. ``p95_ms`` is one of the bounds that requests are counted by."""

    schedule_file: str | None = None
    p95_ms: float = 200.0
    speed: float = 1.0
    patience_s: float | None = None
    prometheus: str = ""


@dataclass(frozen=True)
class Rollout:
    """What every rollout's command line says."""

    environment: str
    wish: Wish
    aborts: bool = False
    stages: CanaryWish = field(default_factory=CanaryWish)
    soak_s: float = 300.0


def canary(site: Site, asked: Rollout) -> Outcome:
    """Carry a canary out, or go on with the one under way, and return how it ended.

    Raises: what ``begin`` raises, before anything is applied.
    """
    options = canary_options(asked.stages)
    refuse_single(asked.wish.service)
    place = open_place(site, asked.environment)
    notebook, record = (abort if asked.aborts else begin)(place, asked.wish)
    with trading(site, place, asked.environment, record) as trader:
        return Canary(place, notebook, record, options, trier=trader).go()


def explain_canary(asked: Rollout) -> list[str]:
    """Return the lines that say what the canary would do."""
    options, wish = canary_options(asked.stages), asked.wish
    lines = [
        f"{wish.service} {wish.image} as {wish.service}-canary beside the old version in {asked.environment}",
        f"wrongly taken back in at most {options.limits.false_alarms:.0%} of the rollouts;"
        f" passed at a limit in at most {options.limits.false_passes:.0%} of the stages",
    ]
    for stage in options.stages:
        needs = ", ".join((*stage.needs, "synthetic trades"))
        lines.append(f"  {stage.name}: {stage.weight} % for {stage.minutes * 60 / options.speed:g} s; to show: {needs}")
    lines.append(f"then {wish.service}'s own unit gets {wish.image}, and the canary goes")
    return lines


def canary_options(asked: CanaryWish) -> Options:
    """Return the stages and limits. Raises: BadRequest for what cannot be measured."""
    # The laptop's ingress has these; a Prometheus that lacks a bound says so, by having no such series.
    bounds_ms = (5, 10, 25, 50, 100, 200, 250, 500, 1000, 2500, 5000, 10000)
    if asked.p95_ms not in bounds_ms and not asked.prometheus:
        raise BadRequest(f"the ingress counts by {', '.join(map(str, bounds_ms))} ms, not by {asked.p95_ms:g}")
    if not (math.isfinite(asked.speed) and asked.speed > 0):
        raise BadRequest(f"a speed is a number above 0, not {asked.speed:g}")
    if asked.patience_s is not None:
        refuse_odd_time("patience", asked.patience_s)
    return Options(
        stages=read_schedule(asked).stages,
        limits=Limits(p95_s=asked.p95_ms / 1000),
        speed=asked.speed,
        patience_s=asked.patience_s,
    )


def read_schedule(asked: CanaryWish) -> Schedule:
    """Return the schedule that was asked for, else the seed's. Raises: BadRequest for a file that holds none."""
    return schedule.read_schedule(Path(asked.schedule_file)) if asked.schedule_file else Schedule()


def refuse_odd_time(name: str, seconds: float) -> None:
    """Return when the time can be waited for. Raises: BadRequest for a negative or endless one, or no number."""
    if not (math.isfinite(seconds) and seconds >= 0):
        raise BadRequest(f"a {name} is a number of seconds from 0 on, not {seconds:g}")


def refuse_single(service: str) -> None:
    """Return when the service may run in two versions at once. Raises: BadRequest."""
    if service.startswith(_NOT_DOUBLE):
        raise BadRequest(
            "two trade feeds would each reach only their own subscribers, so there cannot be two versions of it",
            hint="bring its new version with bin/promote and bin/ordered-apply",
        )


def open_place(site: Site, environment: str) -> Place:
    """Return the environment's space to roll out in, with its worker running."""
    space_id = site.space_id(environment)
    site.wake_worker(environment)
    return Place(
        site.hub,
        site.project.space(environment),
        space_id,
        site.say,
        timeout_s=UNIT_TIMEOUT_S,
        revive=lambda: site.revive(environment),
    )


@contextmanager
def trading(site: Site, place: Place, environment: str, record: Record) -> Iterator[SyntheticTrader | None]:
    """Yield a trader for the rollout while the block lasts, None for one that is to do without."""
    if record.before.get("trades") == "no":
        yield None
        return
    trader = synthetic_trader(site, place, environment, record.service)
    try:
        yield trader
    finally:
        trader.close()


def synthetic_trader(site: Site, place: Place, environment: str, service: str) -> SyntheticTrader:
    """Return a trader that reaches the environment's services where their live state says."""
    urls = read_status(site, environment).services
    for one in topology.SERVICES:
        if one.name not in urls and (url := place.address(f"{one.name}-service")):
            urls[one.name] = url
    return SyntheticTrader(service, urls)
