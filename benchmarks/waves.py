"""How long dev takes to come up by orders and by waves, in alternation, from nothing running to everything ready.

    python benchmarks/waves.py [--rounds N] [--json]

A project of its own is brought up, and for each deployment everything in it is destroyed first. The deployment alone is
timed, as `bin/ordered-apply dev [--waves] --json` says; the column of the peer is the deployment by orders.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

PROJECT = Path(__file__).resolve().parent.parent
ROUNDS = 5


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="waves-") as folder:
        try:
            run(folder, "up")
            taken = measure(folder, asked.rounds)
        finally:
            run(folder, "down")
    waves, orders = (median(taken[words]) for words in (("--waves",), ()))
    if asked.json:
        row = {"work": "dev deployed in waves, by orders", "ours": waves, "peer": orders}
        print(json.dumps({**row, "ratio": orders / waves, "unit": "s"}))
        return
    for words, seconds in taken.items():
        print(f"{'waves' if words else 'orders'}: {', '.join(f'{one:.1f}' for one in seconds)} s")
    print(f"medians: waves {waves:.1f} s, orders {orders:.1f} s, ratio {orders / waves:.2f}")


def measure(folder: str, rounds: int) -> dict[tuple[str, ...], list[float]]:
    """Return the seconds of each deployment, by the words that choose it."""
    space = run(folder, "proj").strip() + "-dev"
    taken: dict[tuple[str, ...], list[float]] = {(): [], ("--waves",): []}
    for number in range(rounds):
        # each goes first in every other round
        for words in sorted(taken, reverse=bool(number % 2)):
            run(folder, "cub", "unit", "destroy", "--space", space, "--where", "LiveRevisionNum > 0", "--yes")
            outcome = json.loads(run(folder, "ordered-apply", "dev", *words, "--json"))
            taken[words].append(outcome["seconds"])
    return taken


def run(folder: str, program: str, *words: str) -> str:
    """Run one of the project's programs on the folder and return what it printed."""
    environment = {**os.environ, "TRADERX_DATA": folder}
    done = subprocess.run(
        [str(PROJECT / "bin" / program), *words], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{program} {' '.join(words)} ended with {done.returncode}: {done.stderr}{done.stdout}")
    return done.stdout


if __name__ == "__main__":
    main()
