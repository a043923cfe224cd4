"""Column types that mean the same on SQLite and PostgreSQL, and the columns that nouns share.

Every table of the hub hangs on ``metadata``. A column is named like the attribute of the
record that it fills, so rows and records need no dictionary between them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Column, DateTime, Dialect, Index, Integer, LargeBinary, MetaData, Table, Text
from sqlalchemy.types import TypeDecorator

metadata = MetaData()

String = Text().with_variant(Text(collation="C"), "postgresql")
"""Text that compares by code point, which SQLite does anyway."""

Id = String
"""A UUID as lower-case text."""

Cursor = BigInteger().with_variant(Integer, "sqlite")
"""An increasing number, given by the database; on SQLite it is the row id."""

Sha256 = LargeBinary(32)
"""The 32 bytes of a SHA-256, which name a blob."""


class Instant(TypeDecorator[datetime]):
    """A moment in UTC; SQLite keeps it as text that sorts by time."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn any zone into UTC, and a time without zone is taken as UTC."""
        if value is None:
            return None
        moment = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Give every time its zone back."""
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class Wire(TypeDecorator[Any]):
    """A value kept as the JSON text that the wire shows; ``shape`` is its type."""

    impl = Text
    cache_ok = True

    def __init__(self, shape: Any) -> None:
        super().__init__()
        self.shape = shape
        self._decoder = msgspec.json.Decoder(shape)

    def __repr__(self) -> str:
        """Migrations see plain text: the shape is no matter of the database."""
        return "Text()"

    @property
    def _static_cache_key(self) -> Any:
        return (Wire, str(self.shape))

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Return the JSON text; None stays NULL."""
        return None if value is None else msgspec.json.encode(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ARG002
        """Return the value in its shape."""
        return None if value is None else self._decoder.decode(value)


def cursor() -> Column[int]:
    """Return the primary key that lists page by."""
    return Column("cursor_id", Cursor, primary_key=True, autoincrement=True)


def entity(name: str, id_name: str, *own: Column[Any], in_space: bool = True) -> Table:
    """Return the table of a noun that users name, label and delete.

    A deleted row stays as a tombstone (``deleted_at``); a slug is unique among the living
    of one space, or of one organization when ``in_space`` is false.
    """
    parent = "space_id" if in_space else "organization_id"
    table = Table(
        name,
        metadata,
        cursor(),
        Column(id_name, Id, nullable=False, unique=True),
        Column("organization_id", Id, nullable=False),
        *([Column("space_id", Id, nullable=False)] if in_space else []),
        Column("slug", String, nullable=False),
        Column("display_name", String, nullable=False, default=""),
        Column("labels", Wire(dict[str, str]), nullable=False, default={}),
        Column("annotations", Wire(dict[str, str]), nullable=False, default={}),
        Column("version", Integer, nullable=False, default=1),
        Column("created_at", Instant, nullable=False),
        Column("updated_at", Instant, nullable=False),
        Column("deleted_at", Instant),
        *own,
    )
    living = table.c.deleted_at.is_(None)
    # The migration says the same to PostgreSQL; naming its option here would load that dialect in every process.
    Index(f"{name}_slug_living", table.c[parent], table.c.slug, unique=True, sqlite_where=living)
    Index(f"{name}_slug", table.c.slug)
    Index(f"{name}_parent_cursor", table.c[parent], table.c.cursor_id)
    return table
