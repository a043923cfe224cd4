"""Hub, worker and API server as processes: the worker is killed amid an apply, and others change what it made."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.kubernetes.control_plane import Plane
from tests.runtime.running import PATIENCE_S, until
from tests.worker.kubernetes.stage import Object, account_of, config_map, new_unit
from tests.worker.test_with_hub import RealHub

MANY = 60


class Site:
    """A hub, one worker with its target, and a namespace."""

    def __init__(self, folder: Path, plane: Plane) -> None:
        for name in ("hub", "worker"):
            (folder / name).mkdir()
        self.folder, self.plane, self.kube = folder, plane, plane.kube
        self.namespace = f"t-{new_unit()[:8]}"
        self.kube.create("/api/v1/namespaces", {"metadata": {"name": self.namespace}})
        self.hub = RealHub(folder / "hub")
        self.space = self.hub.call("POST", "/space", {"Slug": "shop-dev", "Labels": {"environment": "dev"}})["SpaceID"]
        self.record = self.hub.call("POST", f"/space/{self.space}/bridge_worker", {"Slug": "w1"})
        self.worker: subprocess.Popen[bytes] | None = None
        self.start_worker()
        self.target = until(self._find_target, because=self.log)

    def start_worker(self, kubeconfig: Path | None = None, **variables: str) -> None:
        command = [sys.executable, "-c", "from confighub.cli.main import run; run()", "worker", "run", "w1"]
        command += ["--provider", "kubernetes", "--kubeconfig", str(kubeconfig or self.plane.kubeconfig)]
        env = {
            **os.environ,
            "CONFIGHUB_URL": self.hub.url,
            "CONFIGHUB_WORKER_ID": self.record["BridgeWorkerID"],
            "CONFIGHUB_WORKER_SECRET": self.record["Secret"],
            "CONFIGHUB_HOME": str(self.folder / "worker"),
            **variables,
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
        self.kube.delete(f"/api/v1/namespaces/{self.namespace}")

    def log(self) -> str:
        return (self.folder / "worker.log").read_text()

    def create(self, slug: str, *documents: Object) -> str:
        placed = [{**one, "metadata": {**one["metadata"], "namespace": self.namespace}} for one in documents]
        data = base64.b64encode(yaml.safe_dump_all(placed).encode()).decode()
        body = {"Slug": slug, "Data": data, "TargetID": self.target}
        return str(self.hub.call("POST", f"/space/{self.space}/unit", body)["UnitID"])

    def apply(self, unit: str) -> None:
        self.hub.call("POST", f"/space/{self.space}/unit/{unit}/apply")

    def unit(self, unit: str) -> dict[str, Any]:
        return dict(self.hub.call("GET", f"/space/{self.space}/unit/{unit}")["Unit"])

    def live(self, unit: str) -> str:
        return base64.b64decode(self.unit(unit).get("LiveState") or "").decode()

    def names(self, prefix: str) -> set[str]:
        items = self.kube.get(f"/api/v1/namespaces/{self.namespace}/configmaps")["items"]
        return {item["metadata"]["name"] for item in items if item["metadata"]["name"].startswith(prefix)}

    def path(self, name: str) -> str:
        return f"/api/v1/namespaces/{self.namespace}/configmaps/{name}"

    def _find_target(self) -> str:
        targets = self.hub.call("GET", f"/space/{self.space}/target")
        return str(targets[0]["Target"]["TargetID"]) if targets else ""


@pytest.fixture(scope="module")
def site(control_plane: Plane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The whole chain, up."""
    found = Site(tmp_path_factory.mktemp("site"), control_plane)
    try:
        yield found
    finally:
        found.stop()


@pytest.mark.requirement("R-007")
def test_a_unit_becomes_an_object_and_the_hub_knows(site: Site) -> None:
    unit = site.create("plain", config_map("plain", color="blue"))

    site.apply(unit)

    until(lambda: site.unit(unit)["LiveRevisionNum"] == 1, because=site.log)
    assert site.kube.get(site.path("plain"))["data"] == {"color": "blue"}


@pytest.mark.requirement("R-008")
def test_what_others_change_reaches_the_hub_by_itself_and_an_apply_puts_it_right(site: Site) -> None:
    unit = site.create("drifting", config_map("drifting", color="blue"))
    site.apply(unit)
    until(lambda: site.unit(unit)["LiveRevisionNum"] == 1, because=site.log)

    site.kube.merge(site.path("drifting"), {"data": {"color": "red"}}, manager="intruder")
    until(lambda: '"red"' in site.live(unit), because=site.log)
    site.apply(unit)

    until(lambda: site.kube.get(site.path("drifting"))["data"] == {"color": "blue"}, because=site.log)
    until(lambda: '"red"' not in site.live(unit), because=site.log)


def test_a_worker_that_is_killed_amid_an_apply_finishes_it_when_it_is_back(site: Site) -> None:
    unit = site.create("big", *(config_map(f"big-{number}") for number in range(MANY)))
    site.apply(unit)
    until(lambda: site.names("big-"), because=site.log)
    site.stop_worker(signal.SIGKILL)

    site.start_worker()

    until(lambda: site.unit(unit)["LiveRevisionNum"] == 1, because=site.log)
    assert len(site.names("big-")) == MANY


def test_a_worker_that_may_look_into_one_namespace_only_tells_its_units_after_a_restart(site: Site) -> None:
    unit = site.create("narrow", config_map("narrow", color="blue"))
    site.apply(unit)
    until(lambda: site.unit(unit)["LiveRevisionNum"] == 1, because=site.log)
    site.stop_worker()
    site.kube.merge(site.path("narrow"), {"data": {"color": "red"}}, manager="intruder")
    account = account_of(site.plane, site.namespace, site.folder, "configmaps")
    try:
        site.start_worker(account, CONFIGHUB_NAMESPACES=f"elsewhere,{site.namespace}")

        until(lambda: '"red"' in site.live(unit), because=site.log)
    finally:
        site.stop_worker()
        site.start_worker()


def test_the_public_clients_options_reach_the_worker(site: Site) -> None:
    name = f"{site.namespace}-imported"
    made_for: Object = {"labels": {"made-for": name}}
    site.kube.create(
        "/api/v1/namespaces/kube-system/configmaps", config_map(name) | {"metadata": {"name": name, **made_for}}
    )
    unit = site.create("imported")
    ask = f"/space/{site.space}/unit/{unit}/import"
    where = f"metadata.namespace = '{site.namespace}' AND metadata.labels = 'made-for={name}'"

    try:
        site.hub.call("POST", ask, {"Where": f"{where} AND import.include_system = true"})

        until(lambda: name in base64.b64decode(site.unit(unit).get("Data") or "").decode(), because=site.log)
    finally:
        site.kube.delete(f"/api/v1/namespaces/kube-system/configmaps/{name}")
