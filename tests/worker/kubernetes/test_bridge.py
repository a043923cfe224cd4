"""The bridge's other actions, and what it tells by itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from confighub.worker.kubernetes.target import kubeconfigs, slug
from tests.kubernetes.control_plane import IDLE_NODE, need_pretended_nodes
from tests.runtime.running import until
from tests.worker.kubernetes.stage import Object, Stage, account_of, config_map, deployment, new_unit, service

APPS = "apps/v1"


@pytest.fixture
def workloads(scene: Stage) -> Stage:
    """The bridge on a cluster where workloads come up, on nodes that only pretend to run them."""
    need_pretended_nodes(scene.plane)
    if not scene.plane.has_controllers:
        pytest.skip("kube-controller-manager, kube-scheduler and kwok are needed for workloads to come up")
    return scene


def objects(live_state: bytes | None) -> list[Object]:
    found: list[Object] = json.loads(live_state or b"[]")
    return found


@pytest.mark.requirement("R-106")
def test_a_deployment_is_done_when_all_its_replicas_are(workloads: Stage) -> None:
    outcome = workloads.apply(deployment(replicas=3), service(), unit=new_unit())

    assert outcome.result == "ApplyCompleted", outcome.message
    found = {item["kind"]: item for item in objects(outcome.live_state)}
    assert found["Deployment"]["status"]["availableReplicas"] == 3
    assert found["Deployment"]["status"]["observedGeneration"] == 1


def test_a_rollout_is_done_when_only_the_new_version_runs(workloads: Stage) -> None:
    unit = new_unit()
    workloads.apply(deployment(replicas=2), unit=unit)

    outcome = workloads.apply(deployment(replicas=2, image="registry.local/web:v2"), unit=unit, revision=2)

    status = objects(outcome.live_state)[0]["status"]
    assert outcome.result == "ApplyCompleted", outcome.message
    assert (status["updatedReplicas"], status["replicas"], status["observedGeneration"]) == (2, 2, 2)


def test_an_apply_that_cannot_get_ready_says_what_the_scheduler_says(workloads: Stage) -> None:
    huge = {"requests": {"cpu": "100000"}}

    outcome = workloads.apply(deployment(resources=huge), unit=new_unit(), WaitTimeout="2s")

    assert outcome.result == "ApplyWaitFailed"
    assert "Unschedulable" in outcome.message
    assert "Insufficient cpu" in outcome.message


def failing_pod(scene: Stage, waiting: Object) -> None:
    """Make the Deployment's newest pod fail, as a kubelet would report it."""
    pods = until(lambda: scene.kube.get(scene.path("pods"), labelSelector="app=web")["items"])
    status = {"name": "web", "ready": False, "restartCount": 3, "image": "x", "imageID": "", "state": waiting}
    patch = {"status": {"containerStatuses": [status], "conditions": [{"type": "Ready", "status": "False"}]}}
    scene.kube.merge(scene.path("pods", pods[0]["metadata"]["name"]) + "/status", patch, manager="kubelet")


def on_idle_node(document: Object) -> Object:
    """Return the Deployment on a node of its own, where nobody runs its pods."""
    document["spec"]["template"]["spec"]["nodeName"] = IDLE_NODE
    return document


@pytest.mark.parametrize("reason", ["ImagePullBackOff", "CrashLoopBackOff"])
def test_a_hopeless_pod_fails_the_apply_at_once_with_the_kubelets_words(workloads: Stage, reason: str) -> None:
    unit = new_unit()
    operation = workloads.operation(on_idle_node(deployment()), unit=unit, WaitTimeout="50s")
    running = workloads.begin(operation)
    failing_pod(workloads, {"waiting": {"reason": reason, "message": "back-off 40s"}})

    outcome = running.result(60)

    assert outcome.result == "ApplyFailed"
    assert f"{reason}: container web: back-off 40s" in outcome.message


