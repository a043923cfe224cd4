"""What containers use, read from a cluster's metrics-server where there is no Prometheus.

It keeps no history, so it is watched for as long as the window is: each moment is one that metrics-server names.
Whether a start was among them is known from the pods; without one no advice lowers memory.
Source: metrics.k8s.io/v1beta1 PodMetrics; owners and restarts of pods from the core API.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from confighub.client.transport import Wire
from confighub.errors import NotFound
from confighub.functions import quantity
from confighub.operations.cost.usage import Found, Key, Point, Usage, Window, add_replica

_EVERY_S = 15.0
"""How often metrics-server itself asks the kubelets, unless it is told otherwise."""

Owner = tuple[str, str]


@dataclass
class _Seen:
    """What was seen of one container of a pod."""

    cpu: dict[float, float]
    memory: dict[float, float]
    owner: Owner
    restarts: int = 0
    most_restarts: int = 0
    ooms: int = 0
    started: float = 0.0


@dataclass(frozen=True)
class MetricsServer:
    """A cluster by its API: ``ask`` returns what is at a path, None when nothing is; ``wait`` lets time pass."""

    ask: Callable[[str], Wire | None]
    every_s: float = _EVERY_S
    wait: Callable[[float], None] = time.sleep

    def read(self, namespaces: Iterable[str], *, seconds: float, end: float) -> tuple[Window, Found]:
        """Watch for so many seconds from ``end`` on, and return what the containers in these namespaces used.

        Raises: NotFound when the cluster has no metrics-server.
        """
        wanted = sorted(namespaces)
        seen: dict[Key, _Seen] = {}
        looks = max(1, int(seconds / self.every_s))
        for number in range(looks):
            if number:
                self.wait(self.every_s)
            for namespace in wanted:
                self._look(namespace, seen)
        found: Found = defaultdict(Usage)
        for (namespace, _, container), one in sorted(seen.items()):
            usage = found[(namespace, *one.owner, container)]
            add_replica(usage, cpu=_points(one.cpu), memory=_points(one.memory), peak=None)
            usage.has_start = usage.has_start or one.started >= end
            usage.restarts += one.most_restarts - one.restarts
            usage.ooms += one.ooms
        for usage in found.values():
            usage.points, usage.covered_s = len(usage.moments), len(usage.moments) * self.every_s
        return Window(end + seconds, seconds, self.every_s), dict(found)

    def _look(self, namespace: str, seen: dict[Key, _Seen]) -> None:
        measured = self.ask(f"/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods")
        if measured is None:
            raise NotFound(
                "the cluster has no metrics-server, or no such namespace: " + namespace,
                hint="install metrics-server, or name a Prometheus with --prometheus",
            )
        pods = self._items(f"/api/v1/namespaces/{namespace}/pods")
        sets = self._items(f"/apis/apps/v1/namespaces/{namespace}/replicasets")
        above = {str(one["metadata"]["name"]): _owner(one) for one in sets}
        known = {str(one["metadata"]["name"]): one for one in pods}
        for item in measured.get("items") or []:
            name = str(item["metadata"]["name"])
            owner = _owner(known.get(name) or {})
            if owner and owner[0] == "ReplicaSet":
                owner = above.get(owner[1]) or owner
            if owner:
                self._note(seen, namespace, item, known[name], owner)

    def _note(self, seen: dict[Key, _Seen], namespace: str, item: Wire, pod: Wire, owner: Owner) -> None:
        # each pod has moments of its own; two of them in one step are one
        moment = _moment(item.get("timestamp")) // self.every_s * self.every_s
        statuses = {one.get("name"): one for one in (pod.get("status") or {}).get("containerStatuses") or []}
        for container in item.get("containers") or []:
            status: dict[str, Any] = statuses.get(container.get("name")) or {}
            key = (namespace, str(item["metadata"]["name"]), str(container["name"]))
            restarts = int(status.get("restartCount") or 0)
            one = seen.setdefault(key, _Seen({}, {}, owner, restarts))
            used = container.get("usage") or {}
            # what is not told is no zero: a moment without figures does not count
            if used.get("cpu") and used.get("memory"):
                one.cpu[moment] = float(quantity.parse(str(used["cpu"])).amount)
                one.memory[moment] = float(quantity.parse(str(used["memory"])).amount)
            one.most_restarts = max(one.most_restarts, restarts)
            ended = (status.get("lastState") or {}).get("terminated") or {}
            one.ooms = max(one.ooms, int(ended.get("reason") == "OOMKilled"))
            running = (status.get("state") or {}).get("running") or {}
            one.started = max(one.started, _moment(running.get("startedAt")))

    def _items(self, path: str) -> list[Wire]:
        return list((self.ask(path) or {}).get("items") or [])


def _owner(one: Wire) -> Owner | None:
    for reference in (one.get("metadata") or {}).get("ownerReferences") or []:
        if reference.get("controller"):
            return str(reference["kind"]), str(reference["name"])
    return None


def _points(values: dict[float, float]) -> list[Point]:
    return sorted(values.items())


def _moment(text: object) -> float:
    """Return a time of the API in seconds since 1970; 0 for none."""
    return datetime.fromisoformat(str(text)).timestamp() if text else 0.0
