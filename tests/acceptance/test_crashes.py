"""kill -9 during an ordered deploy: started again it completes; no order is lost, none is booked twice.

TRADERX_CRASH_ROUNDS says how often each victim dies (1 by default, 10 for the full proof).
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable

import psutil
import pytest

from tests.acceptance.system import System, call, eventually
from tests.acceptance.trading import SteadyClient, position, settled

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(3600)]

ROUNDS = int(os.environ.get("TRADERX_CRASH_ROUNDS", "1"))
ACCOUNT, SYMBOL = 22214, "MSFT"


def victim(system: System, name: str) -> int:
    """The pid of the hub, the runtime, the worker, or of one replica of a service."""
    if name in ("hub", "runtime", "worker"):
        known = json.loads((system.data / "processes.json").read_text())
        return int(known["worker-dev" if name == "worker" else name]["pid"])
    replicas = [
        process.pid
        for process in system.processes()
        if process.cmdline()[-2:] == ["service", name.removeprefix("service ")]
    ]
    return random.choice(replicas)


def change_all(system: System, number: int) -> None:
    """Give every Deployment of dev a new revision, so that each has to be rolled out."""
    before = system.units()
    system.must(
        *("cub", "run", "set-env", "*", f"CRASH_ROUND={number}", "--space", system.space("dev")),
        *("--where", "Slug LIKE '%-deployment'", "--quiet"),
    )
    for slug, unit in system.units().items():
        changes = 1 if slug.endswith("-deployment") else 0
        assert unit["HeadRevisionNum"] == before[slug]["HeadRevisionNum"] + changes
        assert unit["LiveRevisionNum"] == before[slug]["LiveRevisionNum"]


@pytest.mark.parametrize(
    "name", ["hub", "runtime", "worker", "service trade-service", "service trade-processor", "service position-service"]
)
@pytest.mark.requirement("R-279")
def test_nothing_is_lost_or_doubled_when_it_dies_during_a_deploy(new_system: Callable[[], System], name: str) -> None:
    system = new_system()
    system.must("up")
    ingress = system.status()["ingress"]
    held = position(ingress, ACCOUNT, SYMBOL)

    # The deploy itself is to do the work, not the worker beside it.
    worker = f"{system.project}-worker-dev"
    system.must("cub", "worker", "update", worker, "--space", system.space("dev"), "--patch", "--auto-apply", "false")

    with SteadyClient(ingress, ACCOUNT, SYMBOL) as client:
        for number in range(ROUNDS):
            change_all(system, number)
            deploy = system.start("ordered-apply", "dev")
            time.sleep(random.uniform(0.5, 4.0))
            assert deploy.poll() is None, deploy.communicate()
            psutil.Process(victim(system, name)).kill()
            deploy.communicate(timeout=200)

            system.must("up")
            assert system.status()["ready"]
            assert all(unit["LiveRevisionNum"] == unit["HeadRevisionNum"] for unit in system.units().values())

    assert client.refused == []
    assert client.accepted
    for order_id in client.accepted:
        settled(ingress, order_id)
    booked = position(ingress, ACCOUNT, SYMBOL) - held
    assert booked == len(client.accepted)
    ours = [
        trade for trade in call(f"{ingress}/position-service/trades/{ACCOUNT}") if trade["id"] in set(client.accepted)
    ]
    assert len(ours) == len(client.accepted)
    assert eventually("ready", lambda: system.status()["ready"])
