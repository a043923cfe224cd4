"""SQLite: one file that several processes share, one writer at a time, durable commits."""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from traderx.services.errors import Unavailable
from traderx.services.ledger.database import Answer, Cursor, Database, Row, Session, Value, Work

BUSY_TIMEOUT_S = 10
# About as long as one commit takes, and different for each who waits.
LOOK_AGAIN_S = (0.0005, 0.003)


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
            connection = self._connection()
            if not writes:
                connection.execute("BEGIN")
                return self._finish(connection, work)
            with self._writing:
                _begin_writing(connection)
                return self._finish(connection, work)
        except (sqlite3.OperationalError, OSError) as error:
            raise Unavailable(f"the database cannot be used: {error}") from error

    def _finish(self, connection: sqlite3.Connection, work: Work[Answer]) -> Answer:
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


def _begin_writing(connection: sqlite3.Connection) -> None:
    """Take the write lock as soon as the other processes leave it.

    Taken at the start, since a reader that turns writer can fail at once. SQLite's own waiting
    sleeps up to 100 ms between two looks, which starves whoever comes second on a busy file.
    """
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
            time.sleep(random.uniform(*LOOK_AGAIN_S))  # noqa: S311 - spreading, not secrecy
    finally:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_S * 1000}")


def _as_mapping(cursor: sqlite3.Cursor, values: tuple[Value, ...]) -> Row:
    return {column[0]: value for column, value in zip(cursor.description, values, strict=True)}
