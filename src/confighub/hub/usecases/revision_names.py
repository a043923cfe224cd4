"""Revisions by the names of what marks them: ``Tag:x``, ``ChangeSet:x``, ``Before:`` either of them, and ``Time:x``.

A tag is the newest revision of the unit that carries it, ``Before:Tag:x`` the one before the oldest. A change set
is the revision with its end tag; while it has none nothing was recorded after its start, which it then is.
``Before:ChangeSet:x`` is where the unit stood when the change set was made. ``x`` is a slug or an id.
``Time:2026-10-03T10:15:00Z`` is the revision that was live at that moment.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, Table, func, select

from confighub.errors import BadRequest
from confighub.hub.store.entities import change_set_members, change_sets, tags
from confighub.hub.store.history import applications, revision_tags
from confighub.records.units import Unit

HINT = "Tag:<slug>, ChangeSet:<slug>, Before: either of them, or Time:<moment>"


def is_name(text: str) -> bool:
    """Whether the text names what marks a revision."""
    return text.removeprefix("Before:").partition(":")[0] in ("Tag", "ChangeSet", "Time") and ":" in text


def named_revision(tx: Connection, unit: Unit, text: str) -> int:
    """Return the number of the unit's revision that the name means.

    Raises: BadRequest when there is none.
    """
    word, _, name = text.removeprefix("Before:").partition(":")
    is_before = text.startswith("Before:")
    if word == "Time" and is_before:
        raise BadRequest(f"there is nothing before a moment: {text}", hint=HINT)
    if word == "Time":
        number = _live_at(tx, unit, name)
    elif word == "Tag":
        number = _tagged(tx, unit, name, is_before)
    else:
        number = _in_change_set(tx, unit, name, is_before)
    if number is None or not 1 <= number <= unit.head_revision_num:
        raise BadRequest(f"unit {unit.slug} has no such revision: {text}", hint=HINT)
    return number


def _live_at(tx: Connection, unit: Unit, name: str) -> int | None:
    try:
        moment = _in_utc(datetime.fromisoformat(name))
    except (ValueError, OverflowError) as error:
        raise BadRequest(f"not a moment: {name}", hint="write it like 2026-10-03T10:15:00Z") from error
    c = applications.c
    query = select(c.revision_num).where(c.unit_id == unit.unit_id, c.live_at <= moment)
    return tx.execute(query.order_by(c.live_at.desc(), c.cursor_id.desc()).limit(1)).scalar()


def _in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _tagged(tx: Connection, unit: Unit, name: str, is_before: bool) -> int | None:
    c = revision_tags.c
    wanted = func.min(c.revision_num) - 1 if is_before else func.max(c.revision_num)
    query = select(wanted).join(tags, tags.c.tag_id == c.tag_id).where(c.unit_id == unit.unit_id, *_named(tags, name))
    return tx.execute(query).scalar()


def _in_change_set(tx: Connection, unit: Unit, name: str, is_before: bool) -> int | None:
    m, c = change_set_members.c, change_sets.c
    query = select(m.start_revision_num, c.end_tag_id).join(change_sets, c.change_set_id == m.change_set_id)
    row = tx.execute(query.where(m.unit_id == unit.unit_id, *_named(change_sets, name)).limit(1)).first()
    if row is None:
        return None
    end = _tagged(tx, unit, row.end_tag_id, is_before=False) if row.end_tag_id and not is_before else None
    return int(row.start_revision_num) if end is None else end


def _named(table: Table, name: str) -> tuple[ColumnElement[bool], ...]:
    c = table.c
    own = c.tag_id if table is tags else c.change_set_id
    return (c.slug == name) | (own == name), c.deleted_at.is_(None)
