"""What programs use, under the names that a cluster has for it."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from confighub.runtime import usage
from tests.runtime.running import Running, deployment, until

BUSY = """
import subprocess, sys, time
block = bytearray(50_000_000)
del block
began = time.process_time()
while time.process_time() - began < 0.2: pass
child = subprocess.Popen([sys.executable, "-c", "b = bytearray(30_000_000); print('ready', flush=True); input()"],
                         stdin=subprocess.PIPE)
child.wait()
"""


def test_a_program_counts_with_what_it_has_started_and_its_peak() -> None:
    with subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE) as program:
        try:
            assert program.stdout is not None
            program.stdout.readline()

            measured = usage.measure(program.pid, usage._below())
        finally:
            for child in psutil.Process(program.pid).children():
                child.kill()
            program.kill()

    assert measured is not None
    assert measured.cpu_s >= 0.2
    # the child holds 30 MB; the parent held 50 MB once
    assert 30_000_000 < measured.memory_bytes < measured.peak_bytes
    assert measured.peak_bytes > 80_000_000
    assert abs(measured.started_at - time.time()) < 60


def test_a_program_that_has_ended_has_no_usage() -> None:
    program = subprocess.Popen([sys.executable, "-c", ""])
    program.wait()

    assert usage.measure(program.pid, {}) is None


def test_the_text_is_read_by_prometheus_own_parser_and_joins_pods_with_their_deployments() -> None:
    one = usage.Running("dev", "shop-dev", "web", "web-1a2b", "web-1a2b-254", "web", os.getpid(), restarts=2, ooms=1)
    waiting = usage.Running("dev", "shop-dev", "db", "db-9", "db-9-253", "db", None, restarts=0, ooms=0)

    families = {family.name: family for family in text_string_to_metric_families(usage.text([one, waiting]))}

    (cpu,) = families["container_cpu_usage_seconds"].samples
    assert cpu.labels == {"environment": "dev", "namespace": "shop-dev", "pod": "web-1a2b-254", "container": "web"}
    restarts = {one.labels["pod"]: one.value for one in families["kube_pod_container_status_restarts"].samples}
    assert restarts == {"web-1a2b-254": 2, "db-9-253": 0}
    assert [one.value for one in families["container_oom_events"].samples] == [1, 0]
    pods = {one.labels["pod"]: one.labels["owner_name"] for one in families["kube_pod_owner"].samples}
    sets = {one.labels["replicaset"]: one.labels["owner_name"] for one in families["kube_replicaset_owner"].samples}
    assert sets[pods["web-1a2b-254"]] == "web"
    assert sets[pods["db-9-253"]] == "db"
    (started,) = families["container_start_time_seconds"].samples
    assert started.value == pytest.approx(psutil.Process().create_time(), abs=0.01)


def test_the_daemon_tells_what_each_replica_uses_and_keeps_its_port(daemon: Running) -> None:
    daemon.apply(deployment("web", replicas=2))
    daemon.wait_complete()

    samples = usage_of(daemon)

    names = {replica["name"] for replica in daemon.replicas()}
    assert {labels["pod"] for labels, _ in samples} == names
    assert {labels["namespace"] for labels, _ in samples} == {daemon.replicas()[0]["namespace"]}
    assert all(value > 1_000_000 for _, value in samples)

    before = daemon.call("GET", "/health").url.port
    daemon.stop()
    daemon.start()

    assert daemon.call("GET", "/health").url.port == before
    until(lambda: len(usage_of(daemon)) == 2)


def usage_of(daemon: Running) -> list[tuple[dict[str, str], float]]:
    text = daemon.call("GET", "/metrics").text
    families = {family.name: family for family in text_string_to_metric_families(text)}
    return [(one.labels, one.value) for one in families["container_memory_working_set_bytes"].samples]
