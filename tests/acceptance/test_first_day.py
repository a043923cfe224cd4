"""What a newcomer sees: everything deployed in order, a trade booked, nothing changed by a second run."""

from __future__ import annotations

import json
import re
import time
import urllib.request
import uuid
from collections.abc import Callable

import pytest

from tests.acceptance.system import System, call, eventually
from tests.acceptance.trading import position, settled

pytestmark = pytest.mark.acceptance

SERVICES = (
    "reference-data",
    "people-service",
    "account-service",
    "position-service",
    "trade-service",
    "trade-processor",
    "trade-feed",
    "web-gui",
)


@pytest.mark.requirement(
    *(f"R-{number:03}" for number in range(90, 100)), "R-100", "R-102", "R-103", "R-108", "R-109", "R-005", "R-270"
)
def test_up_deploys_in_dependency_order_and_books_a_trade(new_system: Callable[[], System]) -> None:
    system = new_system()

    said = system.must("up").text

    orders = [int(found) for found in re.findall(r"(?mi)^\W*(?:\[[^]]*\]\s*)?order (\d)\b", said)]
    assert orders == sorted(orders)
    assert set(orders) == set(range(10))
    running = [said.index(f"{service}-deployment is Running") for service in SERVICES]
    assert running == sorted(running)
    assert re.search(r"(?i)settled", said)


def test_up_again_changes_nothing(dev: System) -> None:
    before = {slug: unit["HeadRevisionNum"] for slug, unit in dev.units().items()}
    living = {process.pid for process in dev.processes()}

    dev.must("up")

    assert {slug: unit["HeadRevisionNum"] for slug, unit in dev.units().items()} == before
    assert {process.pid for process in dev.processes()} >= living


@pytest.mark.requirement("R-254", "R-261", "R-262", "R-164")
def test_an_order_in_the_words_of_the_seed_is_settled(dev: System) -> None:
    ingress = dev.status()["ingress"]
    before = position(ingress, 22214, "IBM")
    order_id = str(uuid.uuid4())

    answer = call(
        f"{ingress}/api/trades/new", {"id": order_id, "symbol": "IBM", "qty": 30, "side": "BUY", "accountId": 22214}
    )

    assert answer["state"] == "New"
    assert settled(ingress, order_id)["id"] == order_id
    assert position(ingress, 22214, "IBM") == before + 30


def test_an_order_in_the_words_of_finos_is_settled(dev: System) -> None:
    ingress = dev.status()["ingress"]
    before = position(ingress, 22214, "MS")
    order_id = str(uuid.uuid4())

    answer = call(
        f"{ingress}/trade-service/trade/",
        {"id": order_id, "security": "MS", "quantity": 7, "side": "Sell", "accountId": 22214},
    )

    assert answer["security"] == "MS"
    settled(ingress, order_id)
    assert position(ingress, 22214, "MS") == before - 7


def test_status_names_every_service_and_each_address_answers(dev: System) -> None:
    status = dev.status()

    assert status["project"] == dev.project
    assert status["ready"] is True
    assert set(status["services"]) == set(SERVICES) - {"trade-processor"}
    assert status["gui"] == status["ingress"]
    for url in [status["hub"] + "/api/info", status["gui"], *(f"{url}/health" for url in status["services"].values())]:
        with urllib.request.urlopen(url, timeout=10) as answer:
            assert answer.status == 200


@pytest.mark.requirement("R-299")
def test_health_at_the_ingress_is_that_of_all_services(dev: System) -> None:
    health = call(f"{dev.status()['ingress']}/health")

    assert set(SERVICES) - {"web-gui"} <= set(json.dumps(health).replace('"', " ").split())


@pytest.mark.requirement(
    "R-015", "R-016", "R-017", "R-018", "R-019", "R-025", "R-026", "R-048", "R-050", "R-051", "R-052"
)
def test_the_project_has_five_spaces_seven_filters_two_sets_and_three_workers(dev: System) -> None:
    def slugs(*words: str) -> set[str]:
        return set(dev.must("cub", *words, "--names", "--no-header").out.split())

    project = dev.project
    spaces = slugs("space", "list", "--where", f"Labels.project = '{project}'")

    assert spaces == {f"{project}-{name}" for name in ("base", "filters", "dev", "staging", "prod")}
    assert len(slugs("filter", "list", "--space", f"{project}-filters")) == 7
    assert slugs("set", "list", "--space", f"{project}-filters") == {"critical-services", "data-services"}
    assert sum(len(slugs("worker", "list", "--space", f"{project}-{name}")) for name in ("dev", "staging", "prod")) == 3


