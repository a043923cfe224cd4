"""Verdicts from figures: better, worse, not enough evidence; and how often they are wrong."""

from __future__ import annotations

import random

import pytest

from confighub.operations.rollout import blue_green
from confighub.operations.rollout.analysis import Analysis, Limits, Trial
from confighub.operations.rollout.metrics import Counts, Reading
from confighub.operations.rollout.schedule import SEED, Need

GOOD, BAD, UNKNOWN = Trial(passed=True), Trial(passed=False, what="lost"), Trial(passed=None)


def analysis(*needs: Need, wants_trials: bool = False) -> Analysis:
    return Analysis(Limits(), 4, needs, wants_trials=wants_trials)


def reading(*, new: tuple[int, int, int], old: tuple[int, int, int] = (0, 0, 0)) -> Reading:
    return Reading(old=Counts(*old), new=Counts(*new))


def test_without_any_metric_nothing_is_shown() -> None:
    stage = analysis("error rate", "latency", "error increase")

    assert stage.worse is None
    assert {one.verdict for one in stage.missing} == {"not enough evidence"}
    assert len(stage.missing) == 3


def test_no_traffic_is_not_enough_evidence_and_says_how_much_would_be() -> None:
    stage = analysis("error rate")
    stage.add(reading(new=(0, 0, 0), old=(5000, 0, 0)))

    (finding,) = stage.missing

    assert finding.verdict == "not enough evidence"
    assert "about 310 more good ones" in finding.reason


@pytest.mark.requirement("R-125")
def test_a_canary_within_one_percent_of_errors_passes_the_first_stage() -> None:
    stage = analysis("error rate")
    stage.add(reading(new=(2000, 4, 0), old=(18000, 36, 0)))

    assert stage.missing == []
    assert stage.worse is None


@pytest.mark.requirement("R-125")
def test_five_percent_of_errors_are_worse() -> None:
    stage = analysis("error rate")
    stage.add(reading(new=(300, 15, 0), old=(2700, 150, 0)))

    assert stage.worse is not None
    assert stage.worse.check == "error rate"
    assert "15 of 300" in stage.worse.reason


@pytest.mark.requirement("R-126")
def test_a_p95_above_the_limit_is_worse_and_one_below_it_better() -> None:
    slow, quick = analysis("latency"), analysis("latency")
    slow.add(reading(new=(40, 0, 30)))
    quick.add(reading(new=(400, 0, 4)))

    assert slow.worse is not None
    assert slow.worse.check == "latency"
    assert quick.missing == []


@pytest.mark.requirement("R-127")
def test_more_errors_than_the_old_version_are_worse_though_below_the_absolute_limit() -> None:
    stage = analysis("error increase")
    stage.add(reading(new=(5000, 25, 0), old=(5000, 1, 0)))

    assert stage.worse is not None
    assert stage.worse.check == "error increase"


def test_trials_must_pass_in_a_row_and_count_only_when_the_old_version_passes_too() -> None:
    stage = analysis(wants_trials=True)
    for new in (GOOD, BAD, GOOD, GOOD, GOOD, GOOD):
        stage.add_trials(old=GOOD, new=new)
    for _ in range(20):
        stage.add_trials(old=BAD, new=BAD)
        stage.add_trials(old=GOOD, new=UNKNOWN)
    assert stage.worse is None
    assert [one.check for one in stage.missing] == ["synthetic trades"]

    stage.add_trials(old=GOOD, new=GOOD)

    assert stage.missing == []


def test_two_failed_trials_of_two_are_worse_and_tell_what_was_seen() -> None:
    stage = analysis(wants_trials=True)
    for _ in range(2):
        stage.add_trials(old=GOOD, new=BAD)

    assert stage.worse is not None
    assert (stage.worse.check, "lost" in stage.worse.reason) == ("synthetic trades", True)


def whole_rollout(dice: random.Random, *, error_rate: float, slow_rate: float) -> bool:
    """Go through the seed's stages with two equal versions, 60 looks each; tell whether the new one was taken back."""
    for stage in SEED[:3]:
        evidence = Analysis(Limits(), len(SEED), stage.needs, wants_trials=True)
        for _ in range(60):
            new = stage.weight // 5
            evidence.add(
                Reading(
                    old=_counts(dice, 20 - new, error_rate, slow_rate), new=_counts(dice, new, error_rate, slow_rate)
                )
            )
            evidence.add_trials(old=GOOD, new=BAD if dice.random() < 0.01 else GOOD)
            if evidence.worse:
                return True
    return False


def _counts(dice: random.Random, requests: int, error_rate: float, slow_rate: float) -> Counts:
    errors = sum(dice.random() < error_rate for _ in range(requests))
    slow = sum(dice.random() < slow_rate for _ in range(requests))
    return Counts(requests, errors, slow)


@pytest.mark.parametrize(("error_rate", "slow_rate"), [(0.002, 0.01), (0.01, 0.05)], ids=["usual", "at the limits"])
def test_of_200_rollouts_of_an_equal_version_as_few_are_taken_back_as_stated(
    error_rate: float, slow_rate: float
) -> None:
    dice = random.Random(2026)

    alarms = sum(whole_rollout(dice, error_rate=error_rate, slow_rate=slow_rate) for _ in range(200))

    assert alarms <= Limits().false_alarms * 200


@pytest.mark.parametrize(
    ("before", "needs"),
    [({}, ()), ({"prometheus": "http://p"}, ("error rate",)), ({"trades": "no"}, ("error rate",))],
)
def test_a_colour_needs_an_error_rate_wherever_somebody_counts(before: dict[str, str], needs: tuple[str, ...]) -> None:
    assert blue_green.needs_of(before) == needs
