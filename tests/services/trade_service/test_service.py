"""trade-service: orders in both vocabularies, their checks, their repetition, their trace."""

from __future__ import annotations

import asyncio
import secrets
import uuid
from pathlib import Path

import pytest

from tests.services.redis_server import redis_server
from tests.services.running import Desk, call, eventually, running_desk
from traderx.services.platform.cache import open_cache

ACCOUNT = 11413


@pytest.fixture
def url(desk: Desk) -> str:
    return desk.url("trade-service")


@pytest.mark.requirement("R-254", "R-261", "R-262")
def test_the_seeds_order_is_accepted_and_then_settled(desk: Desk) -> None:
    before = desk.held(ACCOUNT, "AAPL")

    reply = desk.order(symbol="AAPL", qty=100, side="BUY", accountId=ACCOUNT)

    assert reply.status == 202
    assert (reply.json["state"], reply.json["symbol"], reply.json["qty"], reply.json["side"]) == (
        "New",
        "AAPL",
        100,
        "BUY",
    )
    settled = desk.settled(reply.json["id"])
    assert settled["price"] == 150.0
    assert desk.held(ACCOUNT, "AAPL") == before + 100


@pytest.mark.parametrize("path", ["/trade/", "/trade"])
def test_the_finos_order_is_echoed_and_then_settled(desk: Desk, url: str, path: str) -> None:
    before = desk.held(ACCOUNT, "GS")

    reply = call(url + path, {"accountId": ACCOUNT, "security": "GS", "side": "Sell", "quantity": 3})

    assert reply.status == 200
    order_id = reply.json["orderId"]
    assert reply.json == {
        "id": None,
        "state": None,
        "accountId": ACCOUNT,
        "security": "GS",
        "side": "Sell",
        "quantity": 3,
        "success": True,
        "orderId": order_id,
    }
    assert desk.settled(order_id)["side"] == "SELL"
    assert desk.held(ACCOUNT, "GS") == before - 3


@pytest.mark.parametrize("how", ["query", "header"])
@pytest.mark.requirement("R-259", "R-260")
def test_who_waits_is_told_the_position(url: str, how: str) -> None:
    reply = call(
        f"{url}/api/trades/new{'?wait=true' if how == 'query' else ''}",
        {"symbol": "MSFT", "qty": 5, "side": "BUY", "accountId": ACCOUNT},
        headers={"prefer": "wait=5"} if how == "header" else {},
    )

    assert reply.status == 201
    assert reply.json["state"] == "Settled"
    assert isinstance(reply.json["positionId"], int)
    assert reply.json["updated"] is True


def test_the_account_may_come_in_a_header(desk: Desk, url: str) -> None:
    reply = call(
        f"{url}/api/trades/new",
        {"symbol": "MSFT", "qty": 1, "side": "BUY"},
        headers={"x-account-id": str(ACCOUNT)},
    )

    assert reply.json["accountId"] == ACCOUNT


@pytest.mark.parametrize(
    ("fields", "status", "message"),
    [
        ({"quantity": 0}, 400, "quantity must be at least 1: 0"),
        ({"quantity": -1}, 400, "quantity must be at least 1: -1"),
        ({"side": "Hold"}, 400, "side must be Buy or Sell: Hold"),
        ({"accountId": None}, 400, "accountId is missing"),
        ({"security": "NOPE"}, 404, "NOPE not found in Reference data service."),
        ({"accountId": 999}, 404, "999 not found in Account service."),
        ({"security": "NOPE", "accountId": 999}, 404, "NOPE not found in Reference data service."),
    ],
)
@pytest.mark.parametrize("path", ["/trade/", "/api/trades/new"])
def test_an_order_that_cannot_be_is_refused(
    url: str, path: str, fields: dict[str, object], status: int, message: str
) -> None:
    order = {"accountId": ACCOUNT, "security": "IBM", "side": "Buy", "quantity": 1, **fields}

    reply = call(url + path, order, headers={"accept": "application/json"})

    assert (reply.status, reply.json["message"]) == (status, message)


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '"order"'])
def test_a_body_that_is_no_order_is_400(url: str, body: str) -> None:
    assert call(f"{url}/trade/", body, method="POST").status == 400


def test_a_wrong_method_is_405(url: str) -> None:
    assert call(f"{url}/trade/").status == 405


def test_an_order_sent_twice_is_booked_once(desk: Desk, url: str) -> None:
    before = desk.held(ACCOUNT, "DIS")
    order_id = str(uuid.uuid4())
    order = {"id": order_id, "symbol": "DIS", "qty": 7, "side": "BUY", "accountId": ACCOUNT}

    replies = [desk.order(**order) for _ in range(3)]
    finos = call(
        f"{url}/trade/", {"id": order_id, "security": "DIS", "quantity": 7, "side": "Buy", "accountId": ACCOUNT}
    )

    assert [reply.status for reply in replies] == [202] * 3
    assert finos.json["id"] == order_id
    desk.settled(order_id)
    assert desk.held(ACCOUNT, "DIS") == before + 7


def test_an_idempotency_key_is_an_id(desk: Desk, url: str) -> None:
    key = {"idempotency-key": str(uuid.uuid4())}
    order = {"symbol": "F", "qty": 2, "side": "BUY", "accountId": ACCOUNT}

    ids = {call(f"{url}/api/trades/new", order, headers=key).json["id"] for _ in range(2)}

    assert ids == set(key.values())


