"""Objects as they are now, in Kubernetes shape: what is wanted, with a status.

Annotations say what a cluster would not: ``laptop.confighub/ignored`` names the fields that have no
effect here, ``laptop.confighub/addresses`` where the replicas answer, ``laptop.confighub/hosts`` which
Service names in variables became which addresses, ``laptop.confighub/metrics`` where an Ingress's
requests are counted, ``laptop.confighub/authority`` the file to trust for its HTTPS port. Each is a comma list.
"""

from __future__ import annotations

from confighub.runtime import manifests, routes
from confighub.runtime.addresses import LOOPBACK
from confighub.runtime.conditions import Clock, Condition
from confighub.runtime.ingress import Gateway
from confighub.runtime.manifests import Manifest
from confighub.runtime.rollout import Rollout
from confighub.runtime.services import Service
from confighub.runtime.state import StoredObject

PREFIX = "laptop.confighub/"
NOT_SUPPORTED = "NotSupportedHere"


def deployment(stored: StoredObject, rollout: Rollout, clock: Clock) -> Manifest:
    """Return a Deployment with its counts and conditions."""
    counts = rollout.counts()
    status = {
        "observedGeneration": rollout.observed_generation,
        "replicas": counts.total,
        "updatedReplicas": counts.updated,
        "readyReplicas": counts.ready,
        "availableReplicas": counts.available,
        "unavailableReplicas": max(0, counts.wanted - counts.available),
        "conditions": clock.stamp(rollout.conditions()),
    }
    alive = [replica for replica in rollout.replicas if not replica.stopping]
    places = sorted(str(endpoint) for replica in alive for endpoint in replica.endpoints())
    hosts: dict[str, str] = {}
    for replica in alive:
        for container in replica.containers:
            hosts |= container.replaced
    notes = {"addresses": places, "hosts": sorted(f"{name}={place}" for name, place in hosts.items())}
    return _object(stored, status, notes, removed_at=rollout.removed_at)


def service(stored: StoredObject, running: Service, clock: Clock) -> Manifest:
    """Return a Service with the address where it answers."""
    places: dict[str, list[Manifest]] = {}
    for port in running.ports():
        place = running.address(port.port)
        shown: Manifest = {"port": place.port, "protocol": "TCP"}
        places.setdefault(place.host, []).append(shown)
    status = {
        "loadBalancer": {"ingress": [{"ip": host, "ports": ports} for host, ports in places.items()]},
        "conditions": clock.stamp(running.conditions()),
    }
    return _object(stored, status)


def ingress(stored: StoredObject, gateway: Gateway, clock: Clock) -> Manifest:
    """Return an Ingress with the environment's HTTP and HTTPS ports, in this order."""
    ports: list[Manifest] = [{"port": port, "protocol": "TCP"} for port in gateway.ports()]
    status = {
        "loadBalancer": {"ingress": [{"ip": LOOPBACK, "hostname": "localhost", "ports": ports}]},
        "conditions": clock.stamp(gateway.conditions()),
    }
    typed = manifests.read(stored.manifest, manifests.Ingress)
    told = {"metrics": gateway.metrics_url(), "authority": gateway.authority_file()}
    notes = {name: [value] for name, value in told.items() if value}
    return _object(stored, status, {"ignored": routes.not_honoured(typed), **notes})


def plain(stored: StoredObject, clock: Clock) -> Manifest:
    """Return an object that has no processes: Namespaces are Active, other kinds may mean nothing here."""
    kind = manifests.kind_of(stored.manifest)
    if kind is manifests.Namespace:
        return _object(stored, {"phase": "Active"})
    if kind is manifests.ConfigMap:
        return _object(stored, {})
    name = stored.manifest["kind"]
    condition = Condition(
        type="Supported",
        status="False",
        reason=NOT_SUPPORTED,
        message=f"not supported here: {name} has no effect on a laptop",
    )
    return _object(stored, {"phase": NOT_SUPPORTED, "conditions": clock.stamp([condition])})


def _object(
    stored: StoredObject, status: Manifest, notes: dict[str, list[str]] | None = None, *, removed_at: str = ""
) -> Manifest:
    manifest = stored.manifest
    notes = dict(notes or {})
    notes["ignored"] = manifests.not_honoured(manifest) + notes.get("ignored", [])
    annotations = dict(manifest["metadata"].get("annotations") or {})
    annotations |= {PREFIX + name: ",".join(values) for name, values in sorted(notes.items()) if values}
    metadata = dict(manifest["metadata"]) | {"generation": stored.generation, "creationTimestamp": stored.created_at}
    if annotations:
        metadata["annotations"] = annotations
    if removed_at:
        metadata["deletionTimestamp"] = removed_at
    shown = {**manifest, "metadata": metadata}
    return {**shown, "status": status} if status else shown
