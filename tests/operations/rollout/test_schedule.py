"""Stages as data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from confighub.errors import BadRequest
from confighub.operations.rollout.queries import KNOWN, filled
from confighub.operations.rollout.schedule import SEED, check, read_schedule

UNKNOWN = {"requests": 'up{pod="$pod"}', "errors": "up", "quick": "up"}


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

    schedule = read_schedule(file)
    half, everything = schedule.stages

    assert (half.weight, half.needs, everything.weight) == (50, ("latency",), 100)
    assert schedule.queries is None


@pytest.mark.requirement("R-125")
def test_a_schedule_may_bring_queries_of_its_own_and_keep_the_seeds_stages(tmp_path: Path) -> None:
    file = tmp_path / "schedule.json"
    side = {"requests": 'shop_total{app="$service"}', "errors": "shop_errors_total", "quick": ""}

    file.write_text(json.dumps({"queries": {"old": side, "new": side}}))
    own = read_schedule(file)
    file.write_text('{"queries": "istio", "stages": [{"name": "all", "weight": 100}]}')
    named = read_schedule(file)

    assert own.stages == SEED
    assert own.queries is not None
    assert filled(own.queries.new.requests, {"service": 'sh"op'}) == r'shop_total{app="sh\"op"}'
    assert named.queries == KNOWN["istio"]


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
        ('{"queries": "graphite"}', "no queries called graphite"),
        ('{"queries": {"old": {}, "new": {}}}', "holds no queries"),
        (
            '{"queries": QUERIES}'.replace("QUERIES", json.dumps(dict.fromkeys(("old", "new"), UNKNOWN))),
            r"names what .*pod",
        ),
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
