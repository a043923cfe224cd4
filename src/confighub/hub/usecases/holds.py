"""Holds: what keeps a unit from applying by itself, and for how long.

A unit may be held several times, each by another holder, and is free when nobody holds it any more: a person, an
operation while it goes on (a deployment, a rollout …), and the hand-brake of an older revision, which lasts until the
unit's next head or a plain apply. So the end of an operation never ends what a person asked for.
"""

from __future__ import annotations

import re
from datetime import timedelta

from sqlalchemy import Connection, delete, insert, or_, select

from confighub.errors import BadRequest
from confighub.hub.caller import Caller
from confighub.hub.hub import Hub
from confighub.hub.store.rows import own_id
from confighub.hub.store.work_queue import holds

OPERATOR = "operator"
"""Whoever asks without saying for which operation."""
OLDER_REVISION = "older-revision"
ROLLBACK = "rollback"
_HOLDER = re.compile(r"[a-z][a-z0-9-]{0,39}")


def kind_of(holder: str) -> str:
    """Return the kind of the hold that the holder has; empty means a person. Raises: BadRequest."""
    if not holder:
        return OPERATOR
    if holder in (OPERATOR, OLDER_REVISION) or not _HOLDER.fullmatch(holder):
        raise BadRequest(f"not the name of an operation that could hold units: {holder}")
    return holder


def hold(
    tx: Connection, hub: Hub, caller: Caller, unit_id: str | None, *, kind: str, reason: str, ttl_s: int = 0
) -> None:
    """Hold the unit, in place of an earlier hold of the kind; ``ttl_s`` of 0 never expires."""
    release(tx, unit_id, kind=kind)
    now = hub.now()
    expires_at = now + timedelta(seconds=ttl_s) if ttl_s else None
    tx.execute(
        insert(holds).values(
            unit_id=unit_id,
            kind=kind,
            reason=reason,
            user_id=own_id(caller.user_id),
            created_at=now,
            expires_at=expires_at,
        )
    )


def release(tx: Connection, unit_id: str | None, *, kind: str) -> bool:
    """End the unit's hold of the kind; return whether there was one."""
    return tx.execute(delete(holds).where(holds.c.unit_id == unit_id, holds.c.kind == kind)).rowcount > 0


def release_all(tx: Connection, unit_id: str | None) -> bool:
    """End every hold of the unit but the hand-brake; return whether there was one."""
    own = holds.c.unit_id == unit_id, holds.c.kind != OLDER_REVISION
    return tx.execute(delete(holds).where(*own)).rowcount > 0


def is_held(tx: Connection, hub: Hub, unit_id: str | None) -> bool:
    """Whether a hold of any kind is on the unit now."""
    lasting = or_(holds.c.expires_at.is_(None), holds.c.expires_at > hub.now())
    return tx.execute(select(holds.c.kind).where(holds.c.unit_id == unit_id, lasting).limit(1)).first() is not None


def is_expiry_due(tx: Connection, hub: Hub) -> bool:
    """Whether ``expire`` would end anything."""
    return tx.execute(select(holds.c.unit_id).where(holds.c.expires_at <= hub.now()).limit(1)).first() is not None


def expire(tx: Connection, hub: Hub) -> list[str]:
    """End the holds whose time is over; return the ids of their units."""
    over = holds.c.expires_at <= hub.now()
    found = list(tx.execute(select(holds.c.unit_id).where(over)).scalars())
    if found:
        tx.execute(delete(holds).where(over))
    return found
