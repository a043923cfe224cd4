"""Everything that a hub knows in one file, and back into an empty hub.

The file is gzipped JSON lines: a header with the schema and the hub's key, a line for each row, table by table, and
an end with the number of rows, without which the file is not whole. It is written from one snapshot while the hub
serves, and read into SQLite or PostgreSQL whichever it came from. It holds what the hub holds, the key that opens
the workers' secrets too, so nobody but its owner may read it.
"""

from __future__ import annotations

import gzip
import os
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Column, Connection, MetaData, Table, Text, func, insert, select, text

from confighub.errors import BadRequest, Conflict
from confighub.hub.store import entities, history, people, work_queue
from confighub.hub.store.columns import Wire, metadata
from confighub.hub.store.database import Database
from confighub.hub.store.migrate import SCHEMA, bring_up_to_date, upgrade

KEY_FILE = "hub.key"
_FORMAT = "confighub-backup"
_TABLES = (entities, history, people, work_queue)
"""The modules that hang their tables on ``metadata``."""
_PORTION = 500
"""Rows that are inserted together."""

Counts = dict[str, int]


def key_in_use(folder: Path, key: str) -> str:
    """Return the key that a hub of the folder uses: the one given, else that of the folder; empty when none is made."""
    path = folder / KEY_FILE
    return key.strip() or (path.read_text(encoding="ascii") if path.exists() else "")


def write_backup(database: Database, key: str, file: Path) -> Counts:
    """Write everything and the key to the file, in the place of an older one; return how many rows each table has.

    The file is complete and durable when this returns, and never half of one under its name.
    """
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as raw:
            with gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=6, mtime=0) as out:
                counts = _write(database, key, out)
            raw.flush()
            os.fsync(raw.fileno())
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
    return counts


def restore_backup(database: Database, folder: Path, file: Path) -> Counts:
    """Fill an empty store from the file, all of it or nothing, and return how many rows each table got.

    Raises: BadRequest when the file is no backup or not whole; Conflict when the store holds anything, or the folder
    another key.
    """
    header = _check(file)
    check_key(folder, str(header["key"]))
    bring_up_to_date(database)
    with database.write() as tx:
        filled = [table.name for table in _tables() if tx.execute(select(func.count()).select_from(table)).scalar()]
        if filled:
            raise Conflict(
                f"the store at {database.url.render_as_string()} holds something already: {', '.join(filled[:3])}",
                hint="restore into an empty one: another --data or --database",
            )
        if header["schema"] != SCHEMA:
            # an older backup is read as it is, then brought forward like an older store
            for table in reversed(_tables()):
                table.drop(tx)
            tx.execute(text("DROP TABLE alembic_version"))
            upgrade(tx, "", to=str(header["schema"]))
        counts = _fill(tx, file)
        if header["schema"] != SCHEMA:
            upgrade(tx, str(header["schema"]))
        keep_key(folder, str(header["key"]))
    return counts


def check_key(folder: Path, key: str) -> None:
    """Refuse to restore beside the key of another hub, without which what that hub sealed stays closed for ever."""
    path = folder / KEY_FILE
    if key and path.exists() and path.read_bytes().strip() != key.strip().encode():
        raise Conflict(
            f"{path} holds another key than the backup",
            hint="restore into another folder, or move the key away if no store needs it",
        )


def keep_key(folder: Path, key: str) -> None:
    """Write the hub's key into its folder, unless it has one."""
    path = folder / KEY_FILE
    if not key or path.exists():
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as out:
        out.write(key)
        out.flush()
        os.fsync(out.fileno())


def _write(database: Database, key: str, out: gzip.GzipFile) -> Counts:
    encode = msgspec.json.encode
    counts: Counts = Counter()
    header = {
        "format": _FORMAT,
        "schema": SCHEMA,
        "at": datetime.now(UTC).isoformat(),
        "key": key,
    }
    out.write(encode(header) + b"\n")
    with database.reader.connect() as connection:
        if not database.is_sqlite:
            connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            for table in _tables():
                counts[table.name] += _write_table(connection, table, out, encode)
    out.write(encode({"rows": sum(counts.values())}) + b"\n")
    return counts


def _write_table(connection: Connection, table: Table, out: gzip.GzipFile, encode: Callable[[Any], bytes]) -> int:
    name, written = str(table.name), 0
    with connection.execution_options(yield_per=_PORTION).execute(select(table)) as rows:
        for row in rows:
            values = {str(key): value for key, value in row._mapping.items() if value is not None}
            out.write(encode([name, _plain(values)]) + b"\n")
            written += 1
    return written


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {"b64": b64encode(value).decode()} if isinstance(value, bytes) else value
        for name, value in values.items()
    }


def _check(file: Path) -> dict[str, Any]:
    """Return the header of a file that is whole."""
    try:
        with gzip.open(file, "rb") as lines:
            header = msgspec.json.decode(lines.readline())
            if not isinstance(header, dict) or header.get("format") != _FORMAT:
                raise BadRequest(f"{file} is no backup of a hub")
            rows, last = -1, b""
            for line in lines:
                rows, last = rows + 1, line
            end = msgspec.json.decode(last) if last else None
    except (OSError, EOFError, msgspec.MsgspecError) as error:
        raise BadRequest(f"{file} cannot be read as a backup: {error}") from error
    if not isinstance(end, dict) or end.get("rows") != rows:
        raise BadRequest(f"{file} is not whole: it ends after {max(rows, 0)} rows")
    if str(header["schema"]) > SCHEMA:
        raise BadRequest(
            f"{file} was made by a newer hub, with schema {header['schema']}", hint="restore it with that version"
        )
    return header


def _fill(tx: Connection, file: Path) -> Counts:
    tables = {table.name: table for table in _tables()}
    counts: Counts = Counter()
    for name, rows in _portions(file):
        tx.execute(insert(tables[name]), rows)
        counts[name] += len(rows)
    if tx.dialect.name == "postgresql":
        for table in tables.values():
            if "cursor_id" in table.c:
                # rows came with their numbers, so the next one has to be told
                newest = select(func.coalesce(func.max(table.c.cursor_id), 0) + 1).scalar_subquery()
                sequence = func.pg_get_serial_sequence(table.name, "cursor_id")
                tx.execute(select(func.setval(sequence, newest, False)))
    return counts


def _portions(file: Path) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield rows of one table with the same columns, a portion at a time."""
    table, kept = "", list[dict[str, Any]]()
    with gzip.open(file, "rb") as lines:
        lines.readline()
        for line in lines:
            row = msgspec.json.decode(line)
            if isinstance(row, dict):
                break
            name, values = row[0], _restored(row[0], row[1])
            if kept and (name != table or len(kept) == _PORTION or values.keys() != kept[0].keys()):
                yield table, kept
                kept = []
            table = name
            kept.append(values)
    if kept:
        yield table, kept


def _restored(name: str, values: dict[str, Any]) -> dict[str, Any]:
    columns = metadata.tables[name].c
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict) and value.keys() == {"b64"}:
            found[key] = b64decode(value["b64"])
        elif key in columns and type(columns[key].type).__name__ == "Instant":
            found[key] = datetime.fromisoformat(value)
        else:
            found[key] = value
    return found


def _tables() -> list[Table]:
    """Return every table, those that others refer to first; JSON columns are plain text here, byte for byte."""
    plain = MetaData()
    return [
        Table(
            table.name,
            plain,
            *(Column(one.name, Text() if isinstance(one.type, Wire) else one.type) for one in table.c),
        )
        for table in metadata.sorted_tables
    ]
