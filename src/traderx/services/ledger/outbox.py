"""Messages that must reach the feed, kept from the transaction that makes them true.

Whoever writes a message holds it for LEASE_MS and sends it at once; when that fails or the
process dies, anybody else sends it. A message may so arrive twice, never not at all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from traderx.services.ledger.database import Session
from traderx.services.ledger.records import Position, Trade

# Long enough for a slow send, short enough that nobody misses the message of a dead process.
LEASE_MS = 5_000

ORDERS_TOPIC = "/trades"


@dataclass(frozen=True)
class Message:
    """One message for the feed; ``seq`` is 0 until it is stored."""

    topic: str
    type: str
    payload: Mapping[str, object]
    traceparent: str
    seq: int = 0


def order_message(trade: Trade) -> Message:
    """Return the message that tells the processors of an order."""
    return Message(ORDERS_TOPIC, "TradeOrder", trade.as_order_message(), trade.traceparent)


def trade_message(trade: Trade) -> Message:
    """Return the message that tells the account's watchers of a trade's state."""
    return Message(f"/accounts/{trade.account_id}/trades", "Trade", trade.as_message(), trade.traceparent)


def position_message(position: Position, *, traceparent: str) -> Message:
    """Return the message that tells the account's watchers of a position."""
    return Message(f"/accounts/{position.account_id}/positions", "Position", position.as_message(), traceparent)


def store(session: Session, messages: Sequence[Message], *, leased_until: int) -> list[Message]:
    """Keep the messages, in their order, and return them with their numbers."""
    stored = []
    for message in messages:
        row = session.row(
            "INSERT INTO outbox (topic, type, payload, traceparent, leased_until)"
            " VALUES (:topic, :type, :payload, :traceparent, :leased_until) RETURNING seq",
            topic=message.topic,
            type=message.type,
            payload=json.dumps(message.payload),
            traceparent=message.traceparent,
            leased_until=leased_until,
        )
        assert row is not None
        stored.append(Message(message.topic, message.type, message.payload, message.traceparent, int(row["seq"] or 0)))
    return stored


def has_unsent(session: Session, *, now_ms: int) -> bool:
    """Return whether there are messages that nobody holds."""
    return session.row("SELECT 1 AS one FROM outbox WHERE leased_until < :now LIMIT 1", now=now_ms) is not None


def lease_unsent(session: Session, *, now_ms: int, limit: int) -> list[Message]:
    """Take the oldest messages that nobody holds, at most ``limit``, in their order."""
    rows = session.rows_to_change(
        "SELECT * FROM outbox WHERE leased_until < :now ORDER BY seq LIMIT :limit", now=now_ms, limit=limit
    )
    for row in rows:
        session.run("UPDATE outbox SET leased_until = :until WHERE seq = :seq", until=now_ms + LEASE_MS, seq=row["seq"])
    return [
        Message(
            topic=str(row["topic"]),
            type=str(row["type"]),
            payload=json.loads(str(row["payload"])),
            traceparent=str(row["traceparent"]),
            seq=int(row["seq"] or 0),
        )
        for row in rows
    ]


def forget(session: Session, messages: Sequence[Message]) -> None:
    """Remove messages that were sent."""
    for message in messages:
        session.run("DELETE FROM outbox WHERE seq = :seq", seq=message.seq)


def count(session: Session) -> int:
    """Return how many messages wait."""
    row = session.row("SELECT COUNT(*) AS waiting FROM outbox")
    return 0 if row is None else int(row["waiting"] or 0)
