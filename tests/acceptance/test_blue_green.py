"""Two colours under load: the switch and the way back lose no request and no trade."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.acceptance.system import System, eventually
from tests.acceptance.trading import position
from tests.acceptance.traffic import Traffic, booked_once, killed_at_every_step

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
