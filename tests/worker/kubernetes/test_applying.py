"""Server-side apply by the bridge: one write a revision, no field taken from others unasked, none left to them."""

from __future__ import annotations

from typing import Any

import pytest

from confighub.errors import BadRequest
from confighub.worker.kubernetes import inventory
from tests.worker.kubernetes.stage import Stage, config_map, deployment, new_unit, service

APPS = "apps/v1"
NO_WAIT: dict[str, Any] = {"WaitTimeout": "1ms"}
"""Applies that are not waited for: whether pods come up is not what these tests ask."""


def env(name: str, value: str) -> dict[str, str]:
    return {"name": name, "value": value}


def add_by_hand(scene: Stage, name: str, **container: object) -> None:
    """Change the one container of a Deployment as with kubectl edit."""
    spec = {"template": {"spec": {"containers": [{"name": name, **container}]}}}
    scene.kube.merge(scene.path("deployments", name, APPS), {"spec": spec})


def container(scene: Stage, name: str = "web") -> dict[str, object]:
    found: dict[str, object] = scene.get("deployments", name, APPS)["spec"]["template"]["spec"]["containers"][0]
    return found


def test_an_applied_object_says_which_unit_and_revision_it_is_of(scene: Stage) -> None:
    unit = new_unit()

    outcome = scene.apply(config_map(color="blue"), unit=unit, revision=3)

    found = scene.get("configmaps", "settings")
    assert outcome.result == "ApplyCompleted"
    assert found["data"] == {"color": "blue"}
    assert found["metadata"]["labels"][inventory.UNIT] == unit
    assert found["metadata"]["annotations"][inventory.REVISION] == "3"


def test_the_live_state_has_the_object_without_the_workers_marks(scene: Stage) -> None:
    outcome = scene.apply(config_map(color="blue"), unit=new_unit())

    assert b"confighub.com/" not in (outcome.live_state or b"")
    assert b"managedFields" not in (outcome.live_state or b"")


def test_applying_the_same_revision_again_changes_nothing(scene: Stage) -> None:
    unit = new_unit()
    scene.apply(deployment(), unit=unit, **NO_WAIT)
    before = scene.get("deployments", "web", APPS)["metadata"]["generation"]

    scene.apply(deployment(), unit=unit, **NO_WAIT)

    assert scene.get("deployments", "web", APPS)["metadata"]["generation"] == before


def test_a_no_op_apply_leaves_the_object_as_it_is_to_the_byte(scene: Stage) -> None:
    unit = new_unit()
    scene.apply(config_map(color="blue"), unit=unit)
    before = scene.get("configmaps", "settings")

    scene.apply(config_map(color="blue"), unit=unit)

    assert scene.get("configmaps", "settings") == before


def test_the_generation_rises_once_a_revision(scene: Stage) -> None:
    unit = new_unit()

    for revision, image in enumerate(("web:v1", "web:v2", "web:v3"), 1):
        scene.apply(deployment(image=image), unit=unit, revision=revision, **NO_WAIT)

        assert scene.get("deployments", "web", APPS)["metadata"]["generation"] == revision


def test_an_object_that_left_the_unit_is_removed(scene: Stage) -> None:
    unit = new_unit()
    scene.apply(config_map("kept"), config_map("dropped"), unit=unit)

    outcome = scene.apply(config_map("kept"), unit=unit, revision=2)

    assert "removed ConfigMap dropped" in outcome.message
    assert b"dropped" not in (outcome.live_state or b"")
    assert scene.get("configmaps", "kept")
    assert not scene.get("configmaps", "dropped")


def test_an_object_is_pruned_by_a_worker_that_did_not_apply_it(scene: Stage) -> None:
    unit = new_unit()
    scene.apply(config_map("kept"), config_map("dropped"), unit=unit)

    scene.stop()
    scene.start()
    scene.apply(config_map("kept"), unit=unit, revision=2)

    assert not scene.get("configmaps", "dropped")


def test_objects_of_other_units_are_not_pruned(scene: Stage) -> None:
    scene.apply(config_map("mine"), unit=new_unit())

    scene.apply(config_map("other"), unit=new_unit())

    assert scene.get("configmaps", "mine")


