"""What must be true before the first unit is applied: targets, open gates, approvals in prod, connected workers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from confighub.client.collection import any_of
from confighub.client.hub import HubClient
from confighub.errors import BadRequest, Gated, RetryLater
from confighub.operations.plan import Plan, PlannedUnit

APPROVAL_GATE = "approval/is-approved"
"""The gate that the hub closes on a revision in prod until somebody approves that revision."""

Say = Callable[[str], None]

_CONNECT_TIMEOUT_S = 10.0
_SHOWN = 4


def check(hub: HubClient, plan: Plan, pending: Sequence[PlannedUnit], *, approve: bool, command: str, say: Say) -> None:
    """Let a deployment begin, or refuse it before anything is applied.

    ``pending`` are the units that would be applied. With ``approve`` their heads, exactly those, are
    approved in the caller's name. ``command`` is what the person typed, for the hint.
    Raises: BadRequest for units without a target; Gated for closed gates, naming units and gates; RetryLater
    when a worker that is needed is not connected.
    """
    homeless = [unit.slug for unit in plan.without_target if unit in pending]
    if homeless:
        raise BadRequest(
            f"{len(homeless)} units in {plan.space} have no target: {_some(homeless)}",
            hint="make one and point the units at it: bin/setup-worker ENV",
        )
    refuse_closed(plan, pending, approve=approve, command=command)
    _await_workers(hub, pending)
    for unit in pending:
        if APPROVAL_GATE in unit.gates:
            hub.units.approve(unit.unit_id, space_id=plan.space_id, revision=str(unit.head))
            say(f"approved {unit.slug} revision {unit.head}")


def refuse_closed(plan: Plan, pending: Sequence[PlannedUnit], *, approve: bool, command: str) -> None:
    """Return when no gate is closed on these units, or approving them opens it. Raises: Gated, naming both."""
    closed = [f"{unit.slug} ({gate})" for unit in pending for gate in unit.gates if gate != APPROVAL_GATE]
    if closed:
        raise Gated(
            f"gates are closed in {plan.space}: {_listed(closed)}",
            gates=sorted({gate for unit in pending for gate in unit.gates if gate != APPROVAL_GATE}),
            hint="nothing was applied; change what they refuse and try again",
        )
    waiting = [unit for unit in pending if APPROVAL_GATE in unit.gates]
    if waiting and not approve:
        raise Gated(
            f"{len(waiting)} units in {plan.space} wait for approval: "
            + _listed([f"{unit.slug} revision {unit.head}" for unit in waiting]),
            gates=[APPROVAL_GATE],
            hint=f"nothing was applied; approve exactly these and apply them: {command} --approve",
        )


def _await_workers(hub: HubClient, pending: Sequence[PlannedUnit]) -> None:
    """Return once the workers of all targets are connected, which one just started needs a moment for."""
    targets = sorted({unit.target_id for unit in pending})
    deadline = time.monotonic() + _CONNECT_TIMEOUT_S
    while targets:
        found = hub.targets.list(where=any_of("TargetID", targets))
        lost = [one for one in found if (one.get("BridgeWorker") or {}).get("Condition") != "Ready"]
        if not lost:
            return
        if time.monotonic() > deadline:
            worker = lost[0].get("BridgeWorker") or {}
            raise RetryLater(
                f"the worker {worker.get('Slug') or 'of target ' + lost[0]['Target']['Slug']} is not connected",
                hint="nothing was applied; start it: bin/setup-worker ENV",
            )
        time.sleep(0.1)


def _some(names: Sequence[str]) -> str:
    shown = names[:_SHOWN]
    return _listed(shown) + (f" and {len(names) - len(shown)} more" if len(names) > len(shown) else "")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
