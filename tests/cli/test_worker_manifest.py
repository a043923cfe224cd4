"""The manifest that runs a worker in a cluster: complete, accepted by the API, and with least rights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from confighub.cli import worker_rights
from confighub.cli.output import as_yaml
from confighub.cli.worker_manifest import Installation, manifest
from confighub.data import document, schema
from confighub.functions.refusals import refuse

WANTED = Installation(
    name="prod-worker",
    namespace="confighub",
    worker="my-traderx-worker-prod",
    worker_id="b1d6e000-0000-4000-8000-000000000001",
    url="http://hub.confighub:9090",
    image="traderx-confighub:v0.1.0",
)


def traderx(project: Path) -> list[Any]:
    """Return what an environment of TraderX is made of, in one namespace."""
    texts = [path.read_text(encoding="utf-8") for path in sorted((project / "confighub").rglob("*.yaml"))]
    return [one for text in texts for one in yaml.safe_load_all(text.replace("confighubplaceholder", "traderx-prod"))]


def of_kind(objects: list[Any], kind: str) -> dict[str, Any]:
    """Return the objects of a kind by namespace and name."""
    return {
        f"{one['metadata'].get('namespace', '')}/{one['metadata']['name']}": one
        for one in objects
        if one["kind"] == kind
    }


@pytest.fixture
def objects(project: Path) -> list[Any]:
    return manifest(WANTED, traderx(project))


def test_the_api_and_the_hub_accept_it(objects: list[Any]) -> None:
    text = "---\n".join(as_yaml(one) for one in objects)

    refuse(text)

    assert [p for placed in document.parse(text).documents for p in schema.problems(placed.document)] == []


def test_the_deployment_comes_last_and_runs_as_nobody_special(objects: list[Any]) -> None:
    pod = objects[-1]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    variables = {one["name"]: one.get("value") for one in container["env"]}

    assert container["command"][:4] == ["cub", "worker", "run", "my-traderx-worker-prod"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert variables["CONFIGHUB_URL"] == "http://hub.confighub:9090"
    assert variables["CONFIGHUB_NAMESPACES"] == "ingress-nginx,traderx-prod,velero"
    assert variables["CONFIGHUB_WORKER_SECRET"] is None


def test_no_right_is_a_wildcard_or_lets_the_worker_read_secrets(objects: list[Any]) -> None:
    roles = {**of_kind(objects, "Role"), **of_kind(objects, "ClusterRole")}
    rules = [rule for one in roles.values() for rule in one["rules"]]

    assert all("*" not in rule[part] for rule in rules for part in ("apiGroups", "resources", "verbs"))
    assert all("secrets" not in rule["resources"] for rule in rules)
    assert all({"escalate", "bind", "impersonate"}.isdisjoint(rule["verbs"]) for rule in rules)


def test_rights_end_at_the_namespaces_of_the_units(objects: list[Any]) -> None:
    bindings = of_kind(objects, "RoleBinding")

    assert set(bindings) == {
        "ingress-nginx/prod-worker",
        "traderx-prod/prod-worker",
        "velero/prod-worker",
    }
    assert all(one["subjects"][0]["namespace"] == "confighub" for one in bindings.values())


def test_cluster_wide_objects_are_changed_by_name_only(objects: list[Any]) -> None:
    (role,) = of_kind(objects, "ClusterRole").values()
    changing = [rule for rule in role["rules"] if {"patch", "delete"} & set(rule["verbs"])]

    assert {(rule["resources"][0], *rule["resourceNames"]) for rule in changing} == {
        ("namespaces", "traderx-prod"),
        ("priorityclasses", "high"),
        ("clusterissuers", "letsencrypt-prod"),
    }


def test_the_worker_has_every_right_that_its_units_give_away(project: Path, objects: list[Any]) -> None:
    given = [rule for one in traderx(project) if one["kind"] == "Role" for rule in one["rules"]]
    held = of_kind(objects, "Role")["traderx-prod/prod-worker"]["rules"]

    assert given
    assert all(rule in held for rule in given)


@pytest.mark.parametrize(
    ("kind", "resource"),
    [
        ("Deployment", "deployments"),
        ("NetworkPolicy", "networkpolicies"),
        ("Ingress", "ingresses"),
        ("PriorityClass", "priorityclasses"),
        ("Gateway", "gateways"),
        ("Endpoints", "endpoints"),
    ],
)
def test_resources_are_called_as_the_api_server_calls_them(kind: str, resource: str) -> None:
    assert worker_rights.resource_of(kind) == resource


def test_variables_that_were_given_win_and_come_once(project: Path) -> None:
    given = Installation(**{**vars(WANTED), "environment": (("CONFIGHUB_URL", "http://other:1"),)})

    (container,) = manifest(given, traderx(project))[-1]["spec"]["template"]["spec"]["containers"]

    named = [one["value"] for one in container["env"] if one["name"] == "CONFIGHUB_URL"]
    assert named == ["http://other:1"]
