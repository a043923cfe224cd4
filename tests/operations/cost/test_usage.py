"""Usage read from a real Prometheus that watches what a cluster tells: cAdvisor and kube-state-metrics."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from confighub.operations.cost.usage import PrometheusSource
from confighub.operations.prometheus import Prometheus
from tests.operations.serving import Quiet, serving
from tests.prometheus import Server

MIB = 2**20
POD = 'namespace="shop",pod="{pod}",container="{container}"'


def exposition(began: float, now: float) -> str:
    """Return what a cluster with two pods of web, one of old Deployment ``api`` and a stranger's would tell.

    A counter says of which moment it is, so that its rate is exact however late a busy machine answers.
    """
    lines = []
    for pod, container, cores, memory in (
        ("web-1-a", "web", 0.25, 100),
        ("web-1-b", "web", 0.10, 140),
        ("web-1-a", "", 9.0, 9000),  # the pod as a whole
        ("web-1-a", "POD", 9.0, 9000),  # the pause container
        ("web-ext-a", "web", 9.0, 9000),  # a name that only looks like it
        ("api-1-a", "api", 0.05, 50),
    ):
        labels = POD.format(pod=pod, container=container)
        lines += [
            f"container_cpu_usage_seconds_total{{{labels}}} {cores * (now - began):.6f} {now * 1000:.0f}",
            f"container_memory_working_set_bytes{{{labels}}} {memory * MIB}",
        ]
    for pod, at in (("web-1-a", began), ("web-1-b", began - 3600), ("api-1-a", began - 3600)):
        labels = POD.format(pod=pod, container=pod[:3])
        lines.append(f"container_start_time_seconds{{{labels}}} {at:.3f}")
        restarts = 4 + (now - began > 6) if pod == "web-1-b" else 0
        lines.append(f"kube_pod_container_status_restarts_total{{{labels}}} {restarts}")
    killed = POD.format(pod="web-1-b", container="web")
    lines.append(f'kube_pod_container_status_last_terminated_reason{{{killed},reason="OOMKilled"}} 1')
    for pod, owner in (("web-1-a", "web-1"), ("web-1-b", "web-1"), ("web-ext-a", "web-ext"), ("api-1-a", "api-1")):
        lines.append(f'kube_pod_owner{{namespace="shop",pod="{pod}",owner_kind="ReplicaSet",owner_name="{owner}"}} 1')
        labels = f'namespace="shop",replicaset="{owner}",owner_kind="Deployment",owner_name="{owner[:-2]}"'
        if owner != "web-ext":
            lines.append(f"kube_replicaset_owner{{{labels}}} 1")
    return "\n".join(lines) + "\n"


@pytest.fixture
def cluster() -> Iterator[str]:
    """What tells the metrics of a cluster; yields its URL."""
    asked: list[float] = []

    class Handler(Quiet, BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(time.time())
            # the cluster begins when somebody looks, however long a Prometheus takes to come up
            self.give(exposition(asked[0], asked[-1]).encode(), kind="text/plain; version=0.0.4")

    with serving(Handler) as url:
        yield f"{url}/metrics"


def test_a_clusters_containers_are_known_by_their_owners(cluster: str, prometheus: Callable[[], Server]) -> None:
    server = prometheus()
    server.scrape(cluster, job="cluster")
    series = 'container_cpu_usage_seconds_total{container="api"}'
    server.await_value(f"count_over_time({series}[1m])", 16)

    source = PrometheusSource(Prometheus(server.url), more='job="cluster"')
    window, found = source.read(["shop"], seconds=60, end=time.time())

    assert window.step_s == 1
    web, api = found["shop", "Deployment", "web", "web"], found["shop", "Deployment", "api", "api"]
    assert set(found) == {
        ("shop", "Deployment", "web", "web"),
        ("shop", "Deployment", "api", "api"),
        ("shop", "ReplicaSet", "web-ext", "web"),
    }
    assert web.replicas == 2
    assert web.cpu_cores == pytest.approx(0.25, rel=0.01)
    assert web.peak_bytes == 140 * MIB
    # two pods, looked at in the same steps: no moment counts twice
    assert 5 <= web.points <= 60
    assert web.covered_s == web.points
    assert (web.restarts, web.ooms, web.has_start) == (1, 1, True)
    assert (api.restarts, api.ooms, api.has_start) == (0, 0, False)
    assert (
        PrometheusSource(Prometheus(server.url), more='job="other"').read(["shop"], seconds=60, end=time.time())[1]
        == {}
    )
