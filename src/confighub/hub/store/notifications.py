"""Wake-ups between the processes of a hub that share one PostgreSQL.

A commit that brings work sends ``NOTIFY`` with an id; every process listens on a connection of its own.
While a connection is lost notifications are lost too, so everybody is woken when it is back.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from sqlalchemy import URL, Connection, create_engine, func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

CHANNEL = "confighub_wake"

CHECK_S = 1.0
"""How long a listener waits before it looks whether it shall end, and before it connects again."""

log = logging.getLogger(__name__)


def notify(tx: Connection, keys: Iterable[str]) -> None:
    """Send the keys to every process when this transaction commits, and only then."""
    for key in sorted(keys):
        tx.execute(select(func.pg_notify(CHANNEL, key)))


class Listener:
    """Calls ``heard`` with each key that any process sent, and with None when some may have been missed."""

    def __init__(self, url: URL, heard: Callable[[str | None], None]) -> None:
        self._engine = create_engine(url, poolclass=NullPool)
        self._heard = heard
        self._ended = threading.Event()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run, name="confighub-listener", daemon=True)

    def start(self) -> None:
        """Begin to listen; what is sent after this returns is heard."""
        self._thread.start()
        self._listening.wait(timeout=10 * CHECK_S)

    def close(self) -> None:
        """End listening."""
        self._ended.set()
        with suppress(DBAPIError), self._engine.begin() as tx:
            notify(tx, [""])  # so that nobody has to wait for the listener's next look
        self._thread.join()
        self._engine.dispose()

    def _run(self) -> None:
        import psycopg

        while not self._ended.is_set():
            try:
                self._listen()
            except (psycopg.Error, DBAPIError) as error:
                log.warning("the connection for wake-ups is lost: %s", error)
                self._ended.wait(CHECK_S)

    def _listen(self) -> None:
        pooled = self._engine.raw_connection()
        try:
            connection: Any = pooled.driver_connection
            connection.autocommit = True
            connection.execute(f"LISTEN {CHANNEL}")
            self._listening.set()
            self._heard(None)
            while not self._ended.is_set():
                for notification in connection.notifies(timeout=CHECK_S):
                    if self._ended.is_set():
                        return
                    self._heard(notification.payload)
        finally:
            pooled.invalidate()
