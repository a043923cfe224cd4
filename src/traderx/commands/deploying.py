"""Commands that carry configuration to where it runs: in order, all at once, from stage to stage."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from traderx.commands.parameters import (
    Environment,
    approve_option,
    explain_option,
    result_options,
    timeout_option,
)
from traderx.commands.printing import saying, showing
from traderx.wording import counted

if TYPE_CHECKING:
    from confighub.client.hub import HubClient
    from confighub.operations.deploy import Outcome
    from confighub.operations.plan import Plan
    from confighub.operations.promote import Promotion

_END = Environment(adds=("base",), spaces_by="lateral")
"""An end of a promotion; aside of the stages, any space of the project."""
_ALL_AT_ONCE_TIMEOUT_S = 300.0
"""All units start together and share the machine; this is the seed's recovery time for dev."""


@click.command(name="ordered-apply")
@click.argument("environment", type=Environment())
@click.option(
    "--waves", is_flag=True, help="In waves computed from links instead: what needs nothing open goes together."
)
@approve_option
@timeout_option(60.0)
@explain_option
@result_options
def ordered_apply(
    environment: str,
    waves: bool,
    approve: bool,
    timeout: float,
    explain: bool,
    as_json: bool,
    data: str | None,
) -> int:
    """Deploy an environment in dependency order.

    Each unit is ready before the next is applied; the first failure stops it and is explained.
    What runs already is passed over, so a deployment that was interrupted is simply started again.
    With --waves the order comes from the links: units of one wave are applied and waited for together.

    Example: bin/ordered-apply dev --waves
    """
    from confighub.operations import deploy, plan
    from confighub.operations.waves import in_waves, read_needs
    from traderx.site import open_site

    say, progress = showing(as_json)
    site = open_site(data, say)
    space, space_id = site.project.space(environment), site.space_id(environment)
    units = deploy.read_units(site.hub, space_id)
    if waves:
        made = in_waves(space=space, space_id=space_id, units=units, needs=read_needs(site.hub, space_id, units))
    else:
        made = plan.in_order(space=space, space_id=space_id, units=units)
    if explain:
        return _explained(made, as_json)
    site.wake_worker(environment)
    options = deploy.Options(
        approve=approve,
        command=f"bin/ordered-apply {environment}" + (" --waves" if waves else ""),
        timeout_s=timeout,
        revive=lambda: site.revive(environment),
        progress=progress,
    )
    outcome = deploy.deploy(site.hub, made, options, say)
    return _concluded(outcome, as_json, f"All services deployed successfully in {'waves' if waves else 'order'}")


@click.command(name="apply-all")
@click.argument("environment", type=Environment())
@click.option("--cluster", metavar="NAME", help="First point the units at this target, then apply what is live.")
@click.option("--head", is_flag=True, help="With --cluster: apply the approved heads instead of what is live.")
@approve_option
@timeout_option(_ALL_AT_ONCE_TIMEOUT_S)
@explain_option
@result_options
def apply_all(
    environment: str,
    cluster: str | None,
    head: bool,
    approve: bool,
    timeout: float,
    explain: bool,
    as_json: bool,
    data: str | None,
) -> int:
    """Apply all units of an environment at once.

    The namespace comes first, then everything else together. With --cluster what was live is applied again there.

    Example: bin/apply-all prod --cluster traderx-prod-dr
    """
    from confighub.operations import deploy, guard, plan
    from confighub.operations.retarget import retarget
    from traderx.site import open_site

    say, progress = showing(as_json)
    site = open_site(data, say)
    space, space_id = site.project.space(environment), site.space_id(environment)
    made = plan.at_once(space=space, space_id=space_id, units=deploy.read_units(site.hub, space_id))
    if explain:
        return _explained(made, as_json)
    command = f"bin/apply-all {environment}" + (f" --cluster {cluster}" if cluster else "")
    command += " --head" if head else ""
    if cluster and head:
        # before the units are pointed elsewhere: what is refused afterwards would leave them there
        guard.refuse_closed(made, made.units, approve=approve, command=command)
    site.wake_worker(environment)
    if cluster:
        retarget(site.hub, space=space, space_id=space_id, target=cluster, say=say)
        units = [unit for unit in deploy.read_units(site.hub, space_id) if head or unit.live]
        made = plan.at_once(space=space, space_id=space_id, units=units)
    options = deploy.Options(
        approve=approve,
        command=command,
        timeout_s=timeout,
        again=bool(cluster),
        live_revisions=bool(cluster) and not head,
        revive=lambda: site.revive(environment),
        progress=progress,
    )
    return _concluded(deploy.deploy(site.hub, made, options, say), as_json, "All units applied")


