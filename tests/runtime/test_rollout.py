"""Deployments as processes: what a Deployment asks for is what runs, and updates lose nothing."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter

import httpx2
import pytest

from tests.runtime.running import Running, deployment, ingress, service, until


class SteadyClient:
    """Keeps asking, with kept connections and bodies, and remembers every answer and every failure."""

    def __init__(self, url: str) -> None:
        self.versions: Counter[str] = Counter()
        self.failures: list[str] = []
        self._url = url
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(3)]

    def __enter__(self) -> SteadyClient:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        with httpx2.Client(trust_env=False, timeout=10) as http:
            while not self._stop.is_set():
                try:
                    answer = http.post(f"{self._url}/work", content=b"order")
                    answer.raise_for_status()
                    self.versions[answer.json()["version"]] += 1
                except httpx2.HTTPError as error:
                    self.failures.append(repr(error))


def test_a_deployment_becomes_ready_replicas(daemon: Running) -> None:
    daemon.apply(deployment(replicas=2))

    status = daemon.wait_complete()["status"]

    assert (status["replicas"], status["readyReplicas"], status["updatedReplicas"]) == (2, 2, 2)
    assert status["observedGeneration"] == 1
    assert len(set(daemon.pids())) == 2


def test_scaling_keeps_the_replicas_there_are(daemon: Running) -> None:
    daemon.apply(deployment(replicas=1))
    daemon.wait_complete()
    first = daemon.pids()

    daemon.apply(deployment(replicas=3))
    until(lambda: daemon.object("Deployment", "web")["status"]["readyReplicas"] == 3)
    grown = daemon.pids()
    daemon.apply(deployment(replicas=1))
    until(lambda: len(daemon.pids()) == 1)

    assert set(first) < set(grown)
    assert daemon.pids() == first


@pytest.mark.requirement("R-327")
@pytest.mark.parametrize("door", ["service", "ingress"])
def test_a_rolling_update_loses_no_request(daemon: Running, door: str) -> None:
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    # A program that drops everything when it is told to stop: only draining it first saves its requests.
    env = {"SLOW_S": "0.02", "RUDE": "1"}
    daemon.apply(ingress(("/", "web")), unit="door")
    daemon.apply(deployment(replicas=2, strategy=rolling, env=env), service())
    daemon.wait_complete()
    url = daemon.service_url() if door == "service" else daemon.ingress_url()

    with SteadyClient(url) as client:
        until(lambda: client.versions["v1"] > 10)
        daemon.apply(deployment(replicas=2, strategy=rolling, env=env, tag="v2"), service(), revision=2)
        until(lambda: daemon.object("Deployment", "web")["metadata"]["generation"] == 2)
        daemon.wait_complete()
        before = client.versions["v2"]
        until(lambda: client.versions["v2"] > before + 10)

    assert client.failures == []
    assert {item["containers"][0]["image"] for item in daemon.replicas()} == {"test/web:v2"}


def test_an_update_that_never_gets_ready_leaves_the_old_replicas_serving(daemon: Running) -> None:
    daemon.apply(deployment(replicas=2), service())
    daemon.wait_complete()
    old = daemon.pids()

    daemon.apply(deployment(replicas=2, tag="v2", env={"NEVER_READY": "1"}), service())
    until(lambda: "503: warming up" in daemon.condition()["message"], because=daemon.condition)

    assert set(old) <= set(daemon.pids())
    assert {httpx2.get(daemon.service_url()).json()["version"] for _ in range(6)} == {"v1"}


def test_going_back_from_a_failed_update_restarts_nothing(daemon: Running) -> None:
    daemon.apply(deployment(replicas=2))
    daemon.wait_complete()
    old = daemon.pids()
    daemon.apply(deployment(replicas=2, tag="v2", env={"FAIL_START": "1"}))
    daemon.wait_reason("CrashLoopBackOff")

    daemon.apply(deployment(replicas=2))
    until(lambda: daemon.pids() == old and len(daemon.replicas()) == 2)

    assert daemon.wait_complete()["metadata"]["generation"] == 3


def test_an_unknown_tag_is_told_and_leaves_the_old_replicas(daemon: Running) -> None:
    daemon.apply(deployment())
    daemon.wait_complete()
    old = daemon.pids()

    daemon.apply(deployment(tag="v9"))
    message = daemon.wait_reason("ErrImagePull")

    assert "test/web has no tag v9, only v1, v2, v3" in message
    assert daemon.pids() == old


def test_a_tag_that_comes_into_the_catalogue_is_found(daemon: Running) -> None:
    daemon.apply(deployment(tag="v9"))
    daemon.wait_reason("ErrImagePull")

    daemon.catalogue.write_text(daemon.catalogue.read_text().replace('"v3"', '"v3", "v9"'))

    assert daemon.wait_complete()["status"]["readyReplicas"] == 1


def test_a_program_that_keeps_ending_is_told_with_its_last_words(daemon: Running) -> None:
    daemon.apply(deployment(env={"FAIL_START": "1"}))

    message = daemon.wait_reason("CrashLoopBackOff")

    assert "exited with code 3" in message
    assert "no database here" in message


def test_a_killed_replica_comes_back(daemon: Running) -> None:
    daemon.apply(deployment(replicas=2), service())
    daemon.wait_complete()
    victim, other = daemon.pids()

    os.kill(victim, signal.SIGKILL)
    until(lambda: victim not in daemon.pids() and len(daemon.pids()) == 2)
    daemon.wait_complete()

    assert other in daemon.pids()
    assert {httpx2.get(daemon.service_url()).json()["pid"] for _ in range(4)} == set(daemon.pids())


def test_recreate_ends_the_old_replicas_first(daemon: Running) -> None:
    daemon.apply(deployment(strategy={"type": "Recreate"}))
    daemon.wait_complete()

    daemon.apply(deployment(strategy={"type": "Recreate"}, tag="v9"))
    daemon.wait_reason("ErrImagePull")

    assert daemon.pids() == []


def test_applying_the_same_again_changes_nothing(daemon: Running) -> None:
    daemon.apply(deployment())
    daemon.wait_complete()
    before = daemon.pids()

    daemon.apply(deployment(), revision=2)

    assert daemon.wait_complete()["metadata"]["generation"] == 1
    assert daemon.pids() == before


def test_removing_a_unit_ends_its_processes(daemon: Running) -> None:
    daemon.apply(deployment(), service())
    daemon.wait_complete()
    url, (pid,) = daemon.service_url(), daemon.pids()

    assert daemon.call("DELETE", "/environments/dev/units/u1").status_code == 200
    until(lambda: daemon.call("GET", "/environments/dev/units/u1").status_code == 404)

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(url)


def test_an_object_belongs_to_the_unit_that_applied_it_last(daemon: Running) -> None:
    daemon.apply(deployment(), unit="old")
    daemon.wait_complete()
    before = daemon.pids()
    daemon.apply(deployment(), unit="new")

    daemon.call("DELETE", "/environments/dev/units/old")

    assert daemon.live("new")[0]["metadata"]["name"] == "web"
    assert daemon.pids() == before


def test_an_object_that_left_the_unit_is_removed(daemon: Running) -> None:
    daemon.apply(deployment(), deployment("extra", port=18099))
    daemon.wait_complete("extra")

    daemon.apply(deployment())
    until(lambda: len(daemon.replicas()) == 1)

    assert [item["metadata"]["name"] for item in daemon.live()] == ["web"]
