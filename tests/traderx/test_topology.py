"""The table of TraderX says what the seed says, and the published files say what the table says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from traderx import maps, topology


@pytest.mark.requirement("R-012", "R-013")
def test_topology_file_is_the_generated_one(project: Path) -> None:
    text = (project / maps.TOPOLOGY_FILE).read_text(encoding="utf-8")

    assert text == maps.topology_text(), "run: python -m traderx.maps"
    assert topology.BASELINE in yaml.safe_load(text)["baseline"]


@pytest.mark.requirement("R-011")
def test_dependency_map_is_the_generated_one(project: Path) -> None:
    text = (project / maps.DEPENDENCY_FILE).read_text(encoding="utf-8")

    assert text == maps.dependency_text(), "run: python -m traderx.maps"
    assert len(json.loads(text)["services"]) == 9


@pytest.mark.requirement("R-005", "R-053", "R-054", "R-055", "R-056", "R-057", "R-058", "R-059", "R-060")
def test_services_have_the_orders_ports_and_technologies_of_the_seed() -> None:
    seen = [(one.name, one.order, one.port, one.tech) for one in topology.SERVICES]

    assert seen == [
        ("reference-data", 1, 18085, "Java"),
        ("people-service", 2, 18089, "Java"),
        ("account-service", 3, 18091, "Node"),
        ("position-service", 4, 18090, "Java"),
        ("trade-service", 5, 18092, ".NET"),
        ("trade-processor", 6, 0, "Python"),
        ("trade-feed", 7, 18088, "Java"),
        ("web-gui", 8, 18080, "Angular"),
    ]


@pytest.mark.requirement("R-062")
def test_every_dependency_points_to_a_lower_order() -> None:
    wrong = [
        (one.name, need) for one in topology.SERVICES for need in one.needs if topology.BY_NAME[need].order >= one.order
    ]

    assert wrong == []


@pytest.mark.requirement("R-061", "R-071")
def test_the_ingress_comes_last_and_needs_the_gui() -> None:
    rows = topology.units()

    assert (rows[-1].slug, rows[-1].order) == ("ingress", 9)
    assert topology.dependents("web-gui") == ("ingress",)


@pytest.mark.requirement("R-063", "R-064", "R-065", "R-066", "R-067", "R-068", "R-069", "R-070")
@pytest.mark.parametrize(
    ("name", "needs", "needed_by", "importance"),
    [
        ("reference-data", "", "people-service account-service position-service trade-service", "CRITICAL"),
        ("people-service", "reference-data", "trade-service", "HIGH"),
        ("account-service", "reference-data", "position-service trade-service", "HIGH"),
        ("position-service", "reference-data account-service", "trade-service", "CRITICAL"),
        (
            "trade-service",
            "reference-data people-service account-service position-service",
            "trade-processor trade-feed web-gui",
            "CRITICAL",
        ),
        ("trade-processor", "trade-service", "", "HIGH"),
        ("trade-feed", "trade-service", "web-gui", "MEDIUM"),
    ],
)
def test_the_matrix_holds(name: str, needs: str, needed_by: str, importance: str) -> None:
    """The GUI calls every service, which the matrix says in the GUI's row only."""
    one = topology.BY_NAME[name]

    assert one.needs == tuple(needs.split())
    assert set(needed_by.split()) <= set(topology.dependents(name)) <= {*needed_by.split(), "web-gui"}
    assert one.importance == importance


@pytest.mark.requirement("R-020", "R-021", "R-022", "R-023", "R-024", "R-082")
def test_units_add_up_to_seventeen() -> None:
    kinds = [row.kind for row in topology.units()]

    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "Deployment": 8,
        "Service": 7,
        "Namespace": 1,
        "Ingress": 1,
    }


@pytest.mark.requirement(*(f"R-{number:03}" for number in range(73, 78)), "R-079", "R-080")
@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("reference-data", 1),
        ("people-service", 2),
        ("account-service", 3),
        ("position-service", 4),
        ("trade-service", 5),
        ("trade-feed", 7),
        ("web-gui", 8),
    ],
)
def test_a_service_is_a_deployment_and_a_service_of_the_same_order(name: str, order: int) -> None:
    rows = {(row.slug, row.kind): row.order for row in topology.units() if row.service == name}

    assert rows == {(f"{name}-deployment", "Deployment"): order, (f"{name}-service", "Service"): order}


@pytest.mark.requirement("R-049", "R-048", "R-050", "R-051", "R-052")
def test_totals_name_sixty_eight_units_beside_the_seeds_figure(project: Path) -> None:
    totals = yaml.safe_load((project / maps.TOPOLOGY_FILE).read_text(encoding="utf-8"))["totals"]

    assert (totals["units"], totals["unitsAsTheSeedCounts"]) == (68, 85)
    assert (totals["spaces"], totals["filters"], totals["sets"], totals["workers"]) == (5, 7, 2, 3)


@pytest.mark.requirement("R-084")
def test_the_data_layer_holds_three_services() -> None:
    layers = {layer: [one.name for one in topology.SERVICES if one.layer == layer] for layer in ("data", "frontend")}

    assert layers == {"data": ["reference-data", "people-service", "account-service"], "frontend": ["web-gui"]}


@pytest.mark.requirement("R-088")
def test_three_services_are_critical() -> None:
    assert [one.name for one in topology.SERVICES if one.critical] == [
        "reference-data",
        "position-service",
        "trade-service",
    ]


@pytest.mark.requirement("R-196")
def test_the_availability_of_critical_services_is_promised_where_programs_read_it(project: Path) -> None:
    said = yaml.safe_load((project / "confighub-topology.yaml").read_text(encoding="utf-8"))

    (critical,) = [one for one in said["sets"] if one["slug"] == "critical-services"]
    assert "SLA 99.95 %" in critical["purpose"]


def test_links_of_an_environment_name_units_that_it_has() -> None:
    for stage in topology.STAGES:
        present = {row.slug for row in topology.units()} | {one.slug for one in topology.addons(stage)}

        assert {slug for pair in topology.links(stage) for slug in pair} <= present


def test_an_addon_of_one_environment_is_cloned_from_the_base() -> None:
    origins = {one.slug: [one.upstream(env) for env in one.environments] for one in topology.ADDONS}

    assert origins["access-viewer"] == ["base"]
    assert origins["network-policies"] == ["base", "dev", "staging"]
    assert origins["postgresql"] == ["base", "base", "base"]
