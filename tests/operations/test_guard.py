"""What refuses a deployment without asking or changing anything."""

from __future__ import annotations

import pytest

from confighub.errors import Gated
from confighub.operations.guard import APPROVAL_GATE, refuse_closed
from confighub.operations.plan import PlannedUnit, at_once, planned


def unit(slug: str, *gates: str) -> PlannedUnit:
    record = {"Slug": slug, "UnitID": slug, "HeadRevisionNum": 2, "ApplyGates": dict.fromkeys(gates, True)}
    return planned({"Unit": record})


@pytest.mark.parametrize(
    ("gates", "approve", "said"),
    [
        ((), False, ""),
        ((APPROVAL_GATE,), True, ""),
        ((APPROVAL_GATE,), False, "1 units in shop wait for approval: web revision 2"),
        (("few/cel-validate",), True, r"gates are closed in shop: web \(few/cel-validate\)"),
    ],
)
def test_a_closed_gate_refuses_unless_approving_opens_it(gates: tuple[str, ...], approve: bool, said: str) -> None:
    units = [unit("namespace"), unit("web", *gates)]
    plan = at_once(space="shop", space_id="s", units=units)

    if not said:
        refuse_closed(plan, units, approve=approve, command="x")
        return
    with pytest.raises(Gated, match=said):
        refuse_closed(plan, units, approve=approve, command="x")
