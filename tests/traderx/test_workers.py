"""Workers and targets: one of each an environment, and every unit pointed at it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import psutil
import pytest
import yaml

from confighub.errors import BadRequest, NotFound, RetryLater
from tests.traderx.conftest import Installed
from traderx import topology
from traderx.clusters import clusters_of, keep_cluster, kubeconfig_of, read_cluster
from traderx.site import Site
from traderx.stack import Stack, worker_process
from traderx.up import _restart_others
from traderx.workers import (
    await_cluster_target,
    count_pointed,
    ensure_laptop_target,
    ensure_worker,
    is_on_cluster,
    point_units,
    write_catalogue,
)

ONE_CONTEXT = {
    "current-context": "kind",
    "clusters": [{"name": "kind", "cluster": {"server": "https://kind:6443"}}],
    "users": [{"name": "kind", "user": {"token": "t"}}],
    "contexts": [{"name": "kind", "context": {"cluster": "kind", "user": "kind"}}],
}

KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: kind
contexts:
- name: kind
  context: {cluster: kind, user: kind}
- name: traderx-prod-dr
  context: {cluster: dr, user: dr}
"""


@pytest.mark.requirement("R-052", "R-224", "R-268")
@pytest.mark.parametrize(("environment", "applies"), [("dev", True), ("staging", True), ("prod", False)])
def test_an_environment_has_one_worker_that_looks_every_ten_seconds(
    installed: Installed, environment: str, applies: bool
) -> None:
    first = ensure_worker(installed.hub, installed.project, environment, print)
    again = ensure_worker(installed.hub, installed.project, environment, print)

    assert first["BridgeWorkerID"] == again["BridgeWorkerID"]
    assert again["Slug"] == f"{installed.name}-worker-{environment}"
    assert (again["AutoApply"], again["PollInterval"]) == (applies, "10s")


def test_the_laptop_target_says_where_its_things_are(installed: Installed) -> None:
    worker = ensure_worker(installed.hub, installed.project, "dev", print)
    target_id = ensure_laptop_target(installed.hub, installed.project, "dev", worker, print)

    target = installed.hub.targets.get(target_id, space_id=installed.space_id("dev"))["Target"]
    parameters = json.loads(target["Parameters"])
    assert (target["Slug"], target["ProviderType"], target["ToolchainType"]) == ("laptop", "Laptop", "Kubernetes/YAML")
    assert Path(parameters["Catalogue"]).is_file()
    assert Path(parameters["SecretsDir"]).is_dir()
    assert parameters["Environment"] == "dev"
    assert 0 < parameters["ProbeDelayScale"] < 1


def test_a_target_that_moved_is_brought_up_to_date(installed: Installed) -> None:
    space_id = installed.space_id("staging")
    worker = ensure_worker(installed.hub, installed.project, "staging", print)
    target_id = ensure_laptop_target(installed.hub, installed.project, "staging", worker, print)
    installed.hub.targets.patch(target_id, {"Parameters": "{}"}, space_id=space_id)

    again = ensure_laptop_target(installed.hub, installed.project, "staging", worker, print)

    assert again == target_id
    target = installed.hub.targets.get(target_id, space_id=space_id)["Target"]
    assert json.loads(target["Parameters"])["Environment"] == "staging"


def test_every_unit_is_pointed_at_the_target_once(installed: Installed) -> None:
    worker = ensure_worker(installed.hub, installed.project, "staging", print)
    target_id = ensure_laptop_target(installed.hub, installed.project, "staging", worker, print)

    point_units(installed.hub, installed.project, "staging", target_id, print)

    assert {unit["TargetID"] for unit in installed.units("staging").values()} == {target_id}
    assert point_units(installed.hub, installed.project, "staging", target_id, print) == 0


def test_the_catalogue_has_every_image_with_its_command(installed: Installed) -> None:
    write_catalogue(installed.project)

    images = json.loads(installed.project.catalogue_file.read_text())["images"]
    assert [(one["repository"], one["command"]) for one in images] == [
        (f"finos/traderx-{one.name}", ["traderx", "service", one.name]) for one in topology.SERVICES
    ]
    assert all(one["tags"] == ["v1.0.0", "v1.1.0", "v2.0.0"] for one in images)


def test_a_catalogue_that_a_person_changed_is_left_alone(installed: Installed) -> None:
    write_catalogue(installed.project)
    text = installed.project.catalogue_file.read_text().replace('"v2.0.0"', '"v3.0.0"')
    installed.project.catalogue_file.write_text(text)

    write_catalogue(installed.project)

    assert installed.project.catalogue_file.read_text() == text
    installed.project.catalogue_file.unlink()


