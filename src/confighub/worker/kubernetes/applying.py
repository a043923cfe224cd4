"""One object of a unit, brought to what the unit says by server-side apply, or removed.

An object that is the unit's already is taken back by force where another changed it, and what others added to it
is taken away; both are told. An object that is not the unit's is never taken by force unless that is asked for,
nor does it lose what others wrote.
Source: Kubernetes server-side apply; the traps are those that a real API server showed.
"""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field
from typing import Any

from confighub.errors import BadRequest, ConfigHubError, Conflict, Forbidden, RetryLater
from confighub.worker.bridge import Operation
from confighub.worker.documents import Manifest, describe
from confighub.worker.kubernetes import inventory, ownership
from confighub.worker.kubernetes.api import APPLY, JSON_PATCH, MANAGER, Answer, Resource
from confighub.worker.kubernetes.cluster import SCALED, Cluster

_AGAIN_S = 0.1
_CREATED = 201
_REPAIRS = 3
"""How often a list is put right before the object is given up: somebody keeps changing it."""

_REPLICAS = ("f:spec", "f:replicas")
_HAVE_PODS = SCALED | {"DaemonSet", "Job", "CronJob"}
_LIST_ITEM = re.compile(r"^(.*\w)\[(\d+)\][^\[]*$")
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


@dataclass(frozen=True)
class Terms:
    """How far an apply may go: until ``deadline`` on the monotonic clock."""

    deadline: float
    worker_id: str
    takes_over: bool = False
    removes_additions: bool = True

    def left_s(self) -> float:
        """Return the seconds that are left, never less than none."""
        return max(0.0, self.deadline - time.monotonic())


@dataclass(frozen=True)
class Applied:
    """An object after it was applied, and what had to be done to others' work, one sentence each."""

    item: Manifest
    notes: tuple[str, ...] = field(default_factory=tuple)


async def apply(cluster: Cluster, manifest: Manifest, operation: Operation, terms: Terms) -> Applied:
    """Apply one object.

    Raises: Conflict when it is another's, with who owns which field; BadRequest when the server does not accept it;
    Forbidden when the worker may not; RetryLater when the server or the namespace is not well until the deadline.
    """
    resource = await cluster.resource_of(manifest)
    namespace = cluster.namespace_of(manifest, resource)
    sent = inventory.marked(manifest, operation, namespace=namespace, worker_id=terms.worker_id)
    informer = await cluster.watched(resource, namespace)
    known = informer.get(namespace, sent["metadata"]["name"])
    if known and known.owner and known.owner.unit_id != operation.unit_id:
        raise Conflict(
            f"{describe(sent)} belongs to unit {known.owner.slug}", hint="take it out of one of the two units"
        )
    if resource.kind in SCALED:
        sent = await _leave_to_scaler(cluster, resource, sent)
    work = _Work(cluster, resource, sent, operation.unit_id, terms)
    if not (known and known.owner):
        await work.leave_to_others()
    item, notes = await work.write()
    if terms.removes_additions:
        item, more = await _without_additions(cluster, resource, item, terms)
        notes = (*notes, *more)
    informer.learn(item)
    return Applied(item, notes)


async def tried(cluster: Cluster, manifest: Manifest, operation: Operation, terms: Terms) -> Manifest:
    """Return what the server would make of the object, changing nothing. Raises: as apply."""
    resource = await cluster.resource_of(manifest)
    namespace = cluster.namespace_of(manifest, resource)
    sent = inventory.marked(manifest, operation, namespace=namespace, worker_id=terms.worker_id)
    if resource.kind in SCALED:
        sent = await _leave_to_scaler(cluster, resource, sent)
    answer = await _send(cluster, resource, sent, terms, force=True, dry_run=True)
    if not answer.is_good:
        raise refusal(sent, answer)
    return answer.body


async def remove(cluster: Cluster, resource: Resource, item: Manifest, terms: Terms) -> None:
    """Ask the server to delete exactly this object, with what hangs on it. Raises: as apply."""
    metadata = item["metadata"]
    body = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        # Pods end before their workload does, so that gone means gone.
        "propagationPolicy": "Foreground" if resource.kind in _HAVE_PODS else "Background",
        "preconditions": {"uid": metadata["uid"]},
    }
    path = resource.path(str(metadata.get("namespace") or ""), metadata["name"])
    answer = await cluster.api.call("DELETE", path, body, patience_s=terms.left_s())
    # 409 says that it is another object by now: the one that was ours is gone.
    if not answer.is_good and answer.status not in (404, 409):
        raise refusal(item, answer)


