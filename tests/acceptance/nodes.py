"""TraderX on a real node: kubelet and containerd run its images, probe them, and Services lead to them.

It needs a cluster with a node, which `.ci/run` does not make: too much for a machine that runs tests. Without one the
tests are skipped. `.ci/kubernetes/node/up` makes one on a machine without Docker; docs/kubernetes-node.md has more.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.clusters import DEPLOYMENTS
from tests.acceptance.conftest import end
from tests.acceptance.system import PROJECT, System
from tests.acceptance.traffic import Traffic
from tests.folders import short_folder
from tests.kubernetes.control_plane import GivenPlane, Kube, to_itself

WAY = "set KUBECONFIG_TEST to a cluster with a real node, or make one as root: .ci/kubernetes/node/up"
PATIENCE = ("--timeout", "150")
"""The seed allows a unit 60 s; here all pods share a machine with whatever else runs on it."""


@dataclass
class Node:
    """One environment on a real node."""

    system: System
    plane: GivenPlane
    environment: str = "dev"

    @property
    def kube(self) -> Kube:
        """Calls to the cluster that know nothing of the system."""
        return self.plane.kube

    @property
    def namespace(self) -> str:
        """Where the environment lives in the cluster."""
        return f"traderx-{self.environment}"

    def address(self, service: str) -> str:
        """Return where a Service answers inside the cluster, and from here."""
        found = self.kube.get(f"/api/v1/namespaces/{self.namespace}/services/{service}")["spec"]
        return f"http://{found['clusterIP']}:{found['ports'][0]['port']}"

    @property
    def gui(self) -> str:
        """The address of the Service web-gui, which leads to all the others."""
        return self.address("web-gui")

    def deployment(self, service: str) -> dict[str, Any]:
        """Return a live Deployment, empty when there is none."""
        return self.kube.get(f"{DEPLOYMENTS.format(self.namespace)}/{service}")

    def pods(self, service: str) -> list[dict[str, Any]]:
        """Return the pods of a service that are not about to end."""
        return [one for one in self._pods(service) if "deletionTimestamp" not in one["metadata"]]

    def count(self, service: str) -> int:
        """Return how many pods of a service there are, those that end included."""
        return len(self._pods(service))

    def change(self, function: str, *arguments: str, unit: str) -> None:
        """Run a function on a unit, which its history shows."""
        space = self.system.space(self.environment)
        self.system.must("cub", "run", function, *arguments, "--space", space, "--unit", unit)

    def set_image(self, service: str, tag: str) -> None:
        """Let a service run another version."""
        arguments = ("--container-name", service, "--image-reference", tag)
        self.change("set-image-reference", *arguments, unit=f"{service}-deployment")

    def is_live(self, unit: str) -> bool:
        """Tell whether the newest revision of a unit is the one that runs."""
        found = self.system.unit(unit, self.environment)
        return bool(found["LiveRevisionNum"] == found["HeadRevisionNum"])

    def deploy(self, *options: str) -> str:
        """Give the environment its secret and its worker, deploy it, and return what was said."""
        kubeconfig, environment = str(self.plane.kubeconfig), self.environment
        self.system.must("traderx", "secrets", "create", environment, "--kubeconfig", kubeconfig)
        self.system.must("setup-worker", environment, "--kubeconfig", kubeconfig)
        return self.system.must("ordered-apply", environment, *PATIENCE, *options, timeout_s=1500).out

    def _pods(self, service: str) -> list[dict[str, Any]]:
        path = f"/api/v1/namespaces/{self.namespace}/pods"
        return list(self.kube.get(path, labelSelector=f"app={service}")["items"])


@dataclass(frozen=True)
class Door:
    """Where an environment is reached from outside, and where its requests are counted."""

    ingress: str
    metrics: str


@contextmanager
def opened(node: Node) -> Iterator[Door]:
    """Run an ingress controller for the environment, which a node of tests does not have."""
    command = [sys.executable, "-m", "tests.kubernetes.ingress_controller", str(node.plane.kubeconfig), node.namespace]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT)
    assert process.stdout is not None
    try:
        yield Door(**json.loads(process.stdout.readline()))
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


class PodTraffic(Traffic):
    """The same users, at a Service: from this machine's own address, and without a rate limit."""

    def _connect(self, source: str) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._host, self._port, timeout=30)


def real_nodes(kube: Kube) -> list[str]:
    """Return the nodes that are ready and run what they are given."""
    return [
        one["metadata"]["name"]
        for one in kube.get("/api/v1/nodes")["items"]
        if "kwok.x-k8s.io/node" not in (one["metadata"].get("annotations") or {})
        and any(c["type"] == "Ready" and c["status"] == "True" for c in one.get("status", {}).get("conditions", []))
    ]


@contextmanager
def on_node(*environments: str) -> Iterator[Node]:
    """Yield a project for these environments on a real node, each with a database; the first one's is returned.

    Nothing is deployed yet. Skips without a node.
    """
    given = os.environ.get("KUBECONFIG_TEST")
    if not given:
        pytest.skip(f"no real Kubernetes node: {WAY}")
    plane = GivenPlane(Path(given))
    if not real_nodes(plane.kube):
        pytest.skip(f"the cluster of KUBECONFIG_TEST has no real node that is ready: {WAY}")
    with to_itself(plane, *(f"traderx-{environment}" for environment in environments)):
        system = System(short_folder() / "data")
        try:
            yield Node(system, plane, environments[0])
        finally:
            end(system)
    plane.kube.close()