@pytest.mark.parametrize(("asked", "found"), [(None, "kind"), ("traderx-prod-dr", "traderx-prod-dr")])
def test_a_cluster_is_named_by_its_context(tmp_path: Path, asked: str | None, found: str) -> None:
    path = tmp_path / "config"
    path.write_text(KUBECONFIG)

    cluster = read_cluster(str(path), asked)

    assert (cluster.kubeconfig, cluster.context) == (path, found)


def test_a_context_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(KUBECONFIG)

    with pytest.raises(NotFound, match=r"has no context minikube .it has: kind, traderx-prod-dr"):
        read_cluster(str(path), "minikube")


def test_a_file_that_is_no_kubeconfig_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("[not, one]")

    with pytest.raises(BadRequest, match="is no kubeconfig"):
        read_cluster(str(path), None)
    with pytest.raises(NotFound, match="no such kubeconfig"):
        read_cluster(str(tmp_path / "missing"), None)


def test_an_environment_that_comes_back_to_this_machine_forgets_its_clusters(
    installed: Installed, tmp_path: Path
) -> None:
    file = tmp_path / "config"
    file.write_text(yaml.safe_dump(ONE_CONTEXT))
    keep_cluster(installed.project, "staging", read_cluster(str(file), None))
    site = Site(installed.project, installed.hub, Stack(installed.project, print), is_own=True, say=print)

    site.set_up_laptop("staging")

    assert clusters_of(installed.project, "staging") == []
    assert not site.is_on_cluster("staging")


def started(site: Site, environment: str, code: str) -> str:
    """Start a process as an environment's worker that works on a cluster, and return its name."""
    kubeconfig = str(kubeconfig_of(site.project, environment))
    name = worker_process(environment)
    words = ["worker", "--space", "x", "--provider", "kubernetes", "--kubeconfig", kubeconfig]
    site.stack.processes.start(name, [sys.executable, "-c", code, *words])
    return name


def test_the_worker_on_a_cluster_is_forgotten_with_its_file(installed: Installed) -> None:
    site = Site(installed.project, installed.hub, Stack(installed.project, print), is_own=True, say=print)
    name = started(site, "staging", "import time; time.sleep(60)")
    worker = psutil.Process(site.stack.processes.known()[name].pid)

    site.set_up_laptop("staging")

    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
    assert name not in site.stack.processes.known()


def test_bringing_up_goes_on_without_the_worker_of_another_environment(installed: Installed) -> None:
    said: list[str] = []
    site = Site(installed.project, installed.hub, Stack(installed.project, print), is_own=True, say=said.append)
    ensure_worker(installed.hub, installed.project, "prod", print)
    name = started(site, "prod", "")

    _restart_others(site)
    site.stack.processes.stop_all([name])
    site.stack.processes.forget(name)

    assert len(said) == 1
    assert said[0].startswith("prod: worker-prod did not come up")
    assert said[0].endswith("going on without it")


def test_an_environment_with_a_unit_on_a_cluster_is_on_a_cluster(installed: Installed) -> None:
    space_id = installed.space_id("prod")
    worker = ensure_worker(installed.hub, installed.project, "prod", print)
    body = {"Slug": "kind", "ToolchainType": "Kubernetes/YAML", "ProviderType": "Kubernetes", "SpaceID": space_id}
    parameters = {"Parameters": '{"KubeContext": "kind"}', "BridgeWorkerID": worker["BridgeWorkerID"]}
    made = installed.hub.targets.create({**body, **parameters}, space_id=space_id)

    point_units(installed.hub, installed.project, "prod", made["TargetID"], print)
    found = await_cluster_target(installed.hub, installed.project, "prod", worker, "kind", timeout_s=5)

    assert found["TargetID"] == made["TargetID"]
    assert is_on_cluster(installed.hub, installed.project, "prod")
    pointed, units = count_pointed(installed.hub, installed.project, "prod", made["TargetID"])
    assert pointed == units > 17


def test_a_target_that_nobody_registers_is_waited_for_in_vain(installed: Installed) -> None:
    worker = ensure_worker(installed.hub, installed.project, "dev", print)

    with pytest.raises(RetryLater, match="registered no target for context nowhere"):
        await_cluster_target(installed.hub, installed.project, "dev", worker, "nowhere", timeout_s=0)
