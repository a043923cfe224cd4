"""The database as a service sees it: opened in the background, and a reason when it is not."""

from __future__ import annotations

import asyncio
import logging

from traderx.services.errors import Misconfigured, Unavailable
from traderx.services.ledger.database import Answer, Database, Work, open_database
from traderx.services.ledger.schema import prepare

log = logging.getLogger(__name__)

NO_DATABASE = "DATABASE_URL is not set: it comes from the secret traderx-db-credentials"
FIRST_RETRY_S = 0.2
LONGEST_RETRY_S = 5.0


class Ledger:
    """The trades, positions and accounts of one environment.

    A service starts and answers its probes without it, and becomes ready when it is there.
    """

    def __init__(self, url: str) -> None:
        self._database: Database | None = None
        self._problem = "the database is being opened"
        self._url = url
        self._open = asyncio.Event()

    async def keep_opening(self) -> None:
        """Open the database and make its tables, trying until that works."""
        pause_s = FIRST_RETRY_S
        while True:
            try:
                await self._try_to_open()
                return
            except Unavailable as error:
                self._problem = error.message
                log.warning("database not usable yet", extra={"reason": error.message})
            except Misconfigured as error:
                # The environment of a process does not change: it waits to be replaced.
                self._problem = error.message
                log.error("database not usable", extra={"reason": error.message})
                return
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_RETRY_S)

    async def opened(self) -> None:
        """Return once the database is open."""
        await self._open.wait()

    async def check(self) -> None:
        """Return when the database answers.

        Raises: Unavailable with the reason when it does not.
        """
        await self.read(lambda session: session.row("SELECT 1 AS one"))

    async def read(self, work: Work[Answer]) -> Answer:
        """Return what the work finds. Raises: Unavailable."""
        return await self._usable().read(work)

    async def write(self, work: Work[Answer]) -> Answer:
        """Return what the work made, once durable. Raises: Unavailable; nothing is kept then."""
        return await self._usable().write(work)

    async def close(self) -> None:
        """Let running transactions finish."""
        if self._database is not None:
            await self._database.close()

    async def _try_to_open(self) -> None:
        if not self._url:
            raise Misconfigured(NO_DATABASE)
        database = open_database(self._url)
        try:
            await prepare(database)
        except BaseException:
            await database.close()
            raise
        self._database = database
        self._open.set()

    def _usable(self) -> Database:
        if self._database is None:
            raise Unavailable(self._problem)
        return self._database
