"""Exactly once: three processors, deaths everywhere, foreign orders, and the books still agree."""

from __future__ import annotations

import asyncio
import random
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.services.running import Desk, call, eventually, running_desk
from tests.services.trade_feed.hearing import hearing

NEEDED = ("reference-data", "account-service", "position-service", "trade-service", "trade-feed")
ACCOUNT = 44044
PROCESSORS = 3
VICTIMS = ("trade-processor", "trade-processor", "trade-service", "trade-feed", "trade-processor") * 2
CLIENTS = 4
ORDERS_EACH = 50


@pytest.fixture
def three(database_url: str) -> Any:
    """A desk with three processors, on either database."""
    desk = Desk(database_url)
    try:
        desk.start(*NEEDED)
        desk.start(*["trade-processor"] * PROCESSORS)
        yield desk
    finally:
        desk.stop()


def place(desk: Desk, order_id: str) -> None:
    """Send an order until it is answered, again under the same id when the answer was lost."""

    def send() -> bool:
        try:
            reply = desk.order(id=order_id, symbol="AAPL", qty=1, side="BUY", accountId=ACCOUNT)
        except OSError:
            return False
        assert reply.status in {202, 503}, reply
        return reply.status == 202

    eventually(f"{order_id} accepted", send)


@dataclass
class Client:
    """Sends orders one after the other until it is told to stop."""

    desk: Desk
    stop: threading.Event
    accepted: list[str] = field(default_factory=list)
    failure: BaseException | None = None

    def run(self) -> None:
        try:
            while not self.stop.is_set() or len(self.accepted) < ORDERS_EACH:
                order_id = str(uuid.uuid4())
                place(self.desk, order_id)
                self.accepted.append(order_id)
        except BaseException as error:
            self.failure = error


@pytest.mark.requirement("R-262", "R-068")
def test_kill_9_anywhere_loses_and_doubles_nothing(three: Desk) -> None:
    stop = threading.Event()
    clients = [Client(three, stop) for _ in range(CLIENTS)]
    threads = [threading.Thread(target=client.run) for client in clients]
    for thread in threads:
        thread.start()

    dice = random.Random(7)
    for victim in VICTIMS:
        time.sleep(dice.uniform(0.05, 0.25))
        living = [one for one in three.running if one.name == victim and one.process.poll() is None]
        dice.choice(living).kill()
        three.begin(victim)
    stop.set()
    for thread in threads:
        thread.join(120)

    accepted = [order_id for client in clients for order_id in client.accepted]
    assert [client.failure for client in clients] == [None] * CLIENTS
    eventually("all settled", lambda: {one["state"] for one in booked(three, "AAPL")} == {"Settled"})
    assert sorted(one["id"] for one in booked(three, "AAPL")) == sorted(accepted)
    assert three.held(ACCOUNT, "AAPL") == len(accepted)


def booked(desk: Desk, security: str) -> list[dict[str, Any]]:
    """Return the account's trades of one security."""
    trades = call(f"{desk.url('position-service')}/trades/{ACCOUNT}").json
    return [one for one in trades if one["security"] == security]


def test_foreign_orders_are_booked_once_each_whoever_hears_them(three: Desk) -> None:
    """Without an id: sixty equal orders are sixty. With an id: sixty repetitions are one."""
    count = 60
    eventually("processors listen", lambda: _processors(three) == PROCESSORS)
    order = {"security": "KO", "quantity": 1, "accountId": ACCOUNT, "side": "Buy"}

    async def publish() -> None:
        async with hearing(three.url("trade-feed"), "/trades") as foreign:
            for _ in range(count):
                await foreign.client.emit("publish", {"topic": "/trades", "type": "TradeOrder", "payload": order})
            named = {**order, "security": "PEP", "id": "foreign-1"}
            for _ in range(count):
                await foreign.client.emit("publish", {"topic": "/trades", "type": "TradeOrder", "payload": named})
            await foreign.until(lambda _: len(foreign.payloads("/trades")) >= 2 * count)

    asyncio.run(publish())

    eventually("all booked", lambda: three.held(ACCOUNT, "KO") >= count and three.held(ACCOUNT, "PEP") >= 1)
    # Orders are heard in their order, so the last one booked means that none is on its way.
    assert [one["id"] for one in booked(three, "PEP")] == ["foreign-1"]
    assert len(booked(three, "KO")) == count
    assert three.held(ACCOUNT, "KO") == count
    assert three.held(ACCOUNT, "PEP") == 1


