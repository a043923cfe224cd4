"""The statements on trades: accept an order once, find it, book it once.

Exactly once rests on two things: the id is unique, so an order is accepted once; and a trade
goes from New to Settled in the transaction that changes the position, so it is booked once.
Processors take different rows: on SQLite the one writer sees to it, on PostgreSQL the rows
that one holds are stepped over by the others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from traderx.services.errors import Clash
from traderx.services.ledger.database import Session
from traderx.services.ledger.positions import add_to_position
from traderx.services.ledger.records import Position, Trade, trade_from

# More trades than anybody reads at once; both databases want a number.
NO_LIMIT = 1_000_000_000


@dataclass(frozen=True)
class Accepted:
    """An order's trade; ``is_new`` is False when the same order was accepted before."""

    trade: Trade
    is_new: bool


@dataclass(frozen=True)
class Booked:
    """A settled trade, and the position it led to."""

    trade: Trade
    position: Position

    @property
    def in_processing(self) -> Trade:
        """The trade as it was between New and Settled."""
        return replace(self.trade, state="Processing")


def accept(session: Session, trade: Trade) -> Accepted:
    """Keep a new trade, and what it costs its account, unless its id is known.

    Raises: Clash when the id belongs to an order that says something else.
    """
    added = session.run(
        "INSERT INTO trades"
        " (id, account_id, security, side, quantity, price_cents, state, created, updated, traceparent) VALUES"
        " (:id, :account_id, :security, :side, :quantity, :price_cents, :state, :created, :updated, :traceparent)"
        " ON CONFLICT (id) DO NOTHING",
        **vars(trade),
    )
    if added:
        session.run(
            "UPDATE accounts SET moved_cents = moved_cents - :cost WHERE id = :account_id",
            cost=trade.signed_quantity * (trade.price_cents or 0),
            account_id=trade.account_id,
        )
        return Accepted(trade, is_new=True)
    known = find_trade(session, trade.id)
    assert known is not None
    if not known.is_same_order(trade):
        raise Clash(f"the id was used before for another order: {trade.id}")
    return Accepted(known, is_new=False)


def find_trade(session: Session, trade_id: str) -> Trade | None:
    """Return one trade, None when there is none of this id."""
    row = session.row("SELECT * FROM trades WHERE id = :id", id=trade_id)
    return None if row is None else trade_from(row)


def list_trades(session: Session, account_id: int | None = None, limit: int | None = None) -> list[Trade]:
    """Return the trades newest update first, of one account when given, at most ``limit``."""
    most = NO_LIMIT if limit is None else limit
    if account_id is None:
        rows = session.rows("SELECT * FROM trades ORDER BY updated DESC, seq DESC LIMIT :most", most=most)
    else:
        rows = session.rows(
            "SELECT * FROM trades WHERE account_id = :account_id ORDER BY updated DESC, seq DESC LIMIT :most",
            account_id=account_id,
            most=most,
        )
    return [trade_from(row) for row in rows]


def has_unbooked(session: Session) -> bool:
    """Return whether there are trades to book."""
    return session.row("SELECT 1 AS one FROM trades WHERE state = 'New' LIMIT 1") is not None


def count_unbooked(session: Session) -> int:
    """Return how many trades wait to be booked."""
    row = session.row("SELECT COUNT(*) AS waiting FROM trades WHERE state = 'New'")
    return 0 if row is None else int(row["waiting"] or 0)


def book_next(session: Session, *, now_ms: int, limit: int) -> list[Booked]:
    """Book the oldest trades that nobody else is booking, at most ``limit``; empty when there are none.

    Within one transaction positions are changed in the order of account and security, the same
    for every processor, so that two of them never wait for each other.
    """
    rows = session.rows_to_change("SELECT * FROM trades WHERE state = 'New' ORDER BY seq LIMIT :limit", limit=limit)
    trades = sorted(map(trade_from, rows), key=lambda trade: (trade.account_id, trade.security))
    return [_book(session, trade, now_ms=max(now_ms, trade.created)) for trade in trades]


def book_one(session: Session, trade_id: str, *, now_ms: int) -> Booked | None:
    """Book one trade, None when it is not waiting to be booked or another processor has it in hand."""
    rows = session.rows_to_change("SELECT * FROM trades WHERE id = :id AND state = 'New'", id=trade_id)
    if not rows:
        return None
    trade = trade_from(rows[0])
    return _book(session, trade, now_ms=max(now_ms, trade.created))


def _book(session: Session, trade: Trade, *, now_ms: int) -> Booked:
    settled = session.run(
        "UPDATE trades SET state = 'Settled', updated = :now WHERE id = :id AND state = 'New'", now=now_ms, id=trade.id
    )
    assert settled == 1, f"{trade.id} was taken by another processor"
    position = add_to_position(session, trade.account_id, trade.security, trade.signed_quantity, now_ms=now_ms)
    return Booked(replace(trade, state="Settled", updated=now_ms), position)
