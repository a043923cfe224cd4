"""Rows to records and back: columns are named like attributes, so there is no mapping."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import Column, Connection, Row, Table, delete, insert

from confighub.hub.kinds import Kind
from confighub.hub.store.entities import labels
from confighub.hub.store.many import insert_all_if_absent
from confighub.records.base import NIL_ID


def columns(kind: Kind, attributes: Collection[str] | None = None) -> list[Column[Any]]:
    """Return the columns that fill the record, or those of some attributes."""
    wanted = kind.stored if attributes is None else attributes
    return [kind.table.c[name] for name in kind.stored if name in wanted]


def record(kind: Kind, row: Row[Any]) -> Any:
    """Return the record that a row of all the kind's columns shows."""
    return _record(kind, kind.stored, row)


def records(kind: Kind, rows: Iterable[Row[Any]], attributes: Collection[str] | None = None) -> list[Any]:
    """Return the records of rows of the columns of those attributes; what was not read leaves defaults."""
    names = kind.stored if attributes is None else tuple(name for name in kind.stored if name in attributes)
    return [_record(kind, names, row) for row in rows]


def _record(kind: Kind, names: tuple[str, ...], row: Row[Any]) -> Any:
    found = kind.record(**dict(zip(names, row, strict=True)))
    if kind.has_type:
        found.entity_type = kind.name
    if kind.is_immutable:
        found.updated_at = found.created_at
    return found


def own_id(value: str | None) -> str | None:
    """Return the id, or None for the nil id and the empty text that clients send for "not set"."""
    return None if not value or value == NIL_ID else value.lower()


def insert_row(tx: Connection, table: Table, values: dict[str, Any]) -> int:
    """Insert one row; return its ``cursor_id``."""
    key = tx.execute(insert(table).values(**values)).inserted_primary_key
    assert key is not None
    return int(key[0])


def insert_if_absent(tx: Connection, table: Table, **values: Any) -> None:
    """Insert the row unless one with its key is there already."""
    insert_all_if_absent(tx, table, [values])


def index_labels(tx: Connection, kind: Kind, entity_id: str, found: dict[str, str]) -> None:
    """Make the side table say what the entity's labels are; none for one that is deleted."""
    tx.execute(delete(labels).where(labels.c.entity_id == entity_id))
    if found:
        tx.execute(
            insert(labels),
            [{"entity_id": entity_id, "entity": kind.name, "key": k, "value": v} for k, v in found.items()],
        )
