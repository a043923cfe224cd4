"""Many rows written by few statements: the values of rows that set the same columns go to the database together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Column, Connection, Table, bindparam, insert, select, update

T = TypeVar("T")

Row = Mapping[str, Any]
"""Values by column name."""

PORTION = 500
"""Ids in one question: well below the number of parameters that a statement of either database may have."""

_KEY = "key_of_row"


def portions(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield the items in order, so many at a time as one question may name."""
    for start in range(0, len(items), PORTION):
        yield items[start : start + PORTION]


def lock_all(tx: Connection, key: Column[Any], ordered: Sequence[Any]) -> None:
    """Keep others from the rows with those values of ``key``, ascending, until the transaction ends.

    Taken in one order, so that two processes on a PostgreSQL do not wait for each other in a circle.
    """
    # SQLite has one writer anyway.
    if tx.dialect.name == "sqlite":
        return
    for some in portions(ordered):
        tx.execute(select(key).where(key.in_(some)).order_by(key).with_for_update()).all()


def insert_all(tx: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert the rows, which all set the same columns."""
    if rows:
        tx.execute(insert(table), rows)


def insert_all_if_absent(tx: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert those of the rows, which all set the same columns, that break no unique rule of the table."""
    if rows:
        tx.execute(_insert(tx, table).on_conflict_do_nothing(), rows)


def update_all(tx: Connection, key: Column[Any], rows: Iterable[tuple[str, Row]], **also: Any) -> None:
    """Set the values of many rows, each named by its value of ``key``; ``also`` are expressions set in all of them."""
    for names, together in _by_columns(rows):
        values = {name: bindparam(f"to_{name}", type_=key.table.c[name].type) for name in names}
        statement = update(key.table).where(key == bindparam(_KEY, type_=key.type)).values(**values, **also)
        tx.execute(statement, [{_KEY: one, **{f"to_{name}": row[name] for name in names}} for one, row in together])


def upsert_all(tx: Connection, key: Column[Any], rows: Iterable[tuple[str, Row]]) -> None:
    """Set the values of the rows with those values of ``key``, which is unique; those that are missing are made."""
    for names, together in _by_columns(rows):
        statement = _insert(tx, key.table)
        statement = statement.on_conflict_do_update(
            index_elements=[key], set_={name: statement.excluded[name] for name in names}
        )
        tx.execute(statement, [{key.name: one, **row} for one, row in together])


def _by_columns(rows: Iterable[tuple[str, Row]]) -> Iterator[tuple[tuple[str, ...], list[tuple[str, Row]]]]:
    """Group the rows by the columns that they set; those that set none are left out."""
    groups: dict[tuple[str, ...], list[tuple[str, Row]]] = {}
    for key, row in rows:
        if row:
            groups.setdefault(tuple(sorted(row)), []).append((key, row))
    yield from groups.items()


def _insert(tx: Connection, table: Any) -> Any:
    # One dialect is in use and the other is heavy, so neither is imported at the top.
    if tx.dialect.name == "sqlite":
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)
