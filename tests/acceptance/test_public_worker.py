"""The public worker does with dev's units, on a control plane of its own, what ours does.

CONFIGHUB_PUBLIC_WORKER names its program (``cub-worker`` of the public client's release); without it nothing runs.
"""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.acceptance.clusters import DEPLOYMENTS, Object, path_of, renamed, written
from tests.acceptance.conftest import end
from tests.acceptance.system import System, eventually
from tests.folders import short_folder
from tests.kubernetes.control_plane import ControlPlane, Plane, to_itself

PROGRAM = "CONFIGHUB_PUBLIC_WORKER"
pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.timeout(900),  # a cluster that is given is waited for, too
    pytest.mark.skipif(not os.environ.get(PROGRAM), reason=f"{PROGRAM} does not name cub-worker of the public client"),
]

IF_SUPPORTED = "confighub.com/if-supported"
"""In units of kinds that a bare cluster lacks: ours applies the rest and says so, theirs refuses the whole unit."""

PATIENCE_S = 240.0
_MADE_BY_SERVERS = ("uid", "resourceVersion", "creationTimestamp", "managedFields")
_CHOSEN = ("clusterIP", "clusterIPs", "healthCheckNodePort")


@dataclass
class Pair:
    """Dev applied by our worker on one control plane, and a copy of it in the hands of theirs on another."""

    system: System
    ours: Plane
    theirs: ControlPlane
    log: Path
    worker: subprocess.Popen[bytes] | None = None
    applied: dict[str, list[Object | None]] = field(default_factory=dict)
    """The objects on both when all was applied once; what tests do later counts up generations."""

    @property
    def space(self) -> str:
        """The space of the copies."""
        return f"{self.system.project}-theirs"

    def cub(self, *arguments: str) -> str:
        """Run ``cub`` in the space of the copies and return what it prints."""
        return self.system.must("cub", *arguments, "--space", self.space).out

    def units(self) -> dict[str, dict[str, Any]]:
        """The copies by slug."""
        return self.system.units("theirs")

    def start(self, folder: Path) -> None:
        """Start their worker; it reaches both control planes."""
        self.cub("worker", "create", "public")
        lines = self.cub("worker", "get-envs", "public").splitlines()
        given = dict(line.removeprefix("export ").split("=", 1) for line in lines if line.startswith("export "))
        url = given["CONFIGHUB_URL"]
        files = [written(folder / name, renamed(plane.kubeconfig, name)) for name, plane in self.planes().items()]
        env = {**self.system.environment(), **given, "CONFIGHUB_WORKER_PORT": url.rpartition(":")[2]}
        env |= {"KUBECONFIG": ":".join(map(str, files)), "HOME": str(folder)}
        with self.log.open("ab") as log:
            self.worker = subprocess.Popen([os.environ[PROGRAM], "kubernetes"], env=env, stdout=log, stderr=log)
        eventually("their targets are there", lambda: "public-theirs" in self.cub("target", "list", "--names") or None)

    def planes(self) -> dict[str, Plane]:
        """Both, by the names of their contexts."""
        return {"ours": self.ours, "theirs": self.theirs}

    def stop(self) -> None:
        """End their worker."""
        if self.worker:
            self.worker.terminate()
            self.worker.wait(30)


