"""SQLite: one file that several processes share, one writer at a time, durable commits."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Mapping
from pathlib import Path

from traderx.services.errors import Unavailable
from traderx.services.ledger.database import Answer, Cursor, Database, Row, Session, Value, Work

BUSY_TIMEOUT_S = 10


class SqliteSession(Session):
    """A transaction on a connection that is in one."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def _execute(self, sql: str, values: Mapping[str, Value]) -> Cursor:
        return self._connection.execute(sql, dict(values))


class SqliteDatabase(Database):
    """The database file at ``path``, made with its folder when missing."""

    identity_key = "INTEGER PRIMARY KEY AUTOINCREMENT"

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        # Within the process waiting here is fair and cheap; between processes SQLite polls.
        self._writing = threading.Lock()

    def _transact(self, work: Work[Answer], *, writes: bool) -> Answer:
        try:
            if not writes:
                return self._run(work, begin="BEGIN")
            with self._writing:
                # Taking the write lock at the start: a reader that turns writer can fail at once.
                return self._run(work, begin="BEGIN IMMEDIATE")
        except (sqlite3.OperationalError, OSError) as error:
            raise Unavailable(f"the database cannot be used: {error}") from error

    def _run(self, work: Work[Answer], *, begin: str) -> Answer:
        connection = self._connection()
        connection.execute(begin)
        try:
            answer = work(SqliteSession(connection))
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return answer

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = self._connect()
            self._opened.append(connection)
        return connection

    def _connect(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        connection.row_factory = _as_mapping
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        return connection


def _as_mapping(cursor: sqlite3.Cursor, values: tuple[Value, ...]) -> Row:
    return {column[0]: value for column, value in zip(cursor.description, values, strict=True)}
