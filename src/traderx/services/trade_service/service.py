"""trade-service: the door for orders. CRITICAL.

An order that passes its checks is a row before it is answered; the processors book it from
there, whatever happens to the messages. The same order under the same id is accepted once,
however often it is sent. ``?wait=true`` (or ``Prefer: wait``) answers after the booking.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from traderx.services.errors import Unavailable, Unknown
from traderx.services.feed_link.connection import FeedLink
from traderx.services.feed_link.relay import Relay, now_ms
from traderx.services.ledger.accounts import has_account
from traderx.services.ledger.database import Session
from traderx.services.ledger.ledger import Ledger
from traderx.services.ledger.outbox import Message, order_message, trade_message
from traderx.services.ledger.positions import find_position
from traderx.services.ledger.records import Trade
from traderx.services.ledger.trades import Accepted, accept, find_trade, list_trades
from traderx.services.ledger.vocabulary import Order, read_order
from traderx.services.platform.answers import limit_of, read_object, whole_number
from traderx.services.platform.cache import open_cache
from traderx.services.platform.environment import Environment
from traderx.services.platform.http_client import HttpClient
from traderx.services.platform.metrics import Metrics
from traderx.services.platform.service import Service
from traderx.services.platform.tracing import current_traceparent
from traderx.services.platform.variables import switched_on
from traderx.services.trade_service.validation import Validation

log = logging.getLogger(__name__)

LONGEST_WAIT_S = 5.0
LOOK_AGAIN_S = 0.02


@dataclass(frozen=True)
class Submission:
    """What a caller sent, and what became of it."""

    body: Mapping[str, object]
    order: Order
    accepted: Accepted


class TradeService:
    """The handlers, with what they need."""

    def __init__(self, environment: Environment, metrics: Metrics) -> None:
        self.ledger = Ledger(environment.database_url)
        self.http = HttpClient()
        self.link = FeedLink(environment.urls["trade-feed"], name=environment.service)
        self.relay = Relay(self.ledger, self.link, environment.faults, metrics)
        self._urls = environment.urls
        self.cache = open_cache(environment.variables)
        self._validation = Validation(
            self.http,
            self.cache,
            urls=environment.urls,
            checks_balance=switched_on(environment.variables, "ENFORCE_BALANCE"),
        )
        self._accepted = metrics.counter("traderx_orders_accepted", "Orders accepted, repetitions not counted")
        self._repeated = metrics.counter("traderx_orders_repeated", "Orders sent again under a known id")

    async def post_trade(self, request: Request) -> Response:
        """Accept an order and echo it, as the FINOS service does."""
        sent = await self._submit(request)
        await self._booked(request, sent.accepted.trade)
        return JSONResponse(
            {
                "id": sent.body.get("id"),
                "state": sent.body.get("state"),
                "security": sent.accepted.trade.security,
                "quantity": sent.order.quantity,
                "accountId": sent.order.account_id,
                "side": sent.order.side,
                # The original GUI shows an order in red unless the answer says this.
                "success": True,
                "orderId": sent.accepted.trade.id,
            }
        )

    async def post_new_trade(self, request: Request) -> Response:
        """Accept an order and answer 202 with its id; with ?wait=true answer 201 with the position."""
        sent = await self._submit(request)
        trade = await self._booked(request, sent.accepted.trade)
        if not _wants_to_wait(request) or trade.state != "Settled":
            return JSONResponse(trade.as_seed(), HTTPStatus.ACCEPTED)
        position = await self._position_of(trade)
        return JSONResponse(trade.as_seed() | position, HTTPStatus.CREATED)

    async def get_trade(self, request: Request) -> Response:
        """Return one trade in its present state."""
        trade_id = request.path_params["trade_id"]
        trade = await self.ledger.read(lambda session: find_trade(session, trade_id))
        if trade is None:
            raise Unknown(f"no trade with id: {trade_id}")
        return JSONResponse(trade.as_seed())

    async def get_trades(self, request: Request) -> Response:
        """List trades newest first; ?accountId= narrows, ?limit= cuts."""
        limit, account = limit_of(request), request.query_params.get("accountId")
        account_id = None if account is None else whole_number(account, name="accountId")
        trades = await self.ledger.read(lambda session: list_trades(session, account_id, limit))
        return JSONResponse([trade.as_seed() for trade in trades])

    async def _submit(self, request: Request) -> Submission:
        body = await read_object(request)
        order = read_order(
            body,
            default_id=request.headers.get("idempotency-key", ""),
            default_account=request.headers.get("x-account-id", ""),
        )
        validated = await self._validation.validate(order)
        created = now_ms()
        trade = Trade(
            id=order.id or str(uuid.uuid4()),
            account_id=order.account_id,
            security=validated.security,
            side=order.side,
            quantity=order.quantity,
            price_cents=validated.price_cents,
            state="New",
            created=created,
            updated=created,
            traceparent=current_traceparent(),
        )
        return Submission(body, order, await self._accept(trade))

    async def _accept(self, trade: Trade) -> Accepted:
        def keep(session: Session) -> tuple[Accepted, list[Message]]:
            if not has_account(session, trade.account_id):
                raise Unknown(f"{trade.account_id} not found in Account service.")
            accepted = accept(session, trade)
            news = [order_message(trade), trade_message(trade)] if accepted.is_new else []
            return accepted, self.relay.keep(session, news)

        accepted, messages = await self.ledger.write(keep)
        self.relay.send(messages)
        (self._accepted if accepted.is_new else self._repeated).inc()
        log.info("order accepted", extra={"trade": trade.id, "is_new": accepted.is_new})
        return accepted

    async def _booked(self, request: Request, trade: Trade) -> Trade:
        """Return the trade once it is booked when the caller wants to wait for that, else at once."""
        if not _wants_to_wait(request):
            return trade
        latest = trade
        try:
            async with asyncio.timeout(LONGEST_WAIT_S):
                while latest.state != "Settled":
                    await asyncio.sleep(LOOK_AGAIN_S)
                    found = await self.ledger.read(lambda session: find_trade(session, trade.id))
                    latest = found or latest
        except TimeoutError:
            log.warning("not booked in time, it will be", extra={"trade": trade.id})
        return latest

    async def _position_of(self, trade: Trade) -> dict[str, object]:
        """Return positionId and updated as position-service tells them, from the ledger when it does not."""
        path = f"/api/positions/{trade.account_id}/{quote(trade.security, safe='')}"
        try:
            reply = await self.http.get("position-service", self._urls["position-service"] + path)
            if reply.status == HTTPStatus.OK and isinstance(reply.body, dict):
                return {key: reply.body[key] for key in ("positionId", "updated", "updatedAt")}
        except Unavailable as error:
            log.warning("position read from the ledger instead", extra={"reason": error.message})
        position = await self.ledger.read(lambda session: find_position(session, trade.account_id, trade.security))
        assert position is not None
        answer = position.as_seed()
        return {key: answer[key] for key in ("positionId", "updated", "updatedAt")}


def build(environment: Environment, metrics: Metrics) -> Service:
    """Return the service; database, feed and neighbours are reached once it runs."""
    service = TradeService(environment, metrics)
    return Service(
        routes=[
            Route("/trade", service.post_trade, methods=["POST"]),
            Route("/api/trades/new", service.post_new_trade, methods=["POST"]),
            Route("/api/trades", service.get_trades, methods=["GET"]),
            Route("/api/trades", service.post_new_trade, methods=["POST"]),
            Route("/api/trades/{trade_id}", service.get_trade, methods=["GET"]),
        ],
        checks={"database": service.ledger.check},
        jobs=[
            service.ledger.keep_opening,
            service.http.warm_up,
            service.link.keep_connected,
            service.relay.keep_sending,
        ],
        closers=[service.ledger.close, service.http.close, service.cache.close],
    )


def _wants_to_wait(request: Request) -> bool:
    asked = request.query_params.get("wait", "").lower() in {"true", "1", "yes"}
    return asked or request.headers.get("prefer", "").lower().startswith("wait")
