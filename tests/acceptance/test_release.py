"""A release goes from dev to prod, each time by a canary under load, and nothing that a user sends is lost.

It takes minutes: TRADERX_RELEASE=1 runs it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable

import pytest

from tests.acceptance.system import System
from tests.acceptance.trading import position
from tests.acceptance.traffic import Traffic, booked_once

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not os.environ.get("TRADERX_RELEASE"), reason="takes minutes: TRADERX_RELEASE=1 runs it"),
]

ACCOUNT, SYMBOL = 22214, "MSFT"
STAGES = ("dev", "staging", "prod")


@pytest.mark.requirement("R-175", "R-176")
def test_a_release_goes_to_prod_by_canaries_and_nothing_is_lost(new_system: Callable[[], System]) -> None:
    system = new_system()
    system.must("up")
    for stage in STAGES[1:]:
        system.must("setup-worker", stage)
        system.must("ordered-apply", stage, "--approve", timeout_s=600)

    for stage in STAGES:
        ingress = system.status(stage)["ingress"]
        before = position(ingress, ACCOUNT, SYMBOL)
        approved = ["--approve"] if stage == "prod" else []
        with Traffic(ingress, ACCOUNT, SYMBOL) as traffic:
            ran = system.run(
                *("canary", "trade-service", stage, "--image", ":v2.0.0", "--speed", "600", "--patience", "120"),
                *("--p95-ms", "1000", "--json", *approved),
                timeout_s=600,
            )
        told = json.loads(ran.out)
        print(
            stage,
            told["verdict"],
            len(traffic.failed),
            "of",
            traffic.requests,
            "failed,",
            len(traffic.accepted),
            "orders",
        )
        assert (ran.code, told["verdict"], traffic.failed) == (0, "promoted", []), told
        booked_once(traffic, before)

    live = json.loads(
        system.must("cub", "unit", "get-live-state", "trade-service", "--space", system.space("prod")).out
    )
    assert live["ReadyReplicas"] == 3
