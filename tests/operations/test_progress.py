"""A deployment on a terminal: one tree, redrawn in place, never larger than the screen."""

from __future__ import annotations

import io
import re

import pytest

from confighub.operations.plan import Plan, PlannedUnit, Stage
from confighub.operations.progress import Lines, Tree


class Screen(io.StringIO):
    """A terminal that knows what the tree writes: lines, moving up, clearing to the end."""

    encoding = "utf-8"

    def rows(self) -> list[str]:
        """What stands on it now."""
        rows: list[str] = []
        here = 0
        for up, line in re.findall(r"\x1b\[(\d+)A\r\x1b\[J|([^\n\x1b]*)\n", self.getvalue()):
            if up:
                here -= int(up)
                del rows[here:]
            else:
                rows[here:] = [line]
                here += 1
        return rows


def unit(slug: str) -> PlannedUnit:
    return PlannedUnit(unit_id=slug, slug=slug, head=2, live=0)


A, B, C, D = (unit(slug) for slug in "abcd")
PLAN = Plan(
    "shop", "s", (Stage(1, (A,), name="wave 1"), Stage(2, (B, C), name="wave 2"), Stage(3, (D,), name="wave 3"))
)


def begin() -> tuple[Tree, Screen]:
    screen = Screen()
    tree = Tree(screen)
    tree.begin(PLAN)
    return tree, screen


def test_what_is_over_is_a_line_and_what_goes_on_is_shown_unit_by_unit() -> None:
    tree, screen = begin()

    tree.stage(PLAN.stages[0], is_kept=False)
    tree.unit(A, "applying", revision=2)
    tree.unit(A, "ready", "Running", seconds=0.4)
    tree.stage(PLAN.stages[1], is_kept=False)
    tree.unit(B, "ready", "Running", seconds=1.2)
    tree.unit(C, "waiting", "GET /health/ready: 503\nmore", seconds=3)

    assert screen.rows() == [
        "shop: 4 units in 3 stages",
        "├─ ✓ wave 1 (0.4 s): a",
        "├─ … wave 2",
        "│  ├─ ✓ b (1.2 s): Running",
        "│  └─ … c (3.0 s): GET /health/ready: 503",
        "└─ · wave 3: d",
    ]


def test_a_failure_stays_to_be_seen() -> None:
    tree, screen = begin()

    tree.stage(PLAN.stages[1], is_kept=False)
    tree.unit(C, "failed", "failed after 2.0 s\nErrImagePull", seconds=2)
    tree.end()

    assert screen.rows()[2:5] == ["├─ ✗ wave 2", "│  ├─ · b", "│  └─ ✗ c (2.0 s): failed after 2.0 s"]


def test_other_lines_stand_above_the_tree() -> None:
    tree, screen = begin()

    tree.say("worker-dev has died; it is started again")
    tree.stage(PLAN.stages[0], is_kept=True)

    assert screen.rows()[:3] == [
        "worker-dev has died; it is started again",
        "shop: 4 units in 3 stages",
        "├─ = wave 1: a (running already)",
    ]


def test_the_tree_is_never_larger_than_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setenv("LINES", "5")
    tree, screen = begin()

    tree.stage(PLAN.stages[1], is_kept=False)
    tree.unit(C, "waiting", "a very long word about a probe", seconds=3)

    assert len(screen.rows()) == 4
    assert all(len(row) < 20 for row in screen.rows())
    assert any("wave 2" in row for row in screen.rows())


def test_a_terminal_without_unicode_gets_plain_marks() -> None:
    screen = Screen()
    screen.encoding = "ascii"
    tree = Tree(screen)

    tree.begin(PLAN)

    assert screen.rows()[1] == "|- . wave 1: a"


def test_lines_tell_about_waiting_only_now_and_then() -> None:
    said: list[str] = []
    lines = Lines(said.append)

    lines.unit(A, "applying", revision=2)
    for seconds in (1, 2, 3):
        lines.unit(A, "waiting", "503", seconds=seconds)
    lines.unit(A, "ready", "Running; Monitor is not supported", seconds=4)

    assert said == ["  applying a revision 2 ...", "  a is Running (4.0 s); Monitor is not supported"]
