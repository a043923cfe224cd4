"""Two colours under load: the switch and the way back lose no request and no trade."""

from __future__ import annotations

import base64
import json
import urllib.request
from collections import Counter
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from confighub.operations.rollout import metrics
from tests.acceptance.system import System, call, eventually
from tests.acceptance.trading import position
from tests.acceptance.traffic import Traffic, booked_once, killed_at_every_step
from traderx import topology

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(900)]

ACCOUNT, SYMBOL = 22214, "IBM"
SERVICE = "trade-service-service"


def selector(system: System) -> str:
    text = base64.b64decode(system.unit(SERVICE)["Data"]).decode()
    return text.split("selector:")[1].split("ports:")[0]


def active(system: System) -> dict[str, Any]:
    (unit,) = [
        unit
        for unit in system.units().values()
        if (unit.get("Labels") or {}).get("active") == "true" and unit["Labels"].get("service") == "trade-service"
    ]
    return unit


@pytest.mark.requirement("R-110", "R-111", "R-113", "R-114", "R-115", "R-118", "R-119", "R-121")
def test_killed_at_every_step_it_switches_without_a_failed_request(rolled: System) -> None:
    ingress = rolled.status()["ingress"]
    before = position(ingress, ACCOUNT, SYMBOL)
    options = ["trade-service", "dev", "--soak", "3"]

    with Traffic(ingress, ACCOUNT, SYMBOL) as traffic:
        ran, killed = killed_at_every_step(rolled, "blue-green", [*options, "--image", ":v1.1.0"], options)

    assert ran.code == 0, ran.out
    assert killed == ["create", "deploy", "validate", "switch", "soak", "decommission"]
    assert traffic.failed == []
    booked_once(traffic, before)
    unit = active(rolled)
    colour = unit["Labels"]["version"]
    assert f"version: {colour}" in selector(rolled)
    assert "order" in unit["Labels"]
    assert f"trade-service-{colour}-service" not in rolled.units()
    assert eventually("ready", lambda: rolled.status()["ready"])


@pytest.mark.requirement("R-120", "R-121")
def test_a_colour_that_fails_in_the_soak_is_left_at_once_and_taken_away(rolled: System) -> None:
    ingress, was, chosen = rolled.status()["ingress"], active_slug(rolled), selector(rolled)

    # Slow enough to be found, quick enough that no request fails on the way there and back.
    with Traffic(ingress, ACCOUNT, SYMBOL) as traffic:
        ran = rolled.run(
            *("blue-green", "trade-service", "dev", "--image", ":v2.0.0", "--env", "FAULT_LATENCY_MS=400"),
            *("--soak", "60", "--json"),
        )

    told = json.loads(ran.out)
    assert (ran.code, told["verdict"], told["check"]) == (3, "rolled back", "latency"), ran.text
    assert told["rolled_back_in_s"] < 30
    assert traffic.failed == []
    assert (active_slug(rolled), selector(rolled)) == (was, chosen)
    assert eventually("ready", lambda: rolled.status()["ready"])


def test_the_environment_goes_back_across_a_switch_without_a_failed_request(rolled: System) -> None:
    ingress, was, chosen = rolled.status()["ingress"], active_slug(rolled), selector(rolled)
    moment = datetime.now(UTC).isoformat()
    rolled.must("blue-green", "trade-service", "dev", "--image", ":v1.1.0", "--env", "NOTE=left", "--soak", "1")
    assert active_slug(rolled) != was

    with Traffic(ingress, ACCOUNT, SYMBOL) as traffic:
        rolled.must("traderx", "rewind", "dev", "--to", moment, "--reason", "slow")

    assert traffic.failed == []
    assert (active_slug(rolled), selector(rolled)) == (was, chosen)
    assert eventually("ready", lambda: rolled.status()["ready"])


@pytest.mark.requirement("R-116")
def test_the_seeds_script_asks_the_colour_without_traffic(rolled: System) -> None:
    script = "../test/validate-green-environment.sh"
    nobody = rolled.run(script, "trade-service", "dev")
    assert (nobody.code, "no second colour" in nobody.err) == (1, True), nobody.text

    for fault, code, told in (("NOTHING=1", 0, "is healthy"), ("FAULT_DROP_PUBLISH=1", 1, "lost from the feed")):
        options = ("blue-green", "trade-service", "dev")
        rollout = rolled.start(*options, "--image", ":v2.0.0", "--env", fault, "--soak", "60", "--lift", "again")
        assert rollout.stdout is not None
        next(line for line in rollout.stdout if line.startswith("step validate"))
        rollout.kill()
        rollout.stdout.close()
        rollout.wait(30)

        asked = rolled.run(script, "trade-service", "dev")

        assert (asked.code, told in asked.text) == (code, True), asked.text
        assert rolled.run(*options, "--abort").code == 3


