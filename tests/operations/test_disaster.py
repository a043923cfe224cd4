"""The runbook's steps and its table: nothing is claimed that was not measured."""

from __future__ import annotations

import pytest

from confighub.errors import ConfigHubError, NotFound
from confighub.operations.disaster import Measured, Objective, Row, Runbook, Skipped, shown, table

HUB = Objective("hub unavailable", 4 * 3600, 0, "restore")


def silent(_: str) -> None:
    return None


@pytest.mark.parametrize(
    ("rto_s", "rpo_s", "verdict"),
    [
        (60.0, 0.0, "met"),
        (60.0, None, "not measured"),
        (None, 0.0, "not measured"),
        (None, None, "not measured"),
        (4 * 3600 + 1.0, 0.0, "missed"),
        (60.0, 0.1, "missed"),
        (None, 0.1, "missed"),
    ],
)
def test_a_promise_is_met_only_when_both_figures_were_measured(
    rto_s: float | None, rpo_s: float | None, verdict: str
) -> None:
    row = Row(HUB, Measured(rto_s, rpo_s))

    assert row.verdict == verdict
    assert row.as_json()["verdict"] == verdict


def test_a_figure_that_was_not_measured_is_shown_as_a_dash() -> None:
    header, line = table([Row(HUB, Measured(7.25, said="from the journal"))])

    assert header.split() == ["scenario", "RTO", "measured", "RPO", "measured", "verdict"]
    assert " ".join(line.split()) == "hub unavailable 4 h 7.2 s 0 – not measured from the journal"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "–"), (0, "0"), (0.034, "0.03 s"), (30, "30 s"), (59.96, "60.0 s"), (900, "15 min"), (90, "1.5 min")],
)
def test_times_are_shown_as_people_write_them(seconds: float | None, text: str) -> None:
    assert shown(seconds) == text


def test_a_step_is_done_skipped_by_its_own_word_or_failed() -> None:
    said: list[str] = []
    book = Runbook(said.append)

    def skip() -> str:
        raise Skipped("no Velero")

    def fail() -> str:
        raise NotFound("no such backup")

    assert book.step("1", "look", lambda: "it is down")
    assert not book.step("4", "volumes", skip)
    assert not book.step("6", "check", fail, must=False)
    with pytest.raises(ConfigHubError, match="no such backup"):
        book.step("5", "switch", fail)

    assert [(one.number, one.state, one.said) for one in book.steps] == [
        ("1", "done", "it is down"),
        ("4", "skipped", "no Velero"),
        ("6", "failed", "no such backup"),
        ("5", "failed", "no such backup"),
    ]
    assert said[0] == "1 look ..."


@pytest.mark.parametrize("error", [OSError("no space left"), KeyError("prod-us-east-1")])
def test_whatever_a_step_raises_is_a_failed_step(error: Exception) -> None:
    book = Runbook(silent)

    def fail() -> str:
        raise error

    assert not book.step("6", "check", fail, must=False)
    with pytest.raises(ConfigHubError, match=type(error).__name__):
        book.step("5", "switch", fail)

    assert [one.state for one in book.steps] == ["failed", "failed"]


def test_only_steps_that_were_done_are_timed() -> None:
    book = Runbook(silent)
    book.step("2", "ready", lambda: "")

    assert book.seconds_of("2") is not None
    assert book.seconds_of("2", "3") is None
