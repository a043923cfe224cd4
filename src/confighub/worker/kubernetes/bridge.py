"""The bridge to Kubernetes: units become objects by server-side apply, and their changes are told as they happen."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import msgspec

from confighub.client import kubeconfig
from confighub.errors import BadRequest, ConfigHubError, RetryLater
from confighub.records.work import AvailableTarget, ConfigType
from confighub.worker import documents, drift, readiness
from confighub.worker.apply_order import in_apply_order
from confighub.worker.bridge import LiveChange, Operation, Outcome, Report, Tell
from confighub.worker.documents import Manifest, describe
from confighub.worker.durations import seconds
from confighub.worker.kubernetes import comparing, inventory, optional, writing
from confighub.worker.kubernetes.applying import Terms
from confighub.worker.kubernetes.cluster import Cluster
from confighub.worker.kubernetes.homes import Homes
from confighub.worker.kubernetes.importer import Width, importable
from confighub.worker.kubernetes.informers import Seen
from confighub.worker.kubernetes.live import LiveView, blob
from confighub.worker.kubernetes.target import Parameters, slug
from confighub.worker.kubernetes.turns import Turns
from confighub.worker.settings import WorkerSettings

PROVIDER = "Kubernetes"
TOOLCHAIN = "Kubernetes/YAML"
_LOG = logging.getLogger("confighub.worker")
# Changes come by themselves; this often the pods are looked at, which are not watched.
_LOOK_AGAIN_S = 1.0
_RECONNECT_S = 1.0
# An apply that is over sooner says nothing but its end.
_SOON_S = 0.2
# More than there are calls at a time, so that none of these waits for what is done in between.
_AT_ONCE = 32
_MOMENT_S = 1.0


class KubernetesBridge:
    """Applies units to the clusters of a kubeconfig, or to the one that the worker itself runs in."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._clusters: dict[str, Cluster] = {}
        self._views: dict[str, LiveView] = {}
        self._new_cluster = asyncio.Event()
        self._writing: set[str] = set()
        self._homes = Homes(settings.state_dir / f"homes-{settings.worker_id}.jsonl")
        self._last: dict[str, tuple[str, int]] = {}
        self._unreachable: dict[str, str] = {}
        self._turns = Turns(_AT_ONCE, moment_s=_MOMENT_S)
        self._saying: set[asyncio.Task[None]] = set()
        self._absent = optional.Absences(settings.state_dir / f"absent-{settings.worker_id}.json")

    def offers(self) -> ConfigType:
        """Return a target a context, named after it; inside a cluster one, named after the worker."""
        given = self._settings
        if given.in_cluster:
            named = [(given.target_name or given.slug, "")]
        elif given.context:
            named = [(slug(given.context), given.context)]
        else:
            named = [(slug(name), name) for name in kubeconfig.contexts(given.kubeconfigs)]
        wait = {"WaitTimeout": given.wait_timeout}
        targets = [
            AvailableTarget(name=name, params={"KubeContext": context, **wait} if context else dict(wait))
            for name, context in named
        ]
        return ConfigType(toolchain_type=TOOLCHAIN, provider_type=PROVIDER, available_targets=targets)

    async def apply(self, operation: Operation, report: Report) -> Outcome:
        """Apply the objects kind by kind, remove those that the unit no longer has, and wait until ready."""
        async with AsyncExitStack() as turn:
            await turn.enter_async_context(self._turns.one())
            return await self._apply(operation, report, turn)

    async def _apply(self, operation: Operation, report: Report, turn: AsyncExitStack) -> Outcome:
        target, cluster = await self._place(operation)
        terms = self._terms(target)
        everything = in_apply_order(documents.read(operation.text))
        writing.refuse_twins(cluster, everything)
        wanted, absent = await optional.split(cluster, everything)
        self._absent.learn(operation.unit_id, [optional.shown(cluster, one) for one in absent])
        self._homes.learn(operation.unit_id, cluster.name)
        self._writing.add(operation.unit_id)
        starting = asyncio.get_running_loop().call_later(_SOON_S, self._say, report, "Starting to apply resources...")
        try:
            applied = await writing.write(cluster, operation, wanted, terms)
            gone = await writing.prune(cluster, operation, applied, terms)
            notes = [*(note for one in applied for note in one.notes), *gone]
            notes += [optional.remark(cluster, absent)] if absent else []
            keys = [inventory.identity(one.item) for one in applied]
            await turn.aclose()
            return await self._wait_ready(cluster, operation, keys, target, terms, report, notes)
        except ConfigHubError as error:
            return Outcome("ApplyFailed", str(error), live_state=await self._blob(cluster, operation.unit_id))
        finally:
            starting.cancel()
            # What changed while the outcome was put together would otherwise be told by nobody.
            self._writing.discard(operation.unit_id)
            self._tell_again(cluster, operation.unit_id)

    async def refresh(self, operation: Operation, report: Report) -> Outcome:
        """Compare the cluster with the unit's text, as the server itself would merge it; nothing is changed."""
        target, cluster = await self._place(operation)
        terms = self._terms(target)
        await report("Comparing resources...")
        lines: list[str] = []
        seen: list[Seen] = []
        wanted, absent = await optional.split(cluster, in_apply_order(documents.read(operation.text)))
        self._absent.learn(operation.unit_id, [optional.shown(cluster, one) for one in absent])
        for document in wanted:
            found, differences = await comparing.compare(cluster, document, operation, terms)
            seen += [found] if found else []
            lines += differences
        there = {inventory.identity(one.item) for one in seen}
        for key, extra in cluster.of_unit(operation.unit_id).items():
            if key not in there:
                seen.append(extra)
                lines.append(f"{describe(extra.item)} is not in the unit")
        state = self._told(operation.unit_id, await self._view(cluster).objects(seen))
        if not lines:
            return Outcome("RefreshAndNoDrift", "no drift", live_state=state)
        return Outcome("RefreshAndDrifted", "; ".join(lines), live_state=state)

    async def destroy(self, operation: Operation, report: Report) -> Outcome:
        """Remove every object of the unit and wait until it is gone, finalizers included."""
        target, cluster = await self._place(operation)
        terms = self._terms(target)
        await report("Removing resources...")
        for document in documents.read(operation.text):
            resource = await cluster.api.resource(document["apiVersion"], document["kind"])
            if resource:
                await cluster.watched(resource, cluster.namespace_of(document, resource))
        own = list(cluster.of_unit(operation.unit_id).values())
        await writing.remove(cluster, own, terms)
        left = await writing.wait_gone(cluster, operation.unit_id, [inventory.identity(one.item) for one in own], terms)
        if left:
            return Outcome("DestroyWaitFailed", "; ".join(_held(one) for one in left))
        self._last.pop(operation.unit_id, None)
        self._homes.learn(operation.unit_id, "")
        self._absent.learn(operation.unit_id, [])
        return Outcome("DestroyCompleted", "all resources are gone")

    async def import_objects(self, operation: Operation, report: Report) -> Outcome:
        """Return the cluster's objects that the request names as the unit's text; never Secrets."""
        _, cluster = await self._place(operation)
        await report("Reading resources...")
        chosen = await importable(cluster, operation.request)
        if not chosen:
            more = Width.of(operation.request).hint
            return Outcome(
                "ImportFailed", f"{cluster.name} has no such resource" + (f"; to look further: {more}" if more else "")
            )
        text = documents.write([drift.plain(item) for item in chosen])
        message = f"imported {', '.join(describe(item) for item in chosen)}"
        return Outcome("ImportCompleted", message, live_state=msgspec.json.encode(chosen), data=text.encode())

    async def watch(self, tell: Tell) -> None:
        """Tell the changes of all units of this worker, on every cluster that it offers or was sent to."""
        for name in self._names():
            self._cluster(name)
        followed: set[str] = set()
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._new_cluster.clear()
                for name in set(self._clusters) - followed:
                    followed.add(name)
                    tasks.create_task(self._follow(self._clusters[name], tell))
                await self._new_cluster.wait()

    def trouble(self) -> str:
        """Return which clusters do not answer, and which watches do not go on."""
        found = [*self._unreachable.values(), *(cluster.trouble() for cluster in self._clusters.values())]
        return "; ".join(filter(None, found))

    async def close(self) -> None:
        """End the watches and close the connections."""
        for name, cluster in self._clusters.items():
            await self._views[name].close()
            await cluster.close()

    def clusters(self) -> list[Cluster]:
        """Return the clusters that have been reached for so far."""
        return list(self._clusters.values())

    async def _wait_ready(
        self,
        cluster: Cluster,
        operation: Operation,
        keys: Sequence[inventory.Identity],
        target: Parameters,
        terms: Terms,
        report: Report,
        notes: list[str],
    ) -> Outcome:
        """Wait until all are ready and stay so, one is hopeless, or the time is over."""
        view, unit_id, reported = self._view(cluster), operation.unit_id, ""
        stable_s, since = 0.0, time.monotonic()
        while True:
            there = cluster.of_unit(unit_id)
            objects = await view.objects(there.values())
            missing = [f"{key[1]} {key[3]} is gone again" for key in keys if key not in there]
            state = readiness.of_objects(objects)
            said = "; ".join([*missing, *([state.message] if state.message else [])])
            if state.is_ready and not missing:
                left_s = since + stable_s - time.monotonic()
                if left_s <= 0:
                    return Outcome("ApplyCompleted", _sentence(notes), live_state=self._told(unit_id, objects))
            else:
                stable_s, since, left_s = seconds(target.stable_time), float("inf"), _LOOK_AGAIN_S
                if state.is_hopeless:
                    return Outcome(
                        "ApplyFailed", "; ".join([state.message, *notes]), live_state=self._told(unit_id, objects)
                    )
                if not terms.left_s():
                    message = f"not ready within {target.wait_timeout}: {said}"
                    return Outcome("ApplyWaitFailed", message, live_state=self._told(unit_id, objects))
                if said != reported:
                    reported = said
                    self._say(report, said)
            self._written(cluster, unit_id)
            await cluster.changed(unit_id, min(left_s, _LOOK_AGAIN_S, max(terms.left_s(), 0.01)))
            if since == float("inf"):
                since = time.monotonic()

    async def _follow(self, cluster: Cluster, tell: Tell) -> None:
        """Tell what changes on one cluster, from the moment it answers."""
        while True:
            try:
                await cluster.find_all()
                self._unreachable.pop(cluster.name, None)
                break
            except ConfigHubError as error:
                self._unreachable[cluster.name] = str(error)
                await asyncio.sleep(_RECONNECT_S)
        while True:
            await cluster.has_dirty.wait()
            cluster.has_dirty.clear()
            changed, cluster.dirty = cluster.dirty - self._writing, cluster.dirty & self._writing
            for unit_id in changed:
                try:
                    change = await self._change(cluster, unit_id)
                except RetryLater as error:
                    _LOG.info("%s", error)
                    self._tell_again(cluster, unit_id)
                    await asyncio.sleep(_RECONNECT_S)
                    continue
                if change:
                    await tell(change)

    async def _change(self, cluster: Cluster, unit_id: str) -> LiveChange | None:
        """Return the unit's live state as it is now, None when it is not (or no longer) ours to tell."""
        if not self._homes.is_at(unit_id, cluster.name):
            return None
        seen = list(cluster.of_unit(unit_id).values())
        owners = [one.owner for one in seen if one.owner]
        newest = max(owners, key=lambda one: one.revision, default=None)
        if newest is not None:
            if newest.worker_id != self._settings.worker_id:
                return None
            self._last[unit_id] = (newest.space_id, newest.revision)
        if unit_id not in self._last:
            return None
        space_id, revision = self._last[unit_id]
        return LiveChange(unit_id, space_id, revision, self._told(unit_id, await self._view(cluster).objects(seen)))

    def _say(self, report: Report, message: str) -> None:
        """Report how far an apply is without waiting for the hub to take it in: objects do not wait either."""

        async def one() -> None:
            await report(message)

        saying = asyncio.create_task(one())
        self._saying.add(saying)
        saying.add_done_callback(self._saying.discard)

    def _written(self, cluster: Cluster, unit_id: str) -> None:
        """Tell the unit's changes again: while it was being written, they were those of the apply itself."""
        if unit_id in self._writing:
            self._writing.discard(unit_id)
            self._tell_again(cluster, unit_id)

    def _tell_again(self, cluster: Cluster, unit_id: str) -> None:
        cluster.dirty.add(unit_id)
        cluster.has_dirty.set()

    def _told(self, unit_id: str, objects: list[Manifest]) -> bytes:
        """Return live state, with what the cluster has no kind for."""
        return blob([*objects, *self._absent.of_unit(unit_id)])

    async def _blob(self, cluster: Cluster, unit_id: str) -> bytes | None:
        try:
            return self._told(unit_id, await self._view(cluster).objects(cluster.of_unit(unit_id).values()))
        except ConfigHubError:
            return None

    async def _place(self, operation: Operation) -> tuple[Parameters, Cluster]:
        try:
            target = msgspec.json.decode(operation.parameters, type=Parameters)
        except msgspec.MsgspecError as error:
            raise BadRequest(f"the target's parameters cannot be read: {error}") from error
        target.wait_timeout = target.wait_timeout or self._settings.wait_timeout
        cluster = self._cluster(target.kube_context or self._names()[0])
        await cluster.find_all()
        return target, cluster

    def _terms(self, target: Parameters) -> Terms:
        return Terms(
            deadline=time.monotonic() + seconds(target.wait_timeout),
            worker_id=self._settings.worker_id,
            takes_over=target.force_conflicts,
            removes_additions=not target.keep_additions,
        )

    def _names(self) -> list[str]:
        """The contexts that this worker offers; inside a cluster one that is called so."""
        given = self._settings
        if given.in_cluster:
            return [_IN_CLUSTER]
        return [given.context] if given.context else kubeconfig.contexts(given.kubeconfigs)

    def _cluster(self, name: str) -> Cluster:
        if name not in self._clusters:
            given = self._settings
            is_inside = name == _IN_CLUSTER and bool(given.in_cluster)
            found = (
                kubeconfig.in_cluster(given.in_cluster)
                if is_inside
                else kubeconfig.from_kubeconfig(given.kubeconfigs, name)
            )
            self._clusters[name] = Cluster(found, given.namespaces)
            self._views[name] = LiveView(self._clusters[name])
            self._new_cluster.set()
        return self._clusters[name]

    def _view(self, cluster: Cluster) -> LiveView:
        return self._views[cluster.name]


_IN_CLUSTER = "in-cluster"


def _sentence(notes: list[str]) -> str:
    return "; ".join(["all resources are ready", *notes])


def _held(item: dict[str, Any]) -> str:
    finalizers = ", ".join(item["metadata"].get("finalizers") or [])
    return f"{describe(item)} is still there" + (f", held by {finalizers}" if finalizers else "")