@pytest.fixture(scope="module")
def pair(control_plane: Plane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Both, with everything applied."""
    if not control_plane.has_controllers:
        pytest.skip("kube-controller-manager, kube-scheduler or kwok is missing: .ci/kubernetes/build")
    folder = tmp_path_factory.mktemp("public")
    with to_itself(control_plane, "traderx-dev"), ControlPlane(tmp_path_factory.mktemp("theirs")) as theirs:
        system = System(short_folder() / "data")
        found = Pair(system, control_plane, theirs, folder / "worker.log")
        try:
            system.must("install-base")
            system.must("install-envs")
            system.must("setup-worker", "dev", "--kubeconfig", str(control_plane.kubeconfig))
            system.must("traderx", "secrets", "create", "dev")
            system.must("ordered-apply", "dev")
            system.must("cub", "space", "create", found.space)
            system.must("cub", "unit", "create", "--space", system.space("dev"), "--dest-space", found.space)
            found.start(folder)
            found.cub("unit", "set-target", "public-theirs", "--where", "Slug LIKE '%'")
            found.cub("unit", "apply", "namespace")
            found.cub("unit", "apply", "--where", "Slug != 'namespace'", "--wait=false")
            eventually("their worker is done", lambda: is_over(found), timeout_s=PATIENCE_S)
            found.applied = on_both(found)
            yield found
        finally:
            found.stop()
            end(system)


def is_over(pair: Pair) -> bool | None:
    """Return True once every copy is live, but for those that theirs cannot apply."""
    waiting = {slug for slug, unit in pair.units().items() if not unit["LiveRevisionNum"]}
    return waiting == without_their_kinds(pair) or None


def texts(pair: Pair, environment: str = "dev", field: str = "Data") -> dict[str, str]:
    """Return the texts of an environment's units by slug, or what is live of them."""
    units = pair.system.units(environment)
    return {slug: base64.b64decode(unit.get(field) or "").decode() for slug, unit in units.items()}


def without_their_kinds(pair: Pair) -> set[str]:
    """Return the units that theirs cannot apply here."""
    return {slug for slug, text in texts(pair).items() if IF_SUPPORTED in text}


def documents(pair: Pair) -> list[Object]:
    """Return the objects of dev's units, but for those of the units that theirs cannot apply."""
    left_out = without_their_kinds(pair)
    return [
        one for slug, text in texts(pair).items() if slug not in left_out for one in yaml.safe_load_all(text) if one
    ]


def plain(item: Object) -> Object:
    """Return the object without what only its server chose, our marks, and its status."""
    metadata = {key: value for key, value in item["metadata"].items() if key not in _MADE_BY_SERVERS}
    for notes in ("labels", "annotations"):
        kept = {key: value for key, value in metadata.pop(notes, {}).items() if not key.startswith("confighub.com/")}
        metadata |= {notes: kept} if kept else {}
    found = {key: value for key, value in item.items() if key != "status"} | {"metadata": metadata}
    if item["kind"] == "Service":
        ports = [{key: value for key, value in port.items() if key != "nodePort"} for port in item["spec"]["ports"]]
        spec = {key: value for key, value in item["spec"].items() if key not in _CHOSEN}
        found["spec"] = spec | {"ports": ports}
    return found


def on_both(pair: Pair) -> dict[str, list[Object | None]]:
    """Return by path how each object of dev's units stands with us and with them."""
    return {
        path_of(one): [
            plain(live) if live else None
            for plane in pair.planes().values()
            if (live := plane.kube.get(path_of(one))) is not None
        ]
        for one in documents(pair)
    }


def test_every_object_is_the_same_whoever_applied_it(pair: Pair) -> None:
    found = pair.applied

    assert len(found) > 50
    assert {path: sides for path, sides in found.items() if None in sides} == {}
    assert {path: sides for path, sides in found.items() if sides[0] != sides[1]} == {}


def test_the_hub_knows_of_theirs_what_it_knows_of_ours(pair: Pair) -> None:
    live = yaml.safe_load(texts(pair, "theirs", "LiveState")["trade-service-deployment"])
    copies = pair.units()

    assert (live["kind"], live["spec"]["replicas"]) == ("Deployment", 1)
    assert {slug for slug, unit in copies.items() if unit["LiveRevisionNum"]} == set(copies) - without_their_kinds(pair)
    refused = {slug: copies[slug] for slug in without_their_kinds(pair)}
    assert refused


def test_their_refresh_takes_drift_over_and_an_apply_of_the_old_revision_puts_it_right(pair: Pair) -> None:
    path = f"{DEPLOYMENTS.format('traderx-dev')}/people-service"
    pair.theirs.kube.merge(path, {"spec": {"replicas": 4}})

    pair.cub("unit", "refresh", "people-service-deployment")

    drifted = pair.units()["people-service-deployment"]
    text = texts(pair, "theirs")["people-service-deployment"]
    pair.cub("unit", "apply", "people-service-deployment", "--revision", "1")
    assert (drifted["HeadRevisionNum"], drifted["LiveRevisionNum"]) == (2, 2)
    assert yaml.safe_load(text)["spec"]["replicas"] == 4
    assert pair.theirs.kube.get(path)["spec"]["replicas"] == 1


def test_their_import_fills_a_unit(pair: Pair) -> None:
    where = "kind = 'ConfigMap' AND metadata.namespace = 'traderx-dev'"

    pair.cub("unit", "import", "brought-in", "--where", where, "--target", "public-theirs")

    kinds = {one["kind"] for one in yaml.safe_load_all(texts(pair, "theirs")["brought-in"])}
    pair.cub("unit", "delete", "brought-in")
    assert kinds == {"ConfigMap"}


def test_their_destroy_leaves_nothing_of_the_unit(pair: Pair) -> None:
    pair.cub("unit", "destroy", "web-gui-deployment")

    gone = pair.theirs.kube.get(f"{DEPLOYMENTS.format('traderx-dev')}/web-gui")
    unit = pair.units()["web-gui-deployment"]
    pair.cub("unit", "apply", "web-gui-deployment")
    assert (gone, unit["LiveRevisionNum"]) == ({}, 0)


def test_a_unit_changes_hands_and_comes_back_without_a_restart_of_what_it_runs(pair: Pair) -> None:
    system, slug = pair.system, "account-service-deployment"
    place = ("--space", system.space("dev"))
    path = f"{DEPLOYMENTS.format('traderx-dev')}/account-service"
    before = pair.ours.kube.get(path)
    target = system.unit(slug)["TargetID"]

    generations = []
    for name in (f"{pair.space}/public-ours", target):
        system.must("cub", "unit", "set-target", slug, name, *place)
        system.must("cub", "unit", "apply", slug, *place)
        generations.append(pair.ours.kube.get(path)["metadata"]["generation"])

    after = pair.ours.kube.get(path)
    first = before["metadata"]["generation"]
    assert generations == [first + 1, first + 2]  # a Deployment counts changes of its annotations, where our marks are
    assert plain(after)["spec"] == plain(before)["spec"]
    assert plain(after)["metadata"]["annotations"] == plain(before)["metadata"]["annotations"]  # the rollout's number
    assert after["metadata"]["labels"]["confighub.com/unit-id"] == system.unit(slug)["UnitID"]
