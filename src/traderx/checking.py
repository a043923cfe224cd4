"""Whether an environment is well: its units, services and worker, what drifted, and whether its books balance."""

from __future__ import annotations

import json
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.error import HTTPError

from confighub.errors import NotFound
from confighub.operations.drift.detector import Detector, Options
from confighub.operations.drift.watched import find_watched
from traderx.site import Site
from traderx.status import Status, read_status

_TIMEOUT_S = 5.0
_PATIENCE_S = 60.0
"""How old a trade may be that is not settled; an undisturbed one takes milliseconds."""

_LOOKS = 3
"""How often the books are read when they do not balance: a trade may be booked between two answers."""
_PAUSE_S = 0.2

Json = Any
Trades = list[dict[str, Any]]
Positions = list[dict[str, Any]]
Books = tuple[Trades, Positions]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. ``said`` is what was seen; ``is_well`` is false for what a person must look at."""

    what: str
    is_well: bool
    said: str

    def as_json(self) -> dict[str, Any]:
        """Return the finding for programs."""
        return {"what": self.what, "ok": self.is_well, "said": self.said}


def check_health(site: Site, environment: str) -> list[Finding]:
    """Return what was found of the units, the worker, drift, every service and the ingress, in this order."""
    status = read_status(site, environment)
    found = [
        Finding(f"unit {unit.slug}", unit.is_ready, unit.word + (f": {unit.why.splitlines()[0]}" if unit.why else ""))
        for unit in status.units
        if not unit.is_addon
    ]
    found += _workers(site, environment)
    found.append(look_for_drift(site, environment))
    found += [_answers(name, f"{url}/health/ready") for name, url in status.services.items()]
    found.append(
        _answers("ingress", status.ingress) if status.ingress else Finding("ingress", False, "it has no address")
    )
    return found


def look_for_drift(site: Site, environment: str) -> Finding:
    """Return whether what runs is what the hub says is live; nothing is corrected."""
    watched = find_watched(site.hub, [site.project.space(environment)], sets=(), filters=())
    detector = Detector(site.hub, watched, Options(is_dry_run=True), lambda _: None)
    found = detector.look()
    said = "; ".join(line for one in found for line in one.lines)
    return Finding("drift", not found, said or f"none in {detector.looked_at} units")


def verify_data(site: Site, environment: str) -> list[Finding]:
    """Return whether the books balance: each trade once and settled, positions the sum of them, names that exist.

    Raises: NotFound when a service that knows has no address.
    """
    status = read_status(site, environment)

    def read_books() -> Books:
        return _read(status, "position-service", "/trades"), _read(status, "position-service", "/positions")

    def read_again() -> Books:
        time.sleep(_PAUSE_S)
        return read_books()

    trades, positions = read_books()
    return judge(
        trades=trades,
        positions=positions,
        again=read_again,
        accounts={one["id"] for one in _read(status, "account-service", "/account/")},
        tickers={one["ticker"] for one in _read(status, "reference-data", "/stocks")},
        now=datetime.now(UTC),
    )


def judge(
    *,
    trades: Trades,
    positions: Positions,
    accounts: set[int],
    tickers: set[str],
    now: datetime,
    again: Callable[[], Books],
) -> list[Finding]:
    """Return whether the books balance, from what the services answered.

    Trades and positions are two answers; where they differ, ``again`` reads both anew, and only what stays counts.
    """
    return [
        _unique(trades),
        _settled(trades, now),
        _balanced(trades, positions, again),
        _known("accounts", {one["accountId"] for one in trades}, accounts),
        _known("securities", {one["security"] for one in trades}, tickers),
    ]


def lines(found: Iterable[Finding]) -> Iterator[str]:
    """Yield the findings for people."""
    for one in found:
        yield f"{'ok  ' if one.is_well else 'FAIL'}  {one.what}: {one.said}"


def _workers(site: Site, environment: str) -> Iterator[Finding]:
    for one in site.hub.workers.list(space_id=site.space_id(environment)):
        worker = one["BridgeWorker"]
        yield Finding(f"worker {worker['Slug']}", worker.get("Condition") == "Ready", str(worker.get("Condition")))


def _answers(name: str, url: str) -> Finding:
    began = time.monotonic()
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:  # noqa: S310 an address from live state
            status = answer.status
    except HTTPError as error:
        return Finding(name, False, f"HTTP {error.code} from {url}")
    except OSError as error:
        return Finding(name, False, f"no answer from {url}: {str(error).lower()}")
    return Finding(name, status == 200, f"HTTP {status} in {(time.monotonic() - began) * 1000:.0f} ms")


def _read(status: Status, service: str, path: str) -> Json:
    if service not in status.services:
        raise NotFound(f"{service} has no address in {status.environment}", hint=_why(status, service))
    url = status.services[service] + path
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:  # noqa: S310 an address from live state
            return json.load(answer)
    except OSError as error:
        raise NotFound(f"{service} does not answer at {url}: {error}", hint=_why(status, service)) from error


def _why(status: Status, service: str) -> str:
    return f"bin/traderx why {service} {status.environment}"


def _unique(trades: list[dict[str, Any]]) -> Finding:
    twice = sorted(key for key, number in Counter(one["id"] for one in trades).items() if number > 1)
    return Finding(
        "trades once", not twice, f"{len(trades)} trades" + (f", twice: {', '.join(twice)}" if twice else "")
    )


def _settled(trades: list[dict[str, Any]], now: datetime) -> Finding:
    limit = now - timedelta(seconds=_PATIENCE_S)
    open_ = [one for one in trades if one["state"] in ("New", "Processing")]
    stuck = [one["id"] for one in open_ if datetime.fromisoformat(one["created"]) < limit]
    said = f"{len(trades) - len(open_)} done, {len(open_)} under way"
    return Finding("trades settled", not stuck, said + (f", stuck: {', '.join(stuck)}" if stuck else ""))


def _balanced(trades: Trades, positions: Positions, again: Callable[[], Books]) -> Finding:
    wrong = _imbalances(trades, positions)
    for _ in range(_LOOKS - 1):
        if not wrong:
            break
        now = _imbalances(*again())
        wrong = {place: now[place] for place in wrong if place in now}
    said = "; ".join(wrong.values()) or f"{len(positions)} are the sum of their trades"
    return Finding("positions", not wrong, said)


def _imbalances(trades: Trades, positions: Positions) -> dict[tuple[int, str], str]:
    """Return what is wrong by account and security, sorted."""
    sums: Counter[tuple[int, str]] = Counter()
    for one in trades:
        if one["state"] == "Settled":
            signed = one["quantity"] if one["side"] == "Buy" else -one["quantity"]
            sums[one["accountId"], one["security"]] += signed
    held = {(one["accountId"], one["security"]): one["quantity"] for one in positions}
    return {
        place: f"{place[0]} {place[1]} is {held.get(place, 0)} and its trades are {sums[place]}"
        for place in sorted(set(sums) | set(held))
        if held.get(place, 0) != sums[place]
    }


def _known(what: str, used: set[Any], there: set[Any]) -> Finding:
    missing = sorted(map(str, used - there))
    return Finding(what, not missing, f"unknown: {', '.join(missing)}" if missing else f"all {len(used)} are known")
