"""How much processor time it takes to upgrade clones, beside the reference's library in its function server.

usage: merge.py [--json] [--peer FUNCTION_SERVER] [--clones 1,100,1000] [--sizes 20,121,2000]

An upstream unit gets a new image and a new environment variable; each clone has its own namespace, replicas, label and
log level, recorded as its own. Ours is one ``merge.upgrade`` a clone, its record included. *cold* forgets every text
before the first clone, upstream's too, so that each clone's is one that was never seen; *warm* keeps them as far as
memory is given. The peer computes upstream's change and patches the clone with it, protected paths given: the two calls
that its hub makes.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import peer as peers
import report

import manifests
from confighub.data import merge
from confighub.data.compare import mutations
from confighub.data.document import clear_caches
from confighub.data.merge import upgrade
from confighub.data.mutations import with_predicate
from confighub.functions.invoke import invoke
from confighub.records.base import to_builtins
from confighub.records.functions import FunctionArgument, FunctionInvocation
from confighub.records.mutations import ResourceMutation


def changed(text: str, *calls: tuple[str, list[Any]]) -> str:
    """Return a text after some function calls."""
    invocations = [
        FunctionInvocation(function_name=name, arguments=[FunctionArgument(value=value) for value in values])
        for name, values in calls
    ]
    done = invoke(text, invocations)
    assert done.success, done.errors
    return done.text


def clones(base: str, count: int) -> list[tuple[str, list[ResourceMutation]]]:
    """Return clones of a text with their own changes and the records of those."""
    found = []
    for number in range(count):
        text = changed(
            base,
            ("set-namespace", [f"env-{number}"]),
            ("set-replicas", [str(number % 20 + 3)]),
            ("set-label", ["clone", f"c{number}"]),
            ("set-env-var", ["*", "LOG_LEVEL", f"level-{number}"]),
        )
        found.append((text, with_predicate(mutations(base, text, index=2), predicate=False)))
    return found


def main() -> None:
    """Measure and print."""
    options = _options()
    report.head(as_json=options.json)
    with peers.running(options.peer) as peer:
        for lines in options.sizes:
            for count in options.clones:
                for state in ("warm", "cold"):
                    _measure(lines, count, state, peer, options)
    if not options.json:
        report.table(_TOLD)


_TOLD: list[tuple[str, str, report.Measurement]] = []
"""What was measured so far, for the table at the end."""


def _measure(lines: int, count: int, state: str, peer: peers.Peer | None, options: argparse.Namespace) -> None:
    base = manifests.unit(0, lines)
    theirs = changed(base, ("set-image-reference", ["*", ":v2.0.0"]), ("set-env", ["*", "UPSTREAM_NEW=1"]))
    mine = clones(base, count)
    first = upgrade(base=base, ours=mine[0][0], theirs=theirs, own=mine[0][1])
    for expected in (":v2.0.0", "UPSTREAM_NEW", "level-0"):
        assert expected in first.text, expected

    def ours(number: int) -> None:
        if state == "cold" and number % count == 0:
            clear_caches()
            merge.clear_caches()
        text, own = mine[number % count]
        upgrade(base=base, ours=text, theirs=theirs, own=own)

    predicates = [json.dumps(to_builtins(own)) for _, own in mine]

    def peers_way(number: int) -> None:
        if peer is None:
            return
        patch = peer.call(theirs, [("compute-mutations", [base, "1"])])
        place = number % count
        records = _decoded(patch["Output"])
        peer.call(mine[place][0], [("patch-mutations", [predicates[place], records])])

    for number in range(min(count, 50)):
        ours(number)
    taken = report.in_turns(
        ours,
        peers_way,
        peer,
        rounds=5,
        our_calls=max(min(count, 1000), 100) if lines < 1000 else max(min(count, 100), 20),
        peer_calls=10 if lines < 1000 else 2,
    )
    clones_are = "1 clone" if count == 1 else f"{count} clones"
    one = report.Measurement(f"upgrade {clones_are} of {lines} lines, {state}", *taken, unit="µs CPU a clone")
    _TOLD.append((f"upgrade of {lines} lines", f"{clones_are}, {state}", one))
    report.tell(one, as_json=options.json)


def _decoded(output: str) -> str:
    import base64

    return base64.b64decode(output).decode()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="processor time of upgrades")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--peer", type=Path, help="path of the reference's function server")
    parser.add_argument("--clones", type=_numbers, default="1,100,1000", help="how many clones, several with commas")
    parser.add_argument("--sizes", type=_numbers, default="20,121,2000", help="lines of a unit, several with commas")
    return parser.parse_args()


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    main()
