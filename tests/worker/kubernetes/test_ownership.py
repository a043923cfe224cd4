"""What others own of an object, read from managedFields."""

from __future__ import annotations

from typing import Any

import pytest

from confighub.worker.kubernetes.ownership import additions, owners, removal

OURS: dict[str, Any] = {
    "f:spec": {"f:replicas": {}, "f:env": {'k:{"name":"A"}': {".": {}, "f:name": {}, "f:value": {}}}}
}


def item(**managers: dict[str, Any]) -> dict[str, Any]:
    """Return an object of ours with what others own."""
    entries = [{"manager": "confighub", "operation": "Apply", "fieldsV1": OURS}]
    entries += [{"manager": name, "operation": "Update", "fieldsV1": fields} for name, fields in managers.items()]
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    return {"metadata": {"managedFields": entries}, "spec": {"replicas": 1, "paused": True, "env": env}}


ITEM_B: dict[str, Any] = {"f:spec": {"f:env": {'k:{"name":"B"}': {".": {}, "f:name": {}, "f:value": {}}}}}


def test_an_item_of_a_list_is_one_addition() -> None:
    assert [str(one) for one in additions(item(editor=ITEM_B))] == ["spec.env[name=B] by editor"]


def test_a_field_of_ours_that_another_owns_too_is_no_addition() -> None:
    assert additions(item(editor={"f:spec": {"f:replicas": {}}})) == []


@pytest.mark.parametrize("name", ["kube-controller-manager", "kubelet", "shop-operator", "cert-manager-cainjector"])
def test_what_controllers_write_is_no_addition(name: str) -> None:
    assert additions(item(**{name: {"f:spec": {"f:paused": {}}}})) == []


def test_labels_and_annotations_are_everybodys() -> None:
    assert additions(item(editor={"f:metadata": {"f:labels": {"f:team": {}}}})) == []


def test_an_object_that_we_never_applied_has_no_additions() -> None:
    found = item(editor=ITEM_B)
    del found["metadata"]["managedFields"][0]

    assert additions(found) == []


def test_later_items_go_first_and_each_is_tested_before_it_goes() -> None:
    found = item(editor={"f:spec": {"f:paused": {}, **ITEM_B["f:spec"]}})

    patch = removal(found, additions(found))

    assert [(step["op"], step["path"]) for step in patch] == [
        ("test", "/spec/paused"),
        ("remove", "/spec/paused"),
        ("test", "/spec/env/1"),
        ("remove", "/spec/env/1"),
    ]
    assert patch[2]["value"] == {"name": "B", "value": "2"}


def test_owners_of_a_field_are_named() -> None:
    assert owners(item(editor={"f:spec": {"f:replicas": {}}}), ("f:spec", "f:replicas")) == ["confighub", "editor"]
