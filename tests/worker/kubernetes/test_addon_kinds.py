"""Addons of kinds that a cluster may lack, applied where their makers' definitions are in force."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.kubernetes.control_plane import Kube
from tests.kubernetes.definitions import CRDS, definitions, is_served
from tests.runtime.running import until
from tests.worker.kubernetes.stage import Stage, new_unit

KINDS = {
    "mesh": ("PeerAuthentication", "Telemetry", "VirtualService", "DestinationRule"),
    "monitors": ("ServiceMonitor", "PodMonitor"),
    "certificate-issuer": ("ClusterIssuer",),
    "backup-schedule": ("Schedule",),
}


@pytest.fixture(scope="module")
def defined(stage: Stage) -> Iterator[Kube]:
    """An API server that has the kinds, while the tests of this module last."""
    kube, made = stage.kube, definitions(*(kind for kinds in KINDS.values() for kind in kinds))
    assert len(made) == sum(map(len, KINDS.values()))
    names = [one["metadata"]["name"] for one in made]
    try:
        for one in made:
            kube.create(CRDS, one)
        kube.create("/api/v1/namespaces", {"metadata": {"name": "velero"}})
        until(lambda: all(is_served(kube, one) for one in made), because=lambda: "the kinds are not served")
        yield kube
    finally:
        for name in names:
            kube.delete(f"{CRDS}/{name}")
        kube.delete("/api/v1/namespaces/velero")
    until(lambda: not any(kube.get(f"{CRDS}/{name}") for name in names), because=lambda: "they stay")


def text_of(project: Path, addon: str, namespace: str) -> str:
    text = (project / "confighub" / "addons" / f"{addon}.yaml").read_text(encoding="utf-8")
    return text.replace("confighubplaceholder", namespace)


@pytest.mark.requirement("R-143", "R-145", "R-146", "R-153", "R-288", "R-312")
@pytest.mark.parametrize("addon", KINDS)
def test_every_object_is_taken_as_it_is_written(defined: Kube, scene: Stage, project: Path, addon: str) -> None:
    text, unit = text_of(project, addon, scene.namespace), new_unit()

    outcome = scene.apply_text(text, unit=unit)

    assert outcome.result == "ApplyCompleted", outcome.message
    assert "not supported here" not in outcome.message
    live = {(one["kind"], one["metadata"]["name"]): one for one in json.loads(outcome.live_state or b"[]")}
    for wanted in yaml.safe_load_all(text):
        found = live[(wanted["kind"], wanted["metadata"]["name"])]
        # what the server kept is what the unit says: nothing was dropped, and nothing is of another type
        assert lacks(found["spec"], wanted["spec"]) == [], wanted["kind"]
    assert len(live) == len(list(yaml.safe_load_all(text)))


def lacks(found: Any, wanted: Any, path: str = "") -> list[str]:
    """Return the places of what is wanted that are not so in what was found."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return [place for key, one in wanted.items() for place in lacks(found.get(key), one, f"{path}.{key}")]
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        pairs = enumerate(zip(found, wanted, strict=True))
        return [place for at, (one, other) in pairs for place in lacks(one, other, f"{path}.{at}")]
    return [] if found == wanted else [path]


@pytest.mark.requirement("R-124")
def test_a_weight_moves_to_the_canary_and_back(defined: Kube, scene: Stage, project: Path) -> None:
    text, unit = text_of(project, "mesh", scene.namespace), new_unit()
    scene.apply_text(text, unit=unit)

    moved = scene.apply_text(text.replace("weight: 100", "weight: 90").replace("weight: 0", "weight: 10"), unit=unit)

    assert moved.result == "ApplyCompleted", moved.message
    route = scene.get("virtualservices", "trade-service-route", "networking.istio.io/v1beta1")
    weights = [[one.get("weight") for one in entry["route"]] for entry in route["spec"]["http"]]
    assert weights == [[None], [90, 10], [90, 10]]


@pytest.mark.parametrize(
    ("addon", "right", "wrong"),
    [
        ("mesh", "weight: 0", "weight: none"),
        ("mesh", "mode: STRICT", "mode: SOMETIMES"),
        ("monitors", "interval: 15s", "interval: often"),
        ("backup-schedule", "snapshotVolumes: true", "snapshotVolumes: perhaps"),
    ],
)
def test_what_their_makers_would_refuse_is_refused(
    defined: Kube, scene: Stage, project: Path, addon: str, right: str, wrong: str
) -> None:
    text = text_of(project, addon, scene.namespace)
    assert right in text

    outcome = scene.apply_text(text.replace(right, wrong), unit=new_unit())

    assert outcome.result == "ApplyFailed"
