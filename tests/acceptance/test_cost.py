"""What it costs, seen on real processes by a real Prometheus: advice, change set, applied, the saving read back."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.acceptance.system import System
from tests.acceptance.trading import position
from tests.acceptance.traffic import Traffic, booked_once
from tests.prometheus import Server

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(900)]

DATA_SERVICES = ["reference-data", "people-service", "account-service"]
EIGHT = {*DATA_SERVICES, "position-service", "trade-service", "trade-processor", "trade-feed", "web-gui"}
SAMPLES = f'count_over_time(container_cpu_usage_seconds_total{{container=~"{"|".join(sorted(EIGHT))}"}}[5m])'
ENOUGH = 26
"""So many samples of a program are ten steps of a second and some more; a slow machine takes longer for them."""


@pytest.mark.requirement("R-009", "R-199", "R-205")
def test_what_is_advised_by_real_usage_is_applied_and_saves_what_was_said(
    rolled: System, prometheus: Callable[[], Server], capsys: pytest.CaptureFixture[str]
) -> None:
    server = prometheus()
    runtime = json.loads((rolled.data / "runtime" / "runtime.json").read_text())["url"]
    server.scrape(f"{runtime}/metrics", job="confighub-runtime")
    assert runtime.partition("//")[2] in rolled.must("traderx", "prometheus").out
    ingress = rolled.status()["ingress"]
    before = position(ingress, 22214, "COST")

    def look(*arguments: str) -> dict[str, Any]:
        ran = rolled.must("cost-optimizer", *arguments, "--prometheus", server.url, "--json")
        answer: dict[str, Any] = json.loads(ran.out)
        return answer

    with Traffic(ingress, 22214, "COST", readers=2, pause_s=0.02) as load:
        early = look("--space", "dev")
        # the longest known replica of each program: one that just ended is of no account
        known = f"max by (container) ({SAMPLES})"
        server.await_value(f"count({known} >= {ENOUGH})", len(EIGHT), timeout_s=180)
        recent = ["--window", "5m", "--at-least", "10s"]
        seen = look("--space", "dev", *recent)
        made = look("--sets", "data-services", "--space", "*", *recent, "--apply")

    # a day of data is wanted unless told otherwise, so the first look advises nothing and says why, by name
    assert early["advice"] == []
    assert {one["container"] for one in early["withoutAdvice"]} == EIGHT
    reasons = {one["why"] for one in early["withoutAdvice"]}
    assert {why for why in reasons if "not enough data" not in why and "no usage" not in why} == set()

    # every one of the eight programs is known by what it used
    about = {one["container"]: one["used"] for one in seen["advice"]}
    about |= {one["container"]: {} for one in seen["withoutAdvice"] if one["fits"]}
    assert about.keys() == EIGHT
    assert any(used and used["cpuP95"] != "0m" for used in about.values())

    # the change went through without a lost or failed request, and what runs costs what was said
    (receipt,) = made["receipts"]
    assert sorted(receipt["units"]) == sorted(f"{name}-deployment" for name in DATA_SERVICES)
    assert receipt["verifiedSavingUsdPerMonth"] == receipt["predictedSavingUsdPerMonth"]
    assert Decimal(receipt["verifiedSavingUsdPerMonth"]) > 0
    assert load.failed == []
    booked_once(load, before)
    units = rolled.units()
    for name in DATA_SERVICES:
        unit = units[f"{name}-deployment"]
        advice = next(one for one in made["advice"] if one["container"] == name)
        assert unit["LiveRevisionNum"] == unit["HeadRevisionNum"]
        assert f"cpu: {advice['advised']['cpu']}" in b64decode(unit["Data"]).decode()
    compared = json.loads(rolled.must("traderx", "cost", "diff", "dev", "--json").out)
    assert (compared["change"], compared["units"]) == ("+0.00", [])

    # one change set, which brings everything back
    rolled.must("cub", "changeset", "apply", receipt["changeSet"], "--space", rolled.space("dev"), "--to", "start")
    history = json.loads(rolled.must("cost-optimizer", "--space", "dev", "--history", "--json").out)
    (row,) = (one for one in history if one["changeSet"] == receipt["changeSet"])
    assert row["liveNowUsdPerMonth"] == receipt["liveBeforeUsdPerMonth"]

    with capsys.disabled():
        saved, was = receipt["verifiedSavingUsdPerMonth"], receipt["liveBeforeUsdPerMonth"]
        print(
            f"\n{len(load.accepted)} trades meanwhile; {saved} of {was} USD a month saved by {receipt['changeSet']}",
            end="",
        )
