"""position-service: what is held and what was traded."""

from __future__ import annotations

from datetime import datetime

import pytest

from tests.services.running import Desk, call


@pytest.fixture
def url(desk: Desk) -> str:
    return desk.url("position-service")


def test_positions_of_one_account_are_by_security(url: str) -> None:
    positions = call(f"{url}/positions/52355/").json

    assert [(one["security"], one["quantity"]) for one in positions] == [("JPM", 1500), ("KO", 3200)]
    assert datetime.fromisoformat(positions[0]["updated"])


def test_positions_of_all_accounts_are_by_account_and_security(url: str) -> None:
    keys = [(one["accountId"], one["security"]) for one in call(f"{url}/positions").json]

    assert keys == sorted(keys)
    assert (44044, "BAC") in keys


@pytest.mark.requirement("R-260")
def test_the_seeds_path_tells_position_id_and_updated(url: str) -> None:
    position = call(f"{url}/api/positions/52355/JPM").json

    assert isinstance(position["positionId"], int)
    assert position["updated"] is True
    assert (position["symbol"], position["qty"]) == ("JPM", 1500)


def test_trades_are_newest_first(url: str) -> None:
    trades = call(f"{url}/trades/52355").json

    assert [one["id"] for one in trades] == ["OPEN-52355-KO", "OPEN-52355-JPM"]
    assert set(trades[0]) >= {"id", "accountId", "security", "side", "state", "quantity", "created", "updated"}
    assert call(f"{url}/trades/?limit=1").json[0]["updated"] == max(t["updated"] for t in call(f"{url}/trades/").json)


def test_an_account_nobody_knows_has_nothing(url: str) -> None:
    assert call(f"{url}/trades/999").json == []
    assert call(f"{url}/positions/999").json == []
    assert call(f"{url}/api/positions/999/AAPL").status == 404


@pytest.mark.parametrize("path", ["/trades/mine", "/positions/mine", "/trades?limit=0", "/trades?limit=x"])
def test_a_wrong_question_is_400(url: str, path: str) -> None:
    assert call(url + path).status == 400


def test_ready_is_the_bare_word(url: str) -> None:
    assert call(f"{url}/health/ready").json is True
    assert call(f"{url}/health/alive").json is True
