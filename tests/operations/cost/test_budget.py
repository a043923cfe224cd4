"""Budgets: the gate of a head that would make its space cost too much, for whatever door."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from confighub.client.functions import call
from confighub.errors import Gated
from confighub.operations.cost.budget import find_budget, lift_budget, set_budget
from confighub.operations.cost.prices import Price
from confighub.operations.why import why
from tests.operations.cost.sized import prices, sized
from tests.operations.playing import PlayedWorker, Stage

GATE = "budget/vet-budget"


def price() -> Price:
    found = prices().of({})
    assert found is not None
    return found


def gates(stage: Stage, unit_id: str) -> dict[str, bool]:
    unit = stage.hub.units.get(unit_id, space_id=stage.space_id)["Unit"]
    return dict(unit.get("ApplyGates") or {})


def test_a_head_over_the_budget_is_not_applied_and_says_why(dev: Stage) -> None:
    unit_id = dev.unit("web", text=sized())
    dev.unit("api", text=sized())
    # one pod of 1 CPU and 1 GiB costs 0.06 an hour, and vet-budget counts 730 hours
    set_budget(dev.hub, space_id=dev.space_id, usd_per_month=Decimal("87.60"), price=price())
    assert GATE not in gates(dev, unit_id)

    dev.hub.functions.invoke([call("set-replicas", 2)], space_id=dev.space_id, where="Slug = 'web'")

    with pytest.raises(Gated, match=GATE):
        dev.hub.units.apply(unit_id, space_id=dev.space_id)
    (record,) = dev.hub.units.list(space_id=dev.space_id, where="Slug = 'web'")
    lines = list(why(dev.hub, record).lines())
    assert any("the heads of the space cost 131.40 USD a month" in line for line in lines), lines


def test_the_gate_opens_when_another_unit_gets_cheaper(new_stage: Callable[..., Stage]) -> None:
    stage = new_stage(environment="dev", auto_apply=True)
    big, web = stage.unit("big", text=sized(replicas=3)), stage.unit("web", text=sized())
    set_budget(stage.hub, space_id=stage.space_id, usd_per_month=Decimal(100), price=price())
    assert GATE in gates(stage, web)

    with PlayedWorker(stage.worker):
        stage.hub.functions.invoke([call("set-replicas", 1)], space_id=stage.space_id, where=f"UnitID = '{big}'")

        assert GATE not in gates(stage, web)
        assert GATE not in gates(stage, big)


def test_a_budget_is_replaced_and_taken_away(dev: Stage) -> None:
    for amount in ("10", "20"):
        set_budget(dev.hub, space_id=dev.space_id, usd_per_month=Decimal(amount), price=price())

    found = find_budget(dev.hub, space_id=dev.space_id)

    assert found is not None
    assert found.usd_per_month == 20
    assert len(dev.hub.triggers.list(space_id=dev.space_id)) == 1
    assert lift_budget(dev.hub, space_id=dev.space_id)
    assert find_budget(dev.hub, space_id=dev.space_id) is None
    assert not lift_budget(dev.hub, space_id=dev.space_id)
