"""What an ingress controller would count on a cluster whose pods are pretended: a process that Prometheus can ask.

    python -m tests.kubernetes.ingress_exporter KUBECONFIG NAMESPACE SERVICE RATE

It divides RATE requests a second as the live objects say, by the canary's Ingress or by a VirtualService, and lets as
many fail as the variable FAULT_ERROR_RATE of the Deployment that gets them says. Prints where it answers: ``/metrics``
as ingress-nginx and Istio count, ``/history`` the states of the live objects that it saw, in order.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.kubernetes.control_plane import Kube
from tests.kubernetes.counting import BUCKET, REQUESTS, nginx_labels, serve

_LOOK_S = 0.1
Object = dict[str, Any]


@dataclass
class Seen:
    """The live objects as they are, and what they make of the traffic."""

    kube: Kube
    namespace: str
    service: str
    counts: defaultdict[tuple[str, str], float] = field(default_factory=lambda: defaultdict(float))
    history: list[Object] = field(default_factory=list)

    def look(self, requests: float) -> None:
        """Note the state and divide the requests by it."""
        deployments = {one["metadata"]["name"]: one for one in self._items("apis/apps/v1", "deployments")}
        selector = self.kube.get(f"/api/v1/namespaces/{self.namespace}/services/{self.service}")["spec"]["selector"]
        weight = self._weight()
        ready = {
            name: int(one.get("status", {}).get("readyReplicas", 0))
            for name, one in deployments.items()
            if name.startswith(self.service)
        }
        state = {"weight": weight, "ready": ready, "selector": selector}
        if not self.history or self.history[-1] != state:
            self.history.append(state)
        canary = f"{self.service}-canary"
        stable = next((name for name, one in deployments.items() if selects(selector, one)), "")
        self._count(deployments.get(stable), stable, requests * (100 - (weight or 0)) / 100)
        self._count(deployments.get(canary), canary, requests * (weight or 0) / 100)

    def _count(self, deployment: Object | None, workload: str, requests: float) -> None:
        if not requests:
            return
        bad = requests * (error_rate(deployment) if deployment and deployment["status"].get("readyReplicas") else 1.0)
        self.counts[workload, "200"] += requests - bad
        self.counts[workload, "500"] += bad

    def _weight(self) -> int | None:
        """Return the canary's share, None when nothing divides."""
        name = f"{self.service}-canary"
        virtual = self.kube.call(
            "GET", f"/apis/networking.istio.io/v1beta1/namespaces/{self.namespace}/virtualservices"
        )
        for one in virtual.json().get("items", []) if virtual.status_code == 200 else []:
            for entry in one["spec"]["http"] if self.service in one["spec"]["hosts"] else []:
                for route in entry["route"]:
                    if route["destination"]["host"] == name:
                        return int(route.get("weight", 0))
        for one in self._items("apis/networking.k8s.io/v1", "ingresses"):
            if one["metadata"]["name"] == name:
                return int(one["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary-weight"])
        return None

    def _items(self, group: str, plural: str) -> list[Object]:
        return list(self.kube.get(f"/{group}/namespaces/{self.namespace}/{plural}").get("items", []))

    def metrics(self) -> str:
        """Return the counters as ingress-nginx names them, by who is meant, and as Istio does, by who answered."""
        own, canary = f'namespace="{self.namespace}"', f"{self.service}-canary"
        counts: dict[str, float] = defaultdict(float)
        for (workload, status), number in self.counts.items():
            nginx = nginx_labels(self.namespace, self.service, status, canary=canary if workload == canary else "")
            istio = f'reporter="destination",destination_workload_{own},destination_workload="{workload}"'
            istio += f',response_code="{status}"'
            counts[f"{REQUESTS}{{{nginx}}}"] += number
            counts[f"istio_requests_total{{{istio}}}"] += number
            for bound in ("0.25", "1", "+Inf"):
                counts[f'{BUCKET}{{{nginx},le="{bound}"}}'] += number
            for bound in ("250", "1000", "+Inf"):
                counts[f'istio_request_duration_milliseconds_bucket{{{istio},le="{bound}"}}'] += number
        return "".join(f"{series} {int(number)}\n" for series, number in sorted(counts.items()))


def selects(selector: dict[str, str], deployment: Object) -> bool:
    """Tell whether a Service with that selector leads to the Deployment's pods."""
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    return all(labels.get(key) == value for key, value in selector.items())


def error_rate(deployment: Object) -> float:
    """Return the share of requests that the Deployment's programs let fail."""
    env = deployment["spec"]["template"]["spec"]["containers"][0].get("env", [])
    return next((float(one.get("value") or 0) for one in env if one["name"] == "FAULT_ERROR_RATE"), 0.0)


def main(kubeconfig: str, namespace: str, service: str, rate: str) -> None:
    """Look, divide and answer until killed."""
    seen = Seen(Kube(Path(kubeconfig)), namespace, service)
    seen.look(0)
    print(serve({"/metrics": seen.metrics, "/history": lambda: json.dumps(seen.history)}), flush=True)
    before = time.monotonic()
    while True:
        time.sleep(_LOOK_S)
        now = time.monotonic()
        seen.look(float(rate) * (now - before))
        before = now


if __name__ == "__main__":
    main(*sys.argv[1:])
