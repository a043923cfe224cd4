"""Differences between a unit and what is there."""

from __future__ import annotations

from copy import deepcopy

from confighub.worker import drift
from tests.runtime.running import deployment, service


def test_what_the_other_side_keeps_is_no_drift() -> None:
    live = deepcopy(deployment())
    live["metadata"] |= {
        "generation": 4,
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "annotations": {"laptop.confighub/ignored": "spec.x"},
    }
    live["status"] = {"replicas": 1}

    assert drift.between([deployment()], [live]) == []


def test_every_difference_is_one_line_with_its_place() -> None:
    live = deployment(replicas=10, tag="v2")
    live["spec"]["paused"] = True
    live["metadata"]["labels"] = {"owner": "me"}

    assert drift.between([deployment(replicas=3)], [live]) == [
        "Deployment web: metadata.labels is 1 entries and not unset",
        "Deployment web: spec.replicas is 10 and not 3",
        "Deployment web: spec.template.spec.containers.0.image is test/web:v2 and not test/web:v1",
        "Deployment web: spec.paused is True and not unset",
    ]


def test_missing_and_foreign_objects_are_drift() -> None:
    assert drift.between([deployment()], [service()]) == ["Deployment web is gone", "Service web is not in the unit"]
