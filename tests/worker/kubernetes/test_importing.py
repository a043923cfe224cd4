"""Where an import looks: only among what people have in their namespaces, unless the request asks for more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from confighub.hub.domain import import_filter
from tests.worker.kubernetes.stage import Stage, config_map

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
SYSTEM = "/api/v1/namespaces/kube-system/configmaps"


def brought(scene: Stage, where: str) -> set[tuple[str, str]]:
    """Return kinds and names of what the public client's expression brings in; empty when the import fails."""
    filters, options = import_filter.parse(where)
    terms = [{"Type": one.type, "Operator": one.operator, "Values": one.values} for one in filters]
    outcome = scene.bring_in({"Filters": terms, "Options": options})
    if outcome.result == "ImportFailed":
        return set()
    assert outcome.result == "ImportCompleted", outcome.message
    return {(one["kind"], one["metadata"]["name"]) for one in yaml.safe_load_all(outcome.data or b"")}


@pytest.fixture
def furnished(scene: Stage) -> Iterator[Stage]:
    """A namespace with a ConfigMap, and beside it one of the system, a ClusterRole and a custom kind of that name."""
    name, kube = scene.namespace, scene.kube
    labelled: dict[str, Any] = {"labels": {"made-for": name}}
    kube.create(scene.path("configmaps"), {**config_map(name), "metadata": {"name": name, **labelled}})
    kube.create(SYSTEM, {**config_map(name), "metadata": {"name": name, **labelled}})
    roles = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
    kube.create(roles, {"metadata": {"name": name, **labelled}, "rules": []})
    plural = f"{name}s"
    kube.create(CRDS, definition(f"{plural}.example.com", plural, labelled))
    yield scene
    for path in (f"{SYSTEM}/{name}", f"{roles}/{name}", f"{CRDS}/{plural}.example.com"):
        kube.delete(path)


def definition(name: str, plural: str, metadata: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": name, **metadata},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"kind": plural.title().replace("-", ""), "plural": plural},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
        },
    }


def test_only_the_namespace_is_looked_into(furnished: Stage) -> None:
    name = furnished.namespace

    found = brought(furnished, f"metadata.namespace = '{name}' AND metadata.labels = 'made-for={name}'")

    assert found == {("ConfigMap", name)}


def test_without_a_namespace_neither_system_nor_cluster_nor_definitions_come_in(furnished: Stage) -> None:
    name = furnished.namespace

    assert brought(furnished, f"metadata.labels = 'made-for={name}'") == {("ConfigMap", name)}


def test_the_system_is_looked_into_when_that_is_asked_for(furnished: Stage) -> None:
    name = furnished.namespace
    where = f"metadata.namespace = '{name}' AND metadata.labels = 'made-for={name}' AND import.include_system = true"
    filters, options = import_filter.parse(where)
    terms = [{"Type": one.type, "Operator": one.operator, "Values": one.values} for one in filters]

    outcome = furnished.bring_in({"Filters": terms, "Options": options})

    found = {one["metadata"]["namespace"] for one in yaml.safe_load_all(outcome.data or b"")}
    assert found == {name, "kube-system"}


@pytest.mark.parametrize("within", ["", "metadata.namespace = '{}' AND "])
def test_definitions_come_in_when_that_is_asked_for(furnished: Stage, within: str) -> None:
    name = furnished.namespace

    found = brought(
        furnished, within.format(name) + f"metadata.labels = 'made-for={name}' AND import.include_custom = true"
    )

    assert found == {("ConfigMap", name), ("CustomResourceDefinition", f"{name}s.example.com")}


def test_what_is_in_no_namespace_comes_in_when_that_is_asked_for(furnished: Stage) -> None:
    name = furnished.namespace

    found = brought(furnished, f"metadata.labels = 'made-for={name}' AND import.include_cluster = true")

    assert found == {("ConfigMap", name), ("ClusterRole", name)}


def test_an_option_that_is_false_changes_nothing(furnished: Stage) -> None:
    name = furnished.namespace

    found = brought(furnished, f"metadata.labels = 'made-for={name}' AND import.include_cluster = false")

    assert found == {("ConfigMap", name)}


def test_what_a_file_lists_by_name_needs_no_option(furnished: Stage) -> None:
    name = furnished.namespace
    listed = {"ResourceType": "rbac.authorization.k8s.io/v1/ClusterRole", "ResourceName": name}

    outcome = furnished.bring_in({"ResourceInfoList": [listed]})

    assert outcome.message == f"imported ClusterRole {name}"


def test_an_import_of_nothing_says_how_to_look_further(scene: Stage) -> None:
    term = {"Type": "metadata.labels", "Operator": "include", "Values": ["made-for=nobody"]}

    outcome = scene.bring_in({"Filters": [term], "Options": {"include_system": True}})

    assert outcome.result == "ImportFailed"
    assert "to look further: import.include_custom = true, import.include_cluster = true" in outcome.message
