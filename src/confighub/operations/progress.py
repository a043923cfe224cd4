"""How a deployment is seen while it goes on: plain lines one after the other, or a tree drawn again and again."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from typing import Literal, Protocol, TextIO

from confighub.operations.guard import Say
from confighub.operations.plan import Plan, PlannedUnit, Stage

QUIET_S = 2.0
"""How often a line about waiting for the same unit is printed at most."""

State = Literal["due", "kept", "applying", "waiting", "ready", "failed"]
_ALONE = 3
"""So many names of a stage that has not begun are shown on its line."""


class Progress(Protocol):
    """What is told of a deployment as it happens; ``detail`` says more of a state, ``seconds`` is the time so far."""

    def begin(self, plan: Plan) -> None:
        """Take in what will be done."""

    def stage(self, stage: Stage, *, is_kept: bool) -> None:
        """A stage begins; ``is_kept`` when everything of it runs already."""

    def unit(self, unit: PlannedUnit, state: State, detail: str = "", *, revision: int = 0, seconds: float = 0) -> None:
        """A unit has come to a state, or is still in it."""

    def say(self, line: str) -> None:
        """Tell something that is not about one unit."""

    def end(self) -> None:
        """It is over, however it ended."""


class Lines:
    """Progress as lines, each printed once; for logs, pipes and people who scroll back."""

    def __init__(self, say: Say) -> None:
        self.say = say
        self._mentioned: dict[str, float] = {}

    def begin(self, plan: Plan) -> None:
        """Say nothing: each stage is announced when it begins."""

    def stage(self, stage: Stage, *, is_kept: bool) -> None:
        """Announce the stage with all its units."""
        names = ", ".join(unit.slug for unit in stage.units)
        self.say(f"{stage.title}: {names}" + (" (running already)" if is_kept else ""))

    def unit(self, unit: PlannedUnit, state: State, detail: str = "", *, revision: int = 0, seconds: float = 0) -> None:
        """Say the state; waiting only every few seconds."""
        if state == "kept":
            self.say(f"  {unit.slug}: revision {revision} is {detail} already")
        elif state == "applying":
            self._mentioned[unit.slug] = time.monotonic()
            self.say(f"  applying {unit.slug} revision {revision} ...")
        elif state == "ready":
            word, _, remark = detail.partition("; ")
            self.say(f"  {unit.slug} is {word} ({seconds:.1f} s)" + (f"; {remark}" if remark else ""))
        elif state == "failed":
            for number, line in enumerate(detail.splitlines()):
                self.say(f"  {line}" if number else f"ERROR: {unit.slug} {line}")
        elif state == "waiting" and time.monotonic() - self._mentioned.get(unit.slug, 0.0) >= QUIET_S:
            self._mentioned[unit.slug] = time.monotonic()
            more = f": {detail.splitlines()[0]}" if detail else ""
            self.say(f"    waiting for {unit.slug} to be Running ({seconds:.0f} s){more}")

    def end(self) -> None:
        """Say nothing: the caller tells how it ended."""


@dataclass
class _Seen:
    state: State = "due"
    detail: str = ""
    seconds: float = 0.0


_MARKS: dict[State, str] = {"due": "·", "kept": "=", "applying": "…", "waiting": "…", "ready": "✓", "failed": "✗"}
_PLAIN = str.maketrans({"·": ".", "…": ">", "✓": "+", "✗": "x", "├": "|", "└": "`", "│": "|", "─": "-"})


class Tree:
    """Progress as a tree on a terminal: stages that are over on one line each, the one under way unit by unit.

    It is redrawn in place and never wider or higher than the terminal; at the end all of it stays.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._plan: Plan | None = None
        self._now = 0
        self._seen: dict[str, _Seen] = {}
        self._drawn = 0
        self._is_plain = "utf" not in (getattr(stream, "encoding", None) or "").lower()

    def begin(self, plan: Plan) -> None:
        """Draw the whole plan as not begun."""
        self._plan, self._now = plan, -1
        self._seen = {unit.slug: _Seen() for unit in plan.units}
        self._draw()

    def stage(self, stage: Stage, *, is_kept: bool) -> None:
        """Open the stage; what came before is over."""
        assert self._plan is not None
        self._now = self._plan.stages.index(stage)
        if is_kept:
            for unit in stage.units:
                self._seen[unit.slug].state = "kept"
        self._draw()

    def unit(self, unit: PlannedUnit, state: State, detail: str = "", *, revision: int = 0, seconds: float = 0) -> None:
        """Draw the unit in its state."""
        if state == "applying":
            detail = f"revision {revision}"
        self._seen[unit.slug] = _Seen(state, detail, seconds)
        self._draw()

    def say(self, line: str) -> None:
        """Print the line above the tree."""
        self._erase()
        self._stream.write(line + "\n")
        self._draw()

    def end(self) -> None:
        """Leave the tree as it is; when all went well, with a line for each stage."""
        if all(one.state in ("kept", "ready") for one in self._seen.values()):
            self._now = -1
        self._draw()
        self._drawn = 0

    def lines(self) -> list[str]:
        """Return the tree as it is now, a line each, as long as they come."""
        assert self._plan is not None
        plan = self._plan
        drawn = [f"{plan.space}: {len(plan.units)} units in {len(plan.stages)} stages"]
        for number, stage in enumerate(plan.stages):
            is_last = number == len(plan.stages) - 1
            drawn.append(("└─ " if is_last else "├─ ") + self._stage_line(stage, is_open=number == self._now))
            if self._is_shown(number, stage):
                stem = "   " if is_last else "│  "
                ends = ["├─ "] * (len(stage.units) - 1) + ["└─ "]
                drawn += [stem + end + self._unit_line(one) for end, one in zip(ends, stage.units, strict=True)]
        return [line.translate(_PLAIN) for line in drawn] if self._is_plain else drawn

    def _is_shown(self, number: int, stage: Stage) -> bool:
        """Tell whether the stage is drawn unit by unit: the one under way, which is also the one that failed."""
        return number == self._now and any(self._seen[unit.slug].state != "kept" for unit in stage.units)

    def _stage_line(self, stage: Stage, *, is_open: bool) -> str:
        seen = [self._seen[unit.slug] for unit in stage.units]
        states = {one.state for one in seen}
        names = ", ".join(unit.slug for unit in stage.units[:_ALONE])
        if len(stage.units) > _ALONE:
            names += f" and {len(stage.units) - _ALONE} more"
        if states <= {"kept"}:
            return f"{_MARKS['kept']} {stage.title}: {names} (running already)"
        if states <= {"kept", "ready"}:
            return f"{_MARKS['ready']} {stage.title} ({max(one.seconds for one in seen):.1f} s): {names}"
        if "failed" in states:
            return f"{_MARKS['failed']} {stage.title}"
        return f"{_MARKS['applying']} {stage.title}" if is_open else f"{_MARKS['due']} {stage.title}: {names}"

    def _unit_line(self, unit: PlannedUnit) -> str:
        seen = self._seen[unit.slug]
        since = f" ({seen.seconds:.1f} s)" if seen.seconds else ""
        told = seen.detail.splitlines()[0] if seen.detail else ""
        return f"{_MARKS[seen.state]} {unit.slug}{since}" + (f": {told}" if told else "")

    def _draw(self) -> None:
        if self._plan is None:
            return
        width, height = shutil.get_terminal_size()
        lines = self.lines()
        if len(lines) >= height:
            lines = [*self._around(lines, height - 2), "..."]
        self._erase()
        for line in lines:
            self._stream.write(line[: max(1, width - 1)] + "\n")
        self._stream.flush()
        self._drawn = len(lines)

    def _around(self, lines: list[str], room: int) -> list[str]:
        """Return as many lines as there is room for, the open stage among them."""
        above = 1 + max(self._now, 0)
        first = max(0, min(above - 1, len(lines) - room))
        return lines[first : first + max(1, room)]

    def _erase(self) -> None:
        if self._drawn:
            # up to the first line of the tree, then clear to the end of the screen
            self._stream.write(f"\x1b[{self._drawn}A\r\x1b[J")
            self._drawn = 0
