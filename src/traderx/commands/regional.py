"""Commands about the regions of prod."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from traderx.commands.parameters import RegionName, approve_option, result_options, timeout_option
from traderx.commands.printing import saying
from traderx.wording import counted

if TYPE_CHECKING:
    from traderx.regions import Region


@click.group(invoke_without_command=True)
@result_options
@click.pass_context
def regions(context: click.Context, as_json: bool, data: str | None) -> None:
    """Show the regions, and promote prod from one to the next.

    Of each: its role, space, target, worker, expected latency, and how long it took to answer from here.

    Example: bin/traderx regions --json
    """
    if context.invoked_subcommand:
        # what was said before the command's name holds for the command
        context.default_map = {context.invoked_subcommand: {"as_json": as_json, "data": data}}
        return
    from traderx.regions import lines, look
    from traderx.site import open_site

    seen = look(open_site(data, saying(as_json=True)))
    if as_json:
        print(json.dumps([one.as_json() for one in seen], indent=2))
        return
    for line in lines(seen):
        print(line)


@regions.command()
@click.option("--from", "first", type=RegionName(), default="us-east-1", show_default=True, help="Begin with this one.")
@click.option("--to", "last", type=RegionName(), default="eu-central-1", show_default=True, help="End with this one.")
@approve_option
@click.option("--without-traffic", is_flag=True, help="Validate without asking services: they are not reached here.")
@timeout_option(120.0)
@result_options
def promote(
    first: Region, last: Region, approve: bool, without_traffic: bool, timeout: float, as_json: bool, data: str | None
) -> int:
    """Promote prod region by region.

    The first region is cloned from prod, each other one from the region before. Each is promoted, deployed in order
    and validated; one that is not well ends it, and the next ones stay as they are.

    Example: bin/traderx regions promote --to us-west-2 --approve
    """
    from traderx import regions as promotion
    from traderx.site import open_site

    say = saying(as_json)
    chosen = promotion.between(first, last)
    done = promotion.promote_through(
        open_site(data, say), chosen, approve=approve, asks_services=not without_traffic, timeout_s=timeout
    )
    if as_json:
        print(json.dumps(done.as_json(), indent=2))
    say(f"stopped: {done.stopped}" if done.stopped else f"{counted(len(chosen), 'region')} promoted and validated")
    return 1 if done.stopped else 0


@regions.command()
@click.argument("region", type=RegionName())
@click.option("--without-traffic", is_flag=True, help="Do not ask the services: they are not reached from here.")
@result_options
def validate(region: Region, without_traffic: bool, as_json: bool, data: str | None) -> int:
    """Validate one region.

    Every head is live and ready, the worker connected, nothing drifted, every service answers, the books balance.
    The exit status is 1 when anything is not so.

    Example: test/validate-region.sh us-east-1
    """
    from traderx import regions as promotion
    from traderx.checking import lines
    from traderx.site import open_site

    found = promotion.validate(open_site(data, saying(as_json=True)), region, asks_services=not without_traffic)
    bad = sum(not one.is_well for one in found)
    if as_json:
        print(json.dumps({"region": region.name, "ok": not bad, "checks": [one.as_json() for one in found]}, indent=2))
    else:
        for line in lines(found):
            print(line)
        print(f"{len(found)} checks, {bad} failed" if bad else f"all {len(found)} checks are well")
    return 1 if bad else 0
