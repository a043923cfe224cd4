"""Plans follow labels: orders from low to high, addons after the first, nothing else."""

from __future__ import annotations

import pytest

from confighub.errors import BadRequest
from confighub.operations.plan import PlannedUnit, at_once, in_order, planned


def unit(slug: str, order: int | None = None, *, is_addon: bool = False) -> PlannedUnit:
    return PlannedUnit(unit_id=f"id-of-{slug}", slug=slug, head=1, live=0, order=order, is_addon=is_addon)


def stages(*units: PlannedUnit) -> list[tuple[str, list[str]]]:
    plan = in_order(space="p-dev", space_id="s", units=units)
    return [(stage.title, [one.slug for one in stage.units]) for stage in plan.stages]


@pytest.mark.requirement("R-103")
def test_stages_go_from_the_lowest_order_to_the_highest() -> None:
    found = stages(unit("web", 10), unit("namespace", 0), unit("data", 2))

    assert found == [("order 0", ["namespace"]), ("order 2", ["data"]), ("order 10", ["web"])]


def test_units_of_one_order_are_one_stage_by_slug() -> None:
    assert stages(unit("b", 1), unit("a", 1)) == [("order 1", ["a", "b"])]


def test_addons_come_after_order_zero_and_before_everything_else() -> None:
    found = stages(unit("web", 1), unit("policies", is_addon=True), unit("namespace", 0))

    assert [slugs for _, slugs in found] == [["namespace"], ["policies"], ["web"]]


def test_addons_come_first_where_nothing_has_order_zero() -> None:
    assert [slugs for _, slugs in stages(unit("web", 1), unit("policies", is_addon=True))] == [["policies"], ["web"]]


def test_a_unit_without_order_is_left_out() -> None:
    assert stages(unit("web", 1), unit("notes")) == [("order 1", ["web"])]


def test_a_plan_that_selects_nothing_is_an_error() -> None:
    with pytest.raises(BadRequest, match="no unit in p-dev has a label `order`"):
        stages(unit("notes"))


def test_everything_at_once_starts_with_order_zero_and_keeps_units_without_order() -> None:
    plan = at_once(space="p", space_id="s", units=[unit("web", 3), unit("ns", 0), unit("notes")])

    assert [[one.slug for one in stage.units] for stage in plan.stages] == [["ns"], ["notes", "web"]]
    assert [stage.title for stage in plan.stages] == ["order 0", "all others"]


def test_a_record_of_the_hub_becomes_a_planned_unit() -> None:
    record = {
        "Unit": {
            "UnitID": "u",
            "Slug": "web",
            "Labels": {"order": "7"},
            "HeadRevisionNum": 4,
            "LiveRevisionNum": 3,
            "TargetID": "00000000-0000-0000-0000-000000000000",
            "ApplyGates": {"b/x": True, "a/y": True, "c/z": False},
        }
    }

    assert planned(record) == PlannedUnit("u", "web", head=4, live=3, target_id="", order=7, gates=("a/y", "b/x"))


def test_an_order_that_is_no_number_is_refused_by_name() -> None:
    with pytest.raises(BadRequest, match="label `order` of web is not a number: first"):
        planned({"Unit": {"UnitID": "u", "Slug": "web", "Labels": {"order": "first"}}})