def test_two_units_do_not_fight_over_an_object(scene: Stage) -> None:
    scene.apply(config_map(color="blue"), unit=new_unit())

    outcome = scene.apply(config_map(color="red"), unit=new_unit())

    assert outcome.result == "ApplyFailed"
    assert "ConfigMap settings belongs to unit" in outcome.message
    assert scene.get("configmaps", "settings")["data"] == {"color": "blue"}


def test_a_field_of_another_manager_is_refused_with_its_name_and_the_way_to_force(scene: Stage) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"color": "green"}}
    scene.kube.apply(scene.path("configmaps", "settings"), body, "helm")

    outcome = scene.apply(config_map(color="blue"), unit=new_unit())

    assert outcome.result == "ApplyFailed"
    assert "data.color from helm" in outcome.message
    assert inventory.FORCE in outcome.message
    assert scene.get("configmaps", "settings")["data"] == {"color": "green"}


def test_an_object_of_another_keeps_the_fields_that_the_unit_does_not_have(scene: Stage) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"a": "1", "b": "2"}}
    scene.kube.apply(scene.path("configmaps", "settings"), body, "helm")
    before = scene.get("configmaps", "settings")

    outcome = scene.apply(config_map(a="1"), unit=new_unit())

    assert outcome.result == "ApplyFailed"
    assert "data.b from helm" in outcome.message
    assert inventory.FORCE in outcome.message
    assert scene.get("configmaps", "settings") == before


def test_many_units_at_once_are_applied_each_once_and_an_object_of_another_among_them_is_left(scene: Stage) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "many-7"}, "data": {"a": "1", "b": "2"}}
    scene.kube.apply(scene.path("configmaps", "many-7"), body, "helm")
    before = scene.get("configmaps", "many-7")

    begun = [scene.begin(scene.operation(config_map(f"many-{number}", a="1"), unit=new_unit())) for number in range(60)]
    outcomes = [one.result(60) for one in begun]

    failed = [number for number, outcome in enumerate(outcomes) if outcome.result != "ApplyCompleted"]
    assert failed == [7]
    assert "data.b from helm" in outcomes[7].message
    assert scene.get("configmaps", "many-7") == before
    made = scene.kube.get(scene.path("configmaps"), labelSelector=inventory.UNIT)["items"]
    assert len(made) == 59


def test_an_object_that_another_made_while_many_were_applied_is_left_as_it_was(scene: Stage) -> None:
    for one in [scene.begin(scene.operation(config_map(f"m-{n}", a="1"), unit=new_unit())) for n in range(60)]:
        one.result(60)
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"a": "1", "b": "2"}}
    scene.kube.apply(scene.path("configmaps", "settings"), body, "helm")

    outcome = scene.apply(config_map(a="1", c="3"), unit=new_unit())

    found = scene.get("configmaps", "settings")
    assert outcome.result == "ApplyFailed"
    assert "data.b from helm" in outcome.message
    assert (found["data"], found["metadata"].get("labels")) == ({"a": "1", "b": "2"}, None)


def test_an_object_of_another_loses_them_when_that_is_asked_for(scene: Stage) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"a": "1", "b": "2"}}
    scene.kube.apply(scene.path("configmaps", "settings"), body, "helm")

    outcome = scene.apply(config_map(a="1"), unit=new_unit(), ForceConflicts=True)

    assert outcome.result == "ApplyCompleted", outcome.message
    assert scene.get("configmaps", "settings")["data"] == {"a": "1"}


@pytest.mark.parametrize("by", ["annotation", "parameter"])
def test_what_another_manager_owns_is_taken_over_when_that_is_asked_for(scene: Stage, by: str) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"color": "green"}}
    scene.kube.apply(scene.path("configmaps", "settings"), body, "helm")
    wanted = config_map(color="blue")
    if by == "annotation":
        wanted["metadata"]["annotations"] = {inventory.FORCE: "true"}

    outcome = scene.apply(wanted, unit=new_unit(), ForceConflicts=by == "parameter")

    assert outcome.result == "ApplyCompleted"
    assert scene.get("configmaps", "settings")["data"] == {"color": "blue"}


