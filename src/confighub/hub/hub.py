"""The hub: an open store, a clock, and those who wait for its work. Use cases take it first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from confighub.hub.callers import PEOPLE, Callers
from confighub.hub.ids import new_id
from confighub.hub.store.database import Database
from confighub.hub.store.migrate import bring_up_to_date
from confighub.hub.store.secrets import SecretBox
from confighub.hub.wakeups import WakeUps
from confighub.settings import HubSettings

if TYPE_CHECKING:
    from confighub.hub.store.notifications import Listener

_WAKE = "confighub.wake"

_REHEARSING: ContextVar[bool] = ContextVar("rehearsing", default=False)
"""Whether what this thread does now is undone at the end."""


def utc_now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


class Hub:
    """One open hub. ``now`` is its clock, ``new_id`` its source of ids; tests may pass their own clock."""

    def __init__(self, settings: HubSettings, *, clock: Callable[[], datetime] = utc_now) -> None:
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.settings = settings
        self.now = clock
        self.new_id = new_id
        self.wakeups = WakeUps()
        self.database = Database(settings.database)
        try:
            bring_up_to_date(self.database)
        except BaseException:
            self.database.close()
            raise
        self.callers = Callers(settings.data_dir / "people.changed" if self.database.is_sqlite else None)
        self.wakeups.subscribe(PEOPLE, self.callers.forget)
        self._listener: Listener | None = None
        if not self.database.is_sqlite:
            from confighub.hub.store.notifications import Listener

            self._listener = Listener(self.database.url, self._heard)
            self._listener.start()

    @cached_property
    def secrets(self) -> SecretBox:
        """What seals and signs; its key is made at the first use, which adding a user is not."""
        return SecretBox(self.settings.data_dir / "hub.key", self.settings.key)

    def read(self) -> AbstractContextManager[Connection]:
        """Give a connection that sees one state of the store."""
        return self.database.read()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give the transaction that writes: durable when the block ends, undone by an error.

        Wake-ups asked for inside (``wake``) are sent after the commit. In a rehearsal everything is undone
        and nobody is woken.
        """
        keys: set[str] = set()
        with self.database.write() as connection:
            connection.info[_WAKE] = keys
            yield connection
            if _REHEARSING.get():
                connection.rollback()
                return
            if self._listener is not None and keys:
                from confighub.hub.store.notifications import notify

                notify(connection, keys)
        if PEOPLE in keys:
            self.callers.tell()
        self.wakeups.wake(keys)

    @contextmanager
    def rehearsal(self) -> Iterator[None]:
        """Let the use case in this block do everything but keep it: its checks and answer are the real ones.

        It holds for the calling thread, and for use cases of one writing transaction.
        """
        token = _REHEARSING.set(True)
        try:
            yield
        finally:
            _REHEARSING.reset(token)

    def wake(self, tx: Connection, key: str) -> None:
        """Wake those who wait for ``key``, such as a worker's id, once this transaction is durable."""
        tx.info[_WAKE].add(key)

    def close(self) -> None:
        """Close the store."""
        if self._listener is not None:
            self._listener.close()
        self.database.close()

    def _heard(self, key: str | None) -> None:
        if key is None:
            self.wakeups.wake_all()
        else:
            self.wakeups.wake([key])