@dataclass
class _Work:
    cluster: Cluster
    resource: Resource
    sent: Manifest
    unit_id: str
    terms: Terms
    is_new: bool = False

    @property
    def _takes_over(self) -> bool:
        return self.terms.takes_over or _asks_for_force(self.sent)

    async def leave_to_others(self) -> None:
        """Raise Conflict when the object is another's and holds fields that would be taken out of it.

        The server sees no conflict in a field that the unit does not set.
        """
        if self._takes_over or not self.terms.removes_additions:
            return
        metadata = self.sent["metadata"]
        place = self.resource, str(metadata.get("namespace") or ""), metadata["name"]
        self.is_new = await self.cluster.presence.is_absent(*place)
        if self.is_new or await self._live() is None or await self._is_ours():
            return
        answer = await _send(self.cluster, self.resource, self.sent, self.terms, force=False, dry_run=True)
        found = ownership.additions(answer.body) if answer.is_good else []
        if found:
            raise _conflict(self.sent, [(one.manager, ownership.shown(one.steps)) for one in found])

    async def write(self) -> tuple[Manifest, tuple[str, ...]]:
        """Apply until it is done, taking each obstacle out of the way that may be taken."""
        notes: list[str] = []
        force, repairs = self._takes_over, 0
        while True:
            answer = await _send(self.cluster, self.resource, self.sent, self.terms, force=force)
            if answer.is_good:
                await self._refuse_late(answer)
                return answer.body, tuple(notes)
            if answer.status == 409 and not force and (conflicts := _conflicts(answer)):
                if await self._yielded(conflicts):
                    continue
                if not await self._is_ours():
                    raise _conflict(self.sent, conflicts)
                force = True
                notes.append(f"took back {_told(conflicts)} of {describe(self.sent)}")
            elif answer.status == 422 and repairs < _REPAIRS and (repaired := await self._repair(answer)):
                repairs += 1
                notes.append(repaired)
            elif _may_pass(answer) and self.terms.left_s() > _AGAIN_S:
                await asyncio.sleep(_AGAIN_S)
            else:
                raise refusal(self.sent, answer)

    async def _refuse_late(self, answer: Answer) -> None:
        """Raise Conflict when another made the object between the look and the write, and take nothing of it."""
        found = ownership.additions(answer.body) if self.is_new and answer.status != _CREATED else []
        if not found:
            return
        metadata = answer.body["metadata"]
        own = {key: metadata[key] for key in ("name", "namespace", "uid") if key in metadata}
        # Applied without content, a manager lets go of all that it has; the uid keeps this from making a new object.
        bare = {"apiVersion": answer.body["apiVersion"], "kind": answer.body["kind"], "metadata": own}
        left = await _send(self.cluster, self.resource, bare, self.terms, force=False)
        if not left.is_good and left.status not in (404, 409):
            raise refusal(self.sent, left)
        raise _conflict(self.sent, [(one.manager, ownership.shown(one.steps)) for one in found])

    async def _yielded(self, conflicts: list[tuple[str, str]]) -> bool:
        """Leave the replicas out when an autoscaler came to own them after we last looked."""
        if not any(place == "spec.replicas" for _, place in conflicts):
            return False
        if "replicas" not in self.sent.get("spec", {}) or not await self.cluster.autoscaled(self.sent, is_sure=True):
            return False
        self.sent = _without_replicas(self.sent)
        return True

    async def _live(self) -> Manifest | None:
        metadata = self.sent["metadata"]
        return await self.cluster.get(self.resource, str(metadata.get("namespace") or ""), metadata["name"])

    async def _is_ours(self) -> bool:
        live = await self._live()
        owner = inventory.owner(live) if live else None
        return owner is not None and owner.unit_id == self.unit_id

    async def _repair(self, answer: Answer) -> str:
        """Put a list right that the server cannot merge; return what was done, empty when nothing can be.

        Lists are merged by their keys, so an item that another made keeps its place even by force and collides with
        ours. It goes away only when the whole list is set.
        """
        live = await self._live()
        if live is None or not await self._is_ours():
            return ""
        for cause in answer.causes:
            if cause.get("reason") not in ("FieldValueDuplicate", "FieldValueInvalid"):
                continue
            found = _LIST_ITEM.match(str(cause.get("field", "")))
            if not found:
                continue
            path, there, wanted = _lists(live, self.sent, found[1])
            if wanted is None:
                continue
            patch = [
                {"op": "test", "path": path, "value": there},
                {"op": "replace", "path": path, "value": wanted},
            ]
            done = await _patch(self.cluster, self.resource, live, patch, self.terms)
            if done.is_good:
                return f"set {found[1]} of {describe(self.sent)} as a whole: {cause.get('message', '')}"
        return ""


def refusal(item: Manifest, answer: Answer) -> ConfigHubError:
    """Return the server's refusal as the error that callers know."""
    said = answer.message or f"status {answer.status}"
    text = f"{describe(item)} is refused: {said}"
    if "field is immutable" in said:
        return BadRequest(text, hint="it has to be replaced: destroy the unit, then apply it")
    if _is_terminating(answer):
        return RetryLater(text, hint="apply again when the namespace is gone and made anew")
    if answer.status == 403:
        return Forbidden(text, hint="the worker's account needs a role that allows it")
    if answer.status == 404 and "namespaces" in said:
        return BadRequest(text, hint="apply the unit that has the namespace first")
    return BadRequest(text)