def test_a_foreign_order_waits_for_a_processor_that_was_away(tmp_path: Path) -> None:
    with running_desk(tmp_path, *NEEDED) as desk:

        async def publish() -> None:
            async with hearing(desk.url("trade-feed"), "/trades") as foreign:
                payload = {"security": "KO", "quantity": 5, "accountId": ACCOUNT, "side": "Sell"}
                await foreign.client.emit("publish", {"topic": "/trades", "type": "TradeOrder", "payload": payload})
                await foreign.until(lambda _: bool(foreign.payloads("/trades")))

        asyncio.run(publish())
        desk.start("trade-processor", "trade-processor")

        eventually("booked", lambda: desk.held(ACCOUNT, "KO") == -5)
        desk.process("trade-processor").kill()
        desk.start("trade-processor")
        marker = desk.order(symbol="KO", qty=1, side="SELL", accountId=ACCOUNT).json["id"]
        desk.settled(marker)
        assert desk.held(ACCOUNT, "KO") == -6


@pytest.mark.parametrize(
    "payload",
    [
        "text",
        {"security": "KO", "quantity": -5, "accountId": ACCOUNT, "side": "Buy"},
        {"security": "KO", "quantity": 5, "accountId": 999, "side": "Buy"},
        {"security": "KO", "quantity": 5, "accountId": ACCOUNT, "side": "Hold"},
    ],
)
def test_a_foreign_order_that_nobody_can_book_is_logged_and_left(desk: Desk, payload: object) -> None:
    processor = desk.process("trade-processor")
    eventually("the processor listens", lambda: _processors(desk) == 1)
    refused_before = len(processor.logs("order from the feed refused"))

    async def publish() -> None:
        async with hearing(desk.url("trade-feed"), "/trades") as foreign:
            await foreign.client.emit("publish", {"topic": "/trades", "type": "TradeOrder", "payload": payload})
            await foreign.until(lambda _: bool(foreign.payloads("/trades")))

    asyncio.run(publish())

    eventually("its line", lambda: len(processor.logs("order from the feed refused")) > refused_before)
    assert call(f"{processor.url}/health/ready").status == 200


def test_a_direct_order_is_booked_at_once_and_once(desk: Desk) -> None:
    url = f"{desk.process('trade-processor').url}/tradeservice/order"
    before = desk.held(ACCOUNT, "T")
    order = {"id": str(uuid.uuid4()), "security": "T", "quantity": 3, "accountId": ACCOUNT, "side": "Buy"}

    first, second = call(url, order), call(url, order)

    assert first.json["trade"]["state"] == "Settled"
    assert first.json["position"]["quantity"] == before + 3
    assert second.json["trade"]["id"] == order["id"]
    assert desk.held(ACCOUNT, "T") == before + 3


@pytest.mark.parametrize(("fields", "status"), [({"accountId": 999}, 404), ({"quantity": 0}, 400)])
def test_a_direct_order_that_cannot_be_is_refused(desk: Desk, fields: dict[str, object], status: int) -> None:
    order = {"security": "T", "quantity": 3, "accountId": ACCOUNT, "side": "Buy", **fields}

    reply = call(f"{desk.process('trade-processor').url}/tradeservice/order", order)

    assert reply.status == status


def _processors(desk: Desk) -> int:
    clients = call(f"{desk.url('trade-feed')}/api/feed/clients").json["clients"]
    return int(clients.get("trade-processor", 0))
