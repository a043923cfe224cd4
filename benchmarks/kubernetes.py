"""How fast units reach a cluster and drift reaches the hub, on a real API server.

A hub and a worker are started for the measurement, on a folder of their own; objects go to namespaces of their own,
which are deleted at the end. The peer is ``kubectl apply --server-side`` of the same objects. Times are wall time:
95th percentiles of the rounds for single units, one run each for many.

    python benchmarks/kubernetes.py --kubeconfig FILE [--kubectl PROGRAM] [--rounds 30] [--units 1000] [--json]
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
from report import Measurement, head, tell

from confighub.worker.kubernetes.access import from_kubeconfig

USER, PASSWORD = "bench@example.com", "bench bench bench"
PATIENCE_S = 600.0
_PAUSE_S = 0.002


class Site:
    """A hub with one space, and a worker on the cluster."""

    def __init__(self, folder: Path, kubeconfig: Path) -> None:
        access = from_kubeconfig([kubeconfig])
        self.kube = httpx2.Client(base_url=access.server, verify=access.tls or True, trust_env=False, timeout=60)
        self.namespace = f"bench-{uuid.uuid4().hex[:6]}"
        self.make_namespace(self.namespace)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        data, run = str(folder / "hub"), "from confighub.server import run; run()"
        add = [sys.executable, "-c", run, "user", "add", USER, "--password-stdin", "--data", data]
        subprocess.run(add, input=PASSWORD + "\n", text=True, check=True, capture_output=True)
        self.log = (folder / "log").open("ab")
        serve = [sys.executable, "-c", run, "serve", "--port", str(port), "--data", data]
        self.processes = [subprocess.Popen(serve, stdout=self.log, stderr=self.log)]
        self.http = httpx2.Client(base_url=self.url, auth=(USER, PASSWORD), trust_env=False, timeout=120)
        until(lambda: self.http.get("/api/info").status_code == 200)
        self.space = self.call("POST", "/space", {"Slug": "bench"})["SpaceID"]
        worker = self.call("POST", f"/space/{self.space}/bridge_worker", {"Slug": "w1"})
        env = os.environ | {"CONFIGHUB_URL": self.url, "CONFIGHUB_HOME": str(folder / "worker")}
        env |= {"CONFIGHUB_WORKER_ID": worker["BridgeWorkerID"], "CONFIGHUB_WORKER_SECRET": worker["Secret"]}
        start = [sys.executable, "-c", "from confighub.cli.main import run; run()", "worker", "run", "w1"]
        start += ["--provider", "kubernetes", "--kubeconfig", str(kubeconfig), "--wait-timeout", "300s"]
        self.processes.append(subprocess.Popen(start, env=env, stdout=self.log, stderr=self.log))
        self.target = until(self._find_target)

    def _find_target(self) -> str:
        found = self.call("GET", f"/space/{self.space}/target")
        return str(found[0]["Target"]["TargetID"]) if found else ""

    def call(self, method: str, path: str, body: object = None, **query: str) -> Any:
        """Return what the hub answers."""
        answer = self.http.request(method, f"/api{path}", json=body, params=query)
        if answer.status_code not in (200, 207):
            raise SystemExit(f"{method} {path}: {answer.text}")
        return answer.json()

    def make_namespace(self, name: str) -> None:
        """Make a namespace."""
        self.kube.post("/api/v1/namespaces", json={"metadata": {"name": name}}).raise_for_status()

    def create(self, slug: str, document: dict[str, Any]) -> str:
        """Make a unit of one object; return its id."""
        data = base64.b64encode(json.dumps(document).encode()).decode()
        body = {"Slug": slug, "Data": data, "TargetID": self.target}
        return str(self.call("POST", f"/space/{self.space}/unit", body)["UnitID"])

    def apply(self, unit: str) -> None:
        """Apply a unit; return when that is accepted."""
        self.call("POST", f"/space/{self.space}/unit/{unit}/apply")

    def live_count(self) -> int:
        """Return how many units are live."""
        found = self.call("GET", f"/space/{self.space}/unit", where="LiveRevisionNum > 0", select="Slug")
        return len(found)

    def stop(self) -> None:
        """End hub and worker."""
        for process in reversed(self.processes):
            process.terminate()
            process.wait(30)
        self.log.close()
        self.kube.delete(f"/api/v1/namespaces/{self.namespace}")


def until(condition: Callable[[], Any]) -> Any:
    """Return the condition's first true answer."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            if found := condition():
                return found
        except httpx2.TransportError:
            pass
        time.sleep(_PAUSE_S)
    raise SystemExit("the benchmark waited in vain")


