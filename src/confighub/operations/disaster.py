"""The runbook of a disaster as measured steps, and what was measured beside what was promised.

Nothing here knows what a step does: it is timed, its words are kept, and a figure that nobody measured stays missing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from confighub.client.transport import Wire
from confighub.errors import ConfigHubError
from confighub.operations.guard import Say

State = Literal["done", "skipped", "failed"]
Verdict = Literal["met", "missed", "not measured"]


class Skipped(Exception):
    """Raised by a step that cannot be done here; its text says why."""


@dataclass(frozen=True)
class Objective:
    """What is promised for one kind of disaster: how long it lasts, and of how long the changes may be lost."""

    scenario: str
    rto_s: float
    rpo_s: float
    method: str


@dataclass(frozen=True)
class Measured:
    """What was measured of one objective; None is not measured, and ``said`` says how, or why not."""

    rto_s: float | None = None
    rpo_s: float | None = None
    said: str = ""


@dataclass(frozen=True)
class Step:
    """One step of the runbook as it went. ``number`` is the runbook's."""

    number: str
    name: str
    state: State
    seconds: float
    said: str

    def as_json(self) -> Wire:
        """Return the step for programs."""
        return {
            "step": self.number,
            "name": self.name,
            "state": self.state,
            "seconds": round(self.seconds, 2),
            "said": self.said,
        }


@dataclass
class Runbook:
    """The steps that were taken so far. The first that fails ends it, unless it is said to be of no consequence."""

    say: Say
    steps: list[Step] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def step(self, number: str, name: str, work: Callable[[], str], *, must: bool = True) -> bool:
        """Take one step and tell whether it was done.

        Raises: ConfigHubError for whatever the work raises, when it must be done; a step that is skipped by its own
        word raises nothing.
        """
        self.say(f"{number} {name} ...")
        began = time.monotonic()
        try:
            self._note(number, name, "done", began, work())
            return True
        except Skipped as reason:
            self._note(number, name, "skipped", began, str(reason))
        except ConfigHubError as error:
            self._note(number, name, "failed", began, str(error))
            if must:
                raise
        except Exception as error:
            # a database, a process or a file that fails must not end the runbook before the way back
            said = f"{type(error).__name__}: {error}"
            self._note(number, name, "failed", began, said)
            if must:
                raise ConfigHubError(said) from error
        return False

    @property
    def seconds(self) -> float:
        """How long it takes so far."""
        return time.monotonic() - self.began

    def seconds_of(self, *numbers: str) -> float | None:
        """Return how long these steps took together; None unless all of them were done."""
        found = [step.seconds for step in self.steps if step.number in numbers and step.state == "done"]
        return sum(found) if len(found) == len(numbers) else None

    def _note(self, number: str, name: str, state: State, began: float, said: str) -> None:
        step = Step(number, name, state, time.monotonic() - began, said)
        self.steps.append(step)
        self.say(f"  {state} ({step.seconds:.1f} s): {said}")


@dataclass(frozen=True)
class Row:
    """One line of the table: what is promised beside what was measured."""

    objective: Objective
    measured: Measured

    @property
    def verdict(self) -> Verdict:
        """Missed as soon as one figure is; met only when both were measured."""
        pairs = ((self.measured.rto_s, self.objective.rto_s), (self.measured.rpo_s, self.objective.rpo_s))
        if any(found is not None and found > limit for found, limit in pairs):
            return "missed"
        return "met" if all(found is not None for found, _ in pairs) else "not measured"

    def as_json(self) -> Wire:
        """Return the line for programs; times in seconds, null for what was not measured."""
        return {
            "scenario": self.objective.scenario,
            "rtoTargetSeconds": self.objective.rto_s,
            "rtoSeconds": _rounded(self.measured.rto_s),
            "rpoTargetSeconds": self.objective.rpo_s,
            "rpoSeconds": _rounded(self.measured.rpo_s),
            "verdict": self.verdict,
            "method": self.objective.method,
            "said": self.measured.said,
        }


def table(rows: list[Row]) -> Iterator[str]:
    """Yield the lines that show the table, aligned."""
    cells = [("scenario", "RTO", "measured", "RPO", "measured", "verdict")]
    cells += [
        (
            row.objective.scenario,
            shown(row.objective.rto_s),
            shown(row.measured.rto_s),
            shown(row.objective.rpo_s),
            shown(row.measured.rpo_s),
            row.verdict,
        )
        for row in rows
    ]
    widths = [max(len(line[place]) for line in cells) for place in range(6)]
    for place, line in enumerate(cells):
        said = f"  {rows[place - 1].measured.said}" if place else ""
        yield ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + said).rstrip()


def shown(seconds: float | None) -> str:
    """Return the time as people write it, as in ``4 h`` or ``7.3 s``; a dash for none."""
    if seconds is None:
        return "–"
    if seconds == 0:
        return "0"
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    if seconds < 60 and seconds == int(seconds):
        return f"{seconds:g} s"
    if seconds < 1:
        return f"{seconds:.2f} s"
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds / 60:.1f} min"


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
