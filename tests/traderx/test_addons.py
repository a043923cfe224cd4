"""The addons say what the seed's network, security and backup sections ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from confighub.data import document, schema
from confighub.functions.refusals import refuse
from traderx import topology


def addon(project: Path, slug: str) -> dict[tuple[str, str], Any]:
    """Return the objects of an addon's file by kind and name."""
    text = (project / "confighub" / "addons" / f"{slug}.yaml").read_text(encoding="utf-8")
    return {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(text)}


@pytest.mark.parametrize("one", [pytest.param(one, id=one.slug) for one in topology.ADDONS])
def test_the_hub_stores_every_addon_and_the_api_knows_every_field(project: Path, one: topology.Addon) -> None:
    text = (project / "confighub" / "addons" / f"{one.slug}.yaml").read_text(encoding="utf-8")

    refuse(text)

    found = [problem for placed in document.parse(text).documents for problem in schema.problems(placed.document)]
    assert found == []


def test_every_service_keeps_a_replica_while_a_node_is_drained(project: Path) -> None:
    budgets = addon(project, "disruption-budgets")

    assert [name for _, name in budgets] == [one.name for one in topology.SERVICES]
    for (_, name), one in budgets.items():
        (chosen,) = one["spec"]["selector"].pop("matchExpressions")
        assert one["spec"] == {"maxUnavailable": 1, "selector": {}}
        # a canary's and the other colour's pods too
        assert chosen == {"key": "app", "operator": "In", "values": [name, f"{name}-canary", f"{name}-green"]}


@pytest.mark.requirement("R-231", "R-233", "R-235")
def test_tiers_have_their_rights_and_the_data_tier_has_none(project: Path) -> None:
    made = addon(project, "access-tiers")
    roles = {name: one["rules"] for (kind, name), one in made.items() if kind == "Role"}
    bound = {
        subject["name"]: one["roleRef"]["name"]
        for (kind, _), one in made.items()
        if kind == "RoleBinding"
        for subject in one["subjects"]
    }

    verbs = {verb for rule in roles["traderx-frontend-tier"] for verb in rule["verbs"]}
    assert verbs == {"get", "list", "watch"}
    assert all("secrets" not in rule["resources"] for rules in roles.values() for rule in rules)
    assert bound == {
        one.name: f"traderx-{one.layer}-tier" for one in topology.SERVICES if one.layer in ("frontend", "backend")
    }


def test_the_class_that_critical_services_ask_for_is_there(project: Path) -> None:
    found = addon(project, "priority-classes")[("PriorityClass", "high")]

    assert found["value"] > 0
    assert not found.get("globalDefault")


@pytest.mark.requirement("R-160")
def test_the_issuer_is_the_one_that_the_ingress_names(project: Path) -> None:
    ingress = yaml.safe_load_all((project / "confighub" / "base" / "ingress.yaml").read_text(encoding="utf-8"))
    named = {one["metadata"]["annotations"].get("cert-manager.io/cluster-issuer") for one in ingress} - {None}

    assert named == {name for _, name in addon(project, "certificate-issuer")}


@pytest.mark.requirement("R-288")
def test_backups_hold_volumes_and_stay_for_thirty_days(project: Path) -> None:
    spec = addon(project, "backup-schedule")[("Schedule", "traderx-prod-backup")]["spec"]

    assert spec["template"]["snapshotVolumes"] is True
    assert spec["template"]["ttl"] == "720h0m0s"


@pytest.mark.requirement("R-312", "R-313")
def test_every_service_is_scraped_and_the_scraper_let_in(project: Path) -> None:
    made = addon(project, "monitors")
    services = made[("ServiceMonitor", "traderx")]["spec"]
    pods = made[("PodMonitor", "trade-processor")]["spec"]
    door = made[("NetworkPolicy", "allow-monitoring")]["spec"]

    assert services["selector"] == {"matchLabels": {"app.kubernetes.io/part-of": "traderx"}}
    assert [one["interval"] for one in (*services["endpoints"], *pods["podMetricsEndpoints"])] == ["15s", "15s"]
    assert door["ingress"][0]["ports"] == [{"protocol": "TCP", "port": "http"}]


@pytest.mark.requirement("R-143", "R-153", "R-154")
def test_callers_choose_the_second_version_with_a_header(project: Path) -> None:
    route = addon(project, "mesh")[("VirtualService", "trade-service-route")]
    first, *others = route["spec"]["http"]

    assert route["apiVersion"] == "networking.istio.io/v1beta1"
    assert route["spec"]["hosts"] == ["trade-service"]
    assert first["match"] == [{"headers": {"version": {"exact": "v2"}}}]
    assert first["route"] == [{"destination": {"host": "trade-service", "subset": "v2"}}]
    for one in others:
        stable, _ = one["route"]
        assert stable == {"destination": {"host": "trade-service", "subset": "v1"}, "weight": 100}


@pytest.mark.requirement("R-124")
def test_a_rollout_finds_the_weights_of_both_versions_in_every_route_of_everybody(project: Path) -> None:
    mesh = addon(project, "mesh")
    _, *routes = mesh[("VirtualService", "trade-service-route")]["spec"]["http"]

    for one in routes:
        _, canary = one["route"]
        assert canary == {"destination": {"host": "trade-service-canary", "subset": "canary"}, "weight": 0}