@click.command()
@click.argument("source", metavar="FROM", type=_END)
@click.argument("target", metavar="TO", type=_END)
@click.option("--image", metavar="CONTAINER=:TAG", help="First set this image in FROM.")
@click.option(
    "--lateral", is_flag=True, is_eager=True, help="Promote also between stages that do not follow each other."
)
@explain_option
@result_options
def promote(
    source: str, target: str, image: str | None, lateral: bool, explain: bool, as_json: bool, data: str | None
) -> int:
    """Bring what is newer in one stage to the next.

    It is shown as a diff first, with what it costs, then done; local differences stay, and upstream values they
    keep out are listed.
    Nothing is approved by this. --explain shows the diff and stops.

    Example: bin/promote dev staging
    """
    from confighub.operations import promote as promotion
    from confighub.operations.cost.comparing import of_promotion
    from confighub.operations.cost.prices import load_prices
    from traderx.site import open_site

    say = saying(as_json)
    site = open_site(data, say)
    from_space, to_space = site.project.space(source), site.project.space(target)
    site.space_id(source)
    site.space_id(target)
    if image and not explain:
        # before the image is set: what is refused afterwards would leave it there
        promotion.refuse_skipping(site.hub, source=from_space, target=to_space, lateral=lateral)
        promotion.set_image(site.hub, space=from_space, image=image, say=say)
    shown = promotion.preview(site.hub, source=from_space, target=to_space, lateral=lateral)
    costs = of_promotion(site.hub, shown, load_prices())
    for line in [*promotion.report(shown), *costs.lines()]:
        say(line)
    if not explain:
        promotion.promote(site.hub, shown)
        if shown.changes:
            say(f"{counted(len(shown.changes), 'unit')} of {target} promoted: {_next(site.hub, shown, target)}")
    if as_json:
        print(json.dumps({**shown.as_json(), "cost": costs.as_json(), "promoted": not explain}, indent=2))
    return 0


def _next(hub: HubClient, shown: Promotion, target: str) -> str:
    from confighub.operations.promote import applies_by_itself

    if target != "base" and applies_by_itself(hub, shown):
        return "the worker applies those that are live"
    return f"changed, not applied; run: bin/ordered-apply {target}" if target != "base" else "base is never applied"


def _concluded(outcome: Outcome, as_json: bool, praise: str) -> int:
    """Print how it ended and return the exit status."""
    if as_json:
        print(json.dumps(outcome.as_json(), indent=2))
    failed = outcome.failure
    if failed is not None:
        say = saying(as_json)
        say(f"stopped at {failed.slug}; what ran before goes on running")
        if outcome.left:
            say(f"begun and not waited for: {', '.join(outcome.left)}")
        if outcome.not_begun:
            say(f"not begun: {', '.join(outcome.not_begun)}")
        return 1
    saying(as_json)(f"{praise} ({outcome.seconds:.1f} s)")
    return 0


def _explained(made: Plan, as_json: bool) -> int:
    """Print what a plan would do and return the exit status."""
    from confighub.operations import deploy

    for line in deploy.explain(made):
        saying(as_json)(line)
    if as_json:
        print(json.dumps(made.as_json(), indent=2))
    return 0
