"""Objects that no unit has, in the namespace of one that made it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from confighub.worker.kubernetes import inventory
from tests.runtime.running import until
from tests.worker.kubernetes.stage import Object, Stage, config_map, deployment, new_unit

APPS = "apps/v1"


def lines(scene: Stage, unit: str) -> list[str]:
    """Return what the live Namespace says is strange in it."""
    live = scene.live(unit)
    notes = live[0]["metadata"].get("annotations", {}) if live else {}
    return [line for line in notes.get(inventory.STRANGERS, "").splitlines() if line]


@pytest.fixture
def place(stage: Stage) -> Iterator[str]:
    """The unit whose object is the test's namespace."""
    unit = new_unit()
    stage.namespace = f"s-{unit[:8]}"
    outcome = stage.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": stage.namespace}}, unit=unit)
    assert outcome.result == "ApplyCompleted", outcome.message
    yield unit
    stage.kube.delete(f"/api/v1/namespaces/{stage.namespace}")


def test_an_object_of_no_unit_is_told_with_its_maker_until_it_is_gone(stage: Stage, place: str) -> None:
    stage.apply(config_map("ours"), unit=new_unit())
    stage.kube.create(stage.path("configmaps"), config_map("theirs", color="red"))
    until(lambda: lines(stage, place) == ["v1 ConfigMap theirs by tester"], because=lambda: stage.live(place))

    stage.kube.delete(stage.path("configmaps", "theirs"))

    until(lambda: not lines(stage, place), because=lambda: stage.live(place))
    assert stage.get("configmaps", "ours")


def test_a_copy_that_carries_a_units_marks_is_told_and_left_alone(stage: Stage, place: str) -> None:
    unit = new_unit()
    stage.apply(config_map("ours", color="blue"), unit=unit)
    copy = stage.get("configmaps", "ours")
    kept = {key: copy["metadata"][key] for key in ("labels", "annotations")}
    stage.kube.create(stage.path("configmaps"), {"metadata": {"name": "copy", **kept}, "data": copy["data"]})
    until(lambda: lines(stage, place) == ["v1 ConfigMap copy by tester"], because=lambda: stage.live(place))

    outcome = stage.apply(config_map("ours", color="red"), unit=unit, revision=2)

    assert outcome.result == "ApplyCompleted", outcome.message
    assert stage.get("configmaps", "copy")["data"] == {"color": "blue"}


def test_what_the_cluster_makes_for_itself_is_not_strange(stage: Stage, place: str) -> None:
    """The last of them is strange, so that the others have been seen."""
    if not stage.plane.has_controllers:
        pytest.skip("kube-controller-manager makes what the test looks for")
    until(lambda: stage.get("configmaps", "kube-root-ca.crt") and stage.get("serviceaccounts", "default"))
    stage.apply(deployment(), unit=new_unit(), WaitTimeout="1ms")
    owner = stage.get("deployments", "web", APPS)["metadata"]
    reference = {"apiVersion": APPS, "kind": "Deployment", "name": "web", "uid": owner["uid"]}
    stage.kube.create(stage.path("configmaps"), {"metadata": {"name": "child", "ownerReferences": [reference]}})
    stage.kube.apply(stage.path("configmaps", "synced"), config_map("synced", a="1"), "shop-operator")
    installed = {"metadata": {"name": "own", "labels": {"app.kubernetes.io/managed-by": "confighub"}}}
    stage.kube.create(stage.path("serviceaccounts"), installed)

    stage.kube.create(stage.path("deployments", group=APPS), deployment("zzz"))

    until(lambda: lines(stage, place) == [f"{APPS} Deployment zzz by tester"], because=lambda: stage.live(place))


def test_strangers_are_found_again_after_a_restart(stage: Stage, place: str) -> None:
    stage.kube.create(stage.path("configmaps"), config_map("theirs"))
    stage.stop()
    stage.told.clear()

    stage.start()

    until(lambda: lines(stage, place) == ["v1 ConfigMap theirs by unknown"], because=lambda: stage.live(place))


def test_a_workload_says_that_an_autoscaler_of_anyones_scales_it_and_when_it_no_longer_does(scene: Stage) -> None:
    unit = new_unit()
    scene.apply(deployment(replicas=2), unit=unit, WaitTimeout="1ms")
    target: Object = {"apiVersion": APPS, "kind": "Deployment", "name": "web"}
    scaler = {"metadata": {"name": "web"}, "spec": {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 9}}
    path = scene.path("horizontalpodautoscalers", group="autoscaling/v2")
    scene.kube.create(path, scaler)
    scene.until_live(unit, lambda live: live and live[0]["metadata"].get("annotations", {}).get(inventory.AUTOSCALED))

    scene.kube.delete(f"{path}/web")

    scene.until_live(unit, lambda live: inventory.AUTOSCALED not in live[0]["metadata"].get("annotations", {}))
