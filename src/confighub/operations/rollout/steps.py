"""Step after step of a rollout, each written down before it begins, so that another process can go on with it.

A step that finds the new version bad, or cannot be carried out, leads to going back; going back is steps too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from confighub.client.transport import Wire
from confighub.errors import BadRequest, ConfigHubError, Conflict, RetryLater
from confighub.operations.guard import Say
from confighub.operations.rollout.record import Notebook, Record, StepDone

DONE = "done"
BACK = "back"
_ENDED = ("exited with code", "killed by signal", "CrashLoopBackOff")
"""What a worker says of a program that ended by itself: the laptop's runtime, and the kubelet."""

Step = Callable[[], str]
"""Carries one step out, again if need be, and returns the name of the next."""
Verdict = Literal["promoted", "rolled back"]
EXIT_CODES: dict[str, int] = {"promoted": 0, "rolled back": 3}


class Breach(ConfigHubError):
    """The new version is bad, or not shown to be good; ``check`` names what said so."""

    def __init__(self, check: str, reason: str) -> None:
        super().__init__(reason)
        self.check = check


@dataclass(frozen=True)
class Outcome:
    """How a rollout ended. Times are in seconds; None when there was nothing to detect or to take back.

    ``detected_after_s`` counts from when the new version got its first traffic, or from the start when it got none.
    """

    verdict: Verdict
    reason: str
    check: str
    detected_after_s: float | None
    rolled_back_in_s: float | None
    steps: tuple[StepDone, ...]

    @property
    def exit_code(self) -> int:
        """0 when promoted, 3 when rolled back."""
        return EXIT_CODES[self.verdict]

    def as_json(self) -> Wire:
        """Return the outcome for programs."""
        return {
            "verdict": self.verdict,
            "reason": self.reason,
            "check": self.check or None,
            "detected_after_s": self.detected_after_s,
            "rolled_back_in_s": self.rolled_back_in_s,
            "steps": [{"step": one.step, "seconds": one.seconds, "what": one.what} for one in self.steps],
        }


def carry_out(
    record: Record, notebook: Notebook, steps: Mapping[str, Step], *, going_back: set[str], say: Say
) -> Outcome:
    """Go from the record's step to the end, and return how it ended.

    ``going_back`` names the steps that take the new version away: in them nothing leads back any more.
    Raises: ConfigHubError when going back fails, or the hub stays away; the record is kept then.
    """
    while record.step != DONE:
        if record.step not in steps:
            raise BadRequest(f"the record of the rollout names a step that there is not: {record.step}")
        say(f"step {record.step}")
        try:
            following = steps[record.step]()
        except (Conflict, RetryLater):
            raise
        except ConfigHubError as error:
            if record.step in going_back:
                raise
            note_breach(record, _check_of(error), error.message)
            say(f"  {record.check}: {record.reason}")
            following = BACK
        advance(record, following)
        if following != DONE:
            notebook.write(record)
    return outcome(record)


def could_not_run(error: ConfigHubError) -> Wire:
    """Return, for programs, that a rollout could not be carried out to an end; its record is kept if it began."""
    told: Wire = {"verdict": "could not run", "reason": str(error), "check": None}
    return told | {"detected_after_s": None, "rolled_back_in_s": None, "steps": []}


def advance(record: Record, following: str, what: str = "") -> None:
    """Note that the present step has ended and the next begins."""
    now = time.time()
    record.steps = [*record.steps, StepDone(record.step, round(now - record.step_began, 2), what)]
    record.step, record.step_began = following, now


def note_breach(record: Record, check: str, reason: str) -> None:
    """Note why the rollout goes back, and when that was known."""
    record.check, record.reason, record.detected = check, reason, time.time()


def outcome(record: Record) -> Outcome:
    """Return how the rollout of the record ended."""
    if not record.detected:
        return Outcome("promoted", record.reason or "every step passed", "", None, None, tuple(record.steps))
    since = record.exposed or record.began
    return Outcome(
        verdict="rolled back",
        reason=record.reason,
        check=record.check,
        detected_after_s=round(max(0.0, record.detected - since), 2),
        rolled_back_in_s=round(max(0.0, (record.back or time.time()) - record.detected), 2),
        steps=tuple(record.steps),
    )


def _check_of(error: ConfigHubError) -> str:
    """Return what found the version bad: a check, or that it does not run."""
    if isinstance(error, Breach):
        return error.check
    return "crash loop" if any(words in error.message for words in _ENDED) else "deployment"
