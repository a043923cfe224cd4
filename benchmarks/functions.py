"""How much processor time a function call takes, beside the reference's function server.

usage: functions.py [--json] [--peer FUNCTION_SERVER] [--quick] [--only NAME] [--sizes 20,121,2000] [--units 1,100,1000]

Both sides work on the same texts, in alternation. A call asks for a new value each time, so no result is ready. *warm*
keeps the parses of earlier calls, as the hub does for units that it has just looked at; *cold* forgets everything
before each call, as for a text that was never seen. What is kept is bounded: of 1,000 units of 121 lines, and of 100 of
2,000, the parse is gone when a unit's turn comes again. The peer knows no cache; its figure stands beside both. The
ratios are shown as one table at the end.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import peer as peers
import report

import manifests
from confighub.data.document import clear_caches
from confighub.functions import registry
from confighub.functions.invoke import Invoked, invoke
from confighub.records.functions import FunctionArgument, FunctionInvocation

Arguments = Callable[[int], list[Any]]

MUTATING: dict[str, Arguments] = {
    "set-replicas": lambda n: [str(n % 1000)],
    "set-image": lambda n: ["*", f"registry.example.com/team/web:v{n}"],
    "set-image-reference": lambda n: ["*", f":v{n}"],
    "set-namespace": lambda n: [f"ns-{n}"],
    "set-label": lambda n: ["env", f"e{n}"],
    "set-annotation": lambda n: ["example.com/note", f"n{n}"],
    "set-env-var": lambda n: ["*", "LOG_LEVEL", f"level{n}"],
    "set-env": lambda n: ["*", f"ADDED={n}x"],
    "set-container-resources": lambda n: ["*", "all", f"{n % 900 + 100}m", "300Mi", "2"],
    "set-string-path": lambda n: ["apps/v1/Deployment", "spec.template.spec.priorityClassName", f"p{n}"],
    "set-int-path": lambda n: ["apps/v1/Deployment", "spec.replicas", str(n % 1000)],
    "search-replace": lambda n: ["registry.example.com", f"registry{n}.example.com"],
}
READING: dict[str, Arguments] = {
    "get-replicas": lambda _: [],
    "get-image": lambda _: ["*"],
    "get-env-var": lambda _: ["*", "LOG_LEVEL"],
    "get-attributes": lambda _: [],
    "get-needed": lambda _: [],
    "get-placeholders": lambda _: [],
    "no-placeholders": lambda _: [],
    "get-resources": lambda _: [],
    "where-filter": lambda n: ["apps/v1/Deployment", f"spec.replicas < {n + 3} AND metadata.labels.layer = 'backend'"],
    "cel-validate": lambda _: ["r.spec.replicas > 0"],
    "yq": lambda _: [".spec.template.spec.containers[].image"],
}
_TOLD: list[tuple[str, str, report.Measurement]] = []
"""What was measured so far, for the table at the end."""


def call(text: str, name: str, values: list[Any]) -> Invoked:
    """Run one function on one text, as the hub does."""
    arguments = [FunctionArgument(value=value) for value in values]
    return invoke(text, [FunctionInvocation(function_name=name, arguments=arguments)], combine_results=True)


def main() -> None:
    """Measure and print."""
    options = _options()
    registry.functions()
    report.head(as_json=options.json)
    with peers.running(options.peer) as peer:
        for name, arguments in {**MUTATING, **READING}.items():
            if options.only in ("", name):
                _measure(name, arguments, peer, options)
        if options.only in ("", "yq"):
            _crowd(peer, as_json=options.json)
    if not options.json:
        report.table(_TOLD)


def _measure(name: str, arguments: Arguments, peer: peers.Peer | None, options: argparse.Namespace) -> None:
    for lines in options.sizes:
        for count in (1,) if options.quick else options.units:
            texts = [manifests.unit(number, lines) for number in range(count)]
            assert call(texts[0], name, arguments(1)).success, name
            for state in ("warm", "cold"):
                _tell(name, arguments, texts, lines, state, peer, options)


def _tell(
    name: str,
    arguments: Arguments,
    texts: list[str],
    lines: int,
    state: str,
    peer: peers.Peer | None,
    options: argparse.Namespace,
) -> None:
    def ours(number: int) -> None:
        if state == "cold":
            clear_caches()
        call(texts[number % len(texts)], name, arguments(number))

    def theirs(number: int) -> None:
        if peer is not None:
            peer.call(texts[number % len(texts)], [(name, arguments(number))])

    for number in range(min(len(texts), 100 if lines > 1000 else 1000)):
        ours(number)
    heavy = lines > 1000
    taken = report.in_turns(
        ours,
        theirs,
        peer,
        rounds=3 if options.quick else 7,
        our_calls=min(max(20, len(texts)), 100) if heavy else max(100, len(texts)),
        peer_calls=2 if heavy else 10,
    )
    units = "1 unit" if len(texts) == 1 else f"{len(texts)} units"
    one = report.Measurement(f"{name}, {lines} lines, {units}, {state}", *taken)
    _TOLD.append((name, f"{lines} lines, {units}, {state}", one))
    report.tell(one, as_json=options.json)


def _crowd(peer: peers.Peer | None, *, as_json: bool) -> None:
    """Ask ``yq`` from four sides at once: nobody may fall over."""
    text = manifests.unit(0, 121)
    ours = _failures(lambda: call(text, "yq", [".spec.replicas"]).success)
    theirs = None
    if peer is not None:
        asked = peer
        theirs = float(_failures(lambda: bool(asked.call_apart(text, [("yq", [".spec.replicas"])])["Success"])))
        theirs = theirs if peer.is_running() else float(4 * _ASKED)
    one = report.Measurement("yq, four clients at once", float(ours), None, "failed calls of 400")
    report.tell(one if theirs is None else report.Measurement(one.work, one.ours, None, one.unit), as_json=as_json)
    if theirs is not None:
        report.tell(report.Measurement("yq, four clients at once, the peer", theirs, None, one.unit), as_json=as_json)


_ASKED = 100


def _failures(ask: Callable[[], bool]) -> int:
    failed = [0]
    lock = threading.Lock()

    def client() -> None:
        for _ in range(_ASKED):
            try:
                is_fine = ask()
            except (OSError, RuntimeError, ValueError, KeyError):
                is_fine = False
                time.sleep(0.001)
            if not is_fine:
                with lock:
                    failed[0] += 1

    clients = [threading.Thread(target=client) for _ in range(4)]
    for one in clients:
        one.start()
    for one in clients:
        one.join()
    return failed[0]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="processor time of function calls")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--peer", type=Path, help="path of the reference's function server")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, one unit only")
    parser.add_argument("--only", default="", help="one function")
    parser.add_argument("--sizes", type=_numbers, default="20,121,2000", help="lines of a unit, several with commas")
    parser.add_argument("--units", type=_numbers, default="1,100,1000", help="how many units, several with commas")
    return parser.parse_args()


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    main()
