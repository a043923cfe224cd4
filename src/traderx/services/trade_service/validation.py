"""What must be true of an order before it is accepted: asked of the services that know."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote

from traderx.services.errors import Clash, Unavailable, Unknown
from traderx.services.ledger.vocabulary import Order
from traderx.services.platform.cache import Cache
from traderx.services.platform.http_client import HttpClient, Reply

SECURITY_KEPT_S = 30
"""So old may be what is known of a security; accounts are always asked for, since balances move."""


@dataclass(frozen=True)
class Validated:
    """An order whose ticker and account exist; ``security`` is written as reference-data writes it."""

    security: str
    price_cents: int | None


class Validation:
    """Asks reference-data and account-service, both at once."""

    def __init__(self, http: HttpClient, cache: Cache, *, urls: Mapping[str, str], checks_balance: bool) -> None:
        self._http, self._cache, self._urls, self._checks_balance = http, cache, urls, checks_balance

    async def validate(self, order: Order) -> Validated:
        """Return what is known of the order's security.

        Raises: Unknown for its ticker, else for its account; Clash when the balance is checked and
        too low; Unavailable, naming the service, when one cannot be asked.
        """
        security, account = await asyncio.gather(
            self._security(order.security),
            self._ask("account-service", f"/api/accounts/{order.account_id}"),
            return_exceptions=True,
        )
        # The ticker speaks first, as in the original.
        known = _found(security, Unknown(f"{order.security} not found in Reference data service."))
        owner = _found(account, Unknown(f"{order.account_id} not found in Account service."))
        validated = Validated(
            security=str(known.get("ticker") or order.security), price_cents=_cents(known.get("price"))
        )
        if self._checks_balance:
            _check_balance(order, validated, owner)
        return validated

    async def _security(self, ticker: str) -> Reply:
        """Return what reference-data says of a security, or said a moment ago; an unknown one is asked for again."""
        key = f"security:{ticker}"
        kept = _decoded(await self._cache.get(key))
        if kept:
            return Reply(HTTPStatus.OK, kept)
        reply = await self._ask("reference-data", f"/api/reference-data/{quote(ticker, safe='')}")
        if reply.status == HTTPStatus.OK:
            await self._cache.put(key, json.dumps(reply.body).encode(), seconds=SECURITY_KEPT_S)
        return reply

    async def _ask(self, service: str, path: str) -> Reply:
        reply = await self._http.get(service, self._urls[service] + path)
        if reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise Unavailable(f"{service} answered {reply.status}")
        return reply


def _decoded(kept: bytes | None) -> dict[str, object]:
    """Return the object that was kept; empty for what is none."""
    try:
        found = json.loads(kept or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _found(answer: Reply | BaseException, missing: Unknown) -> Mapping[str, object]:
    if isinstance(answer, BaseException):
        raise answer
    if answer.status != HTTPStatus.OK or not isinstance(answer.body, dict):
        raise missing
    return answer.body


def _cents(price: object) -> int | None:
    return round(price * 100) if isinstance(price, int | float) else None


def _check_balance(order: Order, validated: Validated, account: Mapping[str, object]) -> None:
    balance_cents = _cents(account.get("balance"))
    if order.side != "Buy" or validated.price_cents is None or balance_cents is None:
        return
    cost_cents = validated.price_cents * order.quantity
    if cost_cents > balance_cents:
        raise Clash(f"the order costs {cost_cents / 100:.2f} and the account has {balance_cents / 100:.2f}")
