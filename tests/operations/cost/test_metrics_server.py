"""Usage from a metrics-server, as its API documents it: moment by moment, with owners, restarts and starts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from confighub.errors import NotFound
from confighub.operations.cost.metrics_server import MetricsServer

START = 1_790_000_010.0


def moment(seconds: float) -> str:
    return datetime.fromtimestamp(START + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Cluster:
    """An API that answers like one with two pods of a Deployment and one of nobody; time passes when it is waited."""

    def __init__(self, *, started_s: float = -3600.0, killed: bool = False) -> None:
        self.now, self.started_s, self.killed, self.asked = 0.0, started_s, killed, 0

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def ask(self, path: str) -> dict[str, Any] | None:
        self.asked += 1
        if not path.startswith(("/api/v1/namespaces/shop/", "/apis/")) or "/gone/" in path:
            return None
        items = {"pods": self.measured if "metrics.k8s.io" in path else self.pods, "replicasets": self.sets}
        return {"items": items[path.rpartition("/")[2]]()}

    def measured(self) -> list[dict[str, Any]]:
        # metrics-server looks every 30 s only, so every second answer is the one before
        at = self.now - self.now % 30
        return [
            {
                "metadata": {"name": name, "namespace": "shop"},
                "timestamp": moment(at + len(name)),  # every pod is looked at at a moment of its own
                "window": "15s",
                "containers": [{"name": "web", "usage": {"cpu": f"{cpu + at:.0f}n", "memory": memory}}],
            }
            for name, cpu, memory in (("web-1-a", 5e7, "51200Ki"), ("web-1-bb", 1e8, "60Mi"), ("alone", 9e9, "9Gi"))
        ]

    def pods(self) -> list[dict[str, Any]]:
        owner = [{"kind": "ReplicaSet", "name": "web-1", "controller": True}]
        ended = {"terminated": {"reason": "OOMKilled"}} if self.killed else {}
        status = {
            "name": "web",
            "restartCount": 2 + (self.now > 100),
            "state": {"running": {"startedAt": moment(self.started_s)}},
            "lastState": ended,
        }
        return [
            {"metadata": {"name": name, "ownerReferences": owner}, "status": {"containerStatuses": [status]}}
            for name in ("web-1-a", "web-1-bb")
        ] + [{"metadata": {"name": "alone"}, "status": {}}]

    def sets(self) -> list[dict[str, Any]]:
        owner = [{"kind": "Deployment", "name": "web", "controller": True}]
        return [{"metadata": {"name": "web-1", "ownerReferences": owner}}]


def test_moments_are_counted_once_and_pods_belong_to_their_owners() -> None:
    cluster = Cluster()

    window, found = MetricsServer(cluster.ask, wait=cluster.wait).read(["shop"], seconds=180, end=START)

    assert window.step_s == 15
    assert list(found) == [("shop", "Deployment", "web", "web")]
    (used,) = found.values()
    # 12 looks see 6 moments; the busiest replica's CPU, and the larger memory of both
    assert (used.points, used.covered_s, used.replicas) == (6, 90.0, 2)
    assert used.cpu_cores == pytest.approx(0.1, rel=0.01)
    assert used.peak_bytes == 60 * 2**20
    assert used.restarts == 2
    assert (used.ooms, used.has_start) == (0, False)


def test_a_start_and_a_kill_for_want_of_memory_are_seen() -> None:
    cluster = Cluster(started_s=5, killed=True)

    _, found = MetricsServer(cluster.ask, wait=cluster.wait).read(["shop"], seconds=60, end=START)

    (used,) = found.values()
    assert used.has_start
    assert used.ooms == 2


def test_a_cluster_without_metrics_server_is_told() -> None:
    with pytest.raises(NotFound, match="has no metrics-server, or no such namespace: gone"):
        MetricsServer(Cluster().ask).read(["gone"], seconds=60, end=START)


class Silent(Cluster):
    """A cluster whose metrics-server says nothing of memory for a while."""

    def measured(self) -> list[dict[str, Any]]:
        found = super().measured()
        for item in found if self.now < 90 else []:
            del item["containers"][0]["usage"]["memory"]
        return found


def test_a_moment_without_a_figure_does_not_count_as_zero() -> None:
    cluster = Silent()

    _, found = MetricsServer(cluster.ask, wait=cluster.wait).read(["shop"], seconds=180, end=START)

    (used,) = found.values()
    assert (used.points, used.covered_s) == (3, 45.0)
