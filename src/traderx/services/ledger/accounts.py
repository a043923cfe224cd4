"""The statements on accounts and their users."""

from __future__ import annotations

from dataclasses import dataclass

from traderx.services.errors import Unknown
from traderx.services.ledger.database import Row, Session
from traderx.services.ledger.records import Account
from traderx.services.ledger.schema import ACCOUNT_NUMBERS


@dataclass(frozen=True)
class AccountUser:
    """One person who works on one account."""

    account_id: int
    username: str

    def as_answer(self) -> dict[str, object]:
        """Return the user as REST answers carry it."""
        return {"accountId": self.account_id, "username": self.username}


def list_accounts(session: Session, *, opening_cents: int) -> list[Account]:
    """Return all accounts by number."""
    rows = session.rows("SELECT * FROM accounts ORDER BY id")
    return [_account_from(row, opening_cents) for row in rows]


def get_account(session: Session, account_id: int, *, opening_cents: int) -> Account:
    """Return one account. Raises: Unknown."""
    row = session.row("SELECT * FROM accounts WHERE id = :id", id=account_id)
    if row is None:
        raise Unknown(f"Account with id {account_id} not found")
    return _account_from(row, opening_cents)


def has_account(session: Session, account_id: int) -> bool:
    """Return whether there is an account of this number."""
    return session.row("SELECT 1 AS one FROM accounts WHERE id = :id", id=account_id) is not None


def create_account(session: Session, display_name: str) -> int:
    """Make an account with the next number and return that."""
    while True:
        row = session.row(
            "UPDATE sequences SET last_number = last_number + 1 WHERE name = :name RETURNING last_number",
            name=ACCOUNT_NUMBERS,
        )
        assert row is not None
        account_id = int(row["last_number"] or 0)
        # Somebody may have made an account under a number of their own choice.
        if not has_account(session, account_id):
            put_account(session, account_id, display_name)
            return account_id


def put_account(session: Session, account_id: int, display_name: str) -> None:
    """Name the account of this number, making it when there is none."""
    session.run(
        "INSERT INTO accounts (id, display_name) VALUES (:id, :name)"
        " ON CONFLICT (id) DO UPDATE SET display_name = excluded.display_name",
        id=account_id,
        name=display_name,
    )


def list_users(session: Session, account_id: int | None = None) -> list[AccountUser]:
    """Return the users by account and name, of one account when given."""
    if account_id is None:
        rows = session.rows("SELECT * FROM account_users ORDER BY account_id, username")
    else:
        rows = session.rows(
            "SELECT * FROM account_users WHERE account_id = :account_id ORDER BY username", account_id=account_id
        )
    return [AccountUser(int(row["account_id"] or 0), str(row["username"])) for row in rows]


def add_user(session: Session, user: AccountUser) -> None:
    """Let the person work on the account; nothing changes when they already do. Raises: Unknown account."""
    if not has_account(session, user.account_id):
        raise Unknown(f"Account with id {user.account_id} not found")
    session.run(
        "INSERT INTO account_users (account_id, username) VALUES (:account_id, :username) ON CONFLICT DO NOTHING",
        account_id=user.account_id,
        username=user.username,
    )


def _account_from(row: Row, opening_cents: int) -> Account:
    return Account(int(row["id"] or 0), str(row["display_name"]), opening_cents + int(row["moved_cents"] or 0))
