"""A small ingress controller for clusters that have none: a process beside them, with the laptop's ingress in it.

    python -m tests.kubernetes.ingress_controller KUBECONFIG NAMESPACE

It serves the live Ingresses of the namespace, ingress-nginx's canary annotations included, and sends each request to a
ready endpoint of the Service, found in its EndpointSlices, as ingress-nginx does; routing, shares, rate limits,
WebSockets and what is done when a pod goes are those of ``confighub.runtime``. It must reach pods by their addresses.
Prints where it answers, as one line of JSON: ``ingress``, and ``metrics`` in ingress-nginx's names, with
kube-state-metrics' count of restarts. Like a real one it has an IngressClass, which goes with it, and tells its address
in the status of the Ingresses.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import tempfile
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import httpx2
import msgspec

from confighub.runtime import manifests
from confighub.runtime.addresses import Endpoint
from confighub.runtime.forwarding import Target
from confighub.runtime.ingress import Gateway
from confighub.runtime.metrics import Requests
from confighub.runtime.proxy import Carrier
from confighub.runtime.replicas import Replica
from confighub.runtime.routes import Destination, compile_table
from confighub.runtime.services import ServicePool
from confighub.runtime.state import Settings
from confighub.runtime.users import Users
from tests.kubernetes.control_plane import Kube, free_ports
from tests.kubernetes.counting import BOUNDS, BUCKET, REQUESTS, nginx_labels, serve

CLASS = "nginx"
_LOOK_S = 0.1
_CLASSES = "/apis/networking.k8s.io/v1/ingressclasses"
_INGRESSES = "/apis/networking.k8s.io/v1/namespaces/{}/ingresses"
Object = dict[str, Any]


class Counts(Requests):
    """Requests by who was meant, as ingress-nginx counts them; ``canaries`` tells of each canary whose it is."""

    def __init__(self, namespace: str) -> None:
        super().__init__()
        self.canaries: dict[str, str] = {}
        self._namespace = namespace
        self._seen: defaultdict[tuple[str, int], list[int]] = defaultdict(lambda: [0] * len(BOUNDS))

    def note(self, environment: str, ingress: str, service: str, *, status: int, seconds: float) -> None:
        """Count one finished request."""
        del environment, ingress
        self._seen[service, status][bisect_left([float(bound) for bound in BOUNDS], seconds)] += 1

    def text(self, environment: str = "") -> str:
        """Return the counters and the histogram."""
        del environment
        lines = []
        for (service, status), buckets in sorted(self._seen.items()):
            meant = self.canaries.get(service, "")
            labels = nginx_labels(self._namespace, meant or service, status, canary=service if meant else "")
            lines.append(f"{REQUESTS}{{{labels}}} {sum(buckets)}")
            lines += [f'{BUCKET}{{{labels},le="{bound}"}} {sum(buckets[: at + 1])}' for at, bound in enumerate(BOUNDS)]
        return "".join(f"{line}\n" for line in lines)


class Pod:
    """Where a request is, as far as whoever carries it asks; nothing here ends with the pod."""

    def __init__(self) -> None:
        self.users = Users()


class Endpoints(ServicePool):
    """The ready pods behind one port of a Service, in turn."""

    def __init__(self, places: Collection[Endpoint]) -> None:
        self._ready = [Target(cast("Replica", Pod()), place) for place in sorted(places, key=str)]
        self._turn = 0

    def pick(self, client: str, avoid: Collection[Endpoint] = ()) -> Target | None:
        """Return the next pod in turn."""
        del client
        fit = [one for one in self._ready if one.endpoint not in avoid]
        self._turn += 1
        return fit[self._turn % len(fit)] if fit else None


@dataclass
class Seen:
    """The live objects of one namespace as they were at the last look."""

    kube: Kube
    namespace: str
    ingresses: list[Object] = field(default_factory=list)
    pools: dict[tuple[str, int | str], Endpoints] = field(default_factory=dict)
    _places: dict[tuple[str, int | str], frozenset[Endpoint]] = field(default_factory=dict)

    def look(self) -> None:
        """Read them anew; a pool whose pods are the same stays."""
        ingresses = self._items("apis/networking.k8s.io/v1", "ingresses")
        services = self._items("api/v1", "services")
        slices = self._items("apis/discovery.k8s.io/v1", "endpointslices")
        places = {key: found for one in services for key, found in places_of(one, slices).items()}
        kept = {key: pool for key, pool in self.pools.items() if self._places.get(key) == places.get(key)}
        self.pools = {key: kept.get(key) or Endpoints(found) for key, found in places.items()}
        self._places, self.ingresses = places, ingresses

    def find(self, destination: Destination) -> Endpoints | None:
        """Return the pods behind a Service's port, None when there is no such port."""
        port = destination.port.number or destination.port.name or 0
        return self.pools.get((destination.service, port))

    def tell(self, port: int) -> None:
        """Write into the status of every Ingress where it answers."""
        address = {"ip": "127.0.0.1", "ports": [{"port": port, "protocol": "TCP"}]}
        status = {"loadBalancer": {"ingress": [address]}}
        for one in self.ingresses:
            if one.get("status") != status:
                path = f"{_INGRESSES.format(self.namespace)}/{one['metadata']['name']}/status"
                body = {"status": status}
                self.kube.call("PATCH", path, body, content="application/merge-patch+json", fieldManager="ingress")

    def restarts(self) -> str:
        """Return how often containers of the namespace's pods were started again, as kube-state-metrics names it."""
        return "".join(
            f'kube_pod_container_status_restarts_total{{namespace="{self.namespace}",'
            f'pod="{pod["metadata"]["name"]}",container="{one["name"]}"}} {one["restartCount"]}\n'
            for pod in self._items("api/v1", "pods")
            for one in pod.get("status", {}).get("containerStatuses") or []
        )

    def _items(self, group: str, plural: str) -> list[Object]:
        return list(self.kube.get(f"/{group}/namespaces/{self.namespace}/{plural}").get("items", []))


