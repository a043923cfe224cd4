"""The ledger's promises, on SQLite and PostgreSQL: an order is accepted once, booked once, told of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from tests.services.postgresql import PostgresqlServer
from traderx.services.errors import Clash, Unavailable
from traderx.services.ledger import outbox
from traderx.services.ledger.database import Session, open_database
from traderx.services.ledger.opening import TRADES
from traderx.services.ledger.outbox import Message, order_message
from traderx.services.ledger.positions import add_to_position, find_position, list_positions
from traderx.services.ledger.records import Trade
from traderx.services.ledger.schema import prepare
from traderx.services.ledger.trades import accept, book_next, book_one, find_trade, list_trades

Found = TypeVar("Found")

TRADE = Trade(
    id="order-1",
    account_id=22214,
    security="AAPL",
    side="Buy",
    quantity=100,
    price_cents=15_000,
    state="New",
    created=1_800_000_000_000,
    updated=1_800_000_000_000,
    traceparent="",
)


class Ledger:
    """One database, used from tests that are not asynchronous."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.do(lambda session: session.row("SELECT 1 AS one"))

    def do(self, work: Callable[[Session], Found]) -> Found:
        return asyncio.run(self._do(work))

    async def _do(self, work: Callable[[Session], Found]) -> Found:
        database = open_database(self._url)
        try:
            await prepare(database)
            return await database.write(work)
        finally:
            await database.close()


@pytest.fixture
def ledger(database_url: str) -> Ledger:
    return Ledger(database_url)


def test_opening_positions_are_the_sum_of_the_opening_trades(ledger: Ledger) -> None:
    sums: dict[tuple[int, str], int] = {}
    for trade in TRADES:
        key = (trade.account_id, trade.security)
        sums[key] = sums.get(key, 0) + (trade.quantity if trade.side == "Buy" else -trade.quantity)

    positions = ledger.do(list_positions)

    assert {(one.account_id, one.security): one.quantity for one in positions} == sums


def test_opening_rows_are_written_once_and_kept(ledger: Ledger) -> None:
    ledger.do(lambda session: accept(session, TRADE))

    assert len(ledger.do(list_trades)) == len(TRADES) + 1


def test_the_same_order_is_accepted_once(ledger: Ledger) -> None:
    first = ledger.do(lambda session: accept(session, TRADE))
    second = ledger.do(lambda session: accept(session, replace(TRADE, created=TRADE.created + 5)))

    assert (first.is_new, second.is_new) == (True, False)
    assert second.trade == TRADE


def test_an_id_that_says_something_else_is_refused(ledger: Ledger) -> None:
    ledger.do(lambda session: accept(session, TRADE))

    with pytest.raises(Clash, match="used before for another order: order-1"):
        ledger.do(lambda session: accept(session, replace(TRADE, quantity=101)))


@pytest.mark.requirement("R-259", "R-262")
def test_booking_settles_the_trade_and_moves_the_position(ledger: Ledger) -> None:
    ledger.do(lambda session: accept(session, TRADE))
    ledger.do(lambda session: accept(session, replace(TRADE, id="order-2", side="Sell", quantity=30)))

    booked = ledger.do(lambda session: book_next(session, now_ms=TRADE.created + 7, limit=10))

    position = ledger.do(lambda session: find_position(session, 22214, "AAPL"))
    assert [(one.trade.id, one.trade.state, one.position.quantity) for one in booked] == [
        ("order-1", "Settled", 100),
        ("order-2", "Settled", 70),
    ]
    assert position is not None
    assert position.quantity == 70


def test_what_is_booked_is_not_booked_again(ledger: Ledger) -> None:
    ledger.do(lambda session: accept(session, TRADE))
    ledger.do(lambda session: book_next(session, now_ms=1, limit=10))

    assert ledger.do(lambda session: book_next(session, now_ms=2, limit=10)) == []
    assert ledger.do(lambda session: book_one(session, TRADE.id, now_ms=3)) is None


