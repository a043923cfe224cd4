"""A canary under load: a good version loses nothing, a bad one is found by the right check and gone within 30 s.

TRADERX_ROLLOUT_ROUNDS says how often each seeded fault is tried (1 by default).
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.acceptance.system import System
from tests.acceptance.trading import position
from tests.acceptance.traffic import Traffic, booked_once, killed_at_every_step
from tests.prometheus import Server

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(1800)]

ROUNDS = int(os.environ.get("TRADERX_ROLLOUT_ROUNDS", "1"))
ACCOUNT, SYMBOL = 22214, "MSFT"
# The machine that tests may be slow altogether, which is not what is tested here.
PATIENT = ("--speed", "1200", "--patience", "120", "--p95-ms", "1000")
TOLD: list[str] = []


@pytest.fixture(scope="module", autouse=True)
def table() -> Iterator[None]:
    """Print what was detected by which check after how long, at the end."""
    yield
    print("\n" + "\n".join(TOLD))


def canary(system: System, *arguments: str) -> tuple[int, dict[str, Any]]:
    ran = system.run("canary", "trade-service", "dev", *arguments, "--json")
    assert ran.out, ran.err
    return ran.code, json.loads(ran.out)


def left_over(system: System) -> list[str]:
    return [slug for slug in system.units() if "canary" in slug]


@pytest.mark.requirement("R-122", "R-175", "R-176", "R-180")
def test_a_good_version_is_promoted_though_killed_at_every_step_and_no_request_fails(rolled: System) -> None:
    ingress = rolled.status()["ingress"]
    before = position(ingress, ACCOUNT, SYMBOL)
    options = ["trade-service", "dev", *PATIENT]

    with Traffic(ingress, ACCOUNT, SYMBOL) as traffic:
        ran, killed = killed_at_every_step(rolled, "canary", [*options, "--image", ":v1.1.0"], options)

    assert ran.code == 0, ran.out
    assert killed == [*("create", "deploy", "stage 10%", "stage 25%", "stage 50%", "stage 100%", "promote", "finish")]
    assert "promoted" in ran.out
    assert traffic.failed == []
    booked_once(traffic, before)
    assert left_over(rolled) == []
    texts = [base64.b64decode(unit["Data"]).decode() for unit in rolled.units().values() if unit["LiveRevisionNum"]]
    assert len([text for text in texts if "finos/traderx-trade-service:v1.1.0" in text]) == 1
    assert rolled.status()["ready"]


FAULTS = {
    "FAULT_ERROR_RATE=0.05": {"error rate", "error increase"},
    "FAULT_LATENCY_MS=300": {"latency"},
    "FAULT_DROP_PUBLISH=1": {"synthetic trades"},
    "FAULT_DOUBLE_PUBLISH=1": {"synthetic trades"},
    "FAULT_CRASH_AFTER_S=3": {"crash loop"},
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.requirement("R-129")
def test_a_seeded_fault_is_found_by_the_right_check_and_back_within_30_s(rolled: System, fault: str) -> None:
    ingress = rolled.status()["ingress"]
    options = ["--speed", "600", "--patience", "120"]
    # Only the fault of latency is about the seed's 200 ms; a slow machine must not hide the others behind it.
    options += [] if "LATENCY" in fault else ["--p95-ms", "1000"]
    for _ in range(ROUNDS):
        with Traffic(ingress, ACCOUNT, SYMBOL):
            code, told = canary(rolled, "--image", ":v1.1.0", "--env", fault, "--lift", "to be tried again", *options)

        assert code == 3, told
        assert told["verdict"] == "rolled back"
        assert told["check"] in FAULTS[fault], told
        assert told["rolled_back_in_s"] < 30
        assert left_over(rolled) == []
        TOLD.append(
            f"{fault:<24} {told['check']:<18} detected after {told['detected_after_s']:>6} s,"
            f" back in {told['rolled_back_in_s']} s"
        )


@pytest.mark.requirement("R-125", "R-126", "R-127")
def test_a_real_prometheus_judges_a_good_and_a_bad_version(rolled: System, prometheus: Callable[[], Server]) -> None:
    ingress, server = rolled.status()["ingress"], prometheus()
    runtime = json.loads((rolled.data / "runtime" / "runtime.json").read_text())["url"]
    server.scrape(f"{runtime}/metrics", job="laptop")
    options = ["--prometheus", server.url, "--lift", "to be tried again", *PATIENT]

    with Traffic(ingress, ACCOUNT, SYMBOL) as traffic:
        good = canary(rolled, "--image", ":v1.1.0", *options)
        failed = list(traffic.failed)
        bad = canary(rolled, "--image", ":v2.0.0", "--env", "FAULT_ERROR_RATE=0.05", *options)

    assert (good[0], good[1]["verdict"], failed) == (0, "promoted", []), good[1]
    assert (bad[0], bad[1]["check"] in FAULTS["FAULT_ERROR_RATE=0.05"]) == (3, True), bad[1]
    assert bad[1]["rolled_back_in_s"] < 30
    assert left_over(rolled) == []
    TOLD.append(
        f"{'5 % errors, Prometheus':<24} {bad[1]['check']:<18} detected after {bad[1]['detected_after_s']:>6} s,"
        f" back in {bad[1]['rolled_back_in_s']} s"
    )


def test_a_prometheus_that_is_away_or_knows_nothing_is_no_pass(
    rolled: System, prometheus: Callable[[], Server]
) -> None:
    options = ["--image", ":v1.1.0", "--speed", "600", "--patience", "3", "--lift", "to be tried again"]
    away = rolled.run("canary", "trade-service", "dev", *options, "--prometheus", "http://127.0.0.1:1")
    assert (away.code, "cannot be asked" in away.err) == (1, True), away.text

    code, told = canary(rolled, *options, "--prometheus", prometheus().url)

    assert (code, told["check"]) == (3, "evidence"), told
    assert "nothing is counted by confighub_ingress_requests_total" in told["reason"]
    assert left_over(rolled) == []


def test_without_traffic_there_is_no_evidence_and_no_promotion(rolled: System) -> None:
    code, told = canary(
        rolled, "--image", ":v1.1.0", "--speed", "600", "--patience", "3", "--lift", "to be tried again"
    )

    assert (code, told["check"]) == (3, "evidence")
    assert "errors in 0 of 0 requests" in told["reason"]
    assert told["rolled_back_in_s"] < 30
    TOLD.append(f"{'no traffic':<24} {told['check']:<18} detected after {told['detected_after_s']:>6} s")


def test_a_version_that_was_taken_back_is_refused_until_somebody_lifts_it(rolled: System) -> None:
    canary(rolled, "--image", ":v9.9.9")

    refused = rolled.run("canary", "trade-service", "dev", "--image", ":v9.9.9", "--json")

    assert refused.code == 1
    assert "in quarantine" in refused.err
    assert json.loads(refused.out)["verdict"] == "could not run"
    assert "--lift REASON" in refused.err
    assert left_over(rolled) == []


def test_what_cannot_be_rolled_out_is_refused_before_anything_is_made(rolled: System) -> None:
    reasons = {
        ("trade-processor", "--image", ":v1.1.0"): "no Service",
        ("trade-feed", "--image", ":v1.1.0"): "two versions",
        ("no-service", "--image", ":v1.1.0"): "no such unit",
        ("trade-service",): "say which image",
        ("trade-service", "--image", "v1.1.0"): "given as :TAG",
        ("trade-service", "--image", ":v1.1.0", "--p95-ms", "210"): "not by 210",
        ("trade-service", "--abort"): "no rollout of trade-service is under way",
    }

    for (service, *options), reason in reasons.items():
        ran = rolled.run("canary", service, "dev", *options)
        assert (ran.code, reason in ran.err) == (1, True), (service, options, ran.text)
    assert left_over(rolled) == []