def places_of(service: Object, slices: list[Object]) -> dict[tuple[str, int | str], frozenset[Endpoint]]:
    """Return where the ready pods behind each of the Service's ports answer, by the port's number and by its name."""
    name = service["metadata"]["name"]
    own = [one for one in slices if (one["metadata"].get("labels") or {}).get("kubernetes.io/service-name") == name]
    found: dict[tuple[str, int | str], frozenset[Endpoint]] = {}
    for port in service["spec"].get("ports") or []:
        places = frozenset(
            Endpoint(address, declared["port"])
            for one in own
            for declared in one.get("ports") or []
            if (declared.get("name") or "") == (port.get("name") or "")
            for endpoint in one.get("endpoints") or []
            if (endpoint.get("conditions") or {}).get("ready") is not False
            for address in endpoint["addresses"]
        )
        found[name, port["port"]] = places
        if port.get("name"):
            found[name, port["name"]] = places
    return found


def served(ingresses: list[Object]) -> list[manifests.Ingress]:
    """Return the Ingresses of our class, without certificates, which tests have none of, and without their versions."""
    named = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress"}  # which the items of a list do not say
    read = [manifests.read({**named, **one}, manifests.Ingress) for one in ingresses]
    return [
        msgspec.structs.replace(
            one,
            metadata=msgspec.structs.replace(one.metadata, resource_version=None),
            spec=msgspec.structs.replace(one.spec, tls=None),
        )
        for one in read
        if one.spec.ingress_class_name == CLASS
    ]


def canaries(ingresses: list[manifests.Ingress]) -> dict[str, str]:
    """Return whose canary each Service is that gets requests as one."""
    routes = compile_table(ingresses).routes
    return {one.canary.destination.service: one.destination.service for one in routes if one.canary}


async def run(kube: Kube, namespace: str) -> None:
    """Serve until told to end."""
    seen, counts, carrier = Seen(kube, namespace), Counts(namespace), Carrier()
    (port,) = free_ports(1)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    with tempfile.TemporaryDirectory(prefix="traderx-ingress-") as folder:
        gateway = Gateway(
            namespace,
            ports=lambda: (port, 0),
            folder=Path(folder),
            authority=Path(folder),
            find_pool=seen.find,
            carrier=carrier,
            requests=counts,
            on_change=lambda: None,
        )
        metrics = serve({"/metrics": lambda: counts.text() + seen.restarts()})
        print(json.dumps({"ingress": f"http://127.0.0.1:{port}", "metrics": f"{metrics}/metrics"}), flush=True)
        known: list[manifests.Ingress] = []
        while not ended.is_set():
            try:
                await asyncio.to_thread(seen.look)
                wanted = served(seen.ingresses)
                if wanted != known:
                    # A count must not be taken for the old version's own, so the names come before the routes.
                    counts.canaries |= canaries(wanted)
                    gateway.want(wanted, Settings())
                    known = wanted
                await asyncio.to_thread(seen.tell, port)
            except (httpx2.HTTPError, AssertionError) as error:
                print(f"the cluster cannot be asked: {error}", file=sys.stderr, flush=True)
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):
                    await ended.wait()
        await gateway.close()
        await carrier.close()


def main(kubeconfig: str, namespace: str) -> None:
    """Be the controller of the class until ended."""
    kube = Kube(Path(kubeconfig))
    is_ours = not kube.get(f"{_CLASSES}/{CLASS}")
    if is_ours:
        controller = {"controller": "confighub.com/tests-ingress"}
        metadata = {"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": CLASS}}
        kube.create(_CLASSES, {**metadata, "spec": controller})
    try:
        asyncio.run(run(kube, namespace))
    finally:
        if is_ours:
            kube.delete(f"{_CLASSES}/{CLASS}")


if __name__ == "__main__":
    main(*sys.argv[1:])