def test_a_booking_that_fails_changes_nothing(ledger: Ledger) -> None:
    ledger.do(lambda session: accept(session, TRADE))

    def fail_after_booking(session: Session) -> None:
        book_next(session, now_ms=1, limit=10)
        raise ConnectionError("the process died here")

    with pytest.raises((ConnectionError, Unavailable)):
        ledger.do(fail_after_booking)

    trade = ledger.do(lambda session: find_trade(session, TRADE.id))
    assert trade is not None
    assert trade.state == "New"
    assert ledger.do(lambda session: find_position(session, 22214, "AAPL")) is None


def test_a_positions_moment_rises_with_every_change(ledger: Ledger) -> None:
    moments = ledger.do(
        lambda session: [add_to_position(session, 22214, "KO", 1, now_ms=500).updated for _ in range(3)]
    )

    assert moments == [500, 501, 502]


def test_a_message_belongs_to_its_sender_until_the_lease_ends(ledger: Ledger) -> None:
    ledger.do(lambda session: outbox.store(session, [order_message(TRADE)], leased_until=1_000))

    before = ledger.do(lambda session: outbox.lease_unsent(session, now_ms=1_000, limit=10))
    after = ledger.do(lambda session: outbox.lease_unsent(session, now_ms=1_001, limit=10))
    again = ledger.do(lambda session: outbox.lease_unsent(session, now_ms=1_002, limit=10))

    assert (before, again) == ([], [])
    assert [(one.topic, one.type, one.payload) for one in after] == [
        ("/trades", "TradeOrder", TRADE.as_order_message())
    ]


def test_messages_are_found_in_the_order_they_were_written(ledger: Ledger) -> None:
    messages = [Message("/chat", "message", {"number": number}, "") for number in range(20)]
    stored = ledger.do(lambda session: outbox.store(session, messages, leased_until=0))
    ledger.do(lambda session: outbox.forget(session, stored[:5]))

    found = ledger.do(lambda session: outbox.lease_unsent(session, now_ms=1, limit=10))

    assert [one.payload["number"] for one in found] == list(range(5, 15))
    assert ledger.do(outbox.count) == 15


def test_two_processors_at_once_take_different_trades(database_url: str) -> None:
    """Both hold their transaction open at the same time where the database allows it."""

    async def book_with_two() -> list[str]:
        first, second = open_database(database_url), open_database(database_url)
        await prepare(first)
        await first.write(
            lambda session: [accept(session, replace(TRADE, id=f"order-{number}")) for number in range(40)]
        )
        booked = []
        while batch := await asyncio.gather(
            *(database.write(lambda session: book_next(session, now_ms=1, limit=5)) for database in (first, second))
        ):
            if not any(batch):
                break
            booked += [one.trade.id for half in batch for one in half]
        await first.close()
        await second.close()
        return booked

    booked = asyncio.run(book_with_two())

    assert sorted(booked) == sorted(f"order-{number}" for number in range(40))


def test_a_database_of_another_release_is_refused(ledger: Ledger) -> None:
    ledger.do(lambda session: session.run("UPDATE ledger_version SET version = 99"))

    with pytest.raises(Unavailable, match="another release, version 99"):
        ledger.do(list_trades)


def test_a_lost_connection_is_made_anew(postgresql_server: PostgresqlServer) -> None:
    async def scene() -> list[int]:
        database = open_database(postgresql_server.fresh_url())
        await prepare(database)
        found = []
        for _ in range(3):
            found.append(len(await database.read(list_trades)))
            postgresql_server.cut_connections()
        await database.close()
        return found

    assert asyncio.run(scene()) == [len(TRADES)] * 3


def test_where_the_server_is_may_come_beside_the_login(
    postgresql_server: PostgresqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a cluster the secret holds the login, and PGHOST and PGPORT say where."""
    login, _, host = postgresql_server.fresh_url().partition("?host=")
    monkeypatch.setenv("PGHOST", host)

    assert len(Ledger(login).do(list_trades)) == len(TRADES)


def test_a_server_that_is_away_is_said_to_be(tmp_path: Path) -> None:
    async def scene() -> None:
        database = open_database(f"postgresql+psycopg://traderx:hush@/traderx?host={tmp_path}")
        try:
            await prepare(database)
        finally:
            await database.close()

    with pytest.raises(Unavailable, match="the database cannot be used: connection") as refused:
        asyncio.run(scene())

    assert "hush" not in refused.value.message
