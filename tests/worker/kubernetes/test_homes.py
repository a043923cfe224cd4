"""Which cluster a unit is on, over restarts of the worker."""

from __future__ import annotations

from pathlib import Path

import yaml

from confighub.worker.kubernetes.homes import Homes
from tests.worker.kubernetes.stage import Stage, config_map, new_unit


def test_a_unit_is_anywhere_until_it_was_applied_somewhere(tmp_path: Path) -> None:
    homes = Homes(tmp_path / "homes")
    assert homes.is_at("u1", "west")

    homes.learn("u1", "east")

    assert homes.is_at("u1", "east")
    assert not homes.is_at("u1", "west")


def test_it_is_known_to_the_next_worker_even_when_the_last_word_was_cut_off(tmp_path: Path) -> None:
    file = tmp_path / "state" / "homes"
    homes = Homes(file)
    for unit, cluster in (("u1", "east"), ("u2", "west"), ("u1", "west"), ("u2", "")):
        homes.learn(unit, cluster)
    with file.open("ab") as cut:
        cut.write(b'["u1","ea')

    again = Homes(file)

    assert not again.is_at("u1", "east")
    assert again.is_at("u2", "east")
    assert file.read_text() == '["u1","west"]\n'


def test_what_a_unit_left_behind_on_another_cluster_is_not_told_after_a_restart(scene: Stage, tmp_path: Path) -> None:
    """Two contexts of one server stand for the clusters, so that both hold the unit's objects."""
    content = yaml.safe_load(scene.plane.kubeconfig.read_text())
    (context,) = content["contexts"]
    content["contexts"] = [{**context, "name": name} for name in ("before", "after")]
    content["current-context"] = "before"
    file = tmp_path / "two"
    file.write_text(yaml.safe_dump(content))
    unit = new_unit()
    scene.stop()
    try:
        scene.start(file)
        scene.apply(config_map(color="blue"), unit=unit, KubeContext="before")
        scene.apply(config_map(color="blue"), unit=unit, KubeContext="after")
        scene.stop()
        scene.told.clear()
        scene.start(file)
        scene.until_live(unit, bool)
        for color in ("red", "green"):
            scene.kube.merge(scene.path("configmaps", "settings"), {"data": {"color": color}})
            scene.until_live(unit, lambda live, color=color: live and live[0]["data"] == {"color": color})
    finally:
        scene.stop()
        scene.start()

    told = [change for change in scene.told if change.unit_id == unit]
    assert len(told) == 3
