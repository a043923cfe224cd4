"""A unit's objects as they go to the hub: without our marks, with what the objects alone do not show.

A workload says what is wrong with its pods, a Service whether anything answers behind it, an Ingress whether
a controller serves its class. Each is a condition, in the manner of Kubernetes. What a Secret holds stays in the
cluster.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

import msgspec

from confighub.worker import readiness
from confighub.worker.apply_order import in_apply_order
from confighub.worker.documents import Manifest
from confighub.worker.kubernetes import inventory, pods
from confighub.worker.kubernetes.api import Resource
from confighub.worker.kubernetes.cluster import SCALED, Cluster
from confighub.worker.kubernetes.informers import Seen
from confighub.worker.kubernetes.strangers import Strangers

_WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet"})
SLICE = Resource("discovery.k8s.io/v1", "EndpointSlice", "endpointslices", is_namespaced=True)
_CLASS = Resource("networking.k8s.io/v1", "IngressClass", "ingressclasses", is_namespaced=False)
_SERVICE_NAME = "kubernetes.io/service-name"
# Where kubectl keeps the whole object as it was applied.
_COPY = "kubectl.kubernetes.io/last-applied-configuration"
# How long an answer about pods or classes is good for: objects change many times a second while they come up.
_KEPT_S = 0.5


class LiveView:
    """Shows a cluster's objects to the hub."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster, self._strangers = cluster, Strangers(cluster)
        self._kept: dict[str, tuple[float, Manifest | None]] = {}

    async def objects(self, seen: Iterable[Seen]) -> list[Manifest]:
        """Return the objects in apply order, those of a kind by namespace and name."""
        ordered = sorted(seen, key=lambda one: inventory.identity(one.item))
        by_key = {inventory.identity(one.item): one for one in ordered}
        items = in_apply_order([one.item for one in ordered])
        return [await self._shown(by_key[inventory.identity(item)]) for item in items]

    async def _shown(self, seen: Seen) -> Manifest:
        item = without_secrets(inventory.unmarked(seen.item))
        if notes := await self._notes(seen):
            annotations = {**(item["metadata"].get("annotations") or {}), **notes}
            item = {**item, "metadata": {**item["metadata"], "annotations": annotations}}
        more = await self._more(item)
        if more is None:
            return item
        status = item.get("status") or {}
        return {**item, "status": {**status, "conditions": [more, *(status.get("conditions") or [])]}}

    async def _notes(self, seen: Seen) -> dict[str, str]:
        """Return what others did to the object, or in it, as annotations."""
        notes = {inventory.FOREIGN: "\n".join(seen.foreign)} if seen.foreign else {}
        kind = seen.item.get("kind")
        if kind == "Namespace" and (strangers := self._strangers.of(seen.item["metadata"]["name"])):
            notes[inventory.STRANGERS] = "\n".join(strangers)
        if kind in SCALED and await self._cluster.autoscaled(seen.item):
            notes[inventory.AUTOSCALED] = "true"
        return notes

    async def close(self) -> None:
        """End what is watched for this view alone."""
        await self._strangers.close()

    async def _more(self, item: Manifest) -> Manifest | None:
        kind = item.get("kind")
        if kind == "Service":
            return await self._endpoints(item)
        if kind == "Ingress":
            return await self._acceptance(item)
        if kind not in _WORKLOADS or readiness.of_object(item).is_ready:
            return None
        key = str(item["metadata"].get("uid"))
        at, found = self._kept.get(key, (0.0, None))
        if time.monotonic() - at > _KEPT_S:
            found = await pods.trouble(self._cluster, item)
            self._kept[key] = (time.monotonic(), found)
        return found

    async def _endpoints(self, item: Manifest) -> Manifest | None:
        """Say when there are replicas behind the Service and none of them is ready."""
        namespace, name = str(item["metadata"].get("namespace") or ""), item["metadata"]["name"]
        if not item.get("spec", {}).get("selector"):
            return None
        slices = await self._cluster.watched(SLICE, namespace)
        own = [one.item for one in slices if (one.item["metadata"].get("labels") or {}).get(_SERVICE_NAME) == name]
        endpoints = [endpoint for one in own for endpoint in one.get("endpoints") or []]
        is_ready = [(endpoint.get("conditions") or {}).get("ready") is not False for endpoint in endpoints]
        if not endpoints or any(is_ready):
            return None
        message = f"none of {len(endpoints)} replicas is ready"
        return {"type": "Endpoints", "status": "False", "reason": "NotReady", "message": message}

    async def _acceptance(self, item: Manifest) -> Manifest | None:
        """Say when no controller of the cluster serves the Ingress, so that nobody waits for its address."""
        if (item.get("status") or {}).get("loadBalancer", {}).get("ingress"):
            return None
        name = str(item.get("spec", {}).get("ingressClassName") or "")
        at, found = self._kept.get(f"class {name}", (0.0, None))
        if time.monotonic() - at > _KEPT_S:
            answer = await self._cluster.api.call("GET", _CLASS.path(name=name))
            is_missing = answer.status == 404 or (answer.is_good and not name and not answer.body.get("items"))
            what = f"of class {name}" if name else "of any class"
            found = {
                "type": "Accepted",
                "status": "True",
                "reason": readiness.NO_CONTROLLER,
                "message": f"this cluster has no ingress controller {what}: accepted, and served by nobody",
            }
            found = found if is_missing else None
            self._kept[f"class {name}"] = (time.monotonic(), found)
        return found


def without_secrets(item: Manifest) -> Manifest:
    """Return the object as it may leave the cluster: of a Secret the keys only, each with an empty value."""
    if item.get("kind") != "Secret":
        return item
    bare = {key: value for key, value in item.items() if key not in ("data", "stringData")}
    bare |= {key: dict.fromkeys(item[key] or {}, "") for key in ("data", "stringData") if key in item}
    annotations = (item.get("metadata") or {}).get("annotations") or {}
    if _COPY in annotations:
        kept = {key: value for key, value in annotations.items() if key != _COPY}
        bare["metadata"] = {**item["metadata"], "annotations": kept}
    return bare


def blob(objects: list[Manifest]) -> bytes:
    """Return the objects as the live state that goes to the hub."""
    return msgspec.json.encode(objects)
