"""How long ``cub unit list`` takes, start-up included, beside another client on the same hub.

Both clients are run in turn against one hub with a small project, so that whatever else the machine
does falls on both. Times are medians in milliseconds of wall time.

    python benchmarks/cub_list.py --peer CUB [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

UNITS = 17
"""As many as an environment of TraderX has."""

RUNS = 20
DOOR = str(Path(__file__).resolve().parent.parent / "bin" / "cub")
"""The door that a checkout has; it finds the project's environment before it starts the program."""

USER, PASSWORD = "bench@example.com", "bench"

UNIT = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings-{number}
data:
  a: "{number}"
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--peer", help="the other cub; without one only ours is measured")
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cub-list-") as name:
        for found in measure(Path(name), asked.peer, asked.runs):
            print(json.dumps(found) if asked.json else "  ".join(f"{key} {value}" for key, value in found.items()))


def measure(folder: Path, peer: str | None, runs: int) -> list[dict[str, object]]:
    """Return the medians of our two doors, each beside the other client, all in turn on one hub."""
    programs = Path(sys.executable).parent
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    home = folder / ".confighub"
    home.mkdir()
    (home / "testusers.csv").write_text(f"{USER},{PASSWORD}\n")
    environ |= {"HOME": str(folder), "CONFIGHUB_HOME": str(home), "CONFIGHUB_URL": f"http://127.0.0.1:{port}"}
    data = str(folder / "hub")
    confighub, cub = str(programs / "confighub"), str(programs / "cub")
    add = [confighub, "user", "add", USER, "--password-stdin", "--data", data]
    subprocess.run(add, env=environ, input=PASSWORD, text=True, check=True, stdout=subprocess.DEVNULL)
    with (folder / "hub.log").open("w") as log:
        hub = subprocess.Popen([confighub, "serve", "--port", port, "--data", data], env=environ, stderr=log)
    try:
        wait_for(int(port))
        prepare(cub, folder, environ)
        clients = {"cub": cub, "bin/cub": DOOR} | ({"peer": peer} if peer else {})
        times: dict[str, list[float]] = {name: [] for name in clients}
        for _ in range(runs + 1):
            for name, program in clients.items():
                times[name].append(seconds([program, "unit", "list"], environ))
    finally:
        hub.terminate()
        hub.wait()
    # The first run of each warms caches.
    medians = {name: round(statistics.median(found[1:]) * 1000, 1) for name, found in times.items()}
    return [
        {
            "work": f"{door} unit list, {UNITS} units, {runs} runs each in turn",
            "ours": medians[door],
            "peer": medians.get("peer"),
            "ratio": round(medians[door] / medians["peer"], 2) if peer else None,
            "unit": "ms",
        }
        for door in ("cub", "bin/cub")
    ]


def prepare(cub: str, folder: Path, environ: dict[str, str]) -> None:
    """Log in and make the units."""
    quietly([cub, "auth", "test-login", USER], environ)
    for number in range(UNITS):
        path = folder / f"{number}.yaml"
        path.write_text(UNIT.format(number=number))
        quietly([cub, "unit", "create", f"settings-{number}", str(path)], environ)


def quietly(command: list[str], environ: dict[str, str]) -> None:
    """Run to the end; its output is told only when it fails."""
    subprocess.run(command, env=environ, check=True, capture_output=True)


def seconds(command: list[str], environ: dict[str, str]) -> float:
    """Return the wall time of one run."""
    start = time.perf_counter()
    quietly(command, environ)
    return time.perf_counter() - start


def wait_for(port: int) -> None:
    """Return when the port answers."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit("the hub did not start")


if __name__ == "__main__":
    main()
