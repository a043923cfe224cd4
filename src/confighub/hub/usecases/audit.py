"""The audit log: one row for everything that was changed, in the transaction that changed it.

note(tx, hub, caller, action, kind, entity, …)             append a row
list_audit(hub, caller, *, limit=100, after=0, entity_id=None, space_id=None) -> list[AuditRow]
sequence(hub) -> int                                       chain what is new; call it now and then
verify(hub) -> Verified                                    check the whole chain

The chain over the rows is written afterwards by ``sequence``: each link holds the SHA-256 of the
link before and of its row, so a row that was changed, taken out or put in by hand is found.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, func, insert, or_, select

from confighub.hub.caller import Caller
from confighub.hub.hub import Hub
from confighub.hub.kinds import Kind
from confighub.hub.store.history import audit_chain, audit_log
from confighub.hub.store.people import space_roles
from confighub.hub.store.rows import own_id
from confighub.records.base import Record

GENESIS = bytes(32)
"""What stands before the first link."""

MAX_LIMIT = 1000

PORTION = 1000
"""Rows chained in one transaction, so that other writers wait milliseconds."""

SLACK = 10_000
"""How far behind the last chained row a row may appear: PostgreSQL gives ids before it commits."""


class AuditRow(Record):
    """Who did what, when. ``message`` is a sentence, ``detail`` what a program may want."""

    audit_id: int
    at: datetime
    space_id: str | None = None
    user_id: str | None = None
    username: str = ""
    user_agent: str = ""
    action: str = ""
    entity_type: str = ""
    entity_id: str | None = None
    entity_slug: str = ""
    message: str = ""
    detail: dict[str, Any] = {}


class Verified(Record):
    """What a check of the chain found: ``broken_at`` is the id of the first bad row, ``head`` the last hash."""

    is_intact: bool
    rows: int
    unchained: int
    head: str
    broken_at: int | None = None
    reason: str = ""


def note(
    tx: Connection, hub: Hub, caller: Caller, action: str, kind: Kind, entity: Any, *, message: str = "", **detail: Any
) -> None:
    """Append one row: ``caller`` did ``action`` (such as ``update``) to the entity.

    ``message`` is a sentence for people; ``detail`` must be fit for JSON and free of secrets.
    """
    tx.execute(
        insert(audit_log).values(
            at=hub.now(),
            organization_id=caller.organization_id,
            space_id=getattr(entity, "space_id", None),
            user_id=own_id(caller.user_id),
            username=caller.username,
            user_agent=caller.user_agent,
            action=action,
            entity_type=kind.name,
            entity_id=getattr(entity, kind.id_attribute),
            entity_slug=getattr(entity, "slug", None) or getattr(entity, "username", ""),
            message=message,
            detail=detail,
        )
    )


def list_audit(
    hub: Hub,
    caller: Caller,
    *,
    limit: int = 100,
    after: int = 0,
    entity_id: str | None = None,
    space_id: str | None = None,
) -> list[AuditRow]:
    """Return the newest rows that the caller may see, newest first; ``after`` is the id of the last row seen."""
    c = audit_log.c
    query = select(audit_log).where(c.organization_id == caller.organization_id)
    if not caller.may("read"):
        own = select(space_roles.c.space_id).where(space_roles.c.user_id == caller.user_id)
        query = query.where(or_(c.space_id.in_(own), c.user_id == caller.user_id))
    if after:
        query = query.where(c.cursor_id < after)
    if entity_id:
        query = query.where(c.entity_id == own_id(entity_id))
    if space_id:
        query = query.where(c.space_id == own_id(space_id))
    with hub.read() as tx:
        rows = tx.execute(query.order_by(c.cursor_id.desc()).limit(max(1, min(limit, MAX_LIMIT)))).all()
    return [_row(row) for row in rows]


def sequence(hub: Hub) -> int:
    """Append the oldest rows that are not in the chain yet to it, at most ``PORTION``; return how many."""
    with hub.read() as tx:
        newest = tx.execute(select(func.max(audit_log.c.cursor_id))).scalar() or 0
        if newest <= _last_chained(tx):
            return 0
    with hub.write() as tx:
        position, previous = _end(tx)
        links = []
        for row in tx.execute(_new_rows(_last_chained(tx))).all():
            position += 1
            link = _link_hash(previous, row)
            links.append({"position": position, "audit_cursor_id": row.cursor_id, "previous": previous, "hash": link})
            previous = link
        if links:
            tx.execute(insert(audit_chain), links)
        return len(links)


def verify(hub: Hub) -> Verified:
    """Go through the whole chain; rows that are not chained yet are counted, not judged."""
    with hub.read() as tx:
        unchained = _unchained(tx)
        joined = select(audit_chain, audit_log).outerjoin(
            audit_log, audit_log.c.cursor_id == audit_chain.c.audit_cursor_id
        )
        previous, rows = GENESIS, 0
        for row in tx.execute(joined.order_by(audit_chain.c.position)):
            reason = ""
            if row.position != rows + 1 or row.previous != previous:
                reason = "a link is missing before it"
            elif row.cursor_id is None:
                reason = "the row is gone"
            elif _link_hash(previous, row) != row.hash:
                reason = "the row was changed"
            if reason:
                bad = row.audit_cursor_id
                return Verified(
                    is_intact=False,
                    rows=rows,
                    unchained=unchained,
                    head=previous.hex(),
                    broken_at=bad,
                    reason=reason,
                )
            previous, rows = row.hash, rows + 1
    return Verified(is_intact=True, rows=rows, unchained=unchained, head=previous.hex())


def _row(row: Any) -> AuditRow:
    values = {name: row._mapping[name] for name in AuditRow.__struct_fields__ if name in row._mapping}
    return AuditRow(audit_id=row.cursor_id, **values)


def _new_rows(last: int) -> Any:
    chained = select(audit_chain.c.audit_cursor_id).where(audit_chain.c.audit_cursor_id == audit_log.c.cursor_id)
    near = audit_log.c.cursor_id > last - SLACK
    return select(audit_log).where(near, ~chained.exists()).order_by(audit_log.c.cursor_id).limit(PORTION)


def _last_chained(tx: Connection) -> int:
    return tx.execute(select(func.max(audit_chain.c.audit_cursor_id))).scalar() or 0


def _unchained(tx: Connection) -> int:
    total = tx.execute(select(func.count()).select_from(audit_log)).scalar_one()
    return int(total) - int(tx.execute(select(func.count()).select_from(audit_chain)).scalar_one())


def _end(tx: Connection) -> tuple[int, bytes]:
    query = select(audit_chain.c.position, audit_chain.c.hash).order_by(audit_chain.c.position.desc()).limit(1)
    row = tx.execute(query).first()
    return (0, GENESIS) if row is None else (row.position, row.hash)


def _link_hash(previous: bytes, row: Any) -> bytes:
    """Return the hash of a link: over the link before and the row's columns, in the order of the table."""
    content = [row._mapping[column] for column in audit_log.c]
    return hashlib.sha256(previous + msgspec.json.encode(content)).digest()
