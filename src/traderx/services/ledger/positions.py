"""The statements on positions."""

from __future__ import annotations

from traderx.services.ledger.database import Session
from traderx.services.ledger.records import Position, position_from


def add_to_position(session: Session, account_id: int, security: str, quantity: int, *, now_ms: int) -> Position:
    """Add to what the account holds, from 0 when it holds none, and return the position after it.

    ``updated`` rises with every change even within one millisecond, so that whoever reads the
    messages out of order can tell the newest.
    """
    row = session.row(
        "INSERT INTO positions (account_id, security, quantity, updated)"
        " VALUES (:account_id, :security, :quantity, :now)"
        " ON CONFLICT (account_id, security) DO UPDATE SET quantity = positions.quantity + excluded.quantity,"
        " updated = CASE WHEN positions.updated < excluded.updated THEN excluded.updated"
        " ELSE positions.updated + 1 END"
        " RETURNING position_id, account_id, security, quantity, updated",
        account_id=account_id,
        security=security,
        quantity=quantity,
        now=now_ms,
    )
    assert row is not None
    return position_from(row)


def list_positions(session: Session, account_id: int | None = None) -> list[Position]:
    """Return the positions by account and security, of one account when given."""
    if account_id is None:
        rows = session.rows("SELECT * FROM positions ORDER BY account_id, security")
    else:
        rows = session.rows(
            "SELECT * FROM positions WHERE account_id = :account_id ORDER BY security", account_id=account_id
        )
    return [position_from(row) for row in rows]


def find_position(session: Session, account_id: int, security: str) -> Position | None:
    """Return one position, None when the account never held the security."""
    row = session.row(
        "SELECT * FROM positions WHERE account_id = :account_id AND security = :security",
        account_id=account_id,
        security=security,
    )
    return None if row is None else position_from(row)
