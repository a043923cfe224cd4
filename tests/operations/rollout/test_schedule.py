"""Stages as data."""

from __future__ import annotations

from pathlib import Path

import pytest

from confighub.errors import BadRequest
from confighub.operations.rollout.schedule import SEED, check, read_schedule


@pytest.mark.requirement("R-122", "R-125", "R-126", "R-127", "R-128")
def test_the_seeds_stages_are_the_schedule() -> None:
    check(SEED)

    assert [(stage.weight, stage.minutes, stage.needs) for stage in SEED] == [
        (10, 10, ("error rate",)),
        (25, 20, ("latency",)),
        (50, 30, ("error increase",)),
        (100, 0, ()),
    ]


def test_a_schedule_of_ones_own_is_read_from_json(tmp_path: Path) -> None:
    file = tmp_path / "stages.json"
    file.write_text(
        '[{"name": "half", "weight": 50, "minutes": 1, "needs": ["latency"]}, {"name": "all", "weight": 100}]'
    )

    half, everything = read_schedule(file)

    assert (half.weight, half.needs, everything.weight) == (50, ("latency",), 100)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[]", "rises"),
        ('[{"name": "a", "weight": 50}]', "rises"),
        ('[{"name": "a", "weight": 50}, {"name": "b", "weight": 20}, {"name": "c", "weight": 100}]', "rises"),
        ('[{"name": "a", "weight": 100, "minutes": -1}]', "no time"),
        ('[{"name": "a", "weight": 100, "needs": ["latency"]}]', "compared"),
        ('[{"name": "a", "weight": 100, "needs": ["beauty"]}]', "beauty"),
        ('[{"name": "a", "wieght": 100}]', "weight"),
        ("{", "no schedule"),
    ],
)
def test_what_is_no_schedule_is_refused_with_the_reason(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "stages.json"
    file.write_text(text)

    with pytest.raises(BadRequest, match=reason):
        read_schedule(file)


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"stages\.json cannot be read"):
        read_schedule(tmp_path / "stages.json")
