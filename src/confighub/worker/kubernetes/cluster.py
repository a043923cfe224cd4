"""One cluster as the worker sees it: its API server, and all objects of units, kept by watches."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence

from confighub.client.kubeconfig import Access
from confighub.errors import BadRequest, ConfigHubError, Forbidden, RetryLater
from confighub.worker.documents import Manifest
from confighub.worker.kubernetes import inventory
from confighub.worker.kubernetes.api import Api, Resource
from confighub.worker.kubernetes.informers import Changed, Informer, Seen
from confighub.worker.kubernetes.presence import Presence

_LOG = logging.getLogger("confighub.worker")
_SCALERS = ("autoscaling/v2", "HorizontalPodAutoscaler")
# What controllers derive from other objects, labels included, is no unit's.
_DERIVED = frozenset({"Endpoints", "EndpointSlice", "Event", "ControllerRevision", "PodMetrics", "NodeMetrics"})
SCALED = frozenset({"Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"})
"""Kinds whose replicas an autoscaler may decide over."""
_SYNC_S = 10.0


class Cluster:
    """One cluster, watched for the objects of one worker's units.

    ``namespaces`` are those in which the objects are found where not all may be listed at once.
    """

    def __init__(self, access: Access, namespaces: Sequence[str] = ()) -> None:
        self.api = Api(access)
        self.presence = Presence(self.api)
        self._namespaces = tuple(namespaces)
        self._informers: dict[tuple[str, str, str], Informer] = {}
        self._by_unit: defaultdict[str, dict[inventory.Identity, Seen]] = defaultdict(dict)
        # Made by the first change, too: what changes while one looks, before one waits, must not be missed.
        self._changes: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.dirty: set[str] = set()
        self.has_dirty = asyncio.Event()
        self.claimants: dict[inventory.Identity, Seen] = {}
        """Objects with a unit's label that this worker's field manager never applied: somebody's copies."""
        self._is_found = False

    @property
    def name(self) -> str:
        """The context's name."""
        return self.api.access.name

    async def close(self) -> None:
        """End the watches and close the connections."""
        for informer in self._informers.values():
            await informer.close()
        await self.api.close()

    def trouble(self) -> str:
        """Return what keeps a watch from going on, empty when all go on."""
        found = next((informer.trouble for informer in self._informers.values() if informer.trouble), "")
        return f"{self.name}: {found}" if found else ""

    def informers(self) -> Iterator[Informer]:
        """All watches there are."""
        return iter(self._informers.values())

    async def resource_of(self, manifest: Manifest) -> Resource:
        """Return how the server offers the manifest's kind. Raises: BadRequest when it does not."""
        version, kind = str(manifest.get("apiVersion", "")), str(manifest.get("kind", ""))
        found = await self.api.resource(version, kind)
        if found is None:
            raise BadRequest(
                f"{self.name} has no kind {kind} in {version}", hint="apply its CustomResourceDefinition first"
            )
        return found

    def namespace_of(self, manifest: Manifest, resource: Resource) -> str:
        """Return the namespace that the object goes to, empty for cluster-wide kinds."""
        if not resource.is_namespaced:
            return ""
        return str((manifest.get("metadata") or {}).get("namespace") or self.api.access.namespace)

    async def watched(self, resource: Resource, namespace: str) -> Informer:
        """Return the watch on the unit objects of a kind, started and filled."""
        return await self._informer(resource, namespace, inventory.UNIT)

    async def autoscaled(self, item: Manifest, *, is_sure: bool = False) -> bool:
        """True when a HorizontalPodAutoscaler of anyone's decides over the object's replicas.

        A watch tells of a new one a moment late; ``is_sure`` asks the server when none is known yet.
        """
        resource = await self.api.resource(*_SCALERS)
        if resource is None:
            return False
        namespace = str(item["metadata"].get("namespace") or "")
        scalers = await self._informer(resource, namespace, "", self._note_scaler)
        wanted = str(item.get("kind")), namespace, str(item["metadata"].get("name"))
        if any(_scaled(seen.item) == wanted for seen in scalers):
            return True
        if not is_sure:
            return False
        try:
            items, _ = await self.api.listed(resource, namespace)
        except Forbidden:
            return False
        return any(_scaled(one) == wanted for one in items)

    def of_unit(self, unit_id: str) -> dict[inventory.Identity, Seen]:
        """Return what is known to belong to the unit."""
        return dict(self._by_unit.get(unit_id, {}))

    async def changed(self, unit_id: str, at_most_s: float) -> None:
        """Return when one of the unit's objects has changed, or after the time."""
        event = self._changes[unit_id]
        try:
            async with asyncio.timeout(at_most_s):
                await event.wait()
        except TimeoutError:
            return
        finally:
            event.clear()

    async def find_all(self) -> None:
        """Begin to watch every kind and namespace in which a unit has objects.

        A kind that may be listed neither over all namespaces nor in one that was named is left out: it is watched
        when a unit needs it.
        """
        if self._is_found:
            return
        kinds = [
            resource
            for resource in await self.api.all_resources()
            if {"list", "watch"} <= set(resource.verbs) and resource.kind not in _DERIVED
        ]
        await asyncio.gather(*(self._find(resource) for resource in kinds))
        self._is_found = True

    async def _find(self, resource: Resource) -> None:
        try:
            await self._find_in(resource, "")
        except Forbidden as error:
            _LOG.info("%s", error)
            if resource.is_namespaced:
                await asyncio.gather(*(self._find_if_allowed(resource, one) for one in self._namespaces))
        except ConfigHubError as error:
            _LOG.info("%s", error)

    async def _find_if_allowed(self, resource: Resource, namespace: str) -> None:
        try:
            await self._find_in(resource, namespace)
        except ConfigHubError as error:
            _LOG.info("in namespace %s %s", namespace, error)

    async def _find_in(self, resource: Resource, namespace: str) -> None:
        items, _ = await self.api.listed(resource, namespace, inventory.UNIT)
        for found in {str(item["metadata"].get("namespace") or "") for item in items}:
            await self.watched(resource, found)

    async def get(self, resource: Resource, namespace: str, name: str) -> Manifest | None:
        """Return the object as it is, None when it is not there."""
        answer = await self.api.call("GET", resource.path(namespace, name))
        if answer.status == 404:
            return None
        if not answer.is_good:
            kind = Forbidden if answer.status == 403 else RetryLater
            raise kind(f"{resource.kind} {name} cannot be read: {answer.message}")
        return answer.body

    async def _informer(
        self, resource: Resource, namespace: str, selector: str, changed: Changed | None = None
    ) -> Informer:
        key = (f"{resource.group_version}/{resource.kind}", namespace, selector)
        informer = self._informers.get(key)
        if informer is None:
            informer = Informer(self.api, resource, namespace, selector, changed or self._note)
            self._informers[key] = informer
        if not await informer.synced(at_most_s=_SYNC_S):
            _LOG.info("the list of %s in %s takes its time", resource.plural, namespace or "all namespaces")
        return informer

    def _note(self, before: Seen | None, after: Seen | None) -> None:
        for seen, is_there in ((before, False), (after, True)):
            if seen is None:
                continue
            unit = str((seen.item["metadata"].get("labels") or {}).get(inventory.UNIT, ""))
            is_derived = seen.item.get("kind") in _DERIVED
            if unit and seen.owner is None and not is_derived:
                self._claim(seen, is_there=is_there)
            if not unit or (seen.owner is None and not is_derived):
                continue
            if not is_derived:
                self._keep(unit, seen, is_there=is_there)
            self.dirty.add(unit)
            self._changes[unit].set()
        self.has_dirty.set()

    def _claim(self, seen: Seen, *, is_there: bool) -> None:
        key = inventory.identity(seen.item)
        if is_there:
            self.claimants[key] = seen
        else:
            self.claimants.pop(key, None)
        self.tell_namespace(key[2])

    def tell_namespace(self, name: str) -> None:
        """Have the unit told again that has the namespace, if one has."""
        wanted = ("", "Namespace", "", name)
        self.dirty.update(unit for unit, there in self._by_unit.items() if wanted in there)
        self.has_dirty.set()

    def _note_scaler(self, before: Seen | None, after: Seen | None) -> None:
        """Have the units told again whose replicas an autoscaler took over or let go."""
        scaled = {_scaled(seen.item) for seen in (before, after) if seen}
        if before and after and len(scaled) == 1:
            return
        for unit, there in self._by_unit.items():
            if any(key[1:] in scaled for key in there):
                self.dirty.add(unit)
        self.has_dirty.set()

    def _keep(self, unit: str, seen: Seen, *, is_there: bool) -> None:
        key = inventory.identity(seen.item)
        if is_there:
            self._by_unit[unit][key] = seen
        else:
            self._by_unit[unit].pop(key, None)
            if not self._by_unit[unit]:
                del self._by_unit[unit]


def _scaled(scaler: Manifest) -> tuple[str, str, str]:
    """Return kind, namespace and name of what an autoscaler scales."""
    target = (scaler.get("spec") or {}).get("scaleTargetRef") or {}
    return str(target.get("kind")), str(scaler["metadata"].get("namespace") or ""), str(target.get("name"))
