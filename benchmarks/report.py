"""Measurements: taken in turns, told as a table or as one JSON object a line."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from peer import Peer


@dataclass(frozen=True)
class Measurement:
    """One piece of work, ours and the peer's, in one unit; smaller is better."""

    work: str
    ours: float
    peer: float | None
    unit: str = "µs CPU a call"

    @property
    def ratio(self) -> float | None:
        """How many times as much the peer needs."""
        return None if self.peer is None else self.peer / self.ours


def in_turns(
    ours: Callable[[int], object],
    peers: Callable[[int], object] | None,
    peer: Peer | None,
    *,
    rounds: int,
    our_calls: int,
    peer_calls: int,
) -> tuple[float, float | None]:
    """Return the median processor time a call in µs, ours and the peer's, measured in alternation.

    Each function is given the number of the call, so that no two ask for the same.
    """
    our_times: list[float] = []
    peer_times: list[float] = []
    number = 0
    for _ in range(rounds):
        start = time.process_time_ns()
        for _ in range(our_calls):
            number += 1
            ours(number)
        our_times.append((time.process_time_ns() - start) / our_calls / 1000)
        if peer is not None and peers is not None:
            before = peer.cpu_ns()
            for _ in range(peer_calls):
                number += 1
                peers(number)
            peer_times.append((peer.cpu_ns() - before) / peer_calls / 1000)
    return median(our_times), median(peer_times) if peer_times else None


def tell(one: Measurement, *, as_json: bool) -> None:
    """Print a measurement."""
    if as_json:
        line = {
            "work": one.work,
            "ours": round(one.ours, 2),
            "peer": None if one.peer is None else round(one.peer, 2),
            "ratio": None if one.ratio is None else round(one.ratio, 1),
            "unit": one.unit,
        }
        print(json.dumps(line), flush=True)
        return
    peer = "–" if one.peer is None else f"{one.peer:12.1f}"
    ratio = "–" if one.ratio is None else f"{one.ratio:8.1f}×"
    print(f"{one.work:62} {one.ours:12.1f} {peer:>12} {ratio:>9}  {one.unit}", flush=True)


def tell_all(found: list[Measurement], *, as_json: bool) -> None:
    """Print measurements below their head."""
    head(as_json=as_json)
    for one in found:
        tell(one, as_json=as_json)


def table(found: list[tuple[str, str, Measurement]]) -> None:
    """Print the ratios as one table: a row per piece of work, a column per size, state and number of units.

    Without a peer the cells hold our own times. Each entry is the row, the column and what was measured.
    """
    rows = list(dict.fromkeys(row for row, _, _ in found))
    columns = list(dict.fromkeys(column for _, column, _ in found))
    cells = {(row, column): one for row, column, one in found}
    print()
    print("| work | " + " | ".join(columns) + " |")
    print("|---|" + "---:|" * len(columns))
    for row in rows:
        print(f"| {row} | " + " | ".join(_cell(cells.get((row, column))) for column in columns) + " |", flush=True)


def _cell(one: Measurement | None) -> str:
    if one is None:
        return ""
    return f"{one.ours:.0f} µs" if one.ratio is None else f"{one.ratio:.1f}×"


def head(*, as_json: bool) -> None:
    """Print the table's head."""
    if not as_json:
        print(f"{'work':62} {'ours':>12} {'peer':>12} {'ratio':>9}  unit", file=sys.stdout, flush=True)
