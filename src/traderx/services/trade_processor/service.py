"""trade-processor: books accepted orders. No Service stands before it; its port is for probes and metrics.

Source: requirements.md C-18, C-32.
"""

from __future__ import annotations

import uuid

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from traderx.services.feed_link.connection import Envelope, FeedLink
from traderx.services.feed_link.relay import Relay
from traderx.services.ledger.ledger import Ledger
from traderx.services.ledger.outbox import ORDERS_TOPIC
from traderx.services.ledger.vocabulary import read_order
from traderx.services.platform.answers import read_object
from traderx.services.platform.environment import Environment
from traderx.services.platform.metrics import Metrics
from traderx.services.platform.service import Service
from traderx.services.trade_processor.arrivals import Arrival
from traderx.services.trade_processor.booking import Booking


def build(environment: Environment, metrics: Metrics) -> Service:
    """Return the service; database and feed are reached once it runs."""
    ledger = Ledger(environment.database_url)

    async def hear(envelope: Envelope) -> None:
        await booking.hear(envelope)

    link = FeedLink(
        environment.urls["trade-feed"],
        name=environment.service,
        topics=[ORDERS_TOPIC],
        on_message=hear,
        wants_replay=True,
    )
    relay = Relay(ledger, link, environment.faults, metrics)
    booking = Booking(ledger, relay, metrics)

    async def post_order(request: Request) -> Response:
        """Book an order at once, without asking whether its security exists."""
        order = read_order(await read_object(request), default_id=request.headers.get("idempotency-key", ""))
        booked = await booking.book_now(Arrival(order.id or str(uuid.uuid4()), order))
        return JSONResponse({"trade": booked.trade.as_finos(), "position": booked.position.as_finos()})

    return Service(
        routes=[Route("/tradeservice/order", post_order, methods=["POST"])],
        checks={"database": ledger.check},
        jobs=[
            ledger.keep_opening,
            link.keep_connected,
            relay.keep_sending,
            booking.keep_arrivals,
            booking.keep_booking,
            booking.keep_counting,
        ],
        closers=[ledger.close],
    )