@pytest.mark.requirement("R-111", "R-117", "R-119")
def test_by_the_ingress_killed_at_every_step_it_switches_without_a_failed_request(rolled: System) -> None:
    ingress, text, chosen = rolled.status()["ingress"], ingress_text(rolled), selector(rolled)
    before, counted = position(ingress, ACCOUNT, SYMBOL), requests_by_service(rolled)
    options = ["trade-service", "dev", "--soak", "1"]
    first = [*options, "--image", ":v2.0.0", "--env", "NOTE=by the ingress", "--switch", "ingress"]

    with Traffic(ingress, ACCOUNT, SYMBOL) as traffic:
        ran, killed = killed_at_every_step(rolled, "blue-green", first, options)

    assert ran.code == 0, ran.out
    assert killed == [*("create", "deploy", "validate", "switch", "soak", "select", "restore", "decommission")]
    assert traffic.failed == []
    booked_once(traffic, before)
    own = f"trade-service-{active(rolled)['Labels']['version']}"
    assert requests_by_service(rolled)[own] > counted[own]
    assert ingress_text(rolled) == text
    assert selector(rolled) != chosen
    assert f"{own}-service" not in rolled.units()
    assert eventually("ready", lambda: rolled.status()["ready"])


@pytest.mark.requirement("R-117")
def test_a_patch_by_hand_sends_what_users_ask_to_the_other_colour(rolled: System) -> None:
    ingress, text, options = rolled.status()["ingress"], ingress_text(rolled), ("blue-green", "trade-service", "dev")
    old = str(call(f"{ingress}/trade-service/info")["version"])
    new = "v1.1.0" if old == "v2.0.0" else "v2.0.0"
    rollout = rolled.start(*options, "--image", f":{new}", "--env", "NOTE=by hand", "--soak", "60")
    assert rollout.stdout is not None
    next(line for line in rollout.stdout if line.startswith("step validate"))
    rollout.kill()
    rollout.stdout.close()
    rollout.wait(30)
    (own,) = [slug for slug in rolled.units() if slug in ("trade-service-blue-service", "trade-service-green-service")]
    update = ("cub", "unit", "update", "ingress", "--patch", "--space", rolled.space("dev"))

    # the seed's own words name no object and no path: nothing says what they are to change
    vague = rolled.run(*update, "--data", '{"spec":{"rules":[{"backend":{"service":{"name":"trade-service-green"}}}]}}')
    assert (vague.code, "metadata.name" in vague.err, ingress_text(rolled)) == (1, True, text), vague.text

    for name, answers in ((own.removesuffix("-service"), new), ("trade-service", old)):
        rolled.must(*update, "--data", led_to(name))
        rolled.must("cub", "unit", "apply", "ingress", "--space", rolled.space("dev"), "--wait")
        assert eventually(f"{name} answers", partial(runs, ingress, answers))

    assert ingress_text(rolled) == text
    assert rolled.run(*options, "--abort").code == 3


def runs(ingress: str, version: str) -> bool:
    """Whether this version answers what comes in for trade-service."""
    return bool(call(f"{ingress}/trade-service/info")["version"] == version)


def led_to(service: str) -> str:
    """The patch that leads the FINOS path of trade-service in dev to another Service."""
    path = {"path": "/trade-service(/|$)(.*)", "pathType": "ImplementationSpecific"}
    rule = {
        "host": topology.INGRESS_HOSTS["dev"],
        "http": {"paths": [{**path, "backend": {"service": {"name": service}}}]},
    }
    return json.dumps({"metadata": {"name": "traderx-ingress-finos"}, "spec": {"rules": [rule]}})


def ingress_text(system: System) -> str:
    return base64.b64decode(system.unit("ingress")["Data"]).decode()


def requests_by_service(system: System) -> Counter[str]:
    """What the ingress of dev has let in so far, by the name of the Service that it was led to."""
    shown = system.must("cub", "unit", "get-live-state", "ingress", "--space", system.space("dev"), "--full").out
    live = json.loads(shown)
    with urllib.request.urlopen(live[0]["metadata"]["annotations"]["laptop.confighub/metrics"], timeout=10) as answer:
        found = metrics.samples(answer.read().decode())
    counted: Counter[str] = Counter()
    for name, labels, value in found:
        if name == metrics.REQUESTS:
            counted[labels["service"]] += int(value)
    return counted


def active_slug(system: System) -> str:
    """The unit of the colour that has the traffic; before the first rollout the only one."""
    units = [
        unit
        for unit in system.units().values()
        if (unit.get("Labels") or {}).get("service") == "trade-service"
        and unit["LiveRevisionNum"]
        and unit["Slug"] != SERVICE
    ]
    (unit,) = [one for one in units if one["Labels"].get("active") != "false"]
    slug: str = unit["Slug"]
    return slug