async def _send(
    cluster: Cluster, resource: Resource, sent: Manifest, terms: Terms, *, force: bool, dry_run: bool = False
) -> Answer:
    metadata = sent["metadata"]
    query = {"fieldManager": MANAGER, "fieldValidation": "Strict", "force": "true" if force else "false"}
    query |= {"dryRun": "All"} if dry_run else {}
    path = resource.path(str(metadata.get("namespace") or ""), metadata["name"])
    return await cluster.api.call("PATCH", path, sent, query=query, content=APPLY, patience_s=terms.left_s())


async def _patch(cluster: Cluster, resource: Resource, item: Manifest, patch: list[Manifest], terms: Terms) -> Answer:
    metadata = item["metadata"]
    path = resource.path(str(metadata.get("namespace") or ""), metadata["name"])
    query = {"fieldManager": MANAGER}
    return await cluster.api.call("PATCH", path, patch, query=query, content=JSON_PATCH, patience_s=terms.left_s())


async def _leave_to_scaler(cluster: Cluster, resource: Resource, sent: Manifest) -> Manifest:
    """Return the manifest without taking the replicas from an autoscaler.

    Left out by their only owner, they would fall back to 1: then the live number is sent on.
    """
    if not await cluster.autoscaled(sent, is_sure="replicas" not in (sent.get("spec") or {})):
        return sent
    metadata = sent["metadata"]
    live = await cluster.get(resource, str(metadata.get("namespace") or ""), metadata["name"])
    if live is None:
        return sent
    others = [one for one in ownership.owners(live, _REPLICAS) if one != MANAGER]
    if others:
        return _without_replicas(sent)
    return {**sent, "spec": {**sent["spec"], "replicas": live["spec"]["replicas"]}}


def _without_replicas(sent: Manifest) -> Manifest:
    return {**sent, "spec": {key: value for key, value in sent["spec"].items() if key != "replicas"}}


async def _without_additions(
    cluster: Cluster, resource: Resource, item: Manifest, terms: Terms
) -> tuple[Manifest, tuple[str, ...]]:
    """Take away what others have added to the object; return it as it is then, and what went."""
    while found := ownership.additions(item):
        patch = ownership.removal(item, found)
        if not patch:
            break
        answer = await _patch(cluster, resource, item, patch, terms)
        if answer.is_good:
            told = tuple(f"took {one} out of {describe(item)}" for one in found)
            return answer.body, told
        if answer.status not in (409, 422) or terms.left_s() <= _AGAIN_S:
            raise refusal(item, answer)
        # It changed under our hands.
        metadata = item["metadata"]
        newer = await cluster.get(resource, str(metadata.get("namespace") or ""), metadata["name"])
        if newer is None or newer["metadata"]["resourceVersion"] == metadata["resourceVersion"]:
            raise refusal(item, answer)
        item = newer
    return item, ()


def _asks_for_force(sent: Manifest) -> bool:
    return str(sent["metadata"]["annotations"].get(inventory.FORCE, "")).lower() == "true"


_MANAGER_OF = re.compile(r'conflict with "([^"]*)"')


def _conflicts(answer: Answer) -> list[tuple[str, str]]:
    """Return who owns what, as manager and path."""
    found: list[tuple[str, str]] = []
    for cause in answer.causes:
        if cause.get("reason") == "FieldManagerConflict":
            named = _MANAGER_OF.search(str(cause.get("message", "")))
            found.append((named[1] if named else "another", str(cause.get("field", "")).lstrip(".")))
    return found


def _conflict(sent: Manifest, conflicts: list[tuple[str, str]]) -> Conflict:
    return Conflict(
        f"{describe(sent)} is also managed by others: {_told(conflicts)}",
        hint=f'to take these fields over, give the object the annotation {inventory.FORCE}: "true", or its target '
        "the parameter ForceConflicts",
    )


def _told(conflicts: list[tuple[str, str]]) -> str:
    by_manager: dict[str, list[str]] = {}
    for manager, place in conflicts:
        by_manager.setdefault(manager, []).append(place)
    return "; ".join(f"{', '.join(places)} from {manager}" for manager, places in by_manager.items())


def _is_terminating(answer: Answer) -> bool:
    return any(cause.get("reason") == "NamespaceTerminating" for cause in answer.causes)


def _may_pass(answer: Answer) -> bool:
    """True for what time heals: a namespace on its way out, a write that crossed another, a webhook starting."""
    is_crossed = answer.status == 409 and not _conflicts(answer)
    return _is_terminating(answer) or is_crossed


def _lists(live: Manifest, sent: Manifest, path: str) -> tuple[str, Any, list[Any] | None]:
    """Return the JSON pointer of a list in the live object, that list, and the one that the manifest has there.

    Items on the way are paired by name, since their places may differ.
    """
    at: Any = live
    wanted: Any = sent
    place = ""
    for name, number in _STEP.findall(path):
        key: Any = int(number) if number else name
        try:
            at = at[key]
        except (KeyError, IndexError, TypeError):
            return "", None, None
        if number:
            pairs = [one for one in wanted if isinstance(one, dict) and one.get("name") == at.get("name")]
            wanted = pairs[0] if pairs else {}
        else:
            wanted = wanted.get(name) or {}
        place += f"/{key}"
    return place, at, wanted if isinstance(wanted, list) else None
