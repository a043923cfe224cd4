"""Restarts: at once the first time, then with growing pauses; by liveness probe as well."""

from __future__ import annotations

import os
import signal
import sys

import httpx2
import pytest

from confighub.runtime.containers import LONGEST_PAUSE_S, endings_in_a_row, pause_before_restart
from confighub.runtime.manifests import Probe
from confighub.runtime.probes import timing
from tests.runtime.running import PROGRAM, Running, deployment, until


def test_pauses_begin_with_none_and_double_up_to_the_longest() -> None:
    assert [pause_before_restart(endings) for endings in (1, 2, 3, 4, 20)] == [0.0, 1.0, 2.0, 4.0, LONGEST_PAUSE_S]


def test_the_scale_shortens_delays_and_leaves_the_period_of_a_ready_container() -> None:
    times = timing(Probe(initial_delay_seconds=30, period_seconds=10), 0.02)

    assert times.initial_delay_s == pytest.approx(0.6)
    assert times.starting_period_s == pytest.approx(0.2)
    assert times.period_s == 10.0


@pytest.mark.parametrize(
    ("before", "ready_s", "expected"), [(0, 0.0, 1), (1, 0.0, 2), (2, 0.0, 3), (0, 0.5, 1), (5, 0.5, 2), (5, 60.0, 1)]
)
def test_only_programs_that_never_get_ready_loop(before: int, ready_s: float, expected: int) -> None:
    assert endings_in_a_row(before, ready_s=ready_s) == expected


def test_a_program_killed_again_and_again_comes_back_each_time(daemon: Running) -> None:
    daemon.apply(deployment())
    for _ in range(4):
        daemon.wait_complete()
        (pid,) = daemon.pids()
        os.kill(pid, signal.SIGKILL)
        until(lambda pid=pid: pid not in daemon.pids())  # type: ignore[misc]

    status = daemon.wait_complete()["status"]

    assert status["readyReplicas"] == 1


def test_applying_again_ends_the_pause_of_a_crash_loop(daemon: Running) -> None:
    flag = daemon.folder / "may-start"
    unit = deployment()
    container = unit["spec"]["template"]["spec"]["containers"][0]
    container["command"] = ["sh", "-c", f"test -e {flag} && exec {sys.executable} {PROGRAM}"]
    daemon.apply(unit)
    daemon.wait_reason("CrashLoopBackOff")
    flag.touch()

    daemon.apply(unit)

    assert daemon.condition()["reason"] != "CrashLoopBackOff"
    daemon.wait_complete()


def test_a_failing_liveness_probe_restarts_the_program(daemon: Running) -> None:
    unit = deployment()
    unit["spec"]["template"]["spec"]["containers"][0]["livenessProbe"] = {
        "httpGet": {"path": "/health/live", "port": 18092},
        "initialDelaySeconds": 1,
        "periodSeconds": 1,
        "timeoutSeconds": 30,
        "failureThreshold": 1,
    }
    daemon.apply(unit)
    daemon.wait_complete()
    (before,) = daemon.replicas()

    httpx2.post(f"http://{before['addresses'][0]}/become/alive/false")
    until(lambda: daemon.replicas()[0]["containers"][0]["restarts"] == 1)
    daemon.wait_complete()

    (after,) = daemon.replicas()
    assert after["name"] == before["name"]
    assert after["containers"][0]["pid"] != before["containers"][0]["pid"]


def test_a_startup_probe_comes_before_the_others(daemon: Running) -> None:
    unit = deployment()
    unit["spec"]["template"]["spec"]["containers"][0]["startupProbe"] = {
        "exec": {"command": ["test", "-e", str(daemon.folder / "started")]},
        "periodSeconds": 1,
        "failureThreshold": 60,
    }
    daemon.apply(unit)
    until(lambda: daemon.pids())
    assert daemon.object("Deployment", "web")["status"]["readyReplicas"] == 0

    (daemon.folder / "started").touch()

    daemon.wait_complete()


def test_a_replica_of_two_programs_is_ready_when_both_are(daemon: Running) -> None:
    unit = deployment()
    first = unit["spec"]["template"]["spec"]["containers"][0]
    second = {**first, "name": "side", "ports": [{"name": "side", "containerPort": 18100}]}
    second["readinessProbe"] = {"httpGet": {"path": "/health/ready", "port": "side"}}
    second["env"] = [{"name": "NEVER_READY", "value": "1"}]
    unit["spec"]["template"]["spec"]["containers"].append(second)
    daemon.apply(unit)

    until(lambda: daemon.condition()["message"].count("warming up"))

    assert daemon.object("Deployment", "web")["status"]["readyReplicas"] == 0
    assert len(daemon.replicas()[0]["containers"]) == 2
