"""What ready means, by kind."""

from __future__ import annotations

from typing import Any

import pytest

from confighub.worker import readiness


def deployment(replicas: int = 2, generation: int = 3, **status: object) -> dict[str, Any]:
    whole = {"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, **status}
    metadata = {"name": "web", "generation": generation}
    return {"kind": "Deployment", "metadata": metadata, "spec": {"replicas": replicas}, "status": whole}


def condition(kind: str, status: str, reason: str, message: str = "") -> dict[str, Any]:
    return {"conditions": [{"type": kind, "status": status, "reason": reason, "message": message}]}


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (deployment(), ""),
        (deployment(replicas=0, updatedReplicas=0, availableReplicas=0) | {"status": {"observedGeneration": 3}}, ""),
        (deployment(generation=4), "Deployment web has not been looked at yet"),
        (deployment(updatedReplicas=1), "Deployment web is not ready: 2 of 2 replicas available"),
        (deployment(availableReplicas=1), "Deployment web is not ready: 1 of 2 replicas available"),
        (deployment(replicas=3), "Deployment web is not ready: 2 of 3 replicas available"),
        ({"kind": "Namespace", "metadata": {"name": "n"}, "status": {"phase": "Active"}}, ""),
        ({"kind": "Namespace", "metadata": {"name": "n"}}, "Namespace n is not there and not Active"),
        ({"kind": "Service", "metadata": {"name": "s"}}, ""),
        (
            {
                "kind": "Service",
                "metadata": {"name": "s"},
                "status": condition("Endpoints", "False", "No", "0 of 2 ready"),
            },
            "Service s has no endpoint: 0 of 2 ready",
        ),
        (
            {
                "kind": "Service",
                "metadata": {"name": "s"},
                "status": condition("Endpoints", "Unknown", "NothingSelected"),
            },
            "",
        ),
        ({"kind": "Ingress", "metadata": {"name": "i"}}, "Ingress i has no address yet"),
        ({"kind": "ConfigMap", "metadata": {"name": "c"}}, ""),
    ],
)
def test_readiness_is_by_kind(item: dict[str, Any], message: str) -> None:
    found = readiness.of_object(item)

    assert (found.is_ready, found.message) == (not message, message)
    assert not found.is_hopeless


def test_what_is_not_supported_here_is_as_ready_as_it_will_be() -> None:
    said = "not supported here: StatefulSet has no effect on a laptop"
    metadata = {"name": "database", "generation": 1}
    status = condition("Supported", "False", readiness.NOT_SUPPORTED, said)
    item = {"kind": "StatefulSet", "metadata": metadata, "spec": {"replicas": 1}, "status": status}

    found = readiness.of_objects([deployment(), item])

    assert (found.is_ready, found.message) == (True, said)


def test_old_replicas_that_are_still_there_count() -> None:
    found = readiness.of_object(deployment(replicas=2) | {"status": deployment()["status"] | {"replicas": 3}})

    assert found.message == "Deployment web is not ready: 1 old replicas are still there"


@pytest.mark.parametrize("reason", sorted(readiness.HOPELESS))
def test_some_reasons_do_not_go_away_by_waiting(reason: str) -> None:
    status = deployment()["status"] | condition("Progressing", "False", reason, "why")

    found = readiness.of_objects([deployment(), deployment() | {"status": status}])

    assert found.is_hopeless
    assert found.message == f"Deployment web: {reason}: why"


def test_all_that_is_waited_for_is_named() -> None:
    found = readiness.of_objects([deployment(availableReplicas=0), {"kind": "Ingress", "metadata": {"name": "i"}}])

    assert found.message == "Deployment web is not ready: 0 of 2 replicas available; Ingress i has no address yet"


@pytest.mark.requirement("R-106")
@pytest.mark.parametrize(
    ("kind", "status", "message"),
    [
        ("Job", {}, "Job web is not complete yet"),
        ("Job", {"conditions": [{"type": "Complete", "status": "True"}]}, ""),
        ("Pod", {"phase": "Pending"}, "Pod web is Pending and not ready"),
        ("Pod", {"phase": "Succeeded"}, ""),
        ("CustomResourceDefinition", {}, "CustomResourceDefinition web is not established yet"),
        ("CustomResourceDefinition", {"conditions": [{"type": "Established", "status": "True"}]}, ""),
        ("PersistentVolumeClaim", {"phase": "Pending"}, ""),
        ("PersistentVolumeClaim", {"phase": "Lost"}, "PersistentVolumeClaim web has lost its volume"),
        ("DaemonSet", {"desiredNumberScheduled": 2, "numberAvailable": 1, "updatedNumberScheduled": 2}, "1 of 2 nodes"),
        ("DaemonSet", {"desiredNumberScheduled": 1, "numberAvailable": 1, "updatedNumberScheduled": 1}, ""),
        (
            "Issuer",
            {"conditions": [{"type": "Ready", "status": "False", "reason": "No"}]},
            "Issuer web is not ready: No",
        ),
        ("Issuer", {}, ""),
    ],
)
def test_each_kind_has_its_own_meaning_of_ready(kind: str, status: dict[str, object], message: str) -> None:
    found = readiness.of_object({"kind": kind, "metadata": {"name": "web"}, "status": status})

    assert found.is_ready == (message == "")
    assert message in found.message
