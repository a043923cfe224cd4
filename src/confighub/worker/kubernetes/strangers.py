"""Objects that nobody's unit has, in namespaces that units made: told, never touched.

One watch a kind and namespace, narrowed to objects without a unit's label, so that it says nothing while
nothing strange happens. Kinds that the account may not list are left out. Secrets are not looked at, since they are
made beside the units on purpose, nor Pods, which workloads make.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from confighub.errors import ConfigHubError
from confighub.worker.documents import Manifest
from confighub.worker.kubernetes import inventory
from confighub.worker.kubernetes.api import Resource
from confighub.worker.kubernetes.cluster import Cluster
from confighub.worker.kubernetes.importer import MADE_BY_CLUSTERS
from confighub.worker.kubernetes.informers import Informer, Seen

KINDS = (
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("batch/v1", "CronJob"),
    ("batch/v1", "Job"),
    ("networking.k8s.io/v1", "Ingress"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("policy/v1", "PodDisruptionBudget"),
    ("rbac.authorization.k8s.io/v1", "Role"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"),
    ("v1", "ConfigMap"),
    ("v1", "Service"),
    ("v1", "ServiceAccount"),
)
"""What is looked at: what runs, how it is reached, and what gives rights."""

_OF_NO_UNIT = f"!{inventory.UNIT}"
# What `cub worker install` makes for the worker itself.
_MANAGED_BY = ("app.kubernetes.io/managed-by", "confighub")
_LOG = logging.getLogger("confighub.worker")


class Strangers:
    """What is strange in the namespaces of one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._informers: dict[str, list[Informer]] = {}
        self._beginning: set[asyncio.Task[None]] = set()

    def of(self, namespace: str) -> list[str]:
        """Return what is known of a namespace, a line each, sorted: ``apps/v1 Deployment NAME by MANAGER``.

        The first call begins to watch; what is found then has the namespace's unit told again.
        """
        if namespace not in self._informers:
            self._informers[namespace] = []
            for kind in KINDS:
                task = asyncio.create_task(self._begin(namespace, *kind))
                self._beginning.add(task)
                task.add_done_callback(self._beginning.discard)
        seen = [one for informer in self._informers[namespace] for one in informer]
        claimed = [one for key, one in self._cluster.claimants.items() if key[2] == namespace]
        return sorted(_line(one) for one in (*seen, *claimed) if _is_strange(one))

    async def close(self) -> None:
        """End the watches."""
        for task in list(self._beginning):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        for informer in (one for found in self._informers.values() for one in found):
            await informer.close()

    async def _begin(self, namespace: str, version: str, kind: str) -> None:
        api = self._cluster.api
        try:
            resource = await api.resource(version, kind)
            if resource is None:
                return
            await api.listed(resource, namespace, _OF_NO_UNIT)
        except ConfigHubError as error:
            _LOG.info("nobody looks for strange objects: in namespace %s %s", namespace, error)
            return
        self._informers[namespace].append(self._informer(resource, namespace))

    def _informer(self, resource: Resource, namespace: str) -> Informer:
        def changed(before: Seen | None, after: Seen | None) -> None:
            was, is_now = ({_line(one)} if one and _is_strange(one) else set() for one in (before, after))
            if was != is_now:
                self._cluster.tell_namespace(namespace)

        return Informer(self._cluster.api, resource, namespace, _OF_NO_UNIT, changed, _in_short)


def _in_short(item: Manifest) -> Seen:
    """Return what tells whether the object is strange, and who made it; not what it holds, which may be much."""
    seen = Seen.of(item)
    kept = ("name", "namespace", "resourceVersion", "ownerReferences", "labels")
    metadata = {key: seen.item["metadata"][key] for key in kept if key in seen.item["metadata"]}
    short = {"apiVersion": item.get("apiVersion"), "kind": item.get("kind"), "metadata": metadata}
    return Seen(short, seen.owner, (), seen.makers)


def _is_strange(seen: Seen) -> bool:
    metadata = seen.item["metadata"]
    if metadata.get("ownerReferences") or (seen.item.get("kind"), metadata.get("name")) in MADE_BY_CLUSTERS:
        return False
    label, value = _MANAGED_BY
    return bool(seen.makers) and (metadata.get("labels") or {}).get(label) != value


def _line(seen: Seen) -> str:
    item = seen.item
    return f"{item['apiVersion']} {item['kind']} {item['metadata']['name']} by {', '.join(seen.makers)}"
