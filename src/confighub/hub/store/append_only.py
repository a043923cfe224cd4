"""Rules inside the database that keep history from being changed, also by hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def statements(dialect: str, tables: Iterable[str]) -> Iterator[str]:
    """Yield the SQL that makes UPDATE and DELETE fail on the tables."""
    if dialect == "postgresql":
        yield (
            "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION '% is only appended to', TG_TABLE_NAME; END $$"
        )
    for table in tables:
        yield from _postgresql(table) if dialect == "postgresql" else _sqlite(table)


def _postgresql(table: str) -> list[str]:
    return [
        f"CREATE TRIGGER {table}_only_appended BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    ]


def _sqlite(table: str) -> list[str]:
    return [
        f"CREATE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is only appended to'); END"
        for verb in ("update", "delete")
    ]
