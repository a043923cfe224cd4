"""Tokens as the command line manages them; ``people`` makes and checks them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update

from confighub.errors import NotFound
from confighub.hub.callers import PEOPLE
from confighub.hub.hub import Hub
from confighub.hub.store.people import tokens, users


@dataclass(frozen=True)
class Token:
    """One token of a user, without the token itself."""

    token_id: str
    username: str
    name: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


def list_tokens(hub: Hub) -> list[Token]:
    """Return the tokens of users, the oldest first; those of workers are left out."""
    c = tokens.c
    chosen = select(c.token_id, users.c.username, c.name, c.created_at, c.expires_at, c.revoked_at)
    with hub.read() as tx:
        rows = tx.execute(chosen.join(users, users.c.user_id == c.user_id).order_by(c.cursor_id))
        return [Token(*row) for row in rows]


def revoke_token(hub: Hub, token_id: str) -> None:
    """Make the token worthless from now on.

    Raises: NotFound, also when it was revoked before.
    """
    living = tokens.c.token_id == token_id.lower(), tokens.c.revoked_at.is_(None)
    with hub.write() as tx:
        if tx.execute(update(tokens).where(*living).values(revoked_at=hub.now())).rowcount == 0:
            raise NotFound(f"no token has this id, or it is revoked already: {token_id}")
        hub.wake(tx, PEOPLE)
