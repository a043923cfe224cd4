"""kill -9 during an ordered deploy: started again it completes; no order is lost, none is booked twice.

TRADERX_CRASH_ROUNDS says how often each victim dies (1 by default, 10 for the full proof).
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import uuid
from collections.abc import Callable, Iterator

import psutil
import pytest

from tests.acceptance.conftest import end
from tests.acceptance.system import System, call, eventually
from tests.acceptance.trading import SteadyClient, position, settled
from tests.folders import short_folder

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(3600)]

ROUNDS = int(os.environ.get("TRADERX_CRASH_ROUNDS", "1"))
ACCOUNT, SYMBOL = 22214, "MSFT"


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    """A project whose deploys do the work themselves, not the worker beside them."""
    system = System(short_folder() / "data")
    try:
        system.must("up")
        worker, space = f"{system.project}-worker-dev", system.space("dev")
        system.must("cub", "worker", "update", worker, "--space", space, "--patch", "--auto-apply", "false")
        yield system
    finally:
        end(system)


def kill(system: System, name: str) -> None:
    """Kill -9 the hub, the runtime, the worker, or one replica of a service."""
    if name in ("hub", "runtime", "worker"):
        known = json.loads((system.data / "processes.json").read_text())
        psutil.Process(int(known["worker-dev" if name == "worker" else name]["pid"])).kill()
        return

    def killed() -> bool:
        replicas = [one for one in system.processes() if one.cmdline()[-2:] == ["service", name]]
        if not replicas:
            return False
        random.choice(replicas).kill()
        return True

    # A replica may leave by itself between the look and the kill, since the deploy replaces it.
    eventually(f"{name} killed", lambda: attempt(killed))


def attempt(act: Callable[[], bool]) -> bool:
    """What ``act`` returns; False when the process it was about has gone."""
    try:
        return act()
    except psutil.NoSuchProcess:
        return False


def change_all(system: System) -> None:
    """Give every Deployment of dev a new revision, so that each has to be rolled out."""
    before = system.units()
    system.must(
        *("cub", "run", "set-env", "*", f"CRASH_ROUND={uuid.uuid4()}", "--space", system.space("dev")),
        *("--where", "Slug LIKE '%-deployment'", "--quiet"),
    )
    for slug, unit in system.units().items():
        changes = 1 if slug.endswith("-deployment") else 0
        assert unit["HeadRevisionNum"] == before[slug]["HeadRevisionNum"] + changes
        assert unit["LiveRevisionNum"] == before[slug]["LiveRevisionNum"]


def deploy_under_way(system: System) -> subprocess.Popen[str]:
    """Return a deploy of everything at some moment of it; one that was over by then is followed by another."""
    longest_s = 4.0
    while True:
        change_all(system)
        deploy = system.start("ordered-apply", "dev")
        try:
            deploy.wait(random.uniform(0.5, longest_s))
        except subprocess.TimeoutExpired:
            return deploy
        said, _ = deploy.communicate()
        assert deploy.returncode == 0, said
        longest_s = max(0.6, longest_s * 0.7)


@pytest.mark.parametrize("name", ["hub", "runtime", "worker", "trade-service", "trade-processor", "position-service"])
@pytest.mark.requirement("R-279")
def test_nothing_is_lost_or_doubled_when_it_dies_during_a_deploy(system: System, name: str) -> None:
    ingress = system.status()["ingress"]
    held = position(ingress, ACCOUNT, SYMBOL)

    with SteadyClient(ingress, ACCOUNT, SYMBOL) as client:
        for _ in range(ROUNDS):
            deploy = deploy_under_way(system)
            kill(system, name)
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