def test_a_probe_that_fails_is_told_with_its_answer(workloads: Stage) -> None:
    operation = workloads.operation(on_idle_node(deployment()), unit=new_unit(), WaitTimeout="2s")
    running = workloads.begin(operation)
    failing_pod(workloads, {"running": {}})
    pod = workloads.kube.get(workloads.path("pods"), labelSelector="app=web")["items"][0]
    event = {
        "metadata": {"name": "probe", "namespace": workloads.namespace},
        "involvedObject": {"kind": "Pod", "namespace": workloads.namespace, "uid": pod["metadata"]["uid"]},
        "reason": "Unhealthy",
        "message": "Readiness probe failed: HTTP probe failed with statuscode: 503",
        "type": "Warning",
        "lastTimestamp": "2099-01-01T00:00:00Z",
    }
    workloads.kube.create(workloads.path("events"), event)

    outcome = running.result(60)

    assert outcome.result == "ApplyWaitFailed"
    assert "Readiness probe failed: HTTP probe failed with statuscode: 503" in outcome.message


def test_an_old_pod_that_fails_does_not_fail_the_rollout_that_mends_it(workloads: Stage) -> None:
    unit = new_unit()
    workloads.apply(on_idle_node(deployment()), unit=unit, WaitTimeout="1ms")
    failing_pod(workloads, {"waiting": {"reason": "CrashLoopBackOff", "message": ""}})

    outcome = workloads.apply(deployment(image="registry.local/web:v2"), unit=unit, revision=2)

    assert outcome.result == "ApplyCompleted", outcome.message


def test_a_service_waits_for_an_endpoint_when_pods_are_meant_to_be_behind_it(workloads: Stage) -> None:
    workloads.apply(on_idle_node(deployment()), unit=new_unit(), WaitTimeout="1ms")
    failing_pod(workloads, {"running": {}})
    pod = workloads.kube.get(workloads.path("pods"), labelSelector="app=web")["items"][0]
    address = {"status": {"podIP": "10.0.0.9", "podIPs": [{"ip": "10.0.0.9"}], "phase": "Running"}}
    workloads.kube.merge(workloads.path("pods", pod["metadata"]["name"]) + "/status", address, manager="kubelet")
    unit = new_unit()
    workloads.apply(service(), unit=unit, WaitTimeout="1s")

    workloads.until_live(unit, lambda live: live and "none of 1 replicas is ready" in json.dumps(live))


def test_an_ingress_that_nobody_serves_is_accepted_and_says_so(scene: Stage) -> None:
    ingress = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "way-in"},
        "spec": {
            "ingressClassName": "nowhere",
            "defaultBackend": {"service": {"name": "web", "port": {"number": 80}}},
        },
    }

    outcome = scene.apply(ingress, unit=new_unit())

    assert outcome.result == "ApplyCompleted", outcome.message
    condition = objects(outcome.live_state)[0]["status"]["conditions"][0]
    assert (condition["type"], condition["status"], condition["reason"]) == ("Accepted", "True", "NoController")


def test_refresh_finds_nothing_where_nothing_changed(scene: Stage) -> None:
    unit = new_unit()
    scene.apply(config_map(color="blue"), service(), unit=unit)

    outcome = scene.refresh(config_map(color="blue"), service(), unit=unit)

    assert outcome.result == "RefreshAndNoDrift", outcome.message


def test_defaults_of_the_server_are_no_drift(scene: Stage) -> None:
    unit = new_unit()
    scene.apply(deployment(), unit=unit, WaitTimeout="1ms")

    outcome = scene.refresh(deployment(), unit=unit)

    assert outcome.result == "RefreshAndNoDrift", outcome.message


