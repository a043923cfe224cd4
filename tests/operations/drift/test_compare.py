"""Differences by value: what counts, what does not, and how it is called."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import yaml

from confighub.errors import BadRequest
from confighub.operations.drift.compare import compare
from confighub.operations.drift.correction import patch_of
from confighub.operations.drift.risk import Policy, Risk, Rule, read_rules, risk_of

WEB: dict[str, Any] = yaml.safe_load("""
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, labels: {app: web}}
spec:
  replicas: 3
  template:
    spec:
      containers:
      - name: web
        image: example/web:v1
        env:
        - {name: A, value: "1"}
        - {name: B, value: "2"}
        resources: {limits: {cpu: 500m, memory: 1Gi}}
        ports: [{containerPort: 80}]
      - name: side
        image: example/side:v1
""")


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return the object with another value at a dotted path, whose numbers are places in lists."""
    copy = deepcopy(WEB)
    *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    here: Any = copy
    for step in way:
        here = here[step] if isinstance(step, int) else here.setdefault(step, {})
    here[last] = value
    return copy


FIRST = "spec.template.spec.containers.0"
CASES = [
    ("spec.replicas", 10, "Deployment/web spec.replicas is 10 and not 3", Risk.LOW),
    ("spec.replicas", True, "Deployment/web spec.replicas is True and not 3", Risk.LOW),
    ("metadata.labels.app", "x", "Deployment/web metadata.labels.app is x and not web", Risk.LOW),
    (
        f"{FIRST}.image",
        "example/web:v9",
        "Deployment/web spec.template.spec.containers[name=web].image is example/web:v9 and not example/web:v1",
        Risk.MEDIUM,
    ),
    (
        f"{FIRST}.env.1.value",
        "9",
        "Deployment/web spec.template.spec.containers[name=web].env[name=B].value is 9 and not 2",
        Risk.MEDIUM,
    ),
    (
        f"{FIRST}.resources.limits.cpu",
        "2",
        "Deployment/web spec.template.spec.containers[name=web].resources.limits.cpu is 2 and not 500m",
        Risk.MEDIUM,
    ),
    (
        "spec.template.spec.hostNetwork",
        True,
        "Deployment/web spec.template.spec.hostNetwork is True and not unset",
        Risk.HIGH,
    ),
    (
        "spec.template.spec.serviceAccountName",
        "root",
        "Deployment/web spec.template.spec.serviceAccountName is root and not unset",
        Risk.HIGH,
    ),
]


@pytest.mark.requirement("R-273", "R-275")
@pytest.mark.parametrize(("path", "value", "said", "risk"), CASES)
def test_a_changed_value_is_named_with_its_risk(path: str, value: Any, said: str, risk: Risk) -> None:
    found = compare([WEB], [changed(path, value)], is_exact=True)

    assert [str(one) for one in found] == [said]
    assert risk_of(found[0])[0] is risk


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (f"{FIRST}.resources.limits.cpu", "0.5"),
        (f"{FIRST}.resources.limits.memory", "1024Mi"),
        ("metadata.generation", 7),
        ("metadata.annotations", {"laptop.confighub/addresses": "127.1.1.1:80"}),
        ("metadata.annotations", {}),
        ("status.replicas", 10),
        (f"{FIRST}.env", [{"name": "B", "value": "2"}, {"name": "A", "value": "1"}]),
    ],
)
def test_another_way_to_say_the_same_is_no_drift(path: str, value: Any) -> None:
    assert compare([WEB], [changed(path, value)], is_exact=True) == []


def test_what_a_cluster_adds_is_no_drift_unless_somebody_owns_it() -> None:
    live = changed("spec.progressDeadlineSeconds", 600)
    live["spec"]["template"]["spec"]["containers"][0]["env"].append({"name": "DEBUG", "value": "1"})
    assert compare([WEB], [live], is_exact=False) == []
    place = "spec.template.spec.containers[name=web].env[name=DEBUG]"
    live["metadata"]["annotations"] = {"confighub.com/foreign": f"{place}.value by kubectl-edit"}

    found = compare([WEB], [live], is_exact=False)

    assert [(one.path, one.who) for one in found] == [(f"{place}.value", "kubectl-edit")]


