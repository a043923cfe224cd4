"""The unit files are literal YAML, complete, and agree with the table and with each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from traderx import topology

SERVICES = [pytest.param(one, id=one.name) for one in topology.SERVICES]
WITH_ADDRESS = [pytest.param(one, id=one.name) for one in topology.SERVICES if one.port]


def documents(path: Path) -> list[Any]:
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def deployment(project: Path, name: str) -> Any:
    (found,) = documents(project / "confighub" / "base" / f"{name}-deployment.yaml")
    return found


def container(project: Path, name: str) -> Any:
    (found,) = deployment(project, name)["spec"]["template"]["spec"]["containers"]
    return found


def addons(project: Path) -> list[Any]:
    return [one for path in sorted((project / "confighub" / "addons").glob("*.yaml")) for one in documents(path)]


def test_every_row_of_the_table_has_its_file_and_no_file_is_left_over(project: Path) -> None:
    base = {path.stem for path in (project / "confighub" / "base").iterdir()}
    extra = {path.stem for path in (project / "confighub" / "addons").iterdir()}

    assert base == {row.slug for row in topology.units()}
    assert extra == {one.slug for one in topology.ADDONS}


@pytest.mark.requirement("R-072", "R-081", "R-078")
def test_each_file_holds_the_kind_that_the_table_says(project: Path) -> None:
    for row in topology.units():
        kinds = {one["kind"] for one in documents(project / "confighub" / "base" / f"{row.slug}.yaml")}

        assert kinds == {row.kind}, row.slug


@pytest.mark.requirement("R-243", "R-247")
def test_no_file_holds_a_template_or_a_secret(project: Path) -> None:
    for path in (project / "confighub").rglob("*.yaml"):
        text = path.read_text(encoding="utf-8")

        assert "{{" not in text, path
        assert "kind: Secret" not in text, path


@pytest.mark.requirement("R-345")
def test_the_namespace_is_left_for_each_environment_to_choose(project: Path) -> None:
    elsewhere = {one.slug for one in topology.ADDONS if not one.is_inside}
    for path in (project / "confighub").rglob("*.yaml"):
        for one in documents(path) if path.stem not in elsewhere else []:
            named = one["metadata"]["name"] if one["kind"] == "Namespace" else one["metadata"]["namespace"]

            assert named == topology.PLACEHOLDER, path


@pytest.mark.parametrize("one", SERVICES)
@pytest.mark.requirement("R-325", "R-328", "R-085", "R-323")
def test_labels_and_selector(project: Path, one: topology.Service) -> None:
    found = deployment(project, one.name)
    pod = found["spec"]["template"]["metadata"]["labels"]

    assert found["metadata"]["labels"] == {
        "app": one.name,
        "app.kubernetes.io/part-of": "traderx",
        "layer": one.layer,
        "tech": one.tech_label,
        "version": "v1.0.0",
        "istio-injection": "enabled",
    }
    assert found["spec"]["selector"]["matchLabels"] == {"app": one.name}
    assert pod == {
        "app": one.name,
        "app.kubernetes.io/part-of": "traderx",
        "layer": one.layer,
        "version": "v1.0.0",
    }


@pytest.mark.parametrize("one", SERVICES)
@pytest.mark.requirement("R-334", "R-087", "R-329")
def test_one_port_everywhere(project: Path, one: topology.Service) -> None:
    found = container(project, one.name)
    annotations = deployment(project, one.name)["spec"]["template"]["metadata"]["annotations"]
    environment = {variable["name"]: variable["value"] for variable in found["env"]}

    assert found["ports"] == [{"name": "http", "containerPort": one.container_port, "protocol": "TCP"}]
    assert environment["PORT"] == str(one.container_port)
    assert annotations == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(one.container_port),
        "prometheus.io/path": "/metrics",
    }


@pytest.mark.parametrize("one", WITH_ADDRESS)
@pytest.mark.requirement("R-174", "R-181")
def test_a_service_forwards_to_the_port_of_its_container(project: Path, one: topology.Service) -> None:
    (found,) = documents(project / "confighub" / "base" / f"{one.name}-service.yaml")
    spec = found["spec"]

    assert spec["type"] == "ClusterIP"
    assert spec["sessionAffinity"] == ("ClientIP" if one.name == "web-gui" else "None")
    assert spec["selector"] == {"app": one.name}
    assert spec["ports"] == [{"name": "http", "port": one.port, "targetPort": one.port, "protocol": "TCP"}]


@pytest.mark.parametrize("one", SERVICES)
@pytest.mark.requirement("R-137", "R-138", "R-139", "R-140", "R-141", "R-341")
def test_probes(project: Path, one: topology.Service) -> None:
    found = container(project, one.name)

    assert found["livenessProbe"] == {
        "httpGet": {"path": "/health/live", "port": one.container_port},
        "initialDelaySeconds": 30,
        "periodSeconds": 10,
        "timeoutSeconds": 5,
        "failureThreshold": 3,
    }
    assert found["readinessProbe"] == {
        "httpGet": {"path": "/health/ready", "port": one.container_port},
        "initialDelaySeconds": 10,
        "periodSeconds": 5,
        "timeoutSeconds": 3,
        "failureThreshold": 2,
    }


@pytest.mark.parametrize("one", SERVICES)
@pytest.mark.requirement("R-327", "R-330", "R-331", "R-332", "R-333")
def test_how_pods_are_run(project: Path, one: topology.Service) -> None:
    spec = deployment(project, one.name)["spec"]
    pod, found = spec["template"]["spec"], container(project, one.name)

    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    assert pod["serviceAccountName"] == one.name
    assert pod["enableServiceLinks"] is False
    assert pod["securityContext"] == {"runAsNonRoot": True, "runAsUser": 1000, "fsGroup": 1000}
    assert (found["image"], found["imagePullPolicy"]) == (f"finos/traderx-{one.name}:v1.0.0", "IfNotPresent")


@pytest.mark.parametrize("one", SERVICES)
@pytest.mark.requirement("R-342", "R-343")
def test_requests_are_the_tables_and_limits_twice_as_much(project: Path, one: topology.Service) -> None:
    resources = container(project, one.name)["resources"]
    doubled = {"100m": "200m", "250m": "500m", "128Mi": "256Mi", "256Mi": "512Mi"}

    assert resources["requests"] == {"cpu": one.base.cpu, "memory": one.base.memory}
    assert resources["limits"] == {"cpu": doubled[one.base.cpu], "memory": doubled[one.base.memory]}
    assert deployment(project, one.name)["spec"]["replicas"] == one.base.replicas


@pytest.mark.parametrize("one", SERVICES)
@pytest.mark.requirement("R-337", "R-338", "R-339")
def test_a_service_is_told_where_those_are_that_it_calls(project: Path, one: topology.Service) -> None:
    told = {v["name"]: v["value"] for v in container(project, one.name)["env"] if v["name"].endswith("_URL")}
    wanted = {name: topology.BY_NAME[name] for name in (*one.needs, *one.calls)}

    assert told == {
        f"{name.upper().replace('-', '_')}_URL": f"http://{name}:{called.port}" for name, called in wanted.items()
    }


@pytest.mark.requirement("R-336", "R-340", "R-344", "R-244")
def test_trade_service_has_what_the_seed_shows(project: Path) -> None:
    found = container(project, "trade-service")
    environment = {variable["name"]: variable["value"] for variable in found["env"]}
    volumes = deployment(project, "trade-service")["spec"]["template"]["spec"]["volumes"]

    assert environment["ASPNETCORE_URLS"] == "http://+:18092"
    assert environment["ASPNETCORE_ENVIRONMENT"] == topology.PLACEHOLDER
    assert [source["secretRef"] for source in found["envFrom"]] == [
        {"name": "traderx-db-credentials", "optional": True},
        {"name": "trade-service-secrets", "optional": True},
    ]
    assert found["volumeMounts"] == [{"name": "config", "mountPath": "/app/config", "readOnly": True}]
    assert volumes == [{"name": "config", "configMap": {"name": "trade-service-config"}}]


@pytest.mark.requirement("R-231")
def test_the_front_end_holds_no_secret(project: Path) -> None:
    assert "envFrom" not in container(project, "web-gui")


def test_nothing_refers_to_an_object_that_no_unit_makes(project: Path) -> None:
    made = {(one["kind"], one["metadata"]["name"]) for one in addons(project)}
    for one in topology.SERVICES:
        assert ("ServiceAccount", one.name) in made
    assert ("ConfigMap", "trade-service-config") in made


@pytest.mark.requirement("R-236", "R-237", "R-238", "R-239", "R-240", "R-241", "R-242")
def test_roles_are_the_seeds_and_each_belongs_to_one_environment(project: Path) -> None:
    look, change = ["get", "list", "watch"], ["update", "patch"]
    roles = {
        one["metadata"]["name"]: one["rules"]
        for one in addons(project)
        if one["kind"] == "Role" and not one["metadata"]["name"].endswith("-tier")
    }
    core, apps = ["pods", "services", "configmaps"], ["deployments", "replicasets"]

    def rules(core_verbs: list[str], apps_resources: list[str], apps_verbs: list[str]) -> list[Any]:
        return [
            {"apiGroups": [""], "resources": core, "verbs": core_verbs},
            {"apiGroups": ["apps"], "resources": apps_resources, "verbs": apps_verbs},
        ]

    everything = [*look, "create", *change, "delete"]
    assert roles == {
        "traderx-developer": rules(everything, apps, everything),
        "traderx-sre": rules([*look, *change], ["deployments"], [*look, "patch"]),
        "traderx-viewer": rules(look, apps, look),
    }
    places = {one.slug: one.environments for one in topology.ADDONS if len(one.environments) == 1}
    places = {slug: where for slug, where in places.items() if slug.startswith("access-")}
    assert places == {"access-developer": ("dev",), "access-sre": ("staging",), "access-viewer": ("prod",)}


@pytest.mark.requirement("R-166", "R-167", "R-168", "R-169", "R-170", "R-171", "R-232", "R-230")
def test_network_policies_close_everything_and_open_what_is_needed(project: Path) -> None:
    policies = {
        one["metadata"]["name"]: one["spec"]
        for one in documents(project / "confighub" / "addons" / "network-policies.yaml")
    }
    ports = sorted(one.port for one in topology.SERVICES if one.port)
    inside = policies["traderx-internal"]

    assert policies["default-deny-all"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert inside["podSelector"] == {"matchLabels": {"app.kubernetes.io/part-of": "traderx"}}
    assert [port["port"] for port in inside["ingress"][0]["ports"]] == ports
    assert [port["port"] for port in inside["egress"][0]["ports"]] == ports
    assert {port["port"] for port in policies["allow-dns"]["egress"][0]["ports"]} == {53}
    gui = policies["allow-ingress-controller"]
    (chosen,) = gui["podSelector"]["matchExpressions"]
    assert (chosen["key"], chosen["operator"], chosen["values"][0]) == ("app", "In", "web-gui")
    assert gui["ingress"][0]["from"] == [{"namespaceSelector": {"matchLabels": {"name": "ingress-nginx"}}}]
    assert gui["ingress"][0]["ports"] == [{"protocol": "TCP", "port": 18080}]


@pytest.mark.requirement("R-234")
def test_only_the_layers_with_data_may_reach_a_database(project: Path) -> None:
    policies = documents(project / "confighub" / "addons" / "network-policies.yaml")
    (spec,) = [one["spec"] for one in policies if one["metadata"]["name"] == "allow-database"]

    assert spec["podSelector"]["matchExpressions"] == [
        {"key": "layer", "operator": "In", "values": ["data", "backend"]}
    ]
    assert spec["policyTypes"] == ["Egress"]


@pytest.mark.requirement("R-157", "R-158", "R-160", "R-161", "R-162", "R-163", "R-164", "R-165")
def test_the_ingress_routes_every_service_by_path(project: Path) -> None:
    first, _ = documents(project / "confighub" / "base" / "ingress.yaml")
    (rule,) = first["spec"]["rules"]
    routes = {one["path"]: one["backend"]["service"] for one in rule["http"]["paths"]}
    annotations = first["metadata"]["annotations"]

    assert (first["metadata"]["name"], rule["host"]) == ("traderx-ingress", "traderx.example.com")
    assert routes["/"] == {"name": "web-gui", "port": {"number": 18080}}
    assert routes["/api/trades"] == {"name": "trade-service", "port": {"number": 18092}}
    assert {one["name"] for one in routes.values()} == {one.name for one in topology.SERVICES if one.port}
    assert all(one["port"]["number"] == topology.BY_NAME[one["name"]].port for one in routes.values())
    assert first["spec"]["tls"] == [{"hosts": ["traderx.example.com"], "secretName": "traderx-tls"}]
    assert annotations["cert-manager.io/cluster-issuer"] == "letsencrypt-prod"
    assert annotations["nginx.ingress.kubernetes.io/rate-limit"] == "100"
    assert annotations["nginx.ingress.kubernetes.io/limit-rps"] == "100"


@pytest.mark.requirement("R-159")
def test_only_the_paths_of_the_finos_programs_are_rewritten(project: Path) -> None:
    first, second = documents(project / "confighub" / "base" / "ingress.yaml")
    rewrite = "nginx.ingress.kubernetes.io/rewrite-target"

    assert rewrite not in first["metadata"]["annotations"]
    assert second["metadata"]["annotations"][rewrite] == "/$2"
    for one in second["spec"]["rules"][0]["http"]["paths"]:
        name, port = one["backend"]["service"]["name"], one["backend"]["service"]["port"]["number"]
        assert one["path"] == f"/{name}(/|$)(.*)"
        assert port == topology.BY_NAME[name].port


@pytest.mark.parametrize("one", SERVICES)
def test_the_clients_of_the_database_are_those_that_name_its_secret(project: Path, one: topology.Service) -> None:
    named = [source["secretRef"]["name"] for source in container(project, one.name).get("envFrom", [])]

    assert ("traderx-db-credentials" in named) is (one.name in topology.DATABASE_CLIENTS)
