"""How long an ordered apply of dev's 17 units takes on a cluster beyond what it must wait for.

A project of its own is made for each round and ended afterwards; the namespace ``traderx-dev`` must be free, and the
cluster must have nodes, real or pretended. What must be waited for is seen by a watch of its own: the time in which a
Deployment was made and not ready, and the time for which it must stay ready (the target's StableTime, 500 ms). The
rest is ours: the command, the hub, the worker.

    python benchmarks/ordered.py --kubeconfig FILE [--rounds 3] [--json]
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from statistics import median
from typing import Any

from cluster import arguments, connect
from report import Measurement, tell_all

PROJECT = Path(__file__).resolve().parents[1]
NAMESPACE = "/api/v1/namespaces/traderx-dev"
DEPLOYMENTS = "/apis/apps/v1/namespaces/traderx-dev/deployments"
STABLE_S = 0.5

Span = tuple[float, float]


class Watch:
    """When each Deployment was made and when it was ready, on this machine's clock."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kube = connect(kubeconfig, timeout_s=None)
        self.made: dict[str, float] = {}
        self.ready: dict[str, float] = {}
        self._since = self.kube.get(DEPLOYMENTS).json()["metadata"]["resourceVersion"]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        query = {"watch": "1", "resourceVersion": self._since}
        with self.kube.stream("GET", DEPLOYMENTS, params=query) as answer:
            for line in answer.iter_lines():
                one = json.loads(line)["object"]
                self._take(one, time.monotonic())

    def _take(self, one: dict[str, Any], now: float) -> None:
        name, status = one["metadata"]["name"], one.get("status") or {}
        self.made.setdefault(name, now)
        is_seen = status.get("observedGeneration", 0) >= one["metadata"]["generation"]
        if is_seen and status.get("readyReplicas", 0) == one["spec"]["replicas"]:
            self.ready.setdefault(name, now)

    def spans(self, *, stable_s: float = 0.0) -> list[Span]:
        """Return the time from making to readiness of each, and so much longer."""
        return [(self.made[name], self.ready[name] + stable_s) for name in self.ready]


def covered(spans: list[Span]) -> float:
    """Return the seconds in which at least one of the spans runs."""
    total, end = 0.0, float("-inf")
    for start, stop in sorted(spans):
        total += max(0.0, stop - max(start, end))
        end = max(end, stop)
    return total


def run(data: Path, program: str, *arguments: str) -> float:
    """Run one of the project's programs; return how long it took."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CONFIGHUB_", "TRADERX_"))}
    home = data.parent / "home"
    home.mkdir(exist_ok=True)
    environment = {**kept, "HOME": str(home), "TRADERX_DATA": str(data)}
    start = time.monotonic()
    done = subprocess.run(
        [str(PROJECT / "bin" / program), *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{program} {' '.join(arguments)}: {done.stdout}{done.stderr}")
    return time.monotonic() - start


def one_round(kubeconfig: Path) -> tuple[float, float, float]:
    """Return the seconds of the whole, those in which pods came up, and these with the time of staying ready."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        watch = Watch(kubeconfig)
        try:
            run(data, "install-base")
            run(data, "install-envs")
            run(data, "setup-worker", "dev", "--kubeconfig", str(kubeconfig))
            run(data, "traderx", "secrets", "create", "dev")
            whole = run(data, "ordered-apply", "dev")
        finally:
            run(data, "down")
            watch.kube.delete(NAMESPACE)
            while watch.kube.get(NAMESPACE).status_code != 404:
                time.sleep(0.2)
        return whole, covered(watch.spans()), covered(watch.spans(stable_s=STABLE_S))


def main() -> None:
    given = arguments(__doc__, rounds=3).parse_args()
    found = [one_round(given.kubeconfig.resolve()) for _ in range(given.rounds)]
    figures = (
        ("ordered apply of 17 units", [whole for whole, _, _ in found]),
        ("of it, pods coming up", [pods for _, pods, _ in found]),
        ("of it, staying ready", [stable - pods for _, pods, stable in found]),
        ("of it, our code", [whole - stable for whole, _, stable in found]),
    )
    tell_all([Measurement(work, median(seconds), None, "s") for work, seconds in figures], as_json=given.json)


if __name__ == "__main__":
    main()
