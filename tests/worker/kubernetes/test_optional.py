"""Objects that a unit can do without are left out, and told, where the cluster lacks their kind."""

from __future__ import annotations

import json
from typing import Any

from confighub.worker.kubernetes.optional import IF_SUPPORTED
from tests.worker.kubernetes.stage import Stage, config_map, new_unit


def monitor(mark: str = "true") -> dict[str, Any]:
    return {
        "apiVersion": "monitoring.example.com/v1",
        "kind": "ServiceMonitor",
        "metadata": {"name": "web", "annotations": {IF_SUPPORTED: mark}},
        "spec": {"endpoints": [{"port": "http"}]},
    }


def test_the_rest_of_the_unit_is_applied_and_the_message_names_what_is_not(scene: Stage) -> None:
    outcome = scene.apply(config_map(color="blue"), monitor(), unit=new_unit())

    assert outcome.result == "ApplyCompleted"
    assert "not supported here: ServiceMonitor web" in outcome.message
    assert scene.get("configmaps", "settings")["data"] == {"color": "blue"}


def test_live_state_shows_it_as_not_supported(scene: Stage) -> None:
    outcome = scene.apply(config_map(color="blue"), monitor(), unit=new_unit())

    shown = {one["kind"]: one for one in json.loads(outcome.live_state or b"[]")}
    assert shown["ServiceMonitor"]["status"]["phase"] == "NotSupportedHere"
    assert shown["ServiceMonitor"]["spec"] == {"endpoints": [{"port": "http"}]}


def test_a_unit_of_nothing_else_is_applied_too(scene: Stage) -> None:
    outcome = scene.apply(monitor(), unit=new_unit())

    assert outcome.result == "ApplyCompleted"
    assert len(json.loads(outcome.live_state or b"[]")) == 1


def test_what_is_left_out_is_no_drift(scene: Stage) -> None:
    unit = new_unit()
    scene.apply(config_map(color="blue"), monitor(), unit=unit)

    assert scene.refresh(config_map(color="blue"), monitor(), unit=unit).result == "RefreshAndNoDrift"


def test_without_the_mark_an_unknown_kind_fails_the_unit(scene: Stage) -> None:
    outcome = scene.apply(monitor("false"), unit=new_unit())

    assert outcome.result == "ApplyFailed"
    assert "apply its CustomResourceDefinition first" in outcome.message


def test_a_worker_that_starts_again_still_shows_what_is_left_out(scene: Stage) -> None:
    unit = new_unit()
    scene.apply(config_map(color="blue"), monitor(), unit=unit)
    scene.stop()
    scene.told.clear()

    scene.start()

    scene.until_live(unit, lambda live: [one["kind"] for one in live] == ["ConfigMap", "ServiceMonitor"])
