from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confighub.errors import BadRequest
from confighub.hub.domain import lifecycle
from confighub.hub.domain.lifecycle import Candidate, Numbers
from confighub.records.work import FINAL

STATUSES = ["Pending", "Submitted", "Progressing", "Completed", "Failed", "Canceled"]
statuses = st.sampled_from(STATUSES)
results = st.sampled_from(["None", "ApplyCompleted", "ApplyFailed", "ApplyWaitFailed"])


@given(now=statuses, result_now=results, then=statuses)
def test_a_report_never_takes_an_operation_back(now: str, result_now: str, then: str) -> None:
    if not lifecycle.accepts(now=now, result_now=result_now, then=then):
        return

    assert STATUSES.index(then) >= STATUSES.index(now) or (now, then) == ("Failed", "Completed")


@given(result_now=results, then=statuses)
def test_what_completed_stays(result_now: str, then: str) -> None:
    assert not lifecycle.accepts(now="Completed", result_now=result_now, then=then)
    assert not lifecycle.accepts(now="Canceled", result_now=result_now, then=then)


@pytest.mark.parametrize(
    ("result_now", "is_accepted"), [("ApplyWaitFailed", True), ("None", True), ("ApplyFailed", False)]
)
def test_only_giving_up_waiting_can_still_turn_into_success(result_now: str, is_accepted: bool) -> None:
    assert lifecycle.accepts(now="Failed", result_now=result_now, then="Completed") is is_accepted


@given(then=statuses)
def test_every_end_is_accepted_from_every_open_status(then: str) -> None:
    for now in lifecycle.OPEN:
        assert lifecycle.accepts(now=now, result_now="None", then=then) or then not in FINAL


def test_an_apply_moves_the_numbers_step_by_step() -> None:
    numbers = Numbers()

    numbers = lifecycle.sent(numbers, action="Apply", revision_num=1)
    assert numbers == Numbers(last_applied=1)
    numbers = lifecycle.completed(numbers, action="Apply", revision_num=1)
    assert numbers == Numbers(live=1, last_applied=1)
    numbers = lifecycle.completed(
        lifecycle.sent(numbers, action="Apply", revision_num=2), action="Apply", revision_num=2
    )
    assert numbers == Numbers(live=2, previous_live=1, last_applied=2)


def test_applying_again_keeps_the_previous_live_revision() -> None:
    numbers = Numbers(live=2, previous_live=1, last_applied=2)

    assert lifecycle.completed(numbers, action="Apply", revision_num=2) == numbers


def test_a_destroyed_unit_is_not_live_and_remembers_what_was() -> None:
    numbers = Numbers(live=3, previous_live=2, last_applied=3)

    assert lifecycle.completed(numbers, action="Destroy", revision_num=3) == Numbers(0, 3, 3)


@pytest.mark.parametrize("action", ["Refresh", "Import"])
def test_looking_moves_no_numbers(action: str) -> None:
    numbers = Numbers(live=3, previous_live=2, last_applied=3)

    assert lifecycle.sent(numbers, action=action, revision_num=9) == numbers
    assert lifecycle.completed(numbers, action=action, revision_num=9) == numbers


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("", 5),
        ("N", 5),
        ("N-1", 4),
        ("-2", 3),
        ("2", 2),
        ("HeadRevisionNum", 5),
        ("LiveRevisionNum", 3),
        ("PreviousLiveRevisionNum", 2),
        ("LastAppliedRevisionNum", 4),
    ],
)
def test_a_revision_is_named_in_several_ways(text: str, number: int) -> None:
    numbers = Numbers(live=3, previous_live=2, last_applied=4)

    assert lifecycle.revision_number(text, head=5, numbers=numbers) == number


@pytest.mark.parametrize("text", ["0", "6", "N-5", "N+1", "latest", "1.0", "LiveRevisionNum", "-0x1"])
def test_a_revision_that_is_not_there_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="revision"):
        lifecycle.revision_number(text, head=5, numbers=Numbers())


READY = {
    "head": 2,
    "numbers": Numbers(live=1, last_applied=1),
    "has_auto_apply": True,
    "is_in_production": False,
    "is_held": False,
    "is_busy": False,
}


def test_a_new_head_of_a_live_unit_is_applied_by_itself() -> None:
    assert lifecycle.reason_not_to_apply(Candidate(**READY)) == ""  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"has_auto_apply": False}, "worker"),
        ({"is_in_production": True}, "production"),
        ({"numbers": Numbers()}, "not live yet"),
        ({"numbers": Numbers(live=2, last_applied=2)}, "applied already"),
        ({"numbers": Numbers(live=1, last_applied=2)}, "applied already"),
        ({"is_held": True}, "held"),
        ({"is_busy": True}, "under way"),
        ({"closed_gates": ("a/b",)}, "a/b"),
    ],
)
def test_what_keeps_a_head_from_being_applied_by_itself(change: dict[str, object], reason: str) -> None:
    assert reason in lifecycle.reason_not_to_apply(Candidate(**{**READY, **change}))  # type: ignore[arg-type]
