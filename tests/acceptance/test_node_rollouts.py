"""Rollouts on a real node: real pods, requests through an ingress controller, and a real Prometheus that counts them.

A node of two cores has no room for three environments as they ask for it, so function calls lower what they request of
CPU, and nothing else but the limits of CPU. Half an hour; TRADERX_ROLLOUT_ROUNDS says how often each seeded fault is
tried (1 by default).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.acceptance.nodes import Door, Node, on_node, opened
from tests.acceptance.system import eventually
from tests.acceptance.trading import position
from tests.acceptance.traffic import Traffic, booked_once
from tests.prometheus import Server

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(1800)]

ROUNDS = int(os.environ.get("TRADERX_ROLLOUT_ROUNDS", "1"))
STAGES = ("dev", "staging", "prod")
SERVICE = "trade-service"
ACCOUNT, SYMBOL = 22214, "MSFT"
QUICK = ("--speed", "600", "--patience", "240", "--inside")
# The machine that tests may be slow altogether, which is not what is tested here.
PATIENT = (*QUICK, "--p95-ms", "1000")
ASKED = (
    ("Slug LIKE '%-deployment'", "*", "30m"),
    ("Slug = 'trade-service-deployment'", "*", "50m"),
    ("Slug = 'postgresql'", "*", "100m"),
)
"""The CPU that the containers of these units request at least; limits are ten times as much."""
TOLD: list[str] = []


@pytest.fixture(scope="module", autouse=True)
def table() -> Iterator[None]:
    """Print what was seen, at the end."""
    yield
    print("\n" + "\n".join(TOLD))


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    """Three environments that would fit on the node; nothing is deployed yet."""
    with on_node(*STAGES) as found:
        found.system.must("install-base")
        ask_for_less(found, "base")
        found.system.must("install-envs", "--with", "postgresql")
        ask_for_less(found, "prod")  # which has sizes of its own
        yield found


@pytest.fixture(scope="module")
def dev(node: Node) -> Iterator[Door]:
    """Dev, deployed, and the way in."""
    with opened(node) as door:
        node.deploy()
        assert node.system.status()["ingress"] == door.ingress
        yield door


def ask_for_less(node: Node, environment: str) -> None:
    for where, container, cpu in ASKED:
        call = ("set-container-resources", container, "all", cpu, "", "10")
        node.system.must("cub", "run", *call, "--space", node.system.space(environment), "--where", where)


def users(door: Door) -> Traffic:
    return Traffic(door.ingress, ACCOUNT, SYMBOL, readers=4, pause_s=0.02)


def watched(prometheus: Callable[[], Server], door: Door) -> Server:
    server = prometheus()
    server.scrape(door.metrics, job="ingress")
    return server


def canary(node: Node, server: Server, *arguments: str) -> tuple[int, dict[str, Any]]:
    ran = node.system.run(
        "canary", SERVICE, node.environment, *arguments, "--prometheus", server.url, "--json", timeout_s=900
    )
    assert ran.out, ran.err
    return ran.code, json.loads(ran.out)


def left_over(node: Node) -> list[str]:
    return [slug for slug in node.system.units(node.environment) if "canary" in slug]


@pytest.mark.requirement("R-122", "R-125", "R-127", "R-175", "R-176")
def test_a_release_goes_from_dev_to_prod_by_canaries_and_nothing_is_lost(
    node: Node, dev: Door, prometheus: Callable[[], Server]
) -> None:
    release(node, dev, prometheus)
    for environment in STAGES[1:]:
        stage = Node(node.system, node.plane, environment)
        with opened(stage) as door:
            stage.deploy("--approve")
            release(stage, door, prometheus)


def release(stage: Node, door: Door, prometheus: Callable[[], Server]) -> None:
    """Bring v2.0.0 of trade-service with users at the ingress, and see that nothing of theirs is lost."""
    server, before = watched(prometheus, door), position(door.ingress, ACCOUNT, SYMBOL)
    approved = ("--approve",) if stage.environment == "prod" else ()
    replicas = {"dev": 1, "staging": 1, "prod": 3}[stage.environment]

    with users(door) as traffic:
        code, told = canary(stage, server, "--image", ":v2.0.0", *PATIENT, *approved)

    TOLD.append(
        f"{stage.environment}: {told['verdict']}, {traffic.requests} requests, {len(traffic.failed)} failed,"
        f" {len(traffic.accepted)} orders in {sum(one['seconds'] for one in told['steps']):.0f} s"
    )
    assert (code, told["verdict"]) == (0, "promoted"), told
    assert traffic.failed == []
    booked_once(traffic, before)
    images = [
        pod["status"]["containerStatuses"][0]["image"]
        for name in (SERVICE, f"{SERVICE}-green")
        for pod in stage.pods(name)
    ]
    assert [image.rpartition(":")[2] for image in images] == ["v2.0.0"] * replicas
    assert left_over(stage) == []


FAULTS: dict[str, set[str]] = {
    "FAULT_ERROR_RATE=0.05": {"error rate", "error increase"},
    "FAULT_LATENCY_MS=300": {"latency"},
    "FAULT_DROP_PUBLISH=1": {"synthetic trades"},
    "FAULT_DOUBLE_PUBLISH=1": {"synthetic trades"},
    # before it was ever ready
    "FAULT_CRASH_AFTER_S=3": {"crash loop"},
    # with traffic; what it breaks off may be seen before its restart is counted
    "FAULT_CRASH_AFTER_S=30": {"crash loop", "error rate", "error increase"},
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.requirement("R-129")
def test_a_seeded_fault_is_found_by_the_right_check_and_back_within_30_s(
    node: Node, dev: Door, prometheus: Callable[[], Server], fault: str
) -> None:
    server, image = watched(prometheus, dev), ("--image", ":v1.1.0", "--env", fault)
    # ingress-nginx counts by 250 ms, not by the seed's 200
    options = [*QUICK, "--p95-ms", "250" if "LATENCY" in fault else "1000"]
    for _ in range(ROUNDS):
        with users(dev):
            code, told = canary(node, server, *image, "--lift", "to be tried again", *options)
        again = node.system.run("canary", SERVICE, "dev", *image, *options, "--prometheus", server.url)

        assert (code, told["verdict"]) == (3, "rolled back"), told
        assert told["check"] in FAULTS[fault], told
        assert told["rolled_back_in_s"] < 30
        assert (again.code, "in quarantine" in again.err) == (1, True), again.text
        assert left_over(node) == []
        note(fault, told)


@pytest.mark.requirement("R-110", "R-121")
def test_colours_are_switched_and_switched_back_without_a_failed_request(
    node: Node, dev: Door, prometheus: Callable[[], Server]
) -> None:
    server, before = watched(prometheus, dev), position(dev.ingress, ACCOUNT, SYMBOL)
    selector = selected(node)
    arguments = (SERVICE, "dev", "--prometheus", server.url, "--inside")
    with users(dev) as traffic:
        rollout = node.system.start("blue-green", *arguments, "--image", ":v1.1.0", "--soak", "120")
        assert rollout.stdout is not None
        try:
            lines = list(read_until(iter(rollout.stdout), "step soak"))
            switched = selected(node)
            seen = traffic.requests
            eventually("the new colour serves for a while", lambda: traffic.requests > seen + 300, timeout_s=60)
        finally:
            rollout.kill()
            rollout.wait(30)
            rollout.stdout.close()
        back = node.system.run("blue-green", *arguments, "--abort", "--json")
        after = selected(node)
        there = node.system.run("blue-green", *arguments, "--image", ":v1.1.0", "--soak", "10", "--json", "--lift", "x")

    assert "step soak\n" in lines, lines
    told = json.loads(back.out)
    assert (back.code, told["check"], after) == (3, "abort", selector), back.text
    assert switched == {"app": f"{SERVICE}-green", "version": "green"}
    assert there.code == 0, there.text
    TOLD.append(
        f"blue-green there, back in {told['rolled_back_in_s']} s, and there:"
        f" {traffic.requests} requests, {len(traffic.failed)} failed, {len(traffic.accepted)} orders"
    )
    assert traffic.failed == []
    booked_once(traffic, before)
    assert selected(node) == switched


def test_without_traffic_there_is_no_evidence_and_no_promotion(
    node: Node, dev: Door, prometheus: Callable[[], Server]
) -> None:
    server = watched(prometheus, dev)

    code, told = canary(node, server, "--image", ":v1.1.0", "--speed", "600", "--patience", "3", "--inside")

    assert (code, told["check"]) == (3, "evidence"), told
    assert told["rolled_back_in_s"] < 30
    assert left_over(node) == []
    note("no traffic", told)


def selected(node: Node) -> dict[str, str]:
    """Return what the live Service selects."""
    found = node.kube.get(f"/api/v1/namespaces/{node.namespace}/services/{SERVICE}")
    return dict(found["spec"]["selector"])


def read_until(lines: Iterator[str], word: str) -> Iterator[str]:
    """Yield the lines up to the one with that word."""
    for line in lines:
        yield line
        if word in line:
            return


def note(what: str, told: dict[str, Any]) -> None:
    """Keep what a rollout told for the table."""
    TOLD.append(
        f"{what:<24} {told['check']:<18} detected after {told['detected_after_s']:>6} s,"
        f" back in {told['rolled_back_in_s']} s"
    )
