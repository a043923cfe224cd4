"""How all services are, as one answer: what /health says on the public address.

Source: requirements.md C-38.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from traderx.services.errors import Unavailable
from traderx.services.platform.http_client import HttpClient, Reply

PROCESSOR = "trade-processor"
# Everybody's browser asks; the services are asked at most this often.
FRESH_S = 1.0


@dataclass(frozen=True)
class Condition:
    """One service's condition; ``http_status`` and ``latency_ms`` are None when it was not asked itself."""

    name: str
    is_up: bool
    http_status: int | None = None
    latency_ms: float | None = None
    version: str = ""
    reason: str = ""

    def as_answer(self) -> dict[str, object]:
        """Return the condition as the health page carries it."""
        return {
            "name": self.name,
            "status": "UP" if self.is_up else "DOWN",
            "httpStatus": self.http_status,
            "latencyMs": self.latency_ms,
            "version": self.version,
            "reason": self.reason,
        }


class Overview:
    """Asks every service at ``urls``; the processor through the feed unless a URL names it."""

    def __init__(self, http: HttpClient, urls: Mapping[str, str], *, asks_processor: bool) -> None:
        self._http, self._urls, self._asks_processor = http, urls, asks_processor
        self._asking = asyncio.Lock()
        self._latest: list[Condition] = []
        self._latest_at = 0.0

    async def conditions(self) -> list[Condition]:
        """Return the condition of each service, in the order of ``urls``, not older than FRESH_S."""
        async with self._asking:
            if time.monotonic() - self._latest_at > FRESH_S:
                self._latest = list(await asyncio.gather(*(self._condition(name) for name in self._urls)))
                self._latest_at = time.monotonic()
            return self._latest

    async def _condition(self, name: str) -> Condition:
        if name == PROCESSOR and not self._asks_processor:
            return await self._processor_condition()
        try:
            (ready, latency_ms), info = await asyncio.gather(
                self._timed(name, "/health/ready"), self._http.get(name, f"{self._urls[name]}/info")
            )
        except Unavailable as error:
            return Condition(name, is_up=False, reason=error.message)
        facts = info.body if isinstance(info.body, dict) else {}
        answered = str(facts.get("name", name))
        reason = _reasons(ready.body) if ready.status != HTTPStatus.OK else ""
        if answered != name:
            # Seed and FINOS give two ports to different services: a wrong profile shows here.
            reason = f"{answered} answers at {self._urls[name]}"
        return Condition(
            name,
            is_up=not reason,
            http_status=ready.status,
            latency_ms=latency_ms,
            version=str(facts.get("version", "")),
            reason=reason,
        )

    async def _timed(self, name: str, path: str) -> tuple[Reply, float]:
        started = time.perf_counter()
        reply = await self._http.get(name, self._urls[name] + path)
        return reply, round((time.perf_counter() - started) * 1000, 1)

    async def _processor_condition(self) -> Condition:
        """Tell from the feed, where every processor is connected: no Service stands before them."""
        try:
            reply = await self._http.get("trade-feed", f"{self._urls['trade-feed']}/api/feed/clients")
        except Unavailable:
            return Condition(PROCESSOR, is_up=False, reason="not known while trade-feed is down")
        clients = reply.body.get("clients") if isinstance(reply.body, dict) else None
        count = clients.get(PROCESSOR, 0) if isinstance(clients, dict) else 0
        if count:
            return Condition(PROCESSOR, is_up=True, reason=f"{count} connected to trade-feed")
        return Condition(PROCESSOR, is_up=False, reason="none connected to trade-feed")


def _reasons(body: object) -> str:
    reasons = body.get("reasons") if isinstance(body, dict) else None
    if not isinstance(reasons, dict):
        return "not ready"
    return ", ".join(f"{name}: {reason}" for name, reason in reasons.items())
