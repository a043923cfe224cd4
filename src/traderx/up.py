"""Everything from nothing to a booked trade, saying each step; run again, only what is missing is done."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from confighub.errors import ConfigHubError, Conflict, RetryLater
from confighub.operations import deploy, plan
from traderx import topology
from traderx.environments import install_envs
from traderx.install import install_base
from traderx.regions import PLACES
from traderx.site import Site, open_site
from traderx.status import Status, read_status, table
from traderx.trade import answers, book_trade

Say = Callable[[str], None]

FIRST = "dev"
_SERVING_TIMEOUT_S = 60.0


def bring_up(data: str | None, say: Say) -> None:
    """Bring up hub, spaces, workers and dev, book a trade, and show where everything is.

    Raises: ConfigHubError with the reason of the first step that fails; what was done before stays.
    """
    began = time.monotonic()
    site = open_site(data, say)
    _preflight(site)
    # it starts while the spaces are made
    site.stack.start_runtime()
    name = install_base(site.hub, site.project, say)
    install_envs(site.hub, site.project, say)
    _refuse_elsewhere(site)
    for environment in topology.ENVIRONMENTS:
        if environment == FIRST or not site.is_on_cluster(environment):
            site.set_up_laptop(environment)
        if environment == FIRST:
            site.begin_laptop(FIRST)
    site.ensure_laptop(FIRST)
    _restart_others(site)
    for name in site.stack.start_extras():
        say(f"{name}: started again")
    _deploy_first(site)
    status = _serving(site)
    booked = book_trade(status.ingress, f"first-trade-of-{name}")
    say(booked.line())
    say(f"TraderX is up: {name} ({time.monotonic() - began:.1f} s)")
    for line in table(status):
        say(line)
    for line in _next_steps(name):
        say(line)


def _preflight(site: Site) -> None:
    """Find out, before anything is made, what would make a later step fail."""
    site.project.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not os.access(site.project.data, os.W_OK):
        raise ConfigHubError(f"{site.project.data} cannot be written", hint="name another folder with --data")
    site.hub.me()


def _refuse_elsewhere(site: Site) -> None:
    """Return when the first environment is on this machine; what a person put on a cluster stays there."""
    if site.is_on_cluster(FIRST):
        raise Conflict(
            f"{FIRST} is on a cluster; bin/up brings it up on this machine",
            hint=f"deploy it there: bin/ordered-apply {FIRST}; or bring it back first: bin/setup-worker {FIRST}",
        )


def _restart_others(site: Site) -> None:
    """Start the workers of other environments, regions too, that were started once; runtimes bring their services back.

    One that does not come up is told and stops nothing: the first environment does not need it.
    """
    for environment in PLACES:
        if environment != FIRST:
            try:
                site.wake_worker(environment)
            except ConfigHubError as error:
                site.say(f"{environment}: {error}; going on without it")


def _deploy_first(site: Site) -> None:
    space, space_id = site.project.space(FIRST), site.space_id(FIRST)
    made = plan.in_order(space=space, space_id=space_id, units=deploy.read_units(site.hub, space_id))
    options = deploy.Options(command=f"bin/ordered-apply {FIRST}", revive=lambda: site.revive(FIRST))
    outcome = deploy.deploy(site.hub, made, options, site.say)
    if outcome.failure is not None:
        raise ConfigHubError(
            f"{FIRST} stopped at {outcome.failure.slug}", hint=f"start again with bin/up or bin/ordered-apply {FIRST}"
        )


def _serving(site: Site) -> Status:
    """Return the status of the first environment once every service answers, the ingress too.

    Live state may be a moment older than a restart, so the services themselves are asked.
    """
    deadline = time.monotonic() + _SERVING_TIMEOUT_S
    while True:
        status = read_status(site, FIRST)
        silent = [name for name, url in status.services.items() if not answers(f"{url}/health/ready")]
        if status.ingress and not silent and status.is_ready and answers(f"{status.ingress}/health"):
            return status
        if time.monotonic() > deadline:
            late = ", ".join(silent or status.waiting_for) or "the ingress"
            raise RetryLater(f"not answering after {_SERVING_TIMEOUT_S:g} s: {late}", hint="see: bin/traderx status")
        time.sleep(0.2)


def _next_steps(name: str) -> list[str]:
    return [
        "next:",
        f"  bin/cub unit list --space {name}-dev",
        f"  bin/cub run set-image-reference web-gui :v1.1.0 --space {name}-dev --unit web-gui-deployment",
        "  bin/promote dev staging",
        "  bin/setup-worker staging && bin/ordered-apply staging",
        "  bin/traderx status dev        bin/traderx logs trade-service        bin/down",
    ]
