"""The table of requirements is complete and current."""

from __future__ import annotations

from tests.requirements import table


def test_every_number_occurs_once_and_in_order() -> None:
    numbers = [row.number for row in table.rows()]

    assert numbers == [f"R-{n:03}" for n in range(1, 360)]


def test_every_mark_names_a_row() -> None:
    known = {row.number for row in table.rows()}

    assert [proof.name for proof in table.proofs() if proof.number not in known] == []


def test_the_committed_table_is_the_generated_one() -> None:
    assert table.TABLE.read_text(encoding="utf-8") == table.text(), "run: python -m tests.requirements.table"
