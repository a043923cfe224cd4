"""One trade through the front door, to see that the whole flow works: order in, Settled out.

The order has an id of our own; booking is by id, so asking again finds the same trade.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from confighub.errors import ConfigHubError, NotFound, RetryLater

SYMBOL, QUANTITY = "AAPL", 100
_ANSWER_TIMEOUT_S = 10.0
_SETTLE_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class Booked:
    """A settled trade, and the position of its account and symbol after it."""

    trade_id: str
    account: int
    account_name: str
    symbol: str
    side: str
    quantity: int
    position: int
    seconds: float
    is_new: bool

    def line(self) -> str:
        """Return the trade in one line."""
        when = f"settled after {self.seconds:.2f} s" if self.is_new else "settled earlier"
        return (
            f"trade {self.trade_id}: {self.side} {self.quantity} {self.symbol} for account {self.account}"
            f" ({self.account_name}), {when}; position {self.position}"
        )


def book_trade(ingress: str, order_id: str) -> Booked:
    """Return the trade with that order id, settled; send the order when there is none yet.

    Raises: RetryLater when it does not settle in time; ConfigHubError when it is refused.
    """
    before = _find(ingress, order_id)
    began = time.monotonic()
    if before is None:
        account = _ask(ingress, "/api/accounts")[0]["id"]
        order = {"id": order_id, "symbol": SYMBOL, "qty": QUANTITY, "side": "BUY", "accountId": account}
        _ask(ingress, "/api/trades/new", order)
    trade = _settled(ingress, order_id)
    seconds = time.monotonic() - began
    account, symbol = int(trade["accountId"]), str(trade["symbol"])
    return Booked(
        trade_id=str(trade["id"]),
        account=account,
        account_name=str(_ask(ingress, f"/api/accounts/{account}")["displayName"]),
        symbol=symbol,
        side=str(trade["side"]),
        quantity=int(trade["qty"]),
        position=int(_ask(ingress, f"/api/positions/{account}/{symbol}")["qty"]),
        seconds=seconds,
        is_new=before is None,
    )


def answers(url: str) -> bool:
    """Tell whether the address answers 200."""
    try:
        with urllib.request.urlopen(url, timeout=_ANSWER_TIMEOUT_S) as answer:  # noqa: S310 our own http address
            return bool(answer.status == 200)
    except (OSError, ValueError):
        return False


def _settled(ingress: str, order_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + _SETTLE_TIMEOUT_S
    state = "not seen"
    while time.monotonic() < deadline:
        trade = _find(ingress, order_id)
        if trade is not None:
            state = str(trade["state"])
            if state == "Settled":
                return trade
        time.sleep(0.05)
    raise RetryLater(
        f"order {order_id} was accepted but is {state} after {_SETTLE_TIMEOUT_S:g} s",
        hint="look at: bin/traderx logs trade-processor",
    )


def _find(ingress: str, order_id: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = _ask(ingress, f"/api/trades/{order_id}")
    except NotFound:
        return None
    return found


def _ask(ingress: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """Return the decoded answer of one call through the ingress."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    request = urllib.request.Request(f"{ingress}{path}", data=data, headers=headers)  # noqa: S310 our own address
    try:
        with urllib.request.urlopen(request, timeout=_ANSWER_TIMEOUT_S) as answer:  # noqa: S310
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        said = error.read().decode("utf-8", "replace")[:300]
        raise (NotFound if error.code == 404 else ConfigHubError)(f"{path} answered {error.code}: {said}") from error
    except (OSError, ValueError) as error:
        raise RetryLater(f"{path} did not answer: {error}", hint=f"the ingress is {ingress}") from error
