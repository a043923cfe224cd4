"""Trades, positions and accounts, and how each vocabulary writes them.

Messages on the feed are read by strict programs, so they have exactly the FINOS fields and
dates as milliseconds. REST answers may carry more, with dates as ISO text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from traderx.services.ledger.database import Row
from traderx.services.platform.answers import timestamp

Side = Literal["Buy", "Sell"]
State = Literal["New", "Processing", "Settled", "Cancelled"]


@dataclass(frozen=True)
class Trade:
    """One order and what became of it; ``price_cents`` is None for orders that came without validation."""

    id: str
    account_id: int
    security: str
    side: Side
    quantity: int
    price_cents: int | None
    state: State
    created: int
    updated: int
    traceparent: str

    @property
    def signed_quantity(self) -> int:
        """What the trade adds to the position."""
        return self.quantity if self.side == "Buy" else -self.quantity

    def is_same_order(self, other: Trade) -> bool:
        """Return whether both say the same thing to be done."""
        return (self.account_id, self.security, self.side, self.quantity) == (
            other.account_id,
            other.security,
            other.side,
            other.quantity,
        )

    def as_finos(self) -> dict[str, object]:
        """Return the trade as the FINOS paths answer it."""
        return {
            "id": self.id,
            "accountId": self.account_id,
            "security": self.security,
            "side": self.side,
            "state": self.state,
            "quantity": self.quantity,
            "created": timestamp(self.created),
            "updated": timestamp(self.updated),
            "price": dollars(self.price_cents),
        }

    def as_seed(self) -> dict[str, object]:
        """Return the trade as the seed's paths answer it: its own words first, the others beside them."""
        return self.as_finos() | {"symbol": self.security, "qty": self.quantity, "side": self.side.upper()}

    def as_message(self) -> dict[str, object]:
        """Return the payload of a Trade message."""
        return {
            "id": self.id,
            "accountId": self.account_id,
            "security": self.security,
            "side": self.side,
            "state": self.state,
            "quantity": self.quantity,
            "created": self.created,
            "updated": self.updated,
        }

    def as_order_message(self) -> dict[str, object]:
        """Return the payload of a TradeOrder message."""
        return {
            "id": self.id,
            "state": self.state,
            "security": self.security,
            "quantity": self.quantity,
            "accountId": self.account_id,
            "side": self.side,
        }


@dataclass(frozen=True)
class Position:
    """How much of one security an account holds; negative is short."""

    position_id: int
    account_id: int
    security: str
    quantity: int
    updated: int

    def as_finos(self) -> dict[str, object]:
        """Return the position as the FINOS paths answer it."""
        return self.as_message() | {"updated": timestamp(self.updated), "positionId": self.position_id}

    def as_seed(self) -> dict[str, object]:
        """Return the position as the seed's paths answer it, where ``updated`` is yes or no."""
        return self.as_message() | {
            "positionId": self.position_id,
            "updated": True,
            "updatedAt": timestamp(self.updated),
            "symbol": self.security,
            "qty": self.quantity,
        }

    def as_message(self) -> dict[str, object]:
        """Return the payload of a Position message."""
        return {
            "accountId": self.account_id,
            "security": self.security,
            "quantity": self.quantity,
            "updated": self.updated,
        }


@dataclass(frozen=True)
class Account:
    """One trading account; ``balance_cents`` is its opening balance and what its orders moved."""

    id: int
    display_name: str
    balance_cents: int

    def as_finos(self) -> dict[str, object]:
        """Return the account as the FINOS paths answer it."""
        return {"id": self.id, "displayName": self.display_name}

    def as_seed(self) -> dict[str, object]:
        """Return the account as the seed's paths answer it."""
        return self.as_finos() | {"accountId": self.id, "balance": dollars(self.balance_cents), "available": True}


def dollars(cents: int | None) -> float | None:
    """Return cents as dollars, None for none."""
    return None if cents is None else cents / 100


def trade_from(row: Row) -> Trade:
    """Return the trade of a row of table trades."""
    price_cents = row["price_cents"]
    return Trade(
        id=_text(row, "id"),
        account_id=_number(row, "account_id"),
        security=_text(row, "security"),
        side="Buy" if row["side"] == "Buy" else "Sell",
        quantity=_number(row, "quantity"),
        price_cents=None if price_cents is None else int(price_cents),
        state=_state(_text(row, "state")),
        created=_number(row, "created"),
        updated=_number(row, "updated"),
        traceparent=_text(row, "traceparent"),
    )


def position_from(row: Row) -> Position:
    """Return the position of a row of table positions."""
    return Position(
        position_id=_number(row, "position_id"),
        account_id=_number(row, "account_id"),
        security=_text(row, "security"),
        quantity=_number(row, "quantity"),
        updated=_number(row, "updated"),
    )


def _state(text: str) -> State:
    states: dict[str, State] = {s: s for s in ("New", "Processing", "Settled", "Cancelled")}
    return states[text]


def _text(row: Row, column: str) -> str:
    return str(row[column])


def _number(row: Row, column: str) -> int:
    value = row[column]
    assert value is not None
    return int(value)
