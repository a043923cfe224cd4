"""A blue-green rollout of one TraderX service, checked by its health and by synthetic trades."""

from __future__ import annotations

from confighub.operations.rollout.beginning import abort, begin
from confighub.operations.rollout.blue_green import BlueGreen, Options
from confighub.operations.rollout.steps import Outcome
from traderx.canary import Rollout, open_place, refuse_single, synthetic_trader
from traderx.site import Site
from traderx.synthetic import health


def blue_green(site: Site, asked: Rollout) -> Outcome:
    """Carry a blue-green rollout out, or go on with the one under way, and return how it ended.

    Raises: what ``begin`` raises, before anything is applied.
    """
    refuse_single(asked.wish.service)
    place = open_place(site, asked.environment)
    notebook, record = (abort if asked.aborts else begin)(place, asked.wish)
    trader = synthetic_trader(site, asked.environment, record.service)
    options = Options(soak_s=asked.soak_s, is_healthy=health)
    try:
        return BlueGreen(place, notebook, record, options, trier=trader).go()
    finally:
        trader.close()


def explain_blue_green(asked: Rollout) -> list[str]:
    """Return the lines that say what the rollout would do."""
    wish = asked.wish
    return [
        f"{wish.service} {wish.image} as a second colour in {asked.environment}, with as many replicas as the first",
        "  validate: its health and synthetic trades, through a Service of its own",
        f"  switch: the Service {wish.service} selects it; soak: {asked.soak_s:g} s with the old colour kept warm",
        "  then the old colour is taken away; any failure sends the traffic back at once",
    ]
