"""One transaction on SQLite or PostgreSQL, chosen by an SQLAlchemy URL.

The statements are few and plain, so they are written as SQL that both understand, with
``:name`` for values; SQLAlchemy itself would triple the time until a service is ready (0.5 s of
imports). Work runs in a few threads, one connection each.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol, TypeVar
from urllib.parse import unquote, urlsplit, urlunsplit

from traderx.services.errors import Misconfigured

Value = str | int | None
Row = Mapping[str, Value]
Answer = TypeVar("Answer")

# A service answers few requests at once; more connections only wait for the one writer.
THREADS = 4


class Cursor(Protocol):
    """What we use of a DB-API cursor."""

    @property
    def rowcount(self) -> int:
        """How many rows the statement changed."""

    def fetchall(self) -> Sequence[Row]:
        """Return the rows that are left."""


class Connection(Protocol):
    """What we use of any connection."""

    def close(self) -> None:
        """End it."""


class Session(ABC):
    """One transaction. Values are given by name and never become part of the SQL."""

    _stepping_over_taken_rows = ""

    @abstractmethod
    def _execute(self, sql: str, values: Mapping[str, Value]) -> Cursor: ...

    def rows(self, sql: str, **values: Value) -> list[Row]:
        """Return all rows of a query, in its order."""
        return list(self._execute(sql, values).fetchall())

    def rows_to_change(self, sql: str, **values: Value) -> list[Row]:
        """Return the rows of a query that no other transaction has in hand, and take them in hand."""
        return self.rows(sql + self._stepping_over_taken_rows, **values)

    def row(self, sql: str, **values: Value) -> Row | None:
        """Return the first row of a query, None when there is none."""
        return next(iter(self.rows(sql, **values)), None)

    def run(self, sql: str, **values: Value) -> int:
        """Return how many rows a statement changed."""
        return self._execute(sql, values).rowcount


Work = Callable[[Session], Answer]


class Database(ABC):
    """Runs work in transactions: all of it is kept, durably, or nothing."""

    identity_key: str
    """How a rising key column is declared."""

    takes_turns: tuple[str, ...] = ()
    """Statements that make one process wait for another while tables are made."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="database")
        self._own = threading.local()
        self._opened: list[Connection] = []

    async def read(self, work: Work[Answer]) -> Answer:
        """Return what the work finds, all of it as of one moment.

        Raises: Unavailable when the database cannot be reached.
        """
        return await self._in_thread(work, writes=False)

    async def write(self, work: Work[Answer]) -> Answer:
        """Return what the work made, once it is durable.

        Raises: Unavailable when the database cannot be reached; nothing is kept then, or when the work raises.
        """
        return await self._in_thread(work, writes=True)

    async def close(self) -> None:
        """Finish what runs and close every connection."""
        await asyncio.to_thread(self._threads.shutdown)
        for connection in self._opened:
            connection.close()

    async def _in_thread(self, work: Work[Answer], *, writes: bool) -> Answer:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, functools.partial(self._transact, work, writes=writes))

    @abstractmethod
    def _transact(self, work: Work[Answer], *, writes: bool) -> Answer: ...


def open_database(url: str) -> Database:
    """Return the database of an SQLAlchemy URL; nothing is connected yet.

    Raises: Misconfigured for a URL of another kind; the URL is not echoed, it may hold a password.
    """
    parts = urlsplit(url)
    dialect = parts.scheme.partition("+")[0]
    if dialect == "sqlite":
        path = unquote(parts.path).removeprefix("/")
        if parts.netloc or not path:
            raise Misconfigured("DATABASE_URL names no file, write sqlite:////absolute/path")
        from traderx.services.ledger.sqlite import SqliteDatabase

        return SqliteDatabase(Path(path))
    if dialect in {"postgresql", "postgres"}:
        # Only who uses PostgreSQL needs its driver, or waits for its import.
        from traderx.services.ledger.postgresql import PostgresqlDatabase

        return PostgresqlDatabase(urlunsplit(parts._replace(scheme="postgresql")))
    raise Misconfigured("DATABASE_URL must start with sqlite:/// or postgresql+psycopg://")
