"""Orders that others publish on the feed, made into rows exactly once.

Every processor hears every order. One with an id is kept under it; one without gets an id made
from the message itself, the same in every processor, so that whoever is second finds it there.
The feed gives each message a date of its own, so two equal orders are two.
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass

from traderx.services.errors import BadInput, Clash, Unknown
from traderx.services.feed_link.connection import Envelope
from traderx.services.ledger.accounts import has_account
from traderx.services.ledger.database import Session
from traderx.services.ledger.outbox import ORDERS_TOPIC
from traderx.services.ledger.records import Trade
from traderx.services.ledger.trades import Accepted, accept
from traderx.services.ledger.vocabulary import Order, read_order

log = logging.getLogger(__name__)

ORDER_TYPE = "TradeOrder"


@dataclass(frozen=True)
class Arrival:
    """An order that came by the feed, and the id it is kept under."""

    trade_id: str
    order: Order

    def as_trade(self, *, now_ms: int, traceparent: str) -> Trade:
        """Return the trade to be booked; its price is not known."""
        return Trade(
            id=self.trade_id,
            account_id=self.order.account_id,
            security=self.order.security,
            side=self.order.side,
            quantity=self.order.quantity,
            price_cents=None,
            state="New",
            created=now_ms,
            updated=now_ms,
            traceparent=traceparent,
        )


def read_arrival(envelope: Envelope) -> Arrival | None:
    """Return the order of a message, None when it is another kind of message.

    Raises: BadInput when it is an order that nobody could book.
    """
    if envelope.topic != ORDERS_TOPIC or envelope.type != ORDER_TYPE:
        return None
    if not isinstance(envelope.payload, dict):
        raise BadInput("the order is not an object")
    order = read_order(envelope.payload)
    return Arrival(order.id or _id_from(envelope), order)


def keep_order(session: Session, trade: Trade) -> Accepted:
    """Keep a trade unless it is known.

    Raises: Unknown for its account; Clash when the id belongs to another order.
    """
    if not has_account(session, trade.account_id):
        raise Unknown(f"Account with id {trade.account_id} not found")
    return accept(session, trade)


def explain_refusal(error: BadInput | Clash | Unknown, envelope: Envelope) -> None:
    """Log why an order from the feed is not booked; there is nobody to answer to."""
    log.warning("order from the feed refused", extra={"reason": error.message, "from": envelope.sender})


def _id_from(envelope: Envelope) -> str:
    text = json.dumps([envelope.sender, envelope.date, envelope.payload], sort_keys=True)
    return f"feed-{hashlib.sha256(text.encode()).hexdigest()[:40]}"
