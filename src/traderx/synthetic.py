"""The synthetic trader: a real order through the whole flow, and everything that must follow from it.

An order goes to the version under test; the processor books it; the feed tells of it; the position moves by
exactly its quantity. Each message must come once: none lost, none twice. Orders buy and sell in turn, so that
the account ends as it began.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from confighub.operations.rollout.analysis import Trial

ORDERS = "/trades"
QUANTITY = 1
_ANSWER_TIMEOUT_S = 5.0
_SETTLE_TIMEOUT_S = 10.0
_FEED_TIMEOUT_S = 3.0
"""How long a message may take after the trade is settled; an undisturbed one takes milliseconds."""
_SECOND_COPY_S = 0.25
"""A message that is sent twice is sent twice at once; this long is listened for the second."""
_LOOK_AGAIN_S = 0.02
_SENDS = 4
_READS = {
    "account-service": "/api/accounts",
    "people-service": "/api/people",
    "position-service": "/health/ready",
    "reference-data": "/api/securities",
    "web-gui": "/",
}

_NEEDED = ("account-service", "reference-data", "trade-feed", "trade-service", "position-service")
_ODD = (LookupError, TypeError, ValueError)
"""What reading an answer raises that is JSON, but not what was asked for."""

Kind = tuple[str, str]


@dataclass
class Feed:
    """What the trade feed says on some topics, listened to in a thread until ``close``."""

    url: str
    topics: tuple[str, ...]
    is_open: threading.Event = field(default_factory=threading.Event)
    _heard: list[dict[str, Any]] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=lambda: threading.Condition(threading.RLock()))
    _closed: bool = False

    def __post_init__(self) -> None:
        threading.Thread(target=self._listen, name="feed", daemon=True).start()

    def of(self, order_id: str) -> Counter[Kind]:
        """Return how often each kind of message about the order came: its type and the state it tells."""
        with self._changed:
            return Counter(
                (str(one.get("type")), str(one["payload"].get("state")))
                for one in self._heard
                if isinstance(one, dict)
                and isinstance(one.get("payload"), dict)
                and one["payload"].get("id") == order_id
            )

    def wait_for(self, order_id: str, kinds: frozenset[Kind], timeout_s: float) -> None:
        """Return when all kinds have come, or the time is up."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while not kinds <= self._kinds(order_id) and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(left)

    def close(self) -> None:
        """Stop listening; the thread ends with the next sign of life from the feed."""
        self._closed = True

    def _kinds(self, order_id: str) -> set[Kind]:
        return set(self.of(order_id))

    def _listen(self) -> None:
        while not self._closed:
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                self._read()
            self.is_open.clear()
            time.sleep(_LOOK_AGAIN_S * 10)

    def _read(self) -> None:
        place = urlsplit(self.url)
        connection = http.client.HTTPConnection(place.hostname or "", place.port or 80, timeout=60)
        try:
            connection.request("GET", "/api/feed/events?" + urlencode([("topic", topic) for topic in self.topics]))
            answer = connection.getresponse()
            if answer.status != 200:
                return
            while not self._closed and (line := answer.readline()):
                if line.startswith(b": connected"):
                    self.is_open.set()
                elif line.startswith(b"data: "):
                    with self._changed:
                        self._heard = [*self._heard[-5_000:], json.loads(line[6:])]
                        self._changed.notify_all()
        finally:
            connection.close()


EXPECTED: frozenset[Kind] = frozenset(
    {("TradeOrder", "New"), ("Trade", "New"), ("Trade", "Processing"), ("Trade", "Settled")}
)
"""What must be heard of every order, each once."""