def test_refresh_tells_changed_added_missing_and_extra(scene: Stage) -> None:
    unit = new_unit()
    there = [config_map("changed", color="blue"), config_map("added"), config_map("missing"), config_map("extra")]
    scene.apply(*there, unit=unit)
    scene.kube.merge(scene.path("configmaps", "changed"), {"data": {"color": "red"}}, manager="intruder")
    scene.kube.merge(scene.path("configmaps", "added"), {"data": {"more": "1"}}, manager="intruder")
    scene.kube.delete(scene.path("configmaps", "missing"))

    outcome = scene.refresh(*there[:3], unit=unit)

    assert outcome.result == "RefreshAndDrifted"
    assert "ConfigMap changed: data.color is red and not blue" in outcome.message
    assert "ConfigMap added: data.more by intruder was added" in outcome.message
    assert "ConfigMap missing is gone" in outcome.message
    assert "ConfigMap extra is not in the unit" in outcome.message


def test_refresh_tells_what_a_dry_run_does_not_show(scene: Stage) -> None:
    unit = new_unit()
    scene.apply(deployment(env=[{"name": "MODE", "value": "fast"}]), unit=unit, WaitTimeout="1ms")
    more = [
        {"name": "web", "env": [{"name": "DEBUG", "value": "1"}], "args": ["--debug"]},
        {"name": "spy", "image": "registry.local/spy:v1"},
    ]
    patch = {"spec": {"template": {"spec": {"containers": more}}}}
    scene.kube.merge(scene.path("deployments", "web", APPS), patch, manager="intruder")

    outcome = scene.refresh(deployment(env=[{"name": "MODE", "value": "fast"}]), unit=unit)

    pod = "Deployment web: spec.template.spec.containers"
    assert outcome.result == "RefreshAndDrifted"
    for place in ("[name=spy]", "[name=web].env[name=DEBUG]", "[name=web].args"):
        assert f"{pod}{place} by intruder was added" in outcome.message


def test_refresh_says_that_an_object_has_to_be_replaced(scene: Stage) -> None:
    unit = new_unit()
    scene.apply(deployment(), unit=unit, WaitTimeout="1ms")
    changed = deployment()
    changed["spec"]["selector"]["matchLabels"] = changed["spec"]["template"]["metadata"]["labels"] = {"app": "other"}

    outcome = scene.refresh(changed, unit=unit)

    assert "Deployment web cannot be brought back as it is" in outcome.message
    assert "has to be replaced" in outcome.message


def test_refresh_changes_nothing(scene: Stage) -> None:
    unit = new_unit()
    scene.apply(config_map(color="blue"), unit=unit)
    scene.kube.merge(scene.path("configmaps", "settings"), {"data": {"color": "red"}})
    before = scene.get("configmaps", "settings")

    scene.refresh(config_map(color="blue"), unit=unit)

    assert scene.get("configmaps", "settings") == before


def test_replicas_under_an_autoscaler_are_no_drift(scene: Stage) -> None:
    unit = new_unit()
    scene.apply(deployment(replicas=2), unit=unit, WaitTimeout="1ms")
    target = {"apiVersion": APPS, "kind": "Deployment", "name": "web"}
    scaler = {"metadata": {"name": "web"}, "spec": {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 9}}
    scene.kube.create(scene.path("horizontalpodautoscalers", group="autoscaling/v2"), scaler)
    path = scene.path("deployments", "web", APPS) + "/scale"
    scene.kube.merge(path, {"spec": {"replicas": 7}}, manager="kube-controller-manager")

    assert scene.refresh(deployment(replicas=2), unit=unit).result == "RefreshAndNoDrift"


def test_destroy_removes_what_the_unit_made_and_nothing_else(scene: Stage) -> None:
    unit = new_unit()
    scene.apply(config_map("mine"), unit=unit)
    scene.apply(config_map("other"), unit=new_unit())

    outcome = scene.destroy(config_map("mine"), unit=unit)

    assert outcome.result == "DestroyCompleted"
    assert not scene.get("configmaps", "mine")
    assert scene.get("configmaps", "other")


def test_destroy_leaves_an_object_that_the_unit_never_made(scene: Stage) -> None:
    scene.kube.create(scene.path("configmaps"), {"metadata": {"name": "settings"}})

    scene.destroy(config_map(), unit=new_unit())

    assert scene.get("configmaps", "settings")


