"""Why a workload's pods do not come up, in the words of the kubelet, the scheduler and the probes.

Only the pods of the newest version count: old ones may well be failing while the new ones mend it.
"""

from __future__ import annotations

from typing import Any

from confighub.errors import ConfigHubError
from confighub.worker.documents import Manifest
from confighub.worker.kubernetes.api import Resource
from confighub.worker.kubernetes.cluster import Cluster

_POD = Resource("v1", "Pod", "pods", is_namespaced=True)
_EVENT = Resource("v1", "Event", "events", is_namespaced=True)
_REPLICA_SET = Resource("apps/v1", "ReplicaSet", "replicasets", is_namespaced=True)
_REVISION = "deployment.kubernetes.io/revision"
# What a container waits for while all goes well.
_UNDERWAY = frozenset({"ContainerCreating", "PodInitializing", ""})
_LONGEST_MESSAGE = 400


async def trouble(cluster: Cluster, workload: Manifest) -> Manifest | None:
    """Return a condition named Pods that says what is wrong, None when nothing is (or it may not be read)."""
    try:
        found = await _trouble(cluster, workload)
    except ConfigHubError:
        return None  # an account with few rights applies all the same
    if found is None:
        return None
    reason, message = found
    return {"type": "Pods", "status": "False", "reason": reason, "message": message[:_LONGEST_MESSAGE]}


async def _trouble(cluster: Cluster, workload: Manifest) -> tuple[str, str] | None:
    namespace = str(workload["metadata"].get("namespace") or "")
    labels = dict(workload.get("spec", {}).get("selector", {}).get("matchLabels") or {})
    if not labels:
        return None
    if workload.get("kind") == "Deployment":
        newest = await _newest_replica_set(cluster, workload, namespace, labels)
        if newest is None:
            return None
        if failure := _condition(newest, "ReplicaFailure"):
            return str(failure.get("reason", "")), str(failure.get("message", ""))
        labels["pod-template-hash"] = str(newest["metadata"]["labels"].get("pod-template-hash", ""))
    pods, _ = await cluster.api.listed(_POD, namespace, _selector(labels))
    for pod in pods:
        if pod["metadata"].get("deletionTimestamp"):
            continue
        found = _of_containers(pod) or _of_scheduling(pod) or await _of_events(cluster, pod)
        if found:
            return found
    return None


async def _newest_replica_set(
    cluster: Cluster, workload: Manifest, namespace: str, labels: dict[str, str]
) -> Manifest | None:
    found, _ = await cluster.api.listed(_REPLICA_SET, namespace, _selector(labels))
    uid = workload["metadata"].get("uid")
    own = [one for one in found if any(o.get("uid") == uid for o in one["metadata"].get("ownerReferences") or [])]
    return max(own, key=lambda one: int((one["metadata"].get("annotations") or {}).get(_REVISION, 0)), default=None)


def _of_containers(pod: Manifest) -> tuple[str, str] | None:
    status = pod.get("status", {})
    for one in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        waiting: dict[str, Any] = (one.get("state") or {}).get("waiting") or {}
        reason = str(waiting.get("reason", ""))
        if reason in _UNDERWAY:
            continue
        message = str(waiting.get("message", ""))
        ended = (one.get("lastState") or {}).get("terminated") or {}
        if ended:
            message += f" (last time it ended with {ended.get('exitCode')}: {ended.get('reason', '')}"
            message += f" {str(ended.get('message', '')).strip()[-200:]})"
        return reason, f"container {one.get('name')}: {message}"
    return None


def _of_scheduling(pod: Manifest) -> tuple[str, str] | None:
    placed = _condition(pod, "PodScheduled")
    if placed.get("status") == "False":
        return str(placed.get("reason", "Unschedulable")), str(placed.get("message", ""))
    return None


async def _of_events(cluster: Cluster, pod: Manifest) -> tuple[str, str] | None:
    if _condition(pod, "Ready").get("status") == "True":
        return None
    metadata = pod["metadata"]
    path = _EVENT.path(str(metadata.get("namespace") or ""))
    chosen = f"involvedObject.uid={metadata['uid']},type=Warning"
    answer = await cluster.api.call("GET", path, query={"fieldSelector": chosen, "limit": "50"})
    events = answer.body.get("items") or []
    newest = max(events, key=_moment, default=None)
    return (str(newest.get("reason", "")), str(newest.get("message", ""))) if newest else None


def _moment(event: Manifest) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp") or "")


def _condition(item: Manifest, kind: str) -> Manifest:
    return next((one for one in item.get("status", {}).get("conditions") or [] if one.get("type") == kind), {})


def _selector(labels: dict[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in labels.items())
