"""Finished operations on disk."""

from __future__ import annotations

from pathlib import Path

from confighub.records.work import ActionResult
from confighub.worker import journal
from confighub.worker.journal import Journal


def result(operation: str) -> ActionResult:
    return ActionResult(queued_operation_id=operation, action="Apply", status="Completed", live_state=b"[]")


def test_results_outlive_the_worker(tmp_path: Path) -> None:
    first = Journal(tmp_path / "w.jsonl")
    first.finish(result("a"))
    first.finish(result("b"))
    first.accept("a")
    first.close()

    second = Journal(tmp_path / "w.jsonl")

    assert second.result("a") == result("a")
    assert second.result("c") is None
    assert [item.queued_operation_id for item in second.unsent()] == ["b"]
    second.close()


def test_a_line_that_was_cut_off_is_forgotten(tmp_path: Path) -> None:
    first = Journal(tmp_path / "w.jsonl")
    first.finish(result("a"))
    first.close()
    with (tmp_path / "w.jsonl").open("ab") as file:
        file.write(b'{"result": {"Queu')

    second = Journal(tmp_path / "w.jsonl")
    second.finish(result("b"))
    second.close()
    third = Journal(tmp_path / "w.jsonl")

    assert third.result("a")
    assert third.result("b")
    third.close()


def test_only_so_many_are_remembered(tmp_path: Path) -> None:
    known = Journal(tmp_path / "w.jsonl")
    for number in range(journal.KEPT + 5):
        known.finish(result(str(number)))
        known.accept(str(number))
    known.close()

    again = Journal(tmp_path / "w.jsonl")

    assert again.result("4") is None
    assert again.result("5")
    assert len((tmp_path / "w.jsonl").read_bytes().splitlines()) == 2 * journal.KEPT
    again.close()


def test_what_the_hub_has_not_accepted_is_never_forgotten(tmp_path: Path) -> None:
    known = Journal(tmp_path / "w.jsonl")
    known.finish(*(result(str(number)) for number in range(journal.KEPT + 5)))
    known.accept("1")
    known.close()

    again = Journal(tmp_path / "w.jsonl")

    assert len(again.unsent()) == journal.KEPT + 4
    assert again.result("1") is None
    again.close()
