"""Calls to the other services: the trace goes along, a failure says which service and why."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from traderx.services.errors import Unavailable
from traderx.services.platform.tracing import current_traceparent

if TYPE_CHECKING:
    import aiohttp

# A readiness probe waits 3 s, a person not much longer.
CALL_TIMEOUT_S = 2.5


@dataclass(frozen=True)
class Reply:
    """What another service answered; ``body`` is the decoded JSON, None when it is not JSON."""

    status: int
    body: object


class HttpClient:
    """One process's connections to the others, kept alive between calls.

    The client library takes 0.2 s to import, so it is loaded in the background (``warm_up``) and
    the service is ready before.
    """

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._opening = asyncio.Lock()

    async def warm_up(self) -> None:
        """Be ready for the first call."""
        await self.session()

    async def session(self) -> aiohttp.ClientSession:
        """Return the connections, made on first use."""
        if self._session is None:
            async with self._opening:
                if self._session is None:
                    self._session = await _open_session()
        return self._session

    async def get(self, service: str, url: str) -> Reply:
        """Return what the service answers, whatever the status.

        Raises: Unavailable, naming service, address and reason, when there is no answer in time.
        """
        import aiohttp

        session = await self.session()
        try:
            async with session.get(
                url,
                headers={"accept": "application/json", "traceparent": current_traceparent()},
                timeout=aiohttp.ClientTimeout(total=CALL_TIMEOUT_S),
            ) as response:
                return Reply(response.status, _decoded(await response.read()))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise unreachable(service, url, error) from error

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()


def unreachable(service: str, url: str, error: BaseException) -> Unavailable:
    """Return the error that says which service gave no answer, where, and why."""
    number = getattr(error, "errno", None)
    reason = os.strerror(number).lower() if number else str(error) or "no answer in time"
    return Unavailable(f"{service} cannot be reached at {url}: {reason}")


async def _open_session() -> aiohttp.ClientSession:
    await asyncio.to_thread(__import__, "aiohttp")
    import aiohttp

    # Environment proxies are for the internet, never for a neighbour.
    return aiohttp.ClientSession(
        trust_env=False, auto_decompress=False, connector=aiohttp.TCPConnector(limit=200, keepalive_timeout=20)
    )


def _decoded(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return None
