"""The tests that may be looked at after every request, against simulated traffic with a fixed seed."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confighub.operations.rollout.sequential import Comparison, Share

MOST_OF_400 = 33
"""At an error rate of 5 % twenty of 400 are expected at most; this is three standard deviations more."""


def test_a_share_without_any_bad_outcome_is_below_its_limit_after_as_many_as_it_says() -> None:
    needed = Share(0.01).still_needed(0.05)

    one_short, enough = Share(0.01), Share(0.01)
    one_short.add(bad=0, total=needed - 1)
    enough.add(bad=0, total=needed)

    assert 290 < needed < 330
    assert one_short.log_below < math.log(20) <= enough.log_below
    assert enough.still_needed(0.05) == 0


def test_nothing_seen_shows_nothing() -> None:
    assert Share(0.01).log_above == pytest.approx(0.0)
    assert Share(0.01).log_below == pytest.approx(0.0)
    assert Comparison().log_worse == pytest.approx(0.0)


@given(st.integers(0, 400), st.integers(0, 400), st.sampled_from([0.01, 0.05]))
def test_only_the_totals_count_not_how_they_came(good: int, bad: int, limit: float) -> None:
    at_once, one_by_one = Share(limit), Share(limit)
    at_once.add(bad=bad, total=good + bad)
    for outcome in [1] * bad + [0] * good:
        one_by_one.add(bad=outcome, total=1)

    assert at_once.log_above == pytest.approx(one_by_one.log_above)
    assert at_once.log_below == pytest.approx(one_by_one.log_below) or at_once.log_below == one_by_one.log_below


@pytest.mark.parametrize("limit", [0.01, 0.05])
def test_a_share_exactly_at_its_limit_is_called_beyond_it_as_rarely_as_stated(limit: float) -> None:
    dice, alarms, runs, error_rate = random.Random(7), 0, 400, 0.05
    for _ in range(runs):
        share = Share(limit)
        for _ in range(100):
            share.add(bad=sum(dice.random() < limit for _ in range(10)), total=10)
            if share.log_above >= math.log(1 / error_rate):
                alarms += 1
                break

    assert alarms <= MOST_OF_400


def test_a_share_exactly_at_its_limit_passes_as_rarely_as_stated() -> None:
    dice, passes, runs = random.Random(8), 0, 400
    for _ in range(runs):
        share = Share(0.01)
        for _ in range(150):
            share.add(bad=sum(dice.random() < 0.01 for _ in range(10)), total=10)
            if share.log_below >= math.log(20):
                passes += 1
                break

    assert passes <= MOST_OF_400


def test_two_equal_sides_are_called_unequal_as_rarely_as_stated() -> None:
    dice, alarms = random.Random(9), 0
    for _ in range(400):
        comparison = Comparison()
        for look in range(60):
            new, old = (1, 9) if look < 30 else (5, 5)
            comparison.add(
                new_bad=sum(dice.random() < 0.2 for _ in range(new)),
                new_total=new,
                old_bad=sum(dice.random() < 0.2 for _ in range(old)),
                old_total=old,
            )
            if comparison.log_worse >= math.log(20):
                alarms += 1
                break

    assert alarms <= MOST_OF_400


def test_a_side_with_many_more_errors_is_found_whatever_the_limit_is() -> None:
    comparison = Comparison()
    for _ in range(10):
        comparison.add(new_bad=4, new_total=10, old_bad=4, old_total=90)

    assert comparison.log_worse > math.log(1000)


def test_a_side_without_traffic_shows_nothing_of_the_other() -> None:
    comparison = Comparison()
    comparison.add(new_bad=50, new_total=50, old_bad=0, old_total=0)

    assert comparison.log_worse == pytest.approx(0.0)
