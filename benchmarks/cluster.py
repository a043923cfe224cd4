"""What the measurements on a cluster share: its API server, a hub with a worker on it, and their command line."""

from __future__ import annotations

import argparse
import base64
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import yaml

from confighub.client.kubeconfig import from_kubeconfig

USER, PASSWORD = "bench@example.com", "bench bench bench"
PATIENCE_S = 600.0
_PAUSE_S = 0.002


def arguments(description: str | None, *, rounds: int) -> argparse.ArgumentParser:
    """Return the parser of what each of them is told."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kubeconfig", type=Path, required=True, help="a cluster that may be written to")
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    return parser


def connect(kubeconfig: Path, *, timeout_s: float | None) -> httpx2.Client:
    """Return a client of the cluster's API server; without a time limit it can follow a watch."""
    access = from_kubeconfig([kubeconfig])
    return httpx2.Client(base_url=access.server, verify=access.tls or True, trust_env=False, timeout=timeout_s)


class Site:
    """A hub with one space, and a worker on the cluster."""

    def __init__(self, folder: Path, kubeconfig: Path) -> None:
        self.kube = connect(kubeconfig, timeout_s=60)
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

    def live_state(self, unit: str) -> str:
        """Return what the hub knows to run of a unit."""
        found = self.call("GET", f"/space/{self.space}/unit/{unit}")["Unit"].get("LiveState") or ""
        return base64.b64decode(found).decode()

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


def p95(times: list[float]) -> float:
    """Return the 95th percentile; of one time, that one."""
    return sorted(times)[int(len(times) * 0.95) - 1 if len(times) > 1 else 0]
