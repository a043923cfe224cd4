"""Prices as data: which row holds where, and what a file must say."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from confighub.errors import BadRequest
from confighub.operations.cost.prices import load_prices, read_prices

TEXT = """\
hours_per_month: 100
default: {provider: own, region: here}
prices:
- {region: here, target: big, usd_per_vcpu_hour: 9, usd_per_gib_hour: 9, source: invoice, date: 2026-01-01}
- {provider: own, region: here, environment: prod, usd_per_vcpu_hour: 2, usd_per_gib_hour: 1, source: bill,
   date: 2026-01-01}
- {provider: own, region: here, usd_per_vcpu_hour: 1, usd_per_gib_hour: 1, source: invoice, date: 2026-01-01}
- {provider: other, region: there, usd_per_vcpu_hour: 3, usd_per_gib_hour: 1, source: list, date: 2026-01-01}
"""


@pytest.mark.parametrize(
    ("labels", "target", "cpu"),
    [
        ({}, "", 1),
        ({"environment": "dev"}, "", 1),
        ({"environment": "prod"}, "", 2),
        ({"env": "prod"}, "", 2),
        ({"environment": "prod"}, "big", 9),
        ({"region": "there"}, "", 3),
        ({"region": "there", "provider": "own"}, "", None),
        ({"region": "nowhere"}, "", None),
    ],
)
def test_the_first_row_that_fits_counts(labels: dict[str, str], target: str, cpu: int | None) -> None:
    price = read_prices(TEXT, name="x").of(labels, target=target)

    assert (price.rates.cpu_usd_per_hour if price else None) == (None if cpu is None else Decimal(cpu))


def test_another_place_may_be_the_default_when_it_is_known() -> None:
    prices = read_prices(TEXT, name="x")

    assert prices.at(provider="", region="there").of({}) == prices.rows[3]
    assert prices.at(provider="", region="") == prices
    with pytest.raises(BadRequest, match="no price is known for own mars"):
        prices.at(provider="own", region="mars")


def test_our_own_prices_say_where_they_come_from_and_when() -> None:
    prices = load_prices()

    assert prices.of({}) is not None
    for row in prices.rows:
        assert row.source
        assert str(row.date) in str(row)
        assert 0 < row.rates.memory_usd_per_gib_hour < row.rates.cpu_usd_per_hour < 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "are no YAML"),
        ("prices: []", "have no list `prices`"),
        ("prices: [1]", "row 1 is no map"),
        ("prices: [{region: a, usd_per_vcpu_hour: 1, usd_per_gib_hour: 1, date: 2026-01-01}]", "row 1 lacks source"),
        (TEXT.replace("usd_per_vcpu_hour: 3", "usd_per_vcpu_hour: much"), "row 4: usd_per_vcpu_hour is not an amount"),
        (TEXT.replace("usd_per_vcpu_hour: 3", "usd_per_vcpu_hour: -3"), "not an amount above zero: -3"),
        (TEXT.replace("source: list, date: 2026-01-01", "source: list, date: soon"), "date is not like 2026"),
    ],
)
def test_a_file_that_says_too_little_is_refused_with_the_row(text: str, said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        read_prices(text, name="x")


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="cannot be read"):
        load_prices(str(tmp_path / "none.yaml"))