def settings(name: str, namespace: str, **data: str) -> dict[str, Any]:
    """Return a ConfigMap."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": data,
    }


def first_write(site: Site, rounds: int) -> Measurement:
    """Measure from the accepted apply to the object at the API server, each round a new unit."""
    times: list[float] = []
    path = f"/api/v1/namespaces/{site.namespace}/configmaps"
    for number in range(rounds):
        unit = site.create(f"write-{number}", settings(f"write-{number}", site.namespace, a="1"))
        site.apply(unit)
        start = time.perf_counter()
        until(lambda number=number: site.kube.get(f"{path}/write-{number}").status_code == 200)
        times.append(time.perf_counter() - start)
    return Measurement("apply accepted → first write, p95", _p95(times) * 1000, None, "ms")


def drift(site: Site, rounds: int) -> list[Measurement]:
    """Measure from a foreign change to the hub's knowing of it, and on to its being put right by an apply."""
    document = settings("drifting", site.namespace, color="blue")
    unit = site.create("drifting", document)
    site.apply(unit)
    until(lambda: site.call("GET", f"/space/{site.space}/unit/{unit}")["Unit"]["LiveRevisionNum"])
    path = f"/api/v1/namespaces/{site.namespace}/configmaps/drifting"
    known: list[float] = []
    mended: list[float] = []
    for number in range(rounds):
        start = time.perf_counter()
        headers = {"Content-Type": "application/merge-patch+json"}
        query = {"fieldManager": "intruder"}
        color = f"red-{number}"
        site.kube.patch(path, content=json.dumps({"data": {"color": color}}), headers=headers, params=query)
        until(lambda color=color: color in _live(site, unit))
        known.append(time.perf_counter() - start)
        site.apply(unit)
        until(lambda: site.kube.get(path).json()["data"]["color"] == "blue")
        mended.append(time.perf_counter() - start)
    return [
        Measurement("drift → known to the hub, p95", _p95(known) * 1000, None, "ms"),
        Measurement("drift → known and put right, p95", _p95(mended) * 1000, None, "ms"),
    ]


def _live(site: Site, unit: str) -> str:
    found = site.call("GET", f"/space/{site.space}/unit/{unit}")["Unit"].get("LiveState") or ""
    return base64.b64decode(found).decode()


def many(site: Site, count: int, kubectl: str, kubeconfig: Path, folder: Path) -> Measurement:
    """Measure units applied by one call, from the call until all are live, and the peer on the same objects."""
    for number in range(count):
        site.create(f"many-{number}", settings(f"many-{number}", site.namespace, number=str(number)))
    before = site.live_count()
    start = time.perf_counter()
    where = f"SpaceID = '{site.space}' AND Slug LIKE 'many-%'"
    site.call("POST", "/unit/apply", where=where)
    while site.live_count() < before + count:
        time.sleep(0.1)
    ours = time.perf_counter() - start
    return Measurement(f"{count} units applied", ours, _peer(site, count, kubectl, kubeconfig, folder), "s")


def _peer(site: Site, count: int, kubectl: str, kubeconfig: Path, folder: Path) -> float | None:
    if not kubectl:
        return None
    namespace = f"{site.namespace}-peer"
    site.make_namespace(namespace)
    file = folder / "objects.json"
    items = [settings(f"many-{number}", namespace, number=str(number)) for number in range(count)]
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    command = [kubectl, f"--kubeconfig={kubeconfig}", "apply", "--server-side", "-f", str(file)]
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    taken = time.perf_counter() - start
    site.kube.delete(f"/api/v1/namespaces/{namespace}")
    return taken


def _p95(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.95) - 1 if len(times) > 1 else 0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kubeconfig", type=Path, required=True, help="a cluster that may be written to")
    parser.add_argument("--kubectl", default="", help="the peer; without it its columns are null")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--units", type=int, default=1000)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        site = Site(folder, given.kubeconfig)
        try:
            found = [first_write(site, given.rounds), *drift(site, given.rounds)]
            if given.units:
                found.append(many(site, given.units, given.kubectl, given.kubeconfig, folder))
        finally:
            site.stop()
    head(as_json=given.json)
    for one in found:
        tell(one, as_json=given.json)


if __name__ == "__main__":
    main()
