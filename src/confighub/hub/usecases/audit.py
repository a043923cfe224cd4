"""The audit log: one row for everything that was changed, in the transaction that changed it.

note(tx, hub, caller, action, kind, entity, …)             append a row
list_audit(hub, caller, *, limit=100, after=0, entity_id=None, space_id=None) -> list[AuditRow]
claim(hub)                                                 see that the hub's key is the one of the database
sequence(hub) -> int                                       chain and sign what is new; call it now and then
verify(hub) -> Verified                                    check the whole chain

The chain over the rows is written afterwards by ``sequence``: each link holds the SHA-256 of the
link before and of its row, so a row that was changed, taken out or put in by hand is found. Its end is
signed each time, so whoever writes the database without the hub's key cannot make another chain. Rows cut
off at the end, signatures and all, are found by whoever kept a later ``head``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, func, insert, or_, select

from confighub.errors import ConfigHubError
from confighub.hub.caller import Caller
from confighub.hub.hub import Hub
from confighub.hub.kinds import Kind
from confighub.hub.store.database import CHAINING, one_at_a_time
from confighub.hub.store.entities import bridge_workers
from confighub.hub.store.history import audit_chain, audit_checkpoints, audit_log
from confighub.hub.store.many import insert_all
from confighub.hub.store.people import space_roles
from confighub.hub.store.rows import insert_if_absent, own_id
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
    """What a check of the chain found: ``broken_at`` is the id of the first bad row, ``head`` the last hash.

    ``signed`` of the rows are covered by a signature that ``key``, the hub's public one in hexadecimal, has made.
    """

    is_intact: bool
    rows: int
    unchained: int
    head: str
    signed: int = 0
    key: str = ""
    broken_at: int | None = None
    reason: str = ""


@dataclass(frozen=True)
class Noted:
    """What was done to one entity; see ``note``."""

    action: str
    entity: Any
    message: str = ""
    detail: dict[str, Any] = field(default_factory=dict)


def note(
    tx: Connection, hub: Hub, caller: Caller, action: str, kind: Kind, entity: Any, *, message: str = "", **detail: Any
) -> None:
    """Append one row: ``caller`` did ``action`` (such as ``update``) to the entity.

    ``message`` is a sentence for people; ``detail`` must be fit for JSON and free of secrets.
    """
    note_all(tx, hub, caller, kind, [Noted(action, entity, message, detail)])


def note_all(tx: Connection, hub: Hub, caller: Caller, kind: Kind, noted: Iterable[Noted]) -> None:
    """Append a row for each, in order."""
    rows = [
        {
            "at": hub.now(),
            "organization_id": caller.organization_id,
            "space_id": getattr(one.entity, "space_id", None),
            "user_id": own_id(caller.user_id),
            "username": caller.username,
            "user_agent": caller.user_agent,
            "action": one.action,
            "entity_type": kind.name,
            "entity_id": getattr(one.entity, kind.id_attribute),
            "entity_slug": getattr(one.entity, "slug", None) or getattr(one.entity, "username", ""),
            "message": one.message,
            "detail": one.detail,
        }
        for one in noted
    ]
    insert_all(tx, audit_log, rows)


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


def claim(hub: Hub) -> None:
    """Begin a new database's chain with the hub's signature, or see that the key is the one it was begun with.

    Raises: ConfigHubError, when it is another.
    """
    with hub.write() as tx:
        one_at_a_time(tx, CHAINING)
        c = audit_checkpoints.c
        begun = tx.execute(select(c.key).order_by(c.position).limit(1)).scalar()
        if begun is None:
            sealed = tx.execute(select(bridge_workers.c.secret).where(bridge_workers.c.secret != "").limit(1)).scalar()
            if sealed is not None:
                hub.secrets.open(sealed)
            _sign(tx, hub, 0, GENESIS)
        elif begun != hub.secrets.public_key:
            raise ConfigHubError(
                "the key of this hub is not the one that its database was begun with, so that it cannot open "
                "the secrets of workers",
                hint=f"give it that key: in CONFIGHUB_KEY, or as {hub.secrets.path}",
            )
        _sign(tx, hub, *_end(tx))


def sequence(hub: Hub) -> int:
    """Append the oldest rows that are not in the chain yet to it, at most ``PORTION``, and sign its end.

    Returns how many rows there were.
    """
    with hub.read() as tx:
        newest = tx.execute(select(func.max(audit_log.c.cursor_id))).scalar() or 0
        if newest <= _last_chained(tx):
            return 0
    # A writer takes ids in the order of its commits, unless there are several.
    slack = 0 if hub.database.is_sqlite else SLACK
    with hub.write() as tx:
        one_at_a_time(tx, CHAINING)
        links = links_of(tx, limit=PORTION, slack=slack)
        if links:
            tx.execute(insert(audit_chain), links)
            _sign(tx, hub, links[-1]["position"], links[-1]["hash"])
        return len(links)


def links_of(tx: Connection, *, limit: int, slack: int = 0) -> list[dict[str, Any]]:
    """Return the links for the oldest rows that have none, as rows of the chain; ``slack`` is how far back to look."""
    position, previous = _end(tx)
    links: list[dict[str, Any]] = []
    for row in tx.execute(_new_rows(_last_chained(tx) - slack).limit(limit)).all():
        position += 1
        link = _link_hash(previous, row)
        links.append({"position": position, "audit_cursor_id": row.cursor_id, "previous": previous, "hash": link})
        previous = link
    return links


def verify(hub: Hub) -> Verified:
    """Go through the whole chain; rows that are not chained yet are counted, not judged."""
    with hub.read() as tx:
        signed = {row.position: row for row in tx.execute(select(audit_checkpoints))}
        found = Verified(is_intact=True, rows=0, unchained=_unchained(tx), head="", key=hub.secrets.public_key.hex())
        joined = select(audit_chain, audit_log).outerjoin(
            audit_log, audit_log.c.cursor_id == audit_chain.c.audit_cursor_id
        )
        previous, at = GENESIS, 0
        for row in tx.execute(joined.order_by(audit_chain.c.position)):
            found.head, at = previous.hex(), row.audit_cursor_id
            reason = ""
            if row.position != found.rows + 1 or row.previous != previous:
                reason = "a link is missing before it"
            elif row.cursor_id is None:
                reason = "the row is gone"
            elif _link_hash(previous, row) != row.hash:
                reason = "the row was changed"
            elif row.position in signed and signed[row.position].hash != row.hash:
                reason = "the chain was another when it was signed"
            if reason:
                return _broken(found, at, reason)
            previous, found.rows = row.hash, found.rows + 1
    found.head = previous.hex()
    end = signed.get(found.rows)
    if end is None and found.rows:
        return _broken(found, at, "the end of the chain is not signed")
    if end is not None and not hub.secrets.has_signed(_statement(end.position, end.hash, end.at), end.signature):
        return _broken(found, at, "the end of the chain was signed by somebody else")
    if signed and max(signed) > found.rows:
        return _broken(found, at, "rows that were signed are cut off behind it")
    found.signed = found.rows
    return found


def _broken(found: Verified, at: int, reason: str) -> Verified:
    found.is_intact, found.broken_at, found.reason = False, at, reason
    return found


def _sign(tx: Connection, hub: Hub, position: int, end: bytes) -> None:
    """Sign the chain as it stands at the position, unless that was done."""
    at = hub.now()
    insert_if_absent(
        tx,
        audit_checkpoints,
        position=position,
        at=at,
        hash=end,
        key=hub.secrets.public_key,
        signature=hub.secrets.sign(_statement(position, end, at)),
    )


def _statement(position: int, end: bytes, at: datetime) -> bytes:
    """Return what is signed."""
    return msgspec.json.encode(["confighub audit", position, end, int(at.timestamp() * 1_000_000)])


def _row(row: Any) -> AuditRow:
    values = {name: row._mapping[name] for name in AuditRow.__struct_fields__ if name in row._mapping}
    return AuditRow(audit_id=row.cursor_id, **values)


def _new_rows(after: int) -> Any:
    chained = select(audit_chain.c.audit_cursor_id).where(audit_chain.c.audit_cursor_id == audit_log.c.cursor_id)
    near = audit_log.c.cursor_id > after
    return select(audit_log).where(near, ~chained.exists()).order_by(audit_log.c.cursor_id)


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
