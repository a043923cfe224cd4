"""What must be true before the first unit is applied: targets, open gates, and in prod an approval."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from confighub.client.hub import HubClient
from confighub.errors import BadRequest, Gated
from confighub.operations.plan import Plan, PlannedUnit

APPROVAL_GATE = "approval/is-approved"
"""The gate that the hub closes on a revision in prod until somebody approves that revision."""

Say = Callable[[str], None]


def check(hub: HubClient, plan: Plan, pending: Sequence[PlannedUnit], *, approve: bool, command: str, say: Say) -> None:
    """Let a deployment begin, or refuse it before anything is applied.

    ``pending`` are the units that would be applied. With ``approve`` their heads, exactly those, are
    approved in the caller's name. ``command`` is what the person typed, for the hint.
    Raises: BadRequest for units without a target; Gated for closed gates, naming units and gates.
    """
    homeless = [unit.slug for unit in plan.without_target if unit in pending]
    if homeless:
        raise BadRequest(
            f"units in {plan.space} have no target: {_listed(homeless)}",
            hint="make one and point the units at it: bin/setup-worker ENV",
        )
    closed = [f"{unit.slug} ({gate})" for unit in pending for gate in unit.gates if gate != APPROVAL_GATE]
    if closed:
        raise Gated(
            f"gates are closed in {plan.space}: {_listed(closed)}",
            gates=sorted({gate for unit in pending for gate in unit.gates if gate != APPROVAL_GATE}),
            hint="nothing was applied; change what they refuse and try again",
        )
    waiting = [unit for unit in pending if APPROVAL_GATE in unit.gates]
    if not waiting:
        return
    if not approve:
        raise Gated(
            f"{len(waiting)} units in {plan.space} wait for approval: "
            + _listed([f"{unit.slug} revision {unit.head}" for unit in waiting]),
            gates=[APPROVAL_GATE],
            hint=f"nothing was applied; approve exactly these and apply them: {command} --approve",
        )
    for unit in waiting:
        hub.units.approve(unit.unit_id, space_id=plan.space_id, revision=str(unit.head))
        say(f"approved {unit.slug} revision {unit.head}")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
