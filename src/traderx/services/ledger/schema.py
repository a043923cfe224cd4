"""Making the tables and their opening rows, once, however many processes start together."""

from __future__ import annotations

from importlib.resources import files

from traderx.services.errors import Unavailable
from traderx.services.ledger.database import Database, Session
from traderx.services.ledger.opening import ACCOUNT_USERS, ACCOUNTS, MINUTE_MS, OPENING_MS, TRADES
from traderx.services.ledger.positions import add_to_position

SCHEMA_VERSION = 1
ACCOUNT_NUMBERS = "accounts"
# FINOS's own sequence starts here, above every account it ships.
FIRST_NEW_ACCOUNT = 65_000


async def prepare(database: Database) -> None:
    """Make what is missing of the tables and the opening rows.

    Raises: Unavailable when the database cannot be reached, or was made by a newer release.
    """
    text = files(__package__).joinpath("schema.sql").read_text("utf-8")
    statements = [s for s in text.replace("IDENTITY_KEY", database.identity_key).split(";") if s.strip()]

    def make(session: Session) -> None:
        for statement in (*database.takes_turns, *statements):
            session.run(statement)
        version = session.row("SELECT version FROM ledger_version")
        if version is None:
            _write_opening_rows(session)
        elif version["version"] != SCHEMA_VERSION:
            raise Unavailable(f"the database has tables of another release, version {version['version']}")

    await database.write(make)


def _write_opening_rows(session: Session) -> None:
    for account_id, display_name in ACCOUNTS:
        session.run("INSERT INTO accounts (id, display_name) VALUES (:id, :name)", id=account_id, name=display_name)
    for account_id, usernames in ACCOUNT_USERS:
        for username in usernames:
            session.run(
                "INSERT INTO account_users (account_id, username) VALUES (:account_id, :username)",
                account_id=account_id,
                username=username,
            )
    session.run(
        "INSERT INTO sequences (name, last_number) VALUES (:name, :last)",
        name=ACCOUNT_NUMBERS,
        last=FIRST_NEW_ACCOUNT - 1,
    )
    for place, trade in enumerate(TRADES):
        settled = OPENING_MS + place * MINUTE_MS
        session.run(
            "INSERT INTO trades (id, account_id, security, side, quantity, price_cents, state, created, updated,"
            " traceparent)"
            " VALUES (:id, :account_id, :security, :side, :quantity, :price_cents, 'Settled', :at, :at, '')",
            **vars(trade),
            at=settled,
        )
        signed = trade.quantity if trade.side == "Buy" else -trade.quantity
        add_to_position(session, trade.account_id, trade.security, signed, now_ms=settled)
    session.run("INSERT INTO ledger_version (version) VALUES (:version)", version=SCHEMA_VERSION)