@pytest.mark.requirement("R-124")
def test_every_destination_is_a_subset_of_labels_that_a_rollout_gives(project: Path) -> None:
    mesh = addon(project, "mesh")
    subsets = {
        (one["spec"]["host"], subset["name"]): subset["labels"]
        for (kind, _), one in mesh.items()
        if kind == "DestinationRule"
        for subset in one["spec"].get("subsets", [])
    }
    named = {
        (destination["host"], destination["subset"])
        for route in mesh[("VirtualService", "trade-service-route")]["spec"]["http"]
        for destination in (one["destination"] for one in route["route"])
    }

    assert named <= set(subsets)
    # what Canary and BlueGreen write into the labels of the second version
    assert subsets[("trade-service-canary", "canary")] == {"version": "canary"}
    for colour in ("blue", "green"):
        assert subsets[("trade-service", colour)] == {"version": colour}


@pytest.mark.requirement("R-149")
def test_only_reading_is_tried_again_when_it_may_have_arrived(project: Path) -> None:
    routes = addon(project, "mesh")[("VirtualService", "trade-service-route")]["spec"]["http"]
    retries = {one["name"]: one["retries"] for one in routes}

    assert "gateway-error" in retries["reading"]["retryOn"]
    assert retries["v1"]["retryOn"] == "connect-failure,refused-stream"
    assert all(one["timeout"] for one in routes)
    assert {retries[name]["backoff"] for name in ("reading", "v1")} == {"25ms"}


@pytest.mark.requirement("R-148", "R-150", "R-179")
def test_busy_services_spread_by_requests_and_leave_out_failing_replicas(project: Path) -> None:
    mesh = addon(project, "mesh")
    trade, position = (mesh[("DestinationRule", name)]["spec"] for name in ("trade-service", "position-service"))
    canary = mesh[("DestinationRule", "trade-service-canary")]["spec"]

    assert trade["trafficPolicy"]["loadBalancer"] == {"simple": "LEAST_REQUEST"}
    assert canary["trafficPolicy"] == trade["trafficPolicy"]
    assert position["trafficPolicy"]["loadBalancer"] == {"simple": "ROUND_ROBIN"}
    assert all(one["trafficPolicy"]["outlierDetection"]["consecutive5xxErrors"] == 5 for one in (trade, position))
    assert mesh[("PeerAuthentication", "traderx")]["spec"] == {"mtls": {"mode": "STRICT"}}


@pytest.mark.requirement("R-145", "R-151")
def test_the_mesh_is_asked_for_traces_of_every_service(project: Path) -> None:
    spec = addon(project, "mesh")[("Telemetry", "traderx")]["spec"]

    assert spec == {"tracing": [{"randomSamplingPercentage": 10}]}


@pytest.mark.requirement("R-152")
def test_mesh_subsets_are_labels_that_pods_carry(project: Path) -> None:
    rule = addon(project, "mesh")[("DestinationRule", "trade-service")]["spec"]
    text = (project / "confighub" / "base" / "trade-service-deployment.yaml").read_text(encoding="utf-8")
    deployment = yaml.safe_load(text)
    namespace = yaml.safe_load((project / "confighub" / "base" / "namespace.yaml").read_text(encoding="utf-8"))

    assert rule["subsets"][0]["labels"] == {"version": deployment["spec"]["template"]["metadata"]["labels"]["version"]}
    assert deployment["metadata"]["labels"]["istio-injection"] == "enabled"
    assert namespace["metadata"]["labels"]["istio-injection"] == "enabled"


@pytest.mark.requirement("R-234", "R-235")
def test_only_the_layers_with_data_get_into_the_database(project: Path) -> None:
    made = addon(project, "postgresql")
    (door,) = made[("NetworkPolicy", "allow-database-clients")]["spec"]["ingress"]
    (container,) = made[("StatefulSet", "postgresql")]["spec"]["template"]["spec"]["containers"]
    secrets = {one["valueFrom"]["secretKeyRef"]["name"] for one in container["env"] if "valueFrom" in one}

    assert door["from"][0]["podSelector"]["matchExpressions"][0]["values"] == ["data", "backend"]
    assert door["ports"] == [{"protocol": "TCP", "port": 5432}]
    assert secrets == {"traderx-db-credentials"}
    assert container["securityContext"]["readOnlyRootFilesystem"]


@pytest.mark.requirement("R-155")
def test_the_door_from_outside_is_https_alone(project: Path) -> None:
    spec = addon(project, "ingress-load-balancer")[("Service", "traderx-ingress-controller")]["spec"]

    assert spec["type"] == "LoadBalancer"
    assert [port["port"] for port in spec["ports"]] == [443]


def test_kinds_that_a_cluster_may_lack_are_marked_so(project: Path) -> None:
    for one in topology.ADDONS:
        for made in addon(project, one.slug).values():
            is_built_in = "." not in made["apiVersion"].partition("/")[0] or ".k8s.io/" in made["apiVersion"]
            marks = made["metadata"].get("annotations") or {}

            assert (marks.get("confighub.com/if-supported") == "true") is not is_built_in, one.slug