def test_destroy_waits_until_the_pods_are_gone(workloads: Stage) -> None:
    unit = new_unit()
    workloads.apply(deployment(replicas=2), unit=unit)

    outcome = workloads.destroy(deployment(replicas=2), unit=unit)

    assert outcome.result == "DestroyCompleted", outcome.message
    assert workloads.kube.get(workloads.path("pods"), labelSelector="app=web")["items"] == []


def test_a_finalizer_that_nobody_serves_is_named_when_the_time_is_over(scene: Stage) -> None:
    unit = new_unit()
    held = config_map()
    held["metadata"]["finalizers"] = ["example.test/hold"]
    scene.apply(held, unit=unit)

    outcome = scene.destroy(held, unit=unit, WaitTimeout="500ms")

    assert outcome.result == "DestroyWaitFailed"
    assert "ConfigMap settings is still there, held by example.test/hold" in outcome.message
    scene.kube.merge(scene.path("configmaps", "settings"), {"metadata": {"finalizers": None}})


def test_destroy_again_comes_to_the_same_end(scene: Stage) -> None:
    unit = new_unit()
    scene.apply(config_map(), unit=unit)
    scene.destroy(config_map(), unit=unit)

    assert scene.destroy(config_map(), unit=unit).result == "DestroyCompleted"


def test_a_change_by_another_is_told_with_who_did_it(scene: Stage) -> None:
    unit = new_unit()
    scene.apply(config_map(color="blue"), unit=unit, revision=4)
    scene.kube.merge(scene.path("configmaps", "settings"), {"data": {"color": "red"}}, manager="intruder")

    scene.until_live(unit, lambda live: live and live[0]["data"] == {"color": "red"})

    assert "data.color by intruder" in scene.live(unit)[0]["metadata"]["annotations"]["confighub.com/foreign"]
    assert [change.revision_num for change in scene.told if change.unit_id == unit][-1] == 4


def test_an_object_that_another_deleted_leaves_the_live_state(scene: Stage) -> None:
    unit = new_unit()
    scene.apply(config_map("kept"), config_map("lost"), unit=unit)
    scene.until_live(unit, lambda live: len(live) == 2)
    scene.kube.delete(scene.path("configmaps", "lost"))

    scene.until_live(unit, lambda live: [item["metadata"]["name"] for item in live] == ["kept"])


def test_changes_of_units_applied_before_a_restart_are_told(scene: Stage) -> None:
    unit = new_unit()
    scene.apply(config_map(color="blue"), unit=unit)
    scene.stop()
    scene.told.clear()
    scene.start()
    scene.kube.merge(scene.path("configmaps", "settings"), {"data": {"color": "red"}})

    scene.until_live(unit, lambda live: live and live[0]["data"] == {"color": "red"})


def test_an_account_of_one_namespace_finds_its_units_after_a_restart(scene: Stage, tmp_path: Path) -> None:
    account: Object = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "shop"}}
    unit = new_unit()
    file = account_of(scene.plane, scene.namespace, tmp_path, "configmaps", "serviceaccounts")
    scene.apply(config_map(color="blue"), account, unit=unit)
    scene.stop()
    scene.told.clear()
    try:
        scene.start(file, namespaces=(scene.namespace,))

        scene.until_live(unit, lambda live: {one["kind"] for one in live} == {"ConfigMap", "ServiceAccount"})
        outcome = scene.apply(account, unit=unit, revision=2)
    finally:
        scene.stop()
        scene.start()

    assert "removed ConfigMap settings" in outcome.message
    assert scene.get("configmaps", "settings") == {}
    assert scene.destroy(account, unit=unit).result == "DestroyCompleted"


