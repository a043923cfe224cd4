"""Books that balance, and each way in which they do not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from confighub.errors import NotFound
from traderx.checking import Finding, _read, judge, lines
from traderx.status import Status

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def trade(key: str, quantity: int = 10, side: str = "Buy", state: str = "Settled", **more: Any) -> dict[str, Any]:
    made = "2026-01-01T11:00:00.000Z"
    return {
        "id": key,
        "accountId": 1,
        "security": "IBM",
        "side": side,
        "state": state,
        "quantity": quantity,
        "created": made,
        **more,
    }


def position(quantity: int) -> dict[str, Any]:
    return {"accountId": 1, "security": "IBM", "quantity": quantity}


def findings(trades: list[dict[str, Any]], positions: list[dict[str, Any]]) -> dict[str, Finding]:
    found = judge(
        trades=trades, positions=positions, accounts={1}, tickers={"IBM"}, now=NOW, again=lambda: (trades, positions)
    )
    return {one.what: one for one in found}


@pytest.mark.requirement("R-297")
def test_books_that_balance_are_well() -> None:
    found = findings([trade("a", 30), trade("b", 10, "Sell"), trade("c", 5, state="Cancelled")], [position(20)])

    assert all(one.is_well for one in found.values())
    assert next(lines(found.values())) == "ok    trades once: 3 trades"


@pytest.mark.parametrize(
    ("trades", "quantity", "what", "said"),
    [
        ([trade("a"), trade("a")], 20, "trades once", "twice: a"),
        ([trade("a")], 20, "positions", "1 IBM is 20 and its trades are 10"),
        ([trade("a", state="Processing")], 0, "trades settled", "stuck: a"),
        ([trade("a", accountId=7)], 0, "accounts", "unknown: 7"),
        ([trade("a", security="NOPE")], 0, "securities", "unknown: NOPE"),
    ],
)
def test_each_fault_is_named(trades: list[dict[str, Any]], quantity: int, what: str, said: str) -> None:
    found = findings(trades, [position(quantity)])

    assert not found[what].is_well
    assert said in found[what].said


def test_a_trade_booked_between_the_two_answers_is_no_imbalance() -> None:
    late = [trade("a", 30), trade("b", 5), trade("c", 7, security="NOPE")]
    held = [position(35), {**position(9), "security": "NOPE"}]

    def judged(again: list[dict[str, Any]]) -> Finding:
        read = iter([(again, held), (again, held)])
        found = judge(trades=late[:1], positions=held, accounts={1}, tickers={"IBM"}, now=NOW, again=lambda: next(read))
        return next(one for one in found if one.what == "positions")

    assert judged([*late, trade("d", 2, security="NOPE")]).is_well
    assert judged(late).said == "1 NOPE is 9 and its trades are 7"


def test_a_trade_that_has_just_begun_is_not_stuck() -> None:
    young = trade("a", state="New", created="2026-01-01T11:59:58.000Z")

    assert findings([young], [])["trades settled"].is_well


def test_a_service_that_is_not_reached_is_told_with_the_command_for_its_environment() -> None:
    with pytest.raises(NotFound, match=r"no address in prod .bin/traderx why account-service prod"):
        _read(Status("shop", "prod", "http://127.0.0.1:9", "", {}), "account-service", "/account/")
