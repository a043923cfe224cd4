"""A blue-green rollout of one TraderX service, checked by its health and by synthetic trades."""

from __future__ import annotations

from confighub.client.collection import quoted
from confighub.errors import ConfigHubError, NotFound
from confighub.operations.readiness import is_ready, reasons
from confighub.operations.rollout.beginning import abort, begin
from confighub.operations.rollout.blue_green import BlueGreen, Options
from confighub.operations.rollout.steps import Outcome
from traderx.canary import Rollout, open_place, refuse_odd_time, refuse_single, synthetic_trader, trading
from traderx.site import Site
from traderx.synthetic import health

_ADDRESSES = "laptop.confighub/addresses"


def blue_green(site: Site, asked: Rollout) -> Outcome:
    """Carry a blue-green rollout out, or go on with the one under way, and return how it ended.

    Raises: what ``begin`` raises, before anything is applied.
    """
    refuse_odd_time("soak", asked.soak_s)
    refuse_single(asked.wish.service)
    place = open_place(site, asked.environment)
    notebook, record = (abort if asked.aborts else begin)(place, asked.wish)
    options = Options(soak_s=asked.soak_s, is_healthy=health)
    with trading(site, place, asked.environment, record) as trader:
        return BlueGreen(place, notebook, record, options, trier=trader).go()


def validate(site: Site, environment: str, service: str) -> str:
    """Return what was seen of the colour beside the one that has the traffic, which works.

    It is asked at the addresses of its replicas, so it needs no Service. Raises: NotFound when there is none;
    ConfigHubError with what is wrong with it.
    """
    place = open_place(site, environment)
    where = f"Labels.service = {quoted(service)} AND Labels.active = 'false' AND LiveRevisionNum > 0"
    found = site.hub.units.list(where=where, space_id=place.space_id, include="")
    if not found:
        raise NotFound(f"no second colour of {service} is live in {environment}", hint="bin/blue-green makes one")
    unit = found[0]["Unit"]
    slug, status = str(unit["Slug"]), place.status(str(unit["UnitID"]))
    if not is_ready(status, revision=int(unit["HeadRevisionNum"])):
        raise ConfigHubError(f"{slug} is not ready: {'; '.join(reasons(status)) or status.get('Status')}")
    noted = [(one.get("metadata", {}).get("annotations") or {}).get(_ADDRESSES, "") for one in place.live(slug)]
    addresses = [f"http://{one}" for text in noted for one in text.split(",") if one]
    for address in addresses:
        if why := health(address):
            raise ConfigHubError(f"{slug} at {address}: {why}")
    if not addresses:
        raise ConfigHubError(f"{slug} does not say where it answers")
    trader = synthetic_trader(site, place, environment, service)
    try:
        trial = trader.trial(addresses[0])
    finally:
        trader.close()
    if not trial.passed:
        raise ConfigHubError(f"{slug} at {addresses[0]}: {trial.what}")
    return f"{slug} is healthy, replicas: {len(addresses)}; {trial.what}"


def explain_blue_green(asked: Rollout) -> list[str]:
    """Return the lines that say what the rollout would do."""
    refuse_odd_time("soak", asked.soak_s)
    wish = asked.wish
    selects = f"the Service {wish.service} selects it"
    by_ingress = wish.switch == "ingress"
    switch = "the Ingress leads to it, callers inside stay on the old colour" if by_ingress else selects
    end = f"{selects}, the Ingress leads there again, and the" if by_ingress else "the"
    return [
        f"{wish.service} {wish.image} as a second colour in {asked.environment}, with as many replicas as the first",
        "  validate: its health and synthetic trades, through a Service of its own",
        f"  switch: {switch}; soak: {asked.soak_s:g} s with the old colour kept warm",
        f"  then {end} old colour is taken away; any failure sends the traffic back at once",
    ]
