"""Operations on one or many units: queued, waited for, and told how each ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from confighub.cli.output import note
from confighub.cli.waiting import outcome_of
from confighub.errors import BadRequest, ConfigHubError, RetryLater

if TYPE_CHECKING:
    from confighub.cli.call import Call
    from confighub.client.transport import Wire

Queue = Callable[["Wire"], "Wire"]

_ABSENCE_S, _PAUSE_S = 15.0, 0.2
"""How long a hub may be away while operations are queued, and how often it is asked."""


def run_on(call: Call, action: str, units: Sequence[Wire], queue: Queue) -> None:
    """Queue the operation for each unit, wait for all, and say how each ended.

    ``queue`` takes a plain unit and returns its operation. Raises: BadRequest when any failed,
    after all have ended.
    """
    if len(units) == 1 and not call.is_dry_run:
        _run_on_one(call, action, units[0], _queue_patiently(queue, units[0]))
        return
    queued: list[tuple[Wire, Wire]] = []
    failures: list[str] = []
    for unit in units:
        try:
            queued.append((unit, _queue_patiently(queue, unit)))
        except ConfigHubError as error:
            failures.append(f"{unit['Slug']}: {error}")
    if call.is_dry_run:
        _foretell(call, action, queued)
        _tell_failures(action, failures, of=len(units))
        return
    events = [_ended_of(call, action, unit, operation, failures) for unit, operation in queued]
    if call.out.how not in ("text", "nothing"):
        call.out.show([event for event in events if event], str)
    _tell_failures(action, failures, of=len(units))


def _queue_patiently(queue: Queue, unit: Wire) -> Wire:
    """Queue the operation; a hub that is away for a moment is asked again, which at worst applies the same twice."""
    deadline = time.monotonic() + _ABSENCE_S
    while True:
        try:
            return queue(unit)
        except RetryLater:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_PAUSE_S)


def _foretell(call: Call, action: str, queued: Sequence[tuple[Wire, Wire]]) -> None:
    lines = [f"dry run: {action.lower()} of unit {unit['Slug']} would be queued" for unit, _ in queued]
    call.out.show([operation for _, operation in queued], lambda: "\n".join(lines))


def _tell_failures(action: str, failures: Sequence[str], *, of: int) -> None:
    """Print each failure; raises BadRequest when there is any."""
    for failure in failures:
        note(f"  {failure}")
    if failures:
        raise BadRequest(f"{action} failed on {len(failures)} of {of} units")


def _ended_of(call: Call, action: str, unit: Wire, operation: Wire, failures: list[str]) -> Wire | None:
    """Return the final event, or the operation without waiting; a failure is noted, and None returned for no event."""
    if not call.yes("wait"):
        call.out.say(_queued(action, unit))
        return operation
    try:
        event = outcome_of(call, operation, str(unit["Slug"]))
    except ConfigHubError as error:
        failures.append(f"{unit['Slug']}: {error}")
        return None
    if event["Status"] == "Failed":
        failures.append(f"{unit['Slug']}: {event.get('Message') or event.get('Result')}")
    else:
        call.out.say(_ended(action, unit, event))
    return event


def _run_on_one(call: Call, action: str, unit: Wire, operation: Wire) -> None:
    if not call.yes("wait"):
        call.out.show(operation, lambda: _queued(action, unit))
        return
    event = outcome_of(call, operation, str(unit["Slug"]))
    if event["Status"] == "Failed":
        reason = event.get("Message") or event.get("Result")
        raise BadRequest(f"{action} failed on unit {unit['Slug']}: {reason}")
    call.out.show(event, lambda: _ended(action, unit, event))


def _queued(action: str, unit: Wire) -> str:
    return f"Queued {action.lower()} for unit {unit['Slug']} ({unit['UnitID']})"


def _ended(action: str, unit: Wire, event: Wire) -> str:
    name = f"unit {unit['Slug']} ({unit['UnitID']})"
    if event["Status"] == "Canceled":
        return f"Action {action} on {name} Canceled"
    drift = {"RefreshAndDrifted": ": it drifted", "RefreshAndNoDrift": ": no drift"}.get(str(event.get("Result")), "")
    return f"Successfully completed {action} on {name}{drift}"