def test_import_brings_in_what_was_asked_for_as_a_unit_would_say_it(scene: Stage) -> None:
    scene.kube.create(scene.path("services"), {**service(), "metadata": {"name": "web", "labels": {"app": "web"}}})
    scene.kube.create(scene.path("configmaps"), config_map("other", color="blue"))
    terms = [
        {"Type": "metadata.namespace", "Operator": "include", "Values": [scene.namespace]},
        {"Type": "metadata.labels", "Operator": "include", "Values": ["app=web"]},
    ]

    outcome = scene.bring_in({"Filters": terms})

    text = (outcome.data or b"").decode()
    assert outcome.result == "ImportCompleted", outcome.message
    assert outcome.message == "imported Service web"
    assert "clusterIP" not in text
    assert "resourceVersion" not in text


def test_what_a_secret_holds_stays_in_the_cluster(scene: Stage) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}}
    unit = new_unit()
    scene.apply(secret, unit=unit)
    copy = {"kubectl.kubernetes.io/last-applied-configuration": "aGlkZGVu"}
    filled = {"data": {"token": "aGlkZGVu"}, "metadata": {"annotations": copy}}
    scene.kube.merge(scene.path("secrets", "keys"), filled, manager="kube-controller-manager")

    scene.until_live(unit, lambda live: live and live[0].get("data") == {"token": ""})
    refreshed = scene.refresh(secret, unit=unit)

    assert all(b"aGlkZGVu" not in change.live_state for change in scene.told)
    assert b"aGlkZGVu" not in (refreshed.live_state or b"")
    assert "aGlkZGVu" not in refreshed.message


def test_where_a_secret_differs_is_told_without_what_it_holds(scene: Stage) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "keys"},
        "data": {"token": "c2VlZA=="},
    }
    unit = new_unit()
    scene.apply(secret, unit=unit)
    scene.kube.merge(scene.path("secrets", "keys"), {"data": {"token": "aGlkZGVu"}}, manager="intruder")

    refreshed = scene.refresh(secret, unit=unit)

    assert refreshed.result == "RefreshAndDrifted"
    assert "Secret keys: data.token is another" in refreshed.message
    assert not any(value in refreshed.message for value in ("aGlkZGVu", "c2VlZA"))


def test_import_never_brings_in_a_secret(scene: Stage) -> None:
    scene.kube.create(scene.path("secrets"), {"metadata": {"name": "keys"}, "stringData": {"a": "hidden"}})
    terms = [{"Type": "metadata.namespace", "Operator": "include", "Values": [scene.namespace]}]

    outcome = scene.bring_in({"Filters": terms})

    assert outcome.result == "ImportFailed"
    assert b"hidden" not in (outcome.data or b"")


def test_an_imported_object_is_then_managed_like_any_other(scene: Stage) -> None:
    scene.kube.create(scene.path("configmaps"), config_map("settings", color="blue"))
    kind = {"Type": "resource_type", "Operator": "include", "Values": ["v1/ConfigMap"]}
    place = {"Type": "metadata.namespace", "Operator": "include", "Values": [scene.namespace]}
    imported = scene.bring_in({"Filters": [kind, place]})
    unit = new_unit()

    outcome = scene.apply_text((imported.data or b"").decode(), unit=unit)

    assert outcome.result == "ApplyCompleted", outcome.message
    assert scene.destroy(config_map(), unit=unit).result == "DestroyCompleted"


def test_each_context_is_a_target_of_its_name(scene: Stage) -> None:
    offered = scene.bridge.offers()

    assert offered.provider_type == "Kubernetes"
    assert [(target.name, target.params) for target in offered.available_targets or []] == [
        ("test", {"KubeContext": "test", "WaitTimeout": "20s"})
    ]


def test_a_context_becomes_a_slug() -> None:
    assert slug("arn:aws:eks:eu-west-1:1234:cluster/Prod_A") == "arn-aws-eks-eu-west-1-1234-cluster-prod-a"


def test_kubeconfig_may_name_several_files(tmp_path: Any) -> None:
    assert [str(file) for file in kubeconfigs("/a:/b", tmp_path)] == ["/a", "/b"]
    assert kubeconfigs("", tmp_path) == (tmp_path / ".kube" / "config",)
