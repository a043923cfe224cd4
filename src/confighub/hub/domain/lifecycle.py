"""What an operation's progress means: which reports count, and what they make of the unit's numbers.

Plain rules over plain values. ``usecases.work`` keeps operations and carries these out;
``usecases.workers`` says when a worker is gone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from confighub.errors import BadRequest
from confighub.records.work import FINAL

OPEN: frozenset[str] = frozenset({"Pending", "Submitted", "Progressing"})
"""Statuses of an operation that has not ended."""

IN_FLIGHT: frozenset[str] = frozenset({"Submitted", "Progressing"})
"""Statuses of an operation that a worker has in hand."""

INVOKE = "InvokeFunctions"
"""The action of a function call; it moves no numbers, waits for nothing and has no event."""

MAX_DELIVERIES = 2
"""How often an operation is sent to a worker that stays connected and says nothing."""

_RANK = {"None": 0, "Pending": 0, "Submitted": 1, "Progressing": 2, "Completed": 3, "Failed": 3, "Canceled": 3}


@dataclass(frozen=True)
class Numbers:
    """The revision numbers of a unit that operations move; 0 means none."""

    live: int = 0
    previous_live: int = 0
    last_applied: int = 0


def accepts(*, now: str, result_now: str, then: str) -> bool:
    """Whether a report of status ``then`` changes an operation that stands at ``now``.

    Reports never go backwards and a final one stays, with one exception: a worker may go on
    after it gave up waiting (or after we did), and then say that the operation completed.
    """
    if now not in FINAL:
        return _RANK[then] >= _RANK[now]
    return now == "Failed" and then == "Completed" and result_now in ("ApplyWaitFailed", "DestroyWaitFailed", "None")


def sent(numbers: Numbers, *, action: str, revision_num: int) -> Numbers:
    """Return the numbers once a worker has the operation in hand."""
    return replace(numbers, last_applied=revision_num) if action == "Apply" else numbers


def completed(numbers: Numbers, *, action: str, revision_num: int) -> Numbers:
    """Return the numbers after the operation completed.

    Applying again what is live keeps the previous number, which would otherwise be lost.
    """
    if action == "Apply":
        if numbers.live == revision_num:
            return numbers
        return replace(numbers, live=revision_num, previous_live=numbers.live)
    if action == "Destroy":
        return replace(numbers, live=0, previous_live=numbers.live or numbers.previous_live)
    return numbers


def revision_number(text: str, *, head: int, numbers: Numbers) -> int:
    """Return the revision that ``text`` names: a number, ``N`` for the head, ``N-1`` before it, or a unit's attribute.

    An empty text is the head. Raises: BadRequest for anything else, or a number that the unit does not have.
    """
    named = {
        "": head,
        "N": head,
        "HeadRevisionNum": head,
        "LiveRevisionNum": numbers.live,
        "PreviousLiveRevisionNum": numbers.previous_live,
        "LastAppliedRevisionNum": numbers.last_applied,
    }
    relative = re.fullmatch(r"N?-(\d{1,9})", text)
    if text in named:
        number = named[text]
    elif relative:
        number = head - int(relative[1])
    elif re.fullmatch(r"\d{1,9}", text):
        number = int(text)
    else:
        raise BadRequest(f"not a revision: {text!r}", hint="write a number, N for the head or N-1 for the one before")
    if not 1 <= number <= head:
        raise BadRequest(f"there is no revision {number or text}", hint=f"the revisions are 1 to {head}")
    return number


@dataclass(frozen=True)
class Candidate:
    """What decides whether the head of a unit is applied by itself."""

    head: int
    numbers: Numbers
    has_auto_apply: bool
    is_in_production: bool
    is_held: bool
    is_busy: bool
    closed_gates: tuple[str, ...] = ()


def reason_not_to_apply(candidate: Candidate) -> str:
    """Return why the head is not applied by itself, empty when it is.

    The one rule: a newer head of a unit that is live, where the worker has auto-apply on,
    never in production, its gates open, nobody holding it. A head that was already sent is
    not sent again, so a failure is not repeated until somebody changes something.
    """
    if not candidate.has_auto_apply:
        return "its worker does not apply by itself"
    if candidate.is_in_production:
        return "production is never applied by itself"
    if candidate.numbers.live == 0:
        return "it is not live yet"
    if candidate.head in (candidate.numbers.live, candidate.numbers.last_applied):
        return "its head was applied already"
    if candidate.is_held:
        return "it is held"
    if candidate.is_busy:
        return "another operation is under way"
    if candidate.closed_gates:
        return f"gates are closed: {', '.join(candidate.closed_gates)}"
    return ""