@pytest.mark.requirement("R-020", "R-021", "R-022", "R-023", "R-024", "R-045", "R-046", "R-047")
@pytest.mark.parametrize("space", ["base", "dev", "staging", "prod"])
def test_each_environment_has_seventeen_units_beside_its_addons(dev: System, space: str) -> None:
    units = dev.units(space)

    counted = [slug for slug, unit in units.items() if unit["Labels"].get("type") != "addon"]
    assert len(counted) == 17
    if space != "base":
        assert all(unit["UpstreamUnitID"] for unit in units.values())


@pytest.mark.requirement("R-142")
def test_live_state_is_told_as_the_seed_expects(dev: System) -> None:
    told = json.loads(dev.must("cub", "unit", "get-live-state", "trade-service", "--space", dev.space("dev")).out)

    assert {key: told[key] for key in ("Status", "Replicas", "ReadyReplicas", "UpdatedReplicas")} == {
        "Status": "Running",
        "Replicas": 1,
        "ReadyReplicas": 1,
        "UpdatedReplicas": 1,
    }
    assert told["Conditions"]


@pytest.mark.requirement("R-193")
def test_units_are_listed_in_deployment_order(dev: System) -> None:
    listed = dev.must(
        *("cub", "unit", "list", "--space", dev.space("dev"), "--filter", f"{dev.project}/ordered"),
        *("--sort-by", "Labels.order", "--names", "--no-header"),
    ).out.split()

    deployments = [slug for slug in listed if not slug.endswith("-service") or slug.endswith("-deployment")]
    assert deployments[0] == "namespace"
    assert deployments[-1] == "ingress"
    assert [slug for slug in deployments if slug.endswith("-deployment")] == [f"{name}-deployment" for name in SERVICES]


def test_logs_tell_what_a_service_did(dev: System) -> None:
    said = dev.must("traderx", "logs", "trade-service").out

    assert "trade-service" in said


def test_two_projects_run_side_by_side(dev: System, new_system: Callable[[], System]) -> None:
    other = new_system()

    other.must("up")

    assert other.project != dev.project
    assert set(other.status()["services"].values()).isdisjoint(dev.status()["services"].values())
    for system in (dev, other):
        assert eventually("ready", lambda system=system: system.status()["ready"])  # type: ignore[misc]


def test_down_during_a_deploy_ends_everything_and_the_deploy_says_so(new_system: Callable[[], System]) -> None:
    system = new_system()
    system.must("up")
    space = system.space("dev")
    system.must("cub", "run", "set-env", "*", "ROUND=1", "--space", space, "--where", "Slug LIKE '%-deployment'")
    deploy = system.start("ordered-apply", "dev")
    time.sleep(1)

    system.must("down")

    said, _ = deploy.communicate(timeout=120)
    assert "Traceback" not in said
    assert eventually("no process left", lambda: not system.processes())


def test_connectivity_is_not_claimed_of_this_machine(dev: System) -> None:
    told = json.loads(dev.must("traderx", "check-connectivity", "dev", "--json").out)

    assert told["ok"]
    assert [one["state"] for one in told["tests"]] == ["skipped", "skipped"]
    assert all("the runtime of this machine does not enforce policies" in one["evidence"] for one in told["tests"])


@pytest.mark.requirement("R-228", "R-229")
def test_posture_of_this_machine_is_told_with_evidence(dev: System) -> None:
    told = json.loads(dev.must("traderx", "posture", "dev", "--json").out)
    states = {one["control"]: one["state"] for one in told["findings"]}

    assert told["on"] == "laptop"
    assert states["rate limit"] == "met"
    assert states["TLS minimum version"] == "missing"
    assert states["web application firewall"] == states["mutual TLS between services"] == "missing"
    assert all(one["evidence"] for one in told["findings"])
