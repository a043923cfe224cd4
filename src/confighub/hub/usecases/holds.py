"""Holds: what keeps a unit from applying by itself, and for how long.

Two kinds: what an operator asked for, which may expire, and the hand-brake of an older
revision, which lasts until the unit's next head or a plain apply.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection, delete, insert, or_, select

from confighub.hub.caller import Caller
from confighub.hub.hub import Hub
from confighub.hub.store.rows import own_id
from confighub.hub.store.work_queue import holds

OPERATOR = "operator"
OLDER_REVISION = "older-revision"


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


def lasts(tx: Connection, hub: Hub, unit_id: str | None, *, kind: str, ttl_s: int) -> bool:
    """Whether a hold of the kind stays on the unit for so many seconds at least."""
    until = or_(holds.c.expires_at.is_(None), holds.c.expires_at >= hub.now() + timedelta(seconds=ttl_s))
    return (
        tx.execute(select(holds.c.kind).where(holds.c.unit_id == unit_id, holds.c.kind == kind, until)).first()
        is not None
    )


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