def test_a_changed_field_of_ours_is_taken_back_and_the_culprit_named(scene: Stage) -> None:
    unit = new_unit()
    scene.apply(deployment(replicas=3), unit=unit, **NO_WAIT)
    scene.kube.merge(scene.path("deployments", "web", APPS), {"spec": {"replicas": 10}}, manager="intruder")

    outcome = scene.apply(deployment(replicas=3), unit=unit, **NO_WAIT)

    assert scene.get("deployments", "web", APPS)["spec"]["replicas"] == 3
    assert outcome.result == "ApplyWaitFailed"


def test_taking_a_field_back_is_told(scene: Stage) -> None:
    unit = new_unit()
    scene.apply(config_map(color="blue"), unit=unit)
    scene.kube.merge(scene.path("configmaps", "settings"), {"data": {"color": "red"}}, manager="intruder")

    outcome = scene.apply(config_map(color="blue"), unit=unit)

    assert "took back data.color from intruder of ConfigMap settings" in outcome.message


def test_an_environment_variable_that_another_added_goes_though_apply_alone_would_leave_it(scene: Stage) -> None:
    unit = new_unit()
    scene.apply(deployment(env=[env("MODE", "fast")]), unit=unit, **NO_WAIT)
    add_by_hand(scene, "web", env=[env("DEBUG", "1")])

    scene.apply(deployment(env=[env("MODE", "fast")]), unit=unit, **NO_WAIT)

    assert container(scene)["env"] == [env("MODE", "fast")]


def test_a_sidecar_that_another_added_goes(scene: Stage) -> None:
    unit = new_unit()
    scene.apply(deployment(), unit=unit, **NO_WAIT)
    add_by_hand(scene, "web", image="registry.local/web:v1")
    sidecar = {"template": {"spec": {"containers": [{"name": "spy", "image": "registry.local/spy:v1"}]}}}
    scene.kube.merge(scene.path("deployments", "web", APPS), {"spec": sidecar})

    scene.apply(deployment(), unit=unit, **NO_WAIT)

    found = scene.get("deployments", "web", APPS)["spec"]["template"]["spec"]["containers"]
    assert [one["name"] for one in found] == ["web"]


@pytest.mark.parametrize("ours", [None, ["--fast"]])
def test_an_argument_that_another_added_goes(scene: Stage, ours: list[str] | None) -> None:
    unit = new_unit()
    given: dict[str, Any] = {} if ours is None else {"args": ours}
    scene.apply(deployment(**given), unit=unit, **NO_WAIT)
    add_by_hand(scene, "web", args=[*(ours or []), "--debug"])

    scene.apply(deployment(**given), unit=unit, **NO_WAIT)

    assert container(scene).get("args") == ours


def test_what_was_taken_in_and_dropped_again_goes_though_another_still_owns_it(scene: Stage) -> None:
    """Applying a superset and then the subset takes it away only where nobody else owns it."""
    unit = new_unit()
    scene.apply(config_map(color="blue"), unit=unit)
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"extra": "1"}}
    scene.kube.apply(scene.path("configmaps", "settings"), body, "helm")

    scene.apply(config_map(color="blue", extra="1"), unit=unit, revision=2)
    scene.apply(config_map(color="blue"), unit=unit, revision=3)

    assert scene.get("configmaps", "settings")["data"] == {"color": "blue"}


def test_what_another_deployer_added_by_apply_goes_too(scene: Stage) -> None:
    unit = new_unit()
    scene.apply(config_map(color="blue"), unit=unit)
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"extra": "1"}}
    scene.kube.apply(scene.path("configmaps", "settings"), body, "helm")

    outcome = scene.apply(config_map(color="blue"), unit=unit)

    assert scene.get("configmaps", "settings")["data"] == {"color": "blue"}
    assert "took data.extra by helm out of ConfigMap settings" in outcome.message


def test_additions_stay_where_the_target_says_so(scene: Stage) -> None:
    unit = new_unit()
    scene.apply(config_map(color="blue"), unit=unit)
    scene.kube.merge(scene.path("configmaps", "settings"), {"data": {"extra": "1"}})

    scene.apply(config_map(color="blue"), unit=unit, KeepAdditions=True)

    assert scene.get("configmaps", "settings")["data"] == {"color": "blue", "extra": "1"}


