"""From the outbox to the feed: at once when the feed is there, later when it comes back."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence

from prometheus_client import Counter

from traderx.services.errors import Unavailable
from traderx.services.feed_link.connection import FeedLink
from traderx.services.ledger import outbox
from traderx.services.ledger.database import Session
from traderx.services.ledger.ledger import Ledger
from traderx.services.ledger.outbox import LEASE_MS, Message
from traderx.services.platform.faults import Faults
from traderx.services.platform.metrics import Metrics

log = logging.getLogger(__name__)

# How often messages of processes that died are looked for.
SWEEP_S = 1.0
BATCH = 200


def now_ms() -> int:
    """Return the time as milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class Relay:
    """Sends what transactions left in the outbox.

    Whoever writes a message calls ``keep`` inside the transaction and ``send`` after it.
    """

    def __init__(self, ledger: Ledger, link: FeedLink, faults: Faults, metrics: Metrics) -> None:
        self._ledger, self._link, self._faults = ledger, link, faults
        self._mine: asyncio.Queue[Message] = asyncio.Queue()
        self._sent: Counter = metrics.counter("traderx_messages_published", "Messages the feed has taken")

    def keep(self, session: Session, messages: Sequence[Message]) -> list[Message]:
        """Store messages in the outbox; they are ours to send while the feed is connected."""
        is_ours = self._link.connected.is_set()
        return outbox.store(session, messages, leased_until=now_ms() + LEASE_MS if is_ours else 0)

    def send(self, stored: Sequence[Message]) -> None:
        """Send stored messages soon, in their order."""
        if self._link.connected.is_set():
            for message in stored:
                self._mine.put_nowait(message)

    async def keep_sending(self) -> None:
        """Send our own messages as they come, and what others left behind."""
        await self._ledger.opened()
        sweep_at = 0.0
        while True:
            await self._link.connected.wait()
            try:
                if time.monotonic() >= sweep_at:
                    more = await self._sweep()
                    sweep_at = 0.0 if more else time.monotonic() + SWEEP_S
                await self._publish(await self._next_batch(sweep_at))
            except Unavailable as error:
                # The rows stay; their lease ends and they are swept up after the next connection.
                log.warning("messages not sent yet", extra={"reason": error.message})
                self._drop_queue()
                sweep_at = 0.0
                await asyncio.sleep(SWEEP_S)

    async def _next_batch(self, until: float) -> list[Message]:
        try:
            async with asyncio.timeout(max(0.0, until - time.monotonic())):
                batch = [await self._mine.get()]
        except TimeoutError:
            return []
        while not self._mine.empty() and len(batch) < BATCH:
            batch.append(self._mine.get_nowait())
        return batch

    async def _sweep(self) -> bool:
        """Send messages nobody holds and return whether there may be more."""
        if not await self._ledger.read(lambda session: outbox.has_unsent(session, now_ms=now_ms())):
            return False
        batch = await self._ledger.write(lambda session: outbox.lease_unsent(session, now_ms=now_ms(), limit=BATCH))
        await self._publish(batch)
        return len(batch) == BATCH

    async def _publish(self, batch: Sequence[Message]) -> None:
        if not batch:
            return
        # All are on their way before the first answer is awaited; one connection keeps their order.
        sending = [
            asyncio.ensure_future(
                self._link.publish(message.topic, message.type, message.payload, traceparent=message.traceparent)
            )
            for message in batch
            for _ in range(self._faults.copies_to_publish())
        ]
        outcomes = await asyncio.gather(*sending, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        self._sent.inc(len(sending))
        await self._ledger.write(lambda session: outbox.forget(session, batch))

    def _drop_queue(self) -> None:
        while not self._mine.empty():
            self._mine.get_nowait()
