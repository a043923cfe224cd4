"""Resource quantities: what is read, how amounts are written, and what is refused."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from confighub.errors import BadRequest
from confighub.functions.quantity import parse

WRITTEN = [
    ("0", "0"),
    ("1", "1"),
    ("1.0", "1"),
    ("0.5", "500m"),
    (".5", "500m"),
    ("100m", "100m"),
    ("1000m", "1"),
    ("1500m", "1500m"),
    ("1k", "1k"),
    ("1000", "1k"),
    ("1500", "1500"),
    ("1000k", "1M"),
    ("0.1m", "100u"),
    ("1n", "1n"),
    ("0.1n", "1n"),
    ("1Ki", "1Ki"),
    ("1024Ki", "1Mi"),
    ("1.5Gi", "1536Mi"),
    ("0.5Ki", "512"),
    ("1e3", "1e3"),
    ("1E3", "1e3"),
    ("2e-3", "2e-3"),
    ("-1", "-1"),
    ("+3", "3"),
]


@pytest.mark.parametrize(("text", "expected"), WRITTEN, ids=[text for text, _ in WRITTEN])
def test_a_quantity_is_written_in_its_shortest_form(text: str, expected: str) -> None:
    assert str(parse(text)) == expected


@pytest.mark.parametrize(
    "text", ["", "lots", "1 Gi", "1K", "1gi", "1.2.3", "e3", "Gi", "1Gib", "--1", "0x10", "1_000", "١"]
)
def test_what_is_no_quantity_is_refused_by_its_text(text: str) -> None:
    with pytest.raises(BadRequest, match="no resource quantity"):
        parse(text)


SUFFIXES = st.sampled_from(["", "n", "u", "m", "k", "M", "G", "T", "Ki", "Mi", "Gi", "Ti", "e3", "e-2"])
NUMBERS = st.integers(min_value=0, max_value=10**6)


@given(NUMBERS, SUFFIXES)
def test_what_is_written_means_the_same_amount_and_stays(number: int, suffix: str) -> None:
    first = parse(f"{number}{suffix}")

    again = parse(str(first))

    assert again.amount == first.amount
    assert str(again) == str(first)


@given(NUMBERS, SUFFIXES, st.integers(min_value=0, max_value=10))
def test_a_multiple_is_that_many_times_the_amount(number: int, suffix: str, factor: int) -> None:
    one = parse(f"{number}{suffix}")

    assert parse(str(one.times(factor))).amount == one.amount * factor


@given(NUMBERS, NUMBERS)
def test_units_compare_by_their_amount(one: int, other: int) -> None:
    assert (parse(f"{one}Mi").amount < parse(f"{other}Ki").amount) == (one * 1024 < other)
    assert parse(f"{one}k").amount == Decimal(one) * 1000