def test_a_restart_asked_for_by_hand_is_not_undone(scene: Stage) -> None:
    unit = new_unit()
    scene.apply(deployment(), unit=unit, **NO_WAIT)
    stamp = {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}
    patch = {"spec": {"template": {"metadata": {"annotations": stamp}}}}
    scene.kube.merge(scene.path("deployments", "web", APPS), patch, manager="kubectl-rollout")

    scene.apply(deployment(), unit=unit, **NO_WAIT)

    found = scene.get("deployments", "web", APPS)
    assert found["spec"]["template"]["metadata"]["annotations"] == stamp


def test_a_port_that_another_renumbered_is_put_right_though_even_force_is_refused(scene: Stage) -> None:
    unit = new_unit()
    scene.apply(service(port=8080), unit=unit)
    path = scene.path("services", "web")
    patch = [{"op": "replace", "path": "/spec/ports/0/port", "value": 9999}]
    scene.kube.call("PATCH", path, patch, content="application/json-patch+json", fieldManager="kubectl-edit")

    outcome = scene.apply(service(port=8080), unit=unit)

    assert outcome.result == "ApplyCompleted", outcome.message
    assert [port["port"] for port in scene.get("services", "web")["spec"]["ports"]] == [8080]
    assert "set spec.ports of Service web as a whole" in outcome.message


def test_a_container_port_that_another_renumbered_is_put_right(scene: Stage) -> None:
    unit = new_unit()
    ports = [{"name": "http", "containerPort": 8080}]
    scene.apply(deployment(ports=ports), unit=unit, **NO_WAIT)
    place = "/spec/template/spec/containers/0/ports/0/containerPort"
    patch = [{"op": "replace", "path": place, "value": 9999}]
    path = scene.path("deployments", "web", APPS)
    scene.kube.call("PATCH", path, patch, content="application/json-patch+json", fieldManager="kubectl-edit")

    scene.apply(deployment(ports=ports), unit=unit, **NO_WAIT)

    assert container(scene)["ports"] == [{"name": "http", "containerPort": 8080, "protocol": "TCP"}]


def test_replicas_left_out_by_their_only_owner_fall_back_to_one(scene: Stage) -> None:
    unit = new_unit()
    scene.apply(deployment(replicas=3), unit=unit, **NO_WAIT)

    scene.apply(deployment(replicas=None), unit=unit, revision=2, **NO_WAIT)

    assert scene.get("deployments", "web", APPS)["spec"]["replicas"] == 1


def scaler() -> dict[str, object]:
    target = {"apiVersion": APPS, "kind": "Deployment", "name": "web"}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web"},
        "spec": {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 9},
    }


def scale(scene: Stage, replicas: int) -> None:
    """Scale as an autoscaler does."""
    path = scene.path("deployments", "web", APPS) + "/scale"
    scene.kube.merge(path, {"spec": {"replicas": replicas}}, manager="kube-controller-manager")


def test_replicas_handed_over_to_an_autoscaler_do_not_fall(scene: Stage) -> None:
    unit = new_unit()
    scene.apply(deployment(replicas=5), unit=unit, **NO_WAIT)
    scene.kube.create(scene.path("horizontalpodautoscalers", group="autoscaling/v2"), scaler())

    scene.apply(deployment(replicas=None), unit=unit, revision=2, **NO_WAIT)

    assert scene.get("deployments", "web", APPS)["spec"]["replicas"] == 5


def test_replicas_that_an_autoscaler_chose_stay(scene: Stage) -> None:
    unit = new_unit()
    scene.apply(deployment(replicas=2), unit=unit, **NO_WAIT)
    scene.kube.create(scene.path("horizontalpodautoscalers", group="autoscaling/v2"), scaler())
    scale(scene, 7)

    scene.apply(deployment(replicas=2, image="web:v2"), unit=unit, revision=2, **NO_WAIT)

    found = scene.get("deployments", "web", APPS)["spec"]
    assert found["replicas"] == 7
    assert found["template"]["spec"]["containers"][0]["image"] == "web:v2"


def test_a_selector_cannot_change_and_the_message_says_replace(scene: Stage) -> None:
    unit = new_unit()
    scene.apply(deployment(), unit=unit, **NO_WAIT)
    changed = deployment()
    labels = {"app": "other"}
    changed["spec"]["selector"]["matchLabels"] = labels
    changed["spec"]["template"]["metadata"]["labels"] = labels

    outcome = scene.apply(changed, unit=unit, revision=2)

    assert outcome.result == "ApplyFailed"
    assert "immutable" in outcome.message
    assert "has to be replaced" in outcome.message


