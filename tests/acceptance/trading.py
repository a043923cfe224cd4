"""A client of TraderX at the ingress: orders in, positions out, every accepted order remembered."""

from __future__ import annotations

import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any
from urllib.error import HTTPError, URLError

from tests.acceptance.system import call, eventually


def position(ingress: str, account: int, symbol: str) -> int:
    """The quantity that an account holds of a symbol; 0 when it never traded it."""
    try:
        return int(call(f"{ingress}/api/positions/{account}/{symbol}")["qty"])
    except HTTPError as error:
        if error.code == 404:
            return 0
        raise


def settled(ingress: str, order_id: str) -> dict[str, Any]:
    """The trade of an order, once it is Settled."""

    def look() -> dict[str, Any] | None:
        try:
            trade: dict[str, Any] = call(f"{ingress}/api/trades/{order_id}")
        except (HTTPError, URLError, OSError):
            return None
        return trade if trade["state"] == "Settled" else None

    return eventually(f"order {order_id} settled", look)


@dataclass
class SteadyClient:
    """Sends one order after another until it is stopped; an order without an answer is sent again under its id."""

    ingress: str
    account: int
    symbol: str
    pause_s: float = 0.05
    accepted: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def __enter__(self) -> SteadyClient:
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join(60)
        assert not self._thread.is_alive(), "the last order was never answered"

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._place(str(uuid.uuid4()))
            time.sleep(self.pause_s)

    def _place(self, order_id: str) -> None:
        order = {"id": order_id, "symbol": self.symbol, "qty": 1, "side": "BUY", "accountId": self.account}
        deadline = time.monotonic() + 55
        while time.monotonic() < deadline:
            try:
                call(f"{self.ingress}/api/trades/new", order)
            except HTTPError as error:
                if error.code < 500:
                    self.refused.append(f"{error.code}: {error.read().decode(errors='replace')[:200]}")
                    return
            except (URLError, OSError):
                pass
            else:
                self.accepted.append(order_id)
                return
            if self._stopped.is_set():
                # Unanswered at the end: whether it was accepted is known only by asking for it, so keep asking.
                time.sleep(0.2)
            time.sleep(0.1)