def test_what_a_cluster_fills_into_items_without_a_key_is_no_drift() -> None:
    claim: dict[str, Any] = {"metadata": {"name": "data"}, "spec": {"resources": {"requests": {"storage": "5Gi"}}}}
    wanted = {**WEB, "kind": "StatefulSet", "spec": {"volumeClaimTemplates": [claim]}}
    filled = {**claim, "kind": "PersistentVolumeClaim", "spec": {**claim["spec"], "volumeMode": "Filesystem"}}
    larger = {**claim, "spec": {"resources": {"requests": {"storage": "9Gi"}}}}

    def live(*claims: dict[str, Any]) -> dict[str, Any]:
        return {**wanted, "spec": {"volumeClaimTemplates": list(claims)}}

    assert compare([wanted], [live(filled)], is_exact=False) == []
    assert [one.path for one in compare([wanted], [live(filled)], is_exact=True)] == ["spec.volumeClaimTemplates"]
    for claims in ([larger], [], [filled, larger]):
        found = compare([wanted], [live(*claims)], is_exact=False)
        assert [one.path for one in found] == ["spec.volumeClaimTemplates"]


def test_the_one_who_took_a_field_over_is_named() -> None:
    live = changed("spec.replicas", 10)
    live["metadata"]["annotations"] = {"confighub.com/foreign": "spec.replicas by kubectl"}

    found = compare([WEB], [live], is_exact=False)

    assert [(one.path, one.expected, one.actual, one.who) for one in found] == [("spec.replicas", 3, 10, "kubectl")]


def test_objects_that_are_gone_or_were_added() -> None:
    other = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "shop"}}

    found = compare([WEB], [other], is_exact=True)

    assert [str(one) for one in found] == ["Deployment/web is gone", "ConfigMap/x is not in the unit"]
    assert [risk_of(one)[0] for one in found] == [Risk.MEDIUM, Risk.HIGH]
    with pytest.raises(BadRequest, match="cannot take that over"):
        patch_of(found[0])


STRANGERS = """\
apps/v1 Deployment miner by kubectl-create
rbac.authorization.k8s.io/v1 Role open by helm
v1 ConfigMap notes by kubectl-create, kubectl-edit
v1 Service door by kubectl-create"""


def test_objects_of_no_unit_are_differences_of_the_namespace_that_they_are_in() -> None:
    wanted = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    live = {**wanted, "metadata": {"name": "shop", "annotations": {"confighub.com/strangers": STRANGERS}}}

    found = compare([wanted], [live], is_exact=False)

    assert [str(one) for one in found] == [
        "Deployment/miner is in namespace shop and of no unit",
        "Role/open is in namespace shop and of no unit",
        "ConfigMap/notes is in namespace shop and of no unit",
        "Service/door is in namespace shop and of no unit",
    ]
    assert [risk_of(one)[0] for one in found] == [Risk.HIGH, Risk.HIGH, Risk.LOW, Risk.MEDIUM]
    assert [one.who for one in found] == ["kubectl-create", "helm", "kubectl-create, kubectl-edit", "kubectl-create"]
    assert {one.namespace for one in found} == {"shop"}
    with pytest.raises(BadRequest, match="cannot take that over"):
        patch_of(found[0])


def test_the_patch_of_a_difference_names_list_items_by_their_keys() -> None:
    image = compare([WEB], [changed(f"{FIRST}.image", "example/web:v9")], is_exact=True)[0]
    label = compare([WEB], [changed("metadata.labels.app", "x")], is_exact=True)[0]

    assert patch_of(image)["spec"] == {
        "template": {"spec": {"containers": [{"name": "web", "image": "example/web:v9"}]}}
    }
    assert patch_of(label) == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"labels": {"app": "x"}, "name": "web"},
    }


def test_the_first_rule_of_a_policy_that_fits_decides() -> None:
    replicas = compare([WEB], [changed("spec.replicas", 10)], is_exact=True)[0]
    image = compare([WEB], [changed(f"{FIRST}.image", "x:v9")], is_exact=True)[0]
    text = """
- {unit: web-*, path: spec.replicas, action: accept}
- {path: "*containers[name=web].image", action: correct}
"""
    policy = Policy(read_rules(text, name="policy.yaml"))

    assert policy.action_for(replicas, space="dev", unit="web-deployment") == "accept"
    assert policy.action_for(replicas, space="dev", unit="api") == "correct"
    assert policy.action_for(image, space="dev", unit="api") == "correct"
    assert Policy().action_for(image, space="dev", unit="api") == "ask"
    assert Policy(auto_correct=None).action_for(replicas, space="dev", unit="api") == "ask"
    assert Policy((Rule("ignore"),)).action_for(image, space="dev", unit="api") == "ignore"


def test_a_policy_that_cannot_be_read_is_refused_by_name() -> None:
    with pytest.raises(BadRequest, match=r"policy\.yaml is no policy"):
        read_rules("[{action: explode}]", name="policy.yaml")