@pytest.mark.parametrize("value", ["yes", "no", "0123", "1e3", "2026-01-01", "null", "~"])
def test_text_that_old_yaml_takes_for_something_else_arrives_as_text(scene: Stage, value: str) -> None:
    scene.apply(config_map(value=value), unit=new_unit())

    assert scene.get("configmaps", "settings")["data"] == {"value": value}


@pytest.mark.parametrize("value", ["yes", "0123", "1.0"])
def test_text_that_is_not_quoted_is_refused_and_never_becomes_another(scene: Stage, value: str) -> None:
    """YAML 1.1 reads 0123 as 83 and yes as true; the server would take the text so."""
    head = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: settings, namespace: {scene.namespace}}}\n"

    outcome = scene.apply_text(f"{head}data:\n  value: {value}\n", unit=new_unit())

    assert (outcome.result, scene.get("configmaps", "settings")) == ("ApplyFailed", {})


def test_an_unknown_field_is_refused(scene: Stage) -> None:
    wrong = config_map(color="blue")
    wrong["dat"] = {}

    outcome = scene.apply(wrong, unit=new_unit())

    assert outcome.result == "ApplyFailed"
    assert "dat" in outcome.message


def test_a_value_of_the_wrong_type_is_refused_and_not_tried_forever(scene: Stage) -> None:
    wrong = config_map()
    wrong["data"] = {"on": True}

    outcome = scene.apply(wrong, unit=new_unit())

    assert outcome.result == "ApplyFailed"
    assert "ConfigMap settings is refused" in outcome.message


def test_a_kind_that_the_cluster_lacks_is_named(scene: Stage) -> None:
    mesh = {"apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication", "metadata": {"name": "default"}}

    outcome = scene.apply(mesh, unit=new_unit())

    assert outcome.result == "ApplyFailed"
    assert "no kind PeerAuthentication in security.istio.io/v1" in outcome.message
    assert "CustomResourceDefinition" in outcome.message


def test_a_kind_is_defined_and_used_in_one_unit(scene: Stage) -> None:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    group = f"{scene.namespace}.test"
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"lamps.{group}"},
        "spec": {
            "group": group,
            "names": {"kind": "Lamp", "plural": "lamps"},
            "scope": "Namespaced",
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
        },
    }
    lamp = {"apiVersion": f"{group}/v1", "kind": "Lamp", "metadata": {"name": "desk"}, "spec": {"watts": 5}}
    unit = new_unit()

    outcome = scene.apply(lamp, definition, unit=unit)

    assert outcome.result == "ApplyCompleted", outcome.message
    assert scene.get("lamps", "desk", f"{group}/v1")["spec"] == {"watts": 5}
    scene.destroy(lamp, definition, unit=unit)


def test_a_missing_namespace_is_named(scene: Stage) -> None:
    lost = config_map()
    lost["metadata"]["namespace"] = "nowhere"

    outcome = scene.apply(lost, unit=new_unit())

    assert outcome.result == "ApplyFailed"
    assert 'namespaces "nowhere" not found' in outcome.message
    assert "apply the unit that has the namespace first" in outcome.message


def test_an_object_that_is_twice_in_the_unit_is_refused(scene: Stage) -> None:
    with pytest.raises(BadRequest, match="ConfigMap settings is in the unit twice"):
        scene.apply(config_map(a="1"), config_map(a="2"), unit=new_unit())


def test_a_namespace_comes_before_what_is_in_it(scene: Stage) -> None:
    name = f"{scene.namespace}-more"
    inside = config_map()
    inside["metadata"]["namespace"] = name

    outcome = scene.apply(
        inside, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, unit=new_unit()
    )

    assert outcome.result == "ApplyCompleted", outcome.message


def test_a_namespace_that_was_there_is_taken_in(scene: Stage) -> None:
    name = f"{scene.namespace}-applied"
    bare = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    scene.kube.apply(f"/api/v1/namespaces/{name}", bare, "kubectl")

    outcome = scene.apply({**bare, "metadata": {"name": name, "labels": {"env": "dev"}}}, unit=new_unit())

    assert outcome.result == "ApplyCompleted", outcome.message
    scene.kube.delete(f"/api/v1/namespaces/{name}")
