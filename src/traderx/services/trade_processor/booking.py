"""The processor's loop: book what waits, tell the feed, look again.

A message from the feed only wakes it up. Without any feed it looks four times a second, so
nothing depends on a message arriving.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

from traderx.services.errors import BadInput, Clash, Unavailable, Unknown
from traderx.services.feed_link.connection import Envelope
from traderx.services.feed_link.relay import Relay, now_ms
from traderx.services.ledger import outbox
from traderx.services.ledger.database import Session
from traderx.services.ledger.ledger import Ledger
from traderx.services.ledger.outbox import Message, position_message, trade_message
from traderx.services.ledger.positions import find_position
from traderx.services.ledger.trades import (
    Accepted,
    Booked,
    book_next,
    book_one,
    count_unbooked,
    find_trade,
    has_unbooked,
)
from traderx.services.platform.metrics import Metrics
from traderx.services.platform.tracing import continue_trace, current_traceparent, enter
from traderx.services.trade_processor.arrivals import Arrival, explain_refusal, keep_order, read_arrival

log = logging.getLogger(__name__)

LOOK_AGAIN_S = 0.25
# One transaction's worth: a crash loses no more work than this, and one commit pays for all.
BATCH = 50
RETRY_S = 0.5
# A third of the usual scrape interval.
COUNT_AGAIN_S = 5.0


class Booking:
    """Books trades of one ledger; any number of these may run at once, anywhere."""

    def __init__(self, ledger: Ledger, relay: Relay, metrics: Metrics) -> None:
        self._ledger, self._relay = ledger, relay
        self._wake = asyncio.Event()
        self._arrived: asyncio.Queue[Envelope] = asyncio.Queue()
        self._booked = metrics.counter("traderx_trades_booked", "Trades booked by this process")
        self._waiting_trades = metrics.gauge("traderx_trades_waiting", "Accepted trades not booked yet")
        self._waiting_messages = metrics.gauge("traderx_messages_waiting", "Messages the feed has not taken yet")
        self._refused = metrics.counter("traderx_orders_refused", "Orders from the feed that cannot be booked")

    async def hear(self, envelope: Envelope) -> None:
        """Note an order that came by the feed."""
        self._arrived.put_nowait(envelope)

    async def keep_booking(self) -> None:
        """Book whatever waits, for ever."""
        await self._ledger.opened()
        while True:
            try:
                while await self._ledger.read(has_unbooked):
                    await self._book_batch()
            except Unavailable as error:
                log.warning("booking has to wait", extra={"reason": error.message})
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN_S):
                    await self._wake.wait()

    async def keep_arrivals(self) -> None:
        """Make rows of the orders that others publish."""
        await self._ledger.opened()
        while True:
            envelope = await self._arrived.get()
            try:
                await self._keep_arrival(envelope)
            except (BadInput, Clash, Unknown) as error:
                self._refused.inc()
                explain_refusal(error, envelope)

    async def keep_counting(self) -> None:
        """Keep the gauges of what waits up to date."""
        await self._ledger.opened()
        while True:
            with contextlib.suppress(Unavailable):
                self._waiting_trades.set(await self._ledger.read(count_unbooked))
                self._waiting_messages.set(await self._ledger.read(outbox.count))
            await asyncio.sleep(COUNT_AGAIN_S)

    async def book_now(self, arrival: Arrival) -> Booked:
        """Keep an order and book it at once; one that is known is only returned.

        Raises: Unknown, Clash, Unavailable.
        """
        now = now_ms()
        trade = arrival.as_trade(now_ms=now, traceparent=current_traceparent())

        def keep_and_book(session: Session) -> tuple[Booked | None, list[Message]]:
            keep_order(session, trade)
            booked = book_one(session, trade.id, now_ms=now)
            return booked, self._relay.keep(session, _news([booked] if booked else []))

        booked, messages = await self._ledger.write(keep_and_book)
        if booked is None:
            return await self._booked_before(trade.id)
        self._tell([booked], messages)
        return booked

    async def _keep_arrival(self, envelope: Envelope) -> None:
        arrival = read_arrival(envelope)
        if arrival is None:
            return
        while True:
            try:
                await self._keep_order(arrival)
                return
            except Unavailable as error:
                # The feed will not say it again: it is ours to keep until the database is back.
                log.warning("an order from the feed has to wait", extra={"reason": error.message})
                await asyncio.sleep(RETRY_S)

    async def _keep_order(self, arrival: Arrival) -> None:
        known = await self._ledger.read(lambda session: find_trade(session, arrival.trade_id))
        if known is None:
            span = continue_trace("")
            trade = arrival.as_trade(now_ms=now_ms(), traceparent=span.traceparent)

            def keep(session: Session) -> tuple[Accepted, list[Message]]:
                accepted = keep_order(session, trade)
                return accepted, self._relay.keep(session, [trade_message(trade)] if accepted.is_new else [])

            _, messages = await self._ledger.write(keep)
            self._relay.send(messages)
        self._wake.set()

    async def _book_batch(self) -> None:
        def book(session: Session) -> tuple[list[Booked], list[Message]]:
            booked = book_next(session, now_ms=now_ms(), limit=BATCH)
            return booked, self._relay.keep(session, _news(booked))

        booked, messages = await self._ledger.write(book)
        if not booked:
            # Other processors have in hand what waits.
            await asyncio.sleep(0.01)
        self._tell(booked, messages)

    def _tell(self, booked: list[Booked], messages: list[Message]) -> None:
        self._relay.send(messages)
        self._booked.inc(len(booked))
        for one in booked:
            enter(continue_trace(one.trade.traceparent))
            log.info("trade booked", extra={"trade": one.trade.id, "position": one.position.quantity})

    async def _booked_before(self, trade_id: str) -> Booked:
        def find(session: Session) -> Booked:

            trade = find_trade(session, trade_id)
            assert trade is not None
            position = find_position(session, trade.account_id, trade.security)
            if position is None:
                raise Unavailable(f"the order is being booked: {trade_id}")
            return Booked(trade, position)

        return await self._ledger.read(find)


def _news(booked: list[Booked]) -> list[Message]:
    """Return what the watchers of the accounts must hear, in the order in which it happened."""
    news = []
    for one in booked:
        news += [
            trade_message(one.in_processing),
            trade_message(one.trade),
            position_message(one.position, traceparent=one.trade.traceparent),
        ]
    return news
