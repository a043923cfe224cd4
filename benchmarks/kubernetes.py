"""How fast units reach a cluster and drift reaches the hub, on a real API server.

A hub and a worker are started for the measurement, on a folder of their own; objects go to namespaces of their own,
which are deleted at the end. The peer is ``kubectl apply --server-side`` of the same objects. Times are wall time:
95th percentiles of the rounds for single units, medians of the turns for many.

    python benchmarks/kubernetes.py --kubeconfig FILE [--kubectl PROGRAM] [--rounds 30]
        [--units 1000] [--turns 3] [--json]
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
from statistics import median
from typing import Any

import httpx2
import yaml
from report import Measurement, head, tell

from confighub.client.kubeconfig import from_kubeconfig

USER, PASSWORD = "bench@example.com", "bench bench bench"
PATIENCE_S = 600.0
_PAUSE_S = 0.002


class Site:
    """A hub with one space, and a worker on the cluster."""

    def __init__(self, folder: Path, kubeconfig: Path) -> None:
        access = from_kubeconfig([kubeconfig])
        self.kube = httpx2.Client(base_url=access.server, verify=access.tls or True, trust_env=False, timeout=60)
        self.namespaces: list[str] = []
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
        self.namespaces.append(name)

    def create(self, slug: str, document: dict[str, Any], *, space: str = "") -> str:
        """Make a unit of one object, in another space one without a target; return its id."""
        data = base64.b64encode(yaml.safe_dump(document, sort_keys=False).encode()).decode()
        body = {"Slug": slug, "Data": data} | ({} if space else {"TargetID": self.target})
        return str(self.call("POST", f"/space/{space or self.space}/unit", body)["UnitID"])

    def apply(self, unit: str) -> None:
        """Apply a unit; return when that is accepted."""
        self.call("POST", f"/space/{self.space}/unit/{unit}/apply")

    def stop(self) -> None:
        """End hub and worker."""
        for process in reversed(self.processes):
            process.terminate()
            process.wait(30)
        self.log.close()
        for namespace in self.namespaces:
            self.kube.delete(f"/api/v1/namespaces/{namespace}")


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


def many(site: Site, count: int, rounds: int, peer: Kubectl | None) -> list[Measurement]:
    """Measure units applied by one call, from the call until all are live, and the peer on the same objects, in turns.

    Each round has new units. Then the same for units that are promoted first: their upstreams have changed.
    """
    ours: list[float] = []
    peers: list[float] = []
    for number in range(rounds):
        name = f"many-{number}"
        for one in range(count):
            site.create(f"{name}-{one}", settings(f"{name}-{one}", site.namespace, number=str(one)))
        ours.append(_applied(site, f"SpaceID = '{site.space}' AND Slug LIKE '{name}-%'"))
        if peer:
            peers.append(peer.applies(site, name, count))
    taken, theirs = median(ours), median(peers) if peers else None
    return [
        Measurement(f"{count} units applied", taken, theirs, "s"),
        Measurement("the same, each", taken / count * 1000, theirs / count * 1000 if theirs else None, "ms"),
        promoted(site, count),
    ]


def promoted(site: Site, count: int) -> Measurement:
    """Measure units that take over the change of their upstreams and are applied, until all are live."""
    upstream, downstream = (
        site.call("POST", "/space", {"Slug": f"bench-{name}"})["SpaceID"] for name in ("up", "down")
    )
    for one in range(count):
        site.create(f"moved-{one}", settings(f"moved-{one}", site.namespace, number=str(one)), space=upstream)
    clones, originals = f"SpaceID = '{downstream}'", f"SpaceID = '{upstream}'"
    patch = {"TargetID": site.target}
    site.call("POST", "/unit", patch, where=originals, where_space=f"SpaceID = '{downstream}'")
    _applied(site, clones)
    site.call("PATCH", "/unit", {"data": {"color": "green"}}, where=originals, data_patch="true")
    start = time.perf_counter()
    site.call("PATCH", "/unit", {}, where=clones, upgrade="true")
    _applied(site, clones)
    return Measurement(f"{count} units promoted and applied", time.perf_counter() - start, None, "s")


def _applied(site: Site, where: str) -> float:
    """Apply the units by one call; return how long it took until their heads are live."""
    start = time.perf_counter()
    site.call("POST", "/unit/apply", where=where)
    behind = f"{where} AND LiveRevisionNum < HeadRevisionNum"
    while site.call("GET", "/unit", where=behind, select="Slug", limit="1"):
        time.sleep(0.05)
    return time.perf_counter() - start


class Kubectl:
    """The peer: ``kubectl apply --server-side`` of objects in one file."""

    def __init__(self, program: str, kubeconfig: Path, folder: Path) -> None:
        self.command = [program, f"--kubeconfig={kubeconfig}", "apply", "--server-side", "-f"]
        self.file = folder / "objects.json"

    def applies(self, site: Site, name: str, count: int) -> float:
        """Return how long it takes to apply so many objects that there are none of yet."""
        namespace = f"{site.namespace}-{name}"
        site.make_namespace(namespace)
        items = [settings(f"{name}-{one}", namespace, number=str(one)) for one in range(count)]
        self.file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
        start = time.perf_counter()
        subprocess.run([*self.command, str(self.file)], check=True, capture_output=True)
        return time.perf_counter() - start


def _p95(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.95) - 1 if len(times) > 1 else 0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kubeconfig", type=Path, required=True, help="a cluster that may be written to")
    parser.add_argument("--kubectl", default="", help="the peer; without it its columns are null")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--units", type=int, default=1000)
    parser.add_argument("--turns", type=int, default=3, help="how often the units are applied, by us and the peer")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        site = Site(folder, given.kubeconfig)
        try:
            found = [first_write(site, given.rounds), *drift(site, given.rounds)] if given.rounds else []
            peer = Kubectl(given.kubectl, given.kubeconfig, folder) if given.kubectl else None
            found += many(site, given.units, given.turns, peer) if given.units else []
        finally:
            site.stop()
    head(as_json=given.json)
    for one in found:
        tell(one, as_json=given.json)


if __name__ == "__main__":
    main()