def test_an_id_used_for_another_order_is_409(desk: Desk) -> None:
    order = {"id": str(uuid.uuid4()), "symbol": "F", "qty": 2, "side": "BUY", "accountId": ACCOUNT}
    desk.order(**order)

    assert desk.order(**{**order, "qty": 3}).status == 409


def test_trades_can_be_listed_and_looked_up(desk: Desk, url: str) -> None:
    trade_id = desk.order(symbol="KO", qty=1, side="BUY", accountId=ACCOUNT).json["id"]

    listed = call(f"{url}/api/trades?accountId={ACCOUNT}&limit=5").json

    assert trade_id in [one["id"] for one in listed]
    assert call(f"{url}/api/trades/{trade_id}").json["id"] == trade_id
    assert call(f"{url}/api/trades/none").status == 404


@pytest.mark.requirement("R-318", "R-319", "R-320", "R-321")
def test_one_trace_goes_through_the_whole_trade(desk: Desk) -> None:
    trace = secrets.token_hex(16)
    reply = call(
        f"{desk.url('web-gui')}/api/trades/new?wait=true",
        {"symbol": "NVDA", "qty": 1, "side": "BUY", "accountId": ACCOUNT},
        headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"},
    )
    assert reply.status == 201

    def spans() -> dict[str, dict[str, str]] | None:
        found: dict[str, dict[str, str]] = {}
        for process in desk.running:
            lines = [line for one in ("request", "trade booked", "message") for line in process.logs(one)]
            traced = [line for line in lines if line.get("trace_id") == trace]
            if traced:
                found[process.name] = traced[0]
        return found if len(found) == 7 else None

    found = eventually("seven services in one trace", spans)

    assert found["web-gui"]["parent_span_id"] == "00f067aa0ba902b7"
    assert found["trade-service"]["parent_span_id"] == found["web-gui"]["span_id"]
    for below in ("reference-data", "account-service", "position-service", "trade-processor", "trade-feed"):
        assert found[below]["parent_span_id"] == found["trade-service"]["span_id"], below


def test_nothing_is_written_while_a_dependency_is_down(tmp_path: Path) -> None:
    order = {"symbol": "IBM", "qty": 1, "side": "BUY", "accountId": ACCOUNT}
    with running_desk(tmp_path, "trade-service", "account-service", "trade-processor") as desk:
        without_tickers = desk.order(**order)
        desk.start("reference-data")
        desk.process("account-service").kill()
        without_accounts = desk.order(**order)

        trades = call(f"{desk.url('trade-service')}/api/trades").json

    assert (without_tickers.status, without_accounts.status) == (503, 503)
    assert "reference-data cannot be reached" in without_tickers.json["message"]
    assert "account-service cannot be reached" in without_accounts.json["message"]
    assert [one for one in trades if not one["id"].startswith("OPEN-")] == []


def test_the_balance_is_checked_when_asked_for(tmp_path: Path) -> None:
    needed = ("reference-data", "account-service", "trade-service")
    with running_desk(tmp_path, *needed, ENFORCE_BALANCE="true") as desk:
        affordable = desk.order(symbol="AAPL", qty=300, side="BUY", accountId=ACCOUNT)
        too_dear = desk.order(symbol="AAPL", qty=100, side="BUY", accountId=ACCOUNT)
        sold = desk.order(symbol="AAPL", qty=100, side="SELL", accountId=ACCOUNT)

    assert (affordable.status, too_dear.status, sold.status) == (202, 409, 202)
    assert too_dear.json["message"] == "the order costs 15000.00 and the account has 5000.00"


@pytest.mark.requirement("R-261")
def test_an_order_is_accepted_and_booked_without_any_feed(tmp_path: Path) -> None:
    needed = ("reference-data", "account-service", "position-service", "trade-service", "trade-processor")
    with running_desk(tmp_path, *needed) as desk:
        reply = desk.order(symbol="IBM", qty=4, side="BUY", accountId=ACCOUNT)

        assert desk.settled(reply.json["id"])["state"] == "Settled"
        assert desk.held(ACCOUNT, "IBM") == 4


def test_what_the_cache_keeps_of_a_security_is_not_asked_for_again(tmp_path: Path, free_port: int) -> None:
    needed = ("reference-data", "account-service", "trade-processor", "trade-service")
    address = {"CACHE_HOST": "127.0.0.1", "CACHE_PORT": str(free_port)}
    aapl = {"symbol": "AAPL", "qty": 1, "side": "BUY", "accountId": ACCOUNT}

    async def is_kept() -> bool:
        cache = open_cache(address)
        found = await cache.get("security:AAPL")
        await cache.close()
        return found is not None

    with redis_server(tmp_path, free_port) as cache, running_desk(tmp_path, *needed, **address) as desk:
        # a process that has just begun may find the cache too slow, and does without
        eventually("kept", lambda: desk.order(**aapl).status == 202 and asyncio.run(is_kept()))
        desk.process("reference-data").kill()

        kept = eventually("accepted", lambda: reply if (reply := desk.order(**aapl)).status == 202 else None)
        other = desk.order(**{**aapl, "symbol": "MSFT"})
        cache.kill()
        without = desk.order(**aapl)
        price = desk.settled(kept.json["id"])["price"]

    assert (other.status, without.status) == (503, 503)
    assert price == 150.0
