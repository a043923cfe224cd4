"""The worker with the real hub: a unit becomes a process, and the hub knows how it fares."""

from __future__ import annotations

import base64
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from tests.hub.databases import database_for
from tests.runtime.running import PATIENCE_S, Running, deployment, until

CODE = "from confighub.server import run; run()"


class RealHub:
    """``confighub serve`` on a folder, called as its one user."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self.store = ["--data", str(folder), "--database", database_for(folder)]
        self._confighub("user", "add", "ada", "--password-stdin", *self.store, text="correct horse battery\n")
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        with (self.folder / "serve.log").open("ab") as log:
            command = [sys.executable, "-c", CODE, "serve", "--port", str(self.port), *self.store]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        until(lambda: httpx2.get(f"{self.url}/api/info", trust_env=False).status_code == 200)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(PATIENCE_S)

    def call(self, method: str, path: str, body: object = None, **query: str) -> Any:
        answer = httpx2.request(
            method,
            f"{self.url}/api{path}",
            json=body,
            params=query,
            auth=("ada", "correct horse battery"),
            trust_env=False,
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def _confighub(self, *arguments: str, text: str) -> None:
        subprocess.run([sys.executable, "-c", CODE, *arguments], input=text, text=True, check=True, capture_output=True)


class Site:
    """Hub, runtime and one worker with its target."""

    def __init__(self, folder: Path) -> None:
        for name in ("hub", "project", "worker"):
            (folder / name).mkdir()
        self.folder, self.count = folder, 0
        self.hub, self.runtime = RealHub(folder / "hub"), Running(folder / "project")
        self.worker: subprocess.Popen[bytes] | None = None
        self.space = self.hub.call("POST", "/space", {"Slug": "shop-dev", "Labels": {"environment": "dev"}})["SpaceID"]
        self.record = self.hub.call("POST", f"/space/{self.space}/bridge_worker", {"Slug": "w1", "AutoApply": True})
        self.start_worker()
        self.target = until(self._find_target, because=lambda: (folder / "worker.log").read_text())

    def start_worker(self) -> None:
        code = "from confighub.cli.main import run; run()"
        command = [sys.executable, "-c", code, "worker", "run", "w1", "--runtime", str(self.runtime.data_dir)]
        command += ["--environment", "dev", "--catalogue", str(self.runtime.catalogue), "--probe-delay-scale", "0.01"]
        env = {
            **os.environ,
            "CONFIGHUB_URL": self.hub.url,
            "CONFIGHUB_WORKER_ID": self.record["BridgeWorkerID"],
            "CONFIGHUB_WORKER_SECRET": self.record["Secret"],
            "CONFIGHUB_HOME": str(self.folder / "worker"),
        }
        with (self.folder / "worker.log").open("ab") as log:
            self.worker = subprocess.Popen(command, env=env, stdout=log, stderr=log)

    def stop_worker(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self.worker and self.worker.poll() is None:
            self.worker.send_signal(number)
            self.worker.wait(PATIENCE_S)

    def stop(self) -> None:
        self.stop_worker()
        self.hub.stop()
        self.runtime.stop()

    def create(self, *documents: dict[str, Any]) -> str:
        """Make a unit of its own; the runtime starts empty for it."""
        self.runtime.clear()
        self.count += 1
        slug = f"web-{self.count}"
        text = yaml.safe_dump_all(documents)
        body = {"Slug": slug, "Data": base64.b64encode(text.encode()).decode(), "TargetID": self.target}
        return str(self.hub.call("POST", f"/space/{self.space}/unit", body)["UnitID"])

    def change(self, unit: str, *documents: dict[str, Any]) -> None:
        data = base64.b64encode(yaml.safe_dump_all(documents).encode()).decode()
        answer = httpx2.patch(
            f"{self.hub.url}/api/space/{self.space}/unit/{unit}",
            json={"Data": data},
            headers={"Content-Type": "application/merge-patch+json"},
            auth=("ada", "correct horse battery"),
            trust_env=False,
        )
        assert answer.status_code == 200, answer.text

    def act(self, unit: str, action: str) -> str:
        return str(self.hub.call("POST", f"/space/{self.space}/unit/{unit}/{action}")["QueuedOperationID"])

    def event(self, unit: str, operation: str) -> dict[str, Any]:
        """Wait for the operation's end and return its event."""

        def ended() -> dict[str, Any] | None:
            where = f"QueuedOperationID = '{operation}'"
            (event,) = self.hub.call("GET", f"/space/{self.space}/unit/{unit}/unit_event", where=where)
            return dict(event) if event["Status"] in ("Completed", "Failed", "Canceled") else None

        found = until(ended, because=lambda: (self.folder / "worker.log").read_text())
        assert found is not None
        return found

    def unit(self, unit: str) -> dict[str, Any]:
        return dict(self.hub.call("GET", f"/space/{self.space}/unit/{unit}")["Unit"])

    def live(self, unit: str) -> dict[str, Any]:
        return dict(self.hub.call("GET", f"/space/{self.space}/unit/{unit}/live_status"))

    def _find_target(self) -> str:
        targets = self.hub.call("GET", f"/space/{self.space}/target")
        return str(targets[0]["Target"]["TargetID"]) if targets else ""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The whole chain, up; every test makes a unit of its own."""
    found = Site(tmp_path_factory.mktemp("site"))
    try:
        yield found
    finally:
        found.stop()


def test_objects_are_imported_by_where(site: Site) -> None:
    both = site.create(deployment("web"), deployment("other", port=18093))
    site.event(both, site.act(both, "apply"))
    unit = site.hub.call("POST", f"/space/{site.space}/unit", {"Slug": "imported", "TargetID": site.target})["UnitID"]
    image = "spec.template.spec.containers.*.image"

    asked = {"Where": f"kind = 'Deployment' AND metadata.name NOT IN ('other') AND {image} != 'none'"}
    operation = site.hub.call("POST", f"/space/{site.space}/unit/{unit}/import", asked)["QueuedOperationID"]

    assert site.event(unit, operation)["Result"] == "ImportCompleted"
    text = base64.b64decode(site.unit(unit)["Data"])
    assert [item["metadata"]["name"] for item in yaml.safe_load_all(text)] == ["web"]


@pytest.mark.requirement("R-007", "R-269")
def test_a_unit_becomes_a_process_and_the_hub_knows(site: Site) -> None:
    unit = site.create(deployment(replicas=2))

    event = site.event(unit, site.act(unit, "apply"))

    assert (event["Status"], event["Result"]) == ("Completed", "ApplyCompleted")
    assert site.unit(unit)["LiveRevisionNum"] == 1
    status = site.live(unit)
    shown = {name: status[name] for name in ("Status", "Replicas", "ReadyReplicas", "UpdatedReplicas")}
    assert shown == {"Status": "Running", "Replicas": 2, "ReadyReplicas": 2, "UpdatedReplicas": 2}
    assert len(site.runtime.pids()) == 2


@pytest.mark.requirement("R-224", "R-276")
def test_a_new_head_of_a_live_unit_is_applied_by_itself(site: Site) -> None:
    unit = site.create(deployment())
    site.event(unit, site.act(unit, "apply"))

    site.change(unit, deployment(replicas=2))

    until(lambda: site.unit(unit)["LiveRevisionNum"] == 2, because=lambda: (site.folder / "worker.log").read_text())
    assert len(site.runtime.pids()) == 2


@pytest.mark.requirement("R-008")
def test_what_happens_to_processes_reaches_the_hub(site: Site) -> None:
    unit = site.create(deployment())
    site.event(unit, site.act(unit, "apply"))

    site.runtime.call("PATCH", "/environments/dev/objects/Deployment/default/web", {"spec": {"replicas": 3}})

    until(lambda: site.live(unit)["ReadyReplicas"] == 3, because=lambda: site.live(unit))
    drift = site.event(unit, site.act(unit, "refresh"))
    assert (drift["Result"], drift["Message"]) == ("RefreshAndDrifted", "Deployment web: spec.replicas is 3 and not 1")
    assert site.unit(unit)["HeadRevisionNum"] == 1


def test_what_a_runtime_has_lost_is_not_said_to_run(site: Site) -> None:
    unit = site.create(deployment())
    site.event(unit, site.act(unit, "apply"))
    site.runtime.stop(signal.SIGKILL)
    for file in site.runtime.data_dir.rglob("*.json"):
        file.unlink()

    site.runtime.start()

    until(lambda: site.live(unit)["Status"] == "NotLive", because=lambda: site.live(unit))
    assert site.event(unit, site.act(unit, "apply"))["Result"] == "ApplyCompleted"
    assert len(site.runtime.pids()) == 1


def test_destroy_ends_processes_and_live_state(site: Site) -> None:
    unit = site.create(deployment())
    site.event(unit, site.act(unit, "apply"))

    event = site.event(unit, site.act(unit, "destroy"))

    assert event["Result"] == "DestroyCompleted"
    assert site.unit(unit)["LiveRevisionNum"] == 0
    assert site.runtime.pids() == []
    assert site.live(unit)["Status"] == "NotLive"


def test_nothing_is_lost_when_each_part_is_killed_during_an_apply(site: Site) -> None:
    unit = site.create(deployment())
    operation = site.act(unit, "apply")

    site.hub.stop(signal.SIGKILL)
    site.stop_worker(signal.SIGKILL)
    site.runtime.stop(signal.SIGKILL)
    site.runtime.start()
    site.start_worker()
    site.hub.start()

    assert site.event(unit, operation)["Result"] == "ApplyCompleted"
    assert site.runtime.object("Deployment", "web")["metadata"]["generation"] == 1
    assert len(site.runtime.pids()) == 1