class SyntheticTrader:
    """Tries one service's versions; ``urls`` are the environment's services by name, at their Services."""

    def __init__(self, service: str, urls: Mapping[str, str]) -> None:
        self._service, self._urls = service, dict(urls)
        self._lock = threading.Lock()
        self._feed: Feed | None = None
        self._account, self._symbol, self._side = 0, "", "SELL"

    def trial(self, address: str) -> Trial:
        """Try the flow with the version at the address; a failure names the invariant that does not hold."""
        with self._lock:
            try:
                if not address:
                    raise _Unknown("it has no address that can be reached from here")
                if self._service in ("trade-service", "position-service"):
                    return self._trade({**self._urls, self._service: address})
                return self._read(address)
            except _Unexpected as wrong:
                return Trial(passed=False, what=str(wrong))
            except _Unknown as unknown:
                return Trial(passed=None, what=str(unknown))
            except _ODD as odd:
                return Trial(passed=False, what=f"an answer has another form: {odd!r}")

    def close(self) -> None:
        """Let the feed go."""
        if self._feed:
            self._feed.close()

    def _trade(self, urls: Mapping[str, str]) -> Trial:
        feed = self._ready(urls)
        order_id = f"synthetic-{uuid.uuid4()}"
        self._side = "BUY" if self._side == "SELL" else "SELL"
        quantity = QUANTITY
        before, began_ms = self._position(urls), time.time_ns() // 1_000_000
        order = {"id": order_id, "symbol": self._symbol, "qty": quantity, "side": self._side}
        order["accountId"] = self._account
        _send(urls["trade-service"], order)
        self._await_settled(order_id)
        feed.wait_for(order_id, EXPECTED, _FEED_TIMEOUT_S)
        time.sleep(_SECOND_COPY_S)
        heard = feed.of(order_id)
        if not feed.is_open.is_set():
            raise _Unknown("the feed went away while it was listened to")
        if lost := [kind for kind in EXPECTED if not heard[kind]]:
            raise _Unexpected(f"order {order_id}: lost from the feed: {_listed(lost)}")
        if double := [kind for kind in EXPECTED if heard[kind] > 1]:
            raise _Unexpected(f"order {order_id}: heard more than once from the feed: {_listed(double)}")
        moved = self._position(urls) - before
        wanted = quantity if self._side == "BUY" else -quantity
        if moved != wanted and not self._others_traded(order_id, began_ms):
            raise _Unexpected(f"order {order_id}: the position of {self._symbol} moved by {moved}, not {wanted}")
        return Trial(passed=True, what=f"order {order_id} settled, told once, position moved by {moved}")

    def _ready(self, urls: Mapping[str, str]) -> Feed:
        """Return the feed, listened to, with account and symbol chosen: ones that hardly anybody trades."""
        if self._feed is None:
            if away := [name for name in _NEEDED if not urls.get(name)]:
                raise _Unknown(f"no address that can be reached from here: {', '.join(away)}")
            try:
                accounts = _ask(urls["account-service"], "/api/accounts")
                securities = _ask(urls["reference-data"], "/api/securities")
                self._account = int(random.choice(accounts)["id"])  # noqa: S311
                self._symbol = str(random.choice(securities)["symbol"])  # noqa: S311
            except _Unexpected as error:
                raise _Unknown(str(error)) from error
            except _ODD as odd:
                raise _Unknown(f"accounts or securities have another form: {odd!r}") from odd
            self._feed = Feed(urls["trade-feed"], (ORDERS, f"/accounts/{self._account}/trades"))
        if not self._feed.is_open.wait(_ANSWER_TIMEOUT_S):
            raise _Unknown("the feed cannot be listened to")
        return self._feed

    def _position(self, urls: Mapping[str, str]) -> int:
        try:
            path = f"/api/positions/{self._account}/{quote(self._symbol, safe='')}"
            return int(_ask(urls["position-service"], path)["qty"])
        except _NotThere:
            return 0

    def _others_traded(self, order_id: str, since_ms: int) -> bool:
        """Tell whether somebody else moved the same position meanwhile, so that it says nothing of this order."""
        trades = _ask(self._urls["position-service"], f"/trades/{self._account}")
        for one in trades:
            if one["security"] == self._symbol and one["id"] != order_id and _milliseconds(one["updated"]) >= since_ms:
                raise _Unknown(f"others trade {self._symbol} for account {self._account} too")
        return False

    def _await_settled(self, order_id: str) -> None:
        deadline = time.monotonic() + _SETTLE_TIMEOUT_S
        state = "not found"
        while time.monotonic() < deadline:
            with contextlib.suppress(_Unexpected):
                # Asked of everybody's trade-service: what counts is what the ledger has.
                state = str(_ask(self._urls["trade-service"], f"/api/trades/{order_id}")["state"])
            if state == "Settled":
                return
            time.sleep(_LOOK_AGAIN_S)
        raise _Unexpected(f"order {order_id} is {state} after {_SETTLE_TIMEOUT_S:g} s")

    def _read(self, address: str) -> Trial:
        path = _READS.get(self._service, "/health/ready")
        if not _ask(address, path, is_json=self._service != "web-gui"):
            raise _Unexpected(f"{path} answered nothing")
        return Trial(passed=True, what=f"{path} answered")


def health(address: str) -> str:
    """Return why the service at the address is not ready to work; empty when it is."""
    try:
        _ask(address, "/health/ready", is_json=False)
    except _Unexpected as error:
        return str(error)
    return ""


class _Unexpected(Exception):
    """What the version under test did is wrong."""


class _NotThere(_Unexpected):
    """The answer was 404."""


class _Unknown(Exception):
    """It could not be told whether it was wrong."""


def _send(url: str, order: Mapping[str, object]) -> None:
    """Send an order, again under its id when the answer is an error, as every client should.

    Errors are counted by the ingress; here it only matters what becomes of the order.
    """
    for left in reversed(range(_SENDS)):
        try:
            _ask(url, "/api/trades/new", order)
        except _Unexpected:
            if not left:
                raise
        else:
            return


def _ask(url: str, path: str, body: Mapping[str, object] | None = None, *, is_json: bool = True) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    try:
        request = urllib.request.Request(f"{url}{path}", data=data, headers=headers)  # noqa: S310 a Service's address
        with urllib.request.urlopen(request, timeout=_ANSWER_TIMEOUT_S) as answer:  # noqa: S310
            text = answer.read()
            return json.loads(text) if is_json else text
    except urllib.error.HTTPError as error:
        kind = _NotThere if error.code == 404 else _Unexpected
        raise kind(f"{path} answered {error.code}: {error.read().decode('utf-8', 'replace')[:200]}") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise _Unexpected(f"{path} did not answer: {error}") from error


def _milliseconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp() * 1000)


def _listed(kinds: list[Kind]) -> str:
    return ", ".join(f"{kind} {state}" for kind, state in sorted(kinds))
