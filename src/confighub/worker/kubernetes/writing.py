"""A unit's objects brought into being together, and those that left it removed."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Iterable
from dataclasses import replace

from confighub.errors import BadRequest, ConfigHubError
from confighub.worker import readiness
from confighub.worker.apply_order import in_destroy_order
from confighub.worker.bridge import Operation
from confighub.worker.documents import Manifest, describe
from confighub.worker.kubernetes import applying, inventory
from confighub.worker.kubernetes.applying import Applied, Terms
from confighub.worker.kubernetes.cluster import Cluster
from confighub.worker.kubernetes.informers import Seen

# Changes come by themselves; this often it is looked whether the time is over.
_LOOK_AGAIN_S = 1.0
# What left a unit goes at once, unless a finalizer holds it.
_GONE_S = 1.0


async def write(cluster: Cluster, operation: Operation, wanted: list[Manifest], terms: Terms) -> list[Applied]:
    """Apply kind by kind, the objects of a kind side by side."""
    applied: list[Applied] = []
    for kind, group in itertools.groupby(wanted, key=lambda one: one.get("kind")):
        applied += await _together(applying.apply(cluster, one, operation, terms) for one in group)
        if kind == "CustomResourceDefinition":
            await _wait_established(cluster, applied, terms)
    return applied


async def prune(cluster: Cluster, operation: Operation, applied: list[Applied], terms: Terms) -> list[str]:
    """Remove the unit's objects that its text no longer has; return what went."""
    kept = {inventory.identity(one.item) for one in applied}
    extra = [one for key, one in cluster.of_unit(operation.unit_id).items() if key not in kept]
    await remove(cluster, extra, terms)
    if extra:  # else the live state of this apply would still have them
        keys = [inventory.identity(one.item) for one in extra]
        await wait_gone(cluster, operation.unit_id, keys, replace(terms, deadline=time.monotonic() + _GONE_S))
    return [f"removed {describe(one.item)}" for one in extra]


async def remove(cluster: Cluster, own: list[Seen], terms: Terms) -> None:
    """Ask the server to delete the objects, in the order in which they may go. Raises: as applying.remove."""
    for item in in_destroy_order([one.item for one in own]):
        resource = await cluster.api.resource(item["apiVersion"], item["kind"])
        if resource:
            await applying.remove(cluster, resource, item, terms)


async def wait_gone(cluster: Cluster, unit_id: str, keys: list[inventory.Identity], terms: Terms) -> list[Manifest]:
    """Return what is still there when the time is over."""
    while True:
        there = cluster.of_unit(unit_id)
        left = [there[key].item for key in keys if key in there]
        if not left or not terms.left_s():
            return left
        await cluster.changed(unit_id, min(_LOOK_AGAIN_S, terms.left_s()))


async def _wait_established(cluster: Cluster, applied: list[Applied], terms: Terms) -> None:
    for one in applied:
        if one.item["kind"] != "CustomResourceDefinition":
            continue
        resource, item = await cluster.resource_of(one.item), one.item
        while not (state := readiness.of_object(item)).is_ready:
            if state.is_hopeless or not terms.left_s():
                raise BadRequest(state.message)
            await asyncio.sleep(0.05)
            item = await cluster.get(resource, "", item["metadata"]["name"]) or item
        for version in item["spec"]["versions"]:
            if version.get("served"):
                await _wait_served(cluster, f"{item['spec']['group']}/{version['name']}", item, terms)


async def _wait_served(cluster: Cluster, version: str, definition: Manifest, terms: Terms) -> None:
    """Return when the server offers the kind, which may be a moment after it is established, or the time is over."""
    kind = str(definition["spec"]["names"]["kind"])
    cluster.api.forget(version)
    while await cluster.api.resource(version, kind) is None and terms.left_s():
        await asyncio.sleep(0.05)
        cluster.api.forget(version)


def refuse_twins(cluster: Cluster, wanted: list[Manifest]) -> None:
    """Raise BadRequest when two documents are the same object, or one is none."""
    known: set[inventory.Identity] = set()
    for document in wanted:
        if not document.get("apiVersion") or not (document.get("metadata") or {}).get("name"):
            raise BadRequest(f"a document has no apiVersion or no name: {describe(document) or 'without kind'}")
        group, kind, namespace, name = inventory.identity(document)
        key = (group, kind, namespace or cluster.api.access.namespace, name)
        if key in known:
            raise BadRequest(f"{describe(document)} is in the unit twice")
        known.add(key)


async def _together(calls: Iterable[Awaitable[Applied]]) -> list[Applied]:
    """Return all results; when some fail, the others still come to their end first."""
    found = await asyncio.gather(*calls, return_exceptions=True)
    errors = [one for one in found if isinstance(one, BaseException)]
    for error in errors:
        if not isinstance(error, ConfigHubError):
            raise error
    if len(errors) > 1:
        raise BadRequest("; ".join(str(error) for error in errors))
    if errors:
        raise errors[0]
    return [one for one in found if isinstance(one, Applied)]
