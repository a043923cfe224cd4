"""What changes cost, what an environment may cost, and what a Prometheus is told of this machine."""

from __future__ import annotations

import json
import math
from decimal import Decimal

import click

from confighub.errors import BadRequest, NotFound
from traderx.commands.parameters import Duration, Environment, data_option, price_options, result_options
from traderx.commands.printing import saying
from traderx.commands.watching import spaces_named


@click.group()
def cost() -> None:
    """Say what changes cost, and set budgets."""


@cost.command()
@click.argument("environment", type=Environment(allows_spaces=True))
@price_options
@result_options
def diff(environment: str, provider: str, region: str, prices_file: str | None, as_json: bool, data: str | None) -> int:
    """Show what the heads of an environment cost against what runs.

    Example: bin/traderx cost diff dev
    """
    from confighub.operations.cost.comparing import differences, signed
    from confighub.operations.cost.prices import load_prices
    from confighub.operations.cost.spaces import read_spaces
    from confighub.operations.drift.watched import find_watched
    from traderx.site import open_site

    say = saying(as_json)
    prices = load_prices(prices_file or "").at(provider=provider, region=region)
    site = open_site(data, say)
    watched = find_watched(site.hub, spaces_named(site.project, (environment,)), sets=(), filters=())
    (space,) = read_spaces(site.hub, watched, prices)
    found = differences(
        {unit.slug: unit.live_cost for unit in space.units}, {unit.slug: unit.head_cost for unit in space.units}
    )
    for one in [] if as_json else found:
        print(one.line())
    change = space.head_cost - space.live_cost
    if as_json:
        answer = {
            "space": space.slug,
            "live": str(space.live_cost),
            "head": str(space.head_cost),
            "change": signed(change),
            "units": [one.as_json() for one in found],
        }
        print(json.dumps(answer, indent=2))
    else:
        print(f"{space.slug}: {space.live_cost} -> {space.head_cost} USD a month ({signed(change)})")
    return 0


@cost.command()
@click.argument("environment", type=Environment(allows_spaces=True))
@click.option("--usd", type=float, metavar="AMOUNT", help="What the environment may cost a month.")
@click.option("--none", "lifted", is_flag=True, help="Take the budget away.")
@price_options
@result_options
def budget(
    environment: str,
    usd: float | None,
    lifted: bool,
    provider: str,
    region: str,
    prices_file: str | None,
    as_json: bool,
    data: str | None,
) -> int:
    """Show or set what an environment may cost a month.

    A head that would make it cost more has a closed gate: nothing applies it, by whatever door.

    Example: bin/traderx cost budget dev --usd 60
    """
    from confighub.operations.cost.budget import find_budget, lift_budget, set_budget
    from confighub.operations.cost.prices import load_prices
    from confighub.operations.cost.spaces import read_spaces
    from confighub.operations.drift.watched import find_watched
    from traderx.site import open_site

    if usd is not None and (lifted or not 0 < usd < math.inf):
        raise BadRequest("a budget is an amount above zero", hint="--usd 60, or --none to take it away")
    say = saying(as_json)
    prices = load_prices(prices_file or "").at(provider=provider, region=region)
    site = open_site(data, say)
    watched = find_watched(site.hub, spaces_named(site.project, (environment,)), sets=(), filters=())
    space = watched.spaces[0]
    if lifted:
        lift_budget(site.hub, space_id=str(space["SpaceID"]))
    if usd is not None:
        price = prices.of(space.get("Labels") or {})
        if price is None:
            raise NotFound(f"no price is known for {space['Slug']}", hint="add a row: --prices FILE")
        set_budget(site.hub, space_id=str(space["SpaceID"]), usd_per_month=Decimal(str(usd)), price=price)
    known = find_budget(site.hub, space_id=str(space["SpaceID"]))
    (found,) = read_spaces(site.hub, watched, prices)
    allowed = f"{known.usd_per_month:.2f}" if known else None
    is_over = bool(known and found.head_cost.high > known.usd_per_month)
    if as_json:
        answer = {"space": found.slug, "budget": allowed, "head": str(found.head_cost), "over": is_over}
        print(json.dumps(answer, indent=2))
    else:
        rest = f"the budget is {allowed}" if allowed else "there is no budget"
        gate = f"; the gate {known.gate} is closed for what is not live yet" if known and is_over else ""
        print(f"{found.slug}: {found.head_cost} USD a month by the heads, {rest}{gate}")
    return 0


@click.command()
@click.option("--scrape", type=Duration(), default="15s", show_default=True, help="How often it is asked.")
@data_option
def prometheus(scrape: float, data: str | None) -> int:
    """Print what a Prometheus must be told to watch this machine.

    Example: bin/traderx prometheus > prometheus.yaml && prometheus --config.file prometheus.yaml
    """
    from traderx.monitoring import configuration
    from traderx.site import open_site

    site = open_site(data, saying(True))
    print(configuration(site.project, scrape_s=scrape), end="")
    return 0
