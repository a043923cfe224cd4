"""Messages reach the feed: through its restarts, after a sender's death, dropped or doubled on demand."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from tests.services.running import Desk, call, eventually, running_desk
from tests.services.trade_feed.hearing import hearing

NEEDED = ("reference-data", "account-service", "position-service", "trade-service", "trade-processor", "trade-feed")
ACCOUNT = 42422
TRADES_TOPIC, POSITIONS_TOPIC = f"/accounts/{ACCOUNT}/trades", f"/accounts/{ACCOUNT}/positions"


def is_settled(heard: list[dict[str, Any]], trade_id: str) -> bool:
    return any(
        one["type"] == "Trade" and one["payload"]["id"] == trade_id and one["payload"]["state"] == "Settled"
        for one in heard
    )


def connected(desk: Desk, **expected: int) -> bool:
    clients = call(f"{desk.url('trade-feed')}/api/feed/clients").json["clients"]
    return all(clients.get(name.replace("_", "-"), 0) == count for name, count in expected.items())


@pytest.mark.requirement("R-261", "R-262", "R-263")
def test_a_trade_is_told_in_all_its_states_and_strictly(desk: Desk) -> None:
    async def scene() -> None:
        async with hearing(desk.url("trade-feed"), "/trades", TRADES_TOPIC, POSITIONS_TOPIC) as hearer:
            trade_id = desk.order(symbol="PEP", qty=9, side="SELL", accountId=ACCOUNT).json["id"]
            await hearer.until(lambda heard: is_settled(heard, trade_id) and bool(hearer.payloads(POSITIONS_TOPIC)))

            (order,) = hearer.payloads("/trades")
            trades = hearer.payloads(TRADES_TOPIC)
            position = hearer.payloads(POSITIONS_TOPIC)[-1]
            assert order == {
                "id": trade_id, "state": "New", "security": "PEP", "quantity": 9, "accountId": ACCOUNT, "side": "Sell",
            }  # fmt: skip
            # the service that takes the order says "New", the processor the rest: over two lines, so it may come late
            assert sorted(one["state"] for one in trades) == ["New", "Processing", "Settled"]
            assert [one["state"] for one in trades if one["state"] != "New"] == ["Processing", "Settled"]
            for one in trades:
                assert set(one) == {"id", "accountId", "security", "side", "state", "quantity", "created", "updated"}
                assert isinstance(one["created"], int)
                assert isinstance(one["updated"], int)
            assert set(position) == {"accountId", "security", "quantity", "updated"}
            assert isinstance(position["updated"], int)
            types = {one["topic"]: one["type"] for one in hearer.heard if one["from"] != "System"}
            assert types == {"/trades": "TradeOrder", TRADES_TOPIC: "Trade", POSITIONS_TOPIC: "Position"}

    asyncio.run(scene())


@pytest.mark.requirement("R-261")
def test_messages_wait_for_the_feed_and_everybody_finds_it_again(tmp_path: Path) -> None:
    """The feed starts last, as in the seed's order, and is killed and started again."""
    with running_desk(tmp_path, *NEEDED[:-1]) as desk:
        early = desk.order(symbol="IBM", qty=1, side="BUY", accountId=ACCOUNT).json["id"]
        desk.settled(early)
        desk.start("trade-feed")
        eventually("connected", lambda: connected(desk, trade_service=1, trade_processor=1))
        desk.process("trade-feed").kill()
        during = desk.order(symbol="IBM", qty=1, side="BUY", accountId=ACCOUNT).json["id"]
        desk.settled(during)

        async def scene() -> None:
            desk.start("trade-feed")
            async with hearing(desk.url("trade-feed"), TRADES_TOPIC) as hearer:
                later = desk.order(symbol="IBM", qty=1, side="BUY", accountId=ACCOUNT).json["id"]
                await hearer.until(lambda heard: is_settled(heard, later))

        asyncio.run(scene())
        assert desk.held(ACCOUNT, "IBM") == 3
        eventually("outbox empty", lambda: "traderx_messages_waiting{" in metrics(desk) and waiting(desk) == 0)


def test_what_a_dead_process_left_is_sent_by_another(tmp_path: Path) -> None:
    """trade-service dies with its messages unsent; a processor sends them."""
    with running_desk(tmp_path, "reference-data", "account-service", "position-service", "trade-service") as desk:
        trade_id = desk.order(symbol="IBM", qty=1, side="BUY", accountId=ACCOUNT).json["id"]
        desk.process("trade-service").kill()
        desk.start("trade-feed")

        async def scene() -> None:
            async with hearing(desk.url("trade-feed"), TRADES_TOPIC) as hearer:
                desk.start("trade-processor")
                await hearer.until(lambda heard: is_settled(heard, trade_id))

                states = [one["state"] for one in hearer.payloads(TRADES_TOPIC)]
                assert sorted(states) == ["New", "Processing", "Settled"]

        asyncio.run(scene())


def test_doubled_messages_change_nothing_but_the_number_of_messages(tmp_path: Path) -> None:
    with running_desk(tmp_path, *NEEDED, FAULT_DOUBLE_PUBLISH="1") as desk:
        eventually("connected", lambda: connected(desk, trade_service=1, trade_processor=1))

        async def scene() -> None:
            async with hearing(desk.url("trade-feed"), "/trades", TRADES_TOPIC) as hearer:
                trade_id = desk.order(symbol="IBM", qty=2, side="BUY", accountId=ACCOUNT).json["id"]
                await hearer.until(lambda _: len(hearer.payloads(TRADES_TOPIC)) == 6)

                assert [one["id"] for one in hearer.payloads("/trades")] == [trade_id, trade_id]

        asyncio.run(scene())
        assert desk.held(ACCOUNT, "IBM") == 2


def test_dropped_messages_lose_no_trade(tmp_path: Path) -> None:
    with running_desk(tmp_path, *NEEDED, FAULT_DROP_PUBLISH="1") as desk:
        eventually("connected", lambda: connected(desk, trade_service=1, trade_processor=1))

        trade_id = desk.order(symbol="IBM", qty=2, side="BUY", accountId=ACCOUNT).json["id"]

        assert desk.settled(trade_id)["state"] == "Settled"
        eventually("nothing waits", lambda: waiting(desk) == 0)


def metrics(desk: Desk) -> str:
    return call(f"{desk.process('trade-processor').url}/metrics").text


def waiting(desk: Desk) -> float:
    lines = [line for line in metrics(desk).splitlines() if line.startswith("traderx_messages_waiting{")]
    return float(lines[0].rpartition(" ")[2])


def test_a_feed_that_acknowledges_nothing_gets_every_message(tmp_path: Path) -> None:
    """Such is the FINOS feed: here a Socket.IO server of the public library, without our handlers."""
    from tests.services.feed_link.silent_feed import silent_feed

    with running_desk(tmp_path, *NEEDED[:-1]) as desk, silent_feed(desk.ports["trade-feed"]) as feed:
        eventually("connected", lambda: feed.joined)
        ids = [desk.order(symbol="IBM", qty=1, side="BUY", accountId=ACCOUNT).json["id"] for _ in range(3)]
        for trade_id in ids:
            desk.settled(trade_id)

        def everything() -> bool:
            told = [one["payload"]["id"] for one in list(feed.published) if one["type"] == "TradeOrder"]
            return set(ids) <= set(told) and waiting(desk) == 0

        deadline = time.monotonic() + 30
        eventually("everything told", everything)
        assert time.monotonic() < deadline
