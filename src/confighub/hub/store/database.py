"""Connections to the one database of a hub, and the two kinds of transaction.

On SQLite one connection writes (``BEGIN IMMEDIATE``, durable before it returns) and others
read from snapshots beside it. On PostgreSQL both come from one pool.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from confighub.errors import BadRequest
from confighub.hub.store.journal import Journals
from confighub.query import sql

READERS = 8
"""Read connections kept open; each costs its page cache."""

PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # an answer is sent after the commit is durable
    "PRAGMA foreign_keys = ON",
    "PRAGMA busy_timeout = 10000",  # `confighub user add` may write beside the server
    "PRAGMA cache_size = -4000",
    "PRAGMA temp_store = MEMORY",
)


def _understood(text: str) -> URL:
    hint = "write postgresql://USER:PASSWORD@HOST:PORT/NAME, or name a folder with --data"
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        # neither says more, and the text may hold a password
        raise BadRequest("the database's URL cannot be read", hint=hint) from None
    kind = url.get_backend_name()
    if kind not in ("sqlite", "postgresql", "postgres"):
        raise BadRequest(f"a hub keeps its store in SQLite or PostgreSQL, not in {kind}", hint=hint)
    return url if kind == "sqlite" else url.set(drivername="postgresql+psycopg")


class Database:
    """The store behind a hub; ``url`` is an SQLAlchemy URL for SQLite or PostgreSQL. Raises: BadRequest for another."""

    def __init__(self, url: str) -> None:
        self.url = _understood(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._write_lock = threading.Lock()
        if self.is_sqlite:
            self.writer = self._sqlite("BEGIN IMMEDIATE", pool_size=1, max_overflow=0)
            self.reader = self._sqlite("BEGIN", pool_size=READERS, max_overflow=READERS)
            self._journals = Journals(Path(self.url.database or ""))
        else:
            self.writer = self.reader = create_engine(self.url, pool_size=READERS, max_overflow=READERS)

    def _sqlite(self, begin: str, **pool: int) -> Engine:
        # QueuePool because each connection serves many threads in turn, which SQLite's own check forbids by default.
        from sqlalchemy.pool import QueuePool

        engine = create_engine(self.url, poolclass=QueuePool, connect_args={"check_same_thread": False}, **pool)
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
        return engine

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees one state of the store and writes nothing."""
        with self.reader.connect() as connection, connection.begin() as transaction:
            yield connection.execution_options(**{_MEMORY: {}})
            transaction.rollback()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give the one transaction that writes; it is durable when the block ends, or undone by an error.

        Where a journal is kept, it is in there too. Raises: RetryLater when the journal cannot be written.
        """
        if not self.is_sqlite:
            with self.writer.begin() as connection:
                yield connection
            return
        with self._write_lock, self._journals.turn(), self.writer.begin() as connection:
            yield connection

    def close(self) -> None:
        """Close all connections."""
        if self.is_sqlite:
            # the last one to close it takes SQLite's log away
            self._journals.catch_up()
        self.writer.dispose()
        self.reader.dispose()


T = TypeVar("T")

_MEMORY = "confighub_memory"


def remembered(tx: Connection, key: Hashable, look: Callable[[], T]) -> T:
    """Return what ``look`` finds, looked up once where nothing changes: in a reading transaction, and inside
    ``looked_up_once``; else each time.
    """
    memory: dict[Hashable, T] | None = tx.get_execution_options().get(_MEMORY)
    if memory is None:
        return look()
    if key not in memory:
        memory[key] = look()
    return memory[key]


@contextmanager
def looked_up_once(tx: Connection) -> Iterator[None]:
    """Let what stands around units be looked up once in this block, which changes no text, trigger or live state."""
    if tx.get_execution_options().get(_MEMORY) is not None:
        yield
        return
    tx.execution_options(**{_MEMORY: {}})
    try:
        yield
    finally:
        tx.execution_options(**{_MEMORY: None})


FOUNDING, CHAINING = 0x636F6E67, 0x636F6E68
"""What only one process on a PostgreSQL does at a time; any numbers that no migration has."""


def one_at_a_time(tx: Connection, what: int) -> None:
    """Wait until no other process does this, and keep others waiting until the transaction ends."""
    # SQLite has one writer anyway.
    if tx.dialect.name == "postgresql":
        tx.execute(select(func.pg_advisory_xact_lock(what)))


def _prepare(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin where we say so
    for pragma in PRAGMAS:
        connection.execute(pragma)
    sql.register(connection)
