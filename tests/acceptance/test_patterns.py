"""The twelve patterns of the seed's checklist, each proven by its commands on a running dev."""

from __future__ import annotations

import json

import pytest

from tests.acceptance.system import System

pytestmark = pytest.mark.acceptance


@pytest.mark.requirement("R-006", *(f"R-{number}" for number in range(206, 218)))
def test_every_pattern_passes_and_its_result_is_kept(dev: System) -> None:
    before = dev.units()

    ran = json.loads(dev.must("traderx", "patterns", "run", "--json").out)

    assert {row["number"]: row["last"]["evidence"] for row in ran if row["last"]["outcome"] != "passed"} == {}
    assert json.loads(dev.must("traderx", "patterns", "--json").out) == ran
    assert all(row["last"]["commands"] for row in ran)
    assert dev.units() == before
    assert "pattern" not in dev.must("cub", "space", "list").out
