"""TraderX on real control planes, by the same commands as on this machine; the nodes are pretended ones."""

from __future__ import annotations

import base64
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.acceptance.clusters import DEPLOYMENTS, renamed, send, with_token, written
from tests.acceptance.conftest import end
from tests.acceptance.system import System, eventually
from tests.folders import short_folder
from tests.hub.databases import is_on_postgresql
from tests.kubernetes.control_plane import ControlPlane, Kube, Plane, need_pretended_nodes, to_itself
from traderx import topology

PROJECT = Path(__file__).resolve().parents[2]
# a cluster that is given is waited for, too
pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(900)]

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@dataclass
class Deployed:
    """A project whose dev was deployed on a cluster, with what the commands printed and the cluster had then."""

    system: System
    plane: Plane
    said: dict[str, str]
    first: dict[str, Any]

    @property
    def kube(self) -> Kube:
        """Calls to the cluster that know nothing of the system."""
        return self.plane.kube


@pytest.fixture(scope="module")
def deployed(control_plane: Plane) -> Iterator[Deployed]:
    """Dev on a cluster, set up with one command each."""
    if not control_plane.has_controllers:
        pytest.skip("kube-controller-manager, kube-scheduler or kwok is missing: .ci/kubernetes/build")
    said: dict[str, str] = {}
    with to_itself(control_plane, *(f"traderx-{environment}" for environment in topology.ENVIRONMENTS)):
        system = System(short_folder() / "data")
        try:
            system.must("install-base")
            system.must("install-envs")
            said["setup"] = system.must("setup-worker", "dev", "--kubeconfig", str(control_plane.kubeconfig)).out
            said["secrets"] = system.must("traderx", "secrets", "create", "dev").out
            said["deploy"] = system.must("ordered-apply", "dev").out
            yield Deployed(system, control_plane, said, deployments(control_plane.kube, "dev"))
        finally:
            end(system)


def deployments(kube: Kube, environment: str) -> dict[str, Any]:
    """Return the Deployments of an environment by name."""
    found = kube.get(DEPLOYMENTS.format(f"traderx-{environment}")).get("items", [])
    return {one["metadata"]["name"]: one for one in found}


def ready(found: dict[str, Any]) -> dict[str, int]:
    """Return how many replicas of each are ready."""
    return {name: one["status"].get("readyReplicas", 0) for name, one in found.items()}


def test_one_command_makes_the_worker_its_target_and_points_every_unit(deployed: Deployed) -> None:
    units = deployed.system.units("dev")
    said = deployed.said["setup"]

    assert "ready" in said
    assert f"{len(units)} units of dev point at " in said
    assert len({unit["TargetID"] for unit in units.values()}) == 1


@pytest.mark.requirement("R-094", "R-105")
def test_services_come_up_in_order_each_after_the_one_before_is_ready(deployed: Deployed) -> None:
    """The cluster's own clock, in seconds, says when each was made and when the one before was available."""
    found = deployed.first
    made = {name: one["metadata"]["creationTimestamp"] for name, one in found.items()}
    available = {
        name: condition["lastTransitionTime"]
        for name, one in found.items()
        for condition in one["status"]["conditions"]
        if condition["type"] == "Available" and condition["status"] == "True"
    }
    in_order = [one.name for one in topology.SERVICES]

    assert set(found) == set(in_order)
    for before, after in pairwise(in_order):
        assert available[before] <= made[after], f"{after} was made before {before} was ready"
    said = deployed.said["deploy"]
    places = [said.index(f"\norder {number}: ") for number in range(1, 10)]
    assert places == sorted(places)


@pytest.mark.requirement("R-045")
def test_all_seventeen_units_run(deployed: Deployed) -> None:
    status = deployed.system.status("dev")
    services = deployed.kube.get("/api/v1/namespaces/traderx-dev/services")["items"]
    ingresses = deployed.kube.get("/apis/networking.k8s.io/v1/namespaces/traderx-dev/ingresses")["items"]

    assert status["ready"]
    assert len(deployments(deployed.kube, "dev")) + len(services) == 15
    assert {one["metadata"]["name"] for one in ingresses} == {"traderx-ingress", "traderx-ingress-finos"}


@pytest.mark.requirement("R-212")
def test_a_change_is_on_the_cluster_within_the_poll_interval(deployed: Deployed) -> None:
    path = "/api/v1/namespaces/traderx-dev/services/people-service"
    patch = json.dumps({"metadata": {"annotations": {"example.com/round": "1"}}})
    change = ("unit", "update", "people-service-service", "--space", deployed.system.space("dev"))

    deployed.system.must("cub", *change, "--patch", "--data", patch)

    def arrived() -> bool | None:
        return "example.com/round" in (deployed.kube.get(path)["metadata"].get("annotations") or {}) or None

    assert eventually("the change is applied by itself", arrived, timeout_s=10)


@pytest.mark.requirement("R-001")
def test_whatever_is_in_the_namespace_came_from_a_unit(deployed: Deployed) -> None:
    """All but what the cluster makes in every namespace, and the secret, which may not come from one."""
    units = {unit["UnitID"] for unit in deployed.system.units("dev").values()}
    made_elsewhere = {("configmaps", "kube-root-ca.crt"), ("serviceaccounts", "default")}
    kinds = {
        "api/v1": ("configmaps", "secrets", "serviceaccounts", "services"),
        "apis/apps/v1": ("daemonsets", "deployments", "statefulsets"),
        "apis/batch/v1": ("cronjobs", "jobs"),
        "apis/networking.k8s.io/v1": ("ingresses", "networkpolicies"),
        "apis/policy/v1": ("poddisruptionbudgets",),
        "apis/rbac.authorization.k8s.io/v1": ("rolebindings", "roles"),
    }

    stray = {
        (kind, one["metadata"]["name"])
        for root, plurals in kinds.items()
        for kind in plurals
        for one in deployed.kube.get(f"/{root}/namespaces/traderx-dev/{kind}")["items"]
        if (one["metadata"].get("labels") or {}).get("confighub.com/unit-id") not in units
    }

    assert stray - made_elsewhere == {("secrets", "traderx-db-credentials")}


@pytest.mark.skipif(is_on_postgresql(), reason="what the hub keeps is not in its folder then")
@pytest.mark.requirement("R-246", "R-244")
def test_the_secret_is_in_the_cluster_and_nowhere_in_the_hub(deployed: Deployed) -> None:
    secret = deployed.kube.get("/api/v1/namespaces/traderx-dev/secrets/traderx-db-credentials")
    values = {key: base64.b64decode(value) for key, value in secret["data"].items()}
    kept = b"".join(path.read_bytes() for path in (deployed.system.data / "hub").iterdir() if path.is_file())

    assert values["username"] == b"traderx_user"
    assert len(base64.b64decode(values["password"])) == 32
    assert values["DATABASE_URL"].endswith(b"@/traderx")
    assert b"traderx-db-credentials" in kept
    assert values["password"] not in kept
    assert "there already" in deployed.system.must("traderx", "secrets", "create", "dev").out


@pytest.mark.requirement("R-236", "R-167", "R-242")
def test_addons_are_there_and_what_the_cluster_lacks_is_told(deployed: Deployed) -> None:
    root = "/apis/{}/namespaces/traderx-dev/{}"
    names = {
        kind: {one["metadata"]["name"] for one in deployed.kube.get(root.format(group, kind))["items"]}
        for group, kind in (
            ("rbac.authorization.k8s.io/v1", "roles"),
            ("networking.k8s.io/v1", "networkpolicies"),
            ("policy/v1", "poddisruptionbudgets"),
        )
    }

    assert "traderx-developer" in names["roles"]
    assert {"default-deny-all", "traderx-internal", "allow-ingress-controller"} <= names["networkpolicies"]
    assert names["poddisruptionbudgets"] == {one.name for one in topology.SERVICES}
    assert "not supported here: ServiceMonitor traderx, PodMonitor trade-processor" in deployed.said["deploy"]


@pytest.mark.requirement("R-351")
def test_an_addon_is_applied_once_its_kinds_are_there(deployed: Deployed) -> None:
    names = {"ServiceMonitor": "servicemonitors", "PodMonitor": "podmonitors"}
    path = "/apis/monitoring.coreos.com/v1/namespaces/traderx-dev/{}"
    try:
        for kind, plural in names.items():
            deployed.kube.create(CRDS, definition("monitoring.coreos.com", kind, plural))
        for plural in names.values():
            eventually(f"{plural} are served", partial(served, deployed.kube, path.format(plural)))

        apply = ("unit", "apply", "monitors", "--space", deployed.system.space("dev"), "--wait")
        deployed.system.must("cub", *apply)

        found = [deployed.kube.get(path.format(plural))["items"] for plural in names.values()]
    finally:
        for plural in names.values():
            deployed.kube.delete(f"{CRDS}/{plural}.monitoring.coreos.com")
    assert [[one["metadata"]["name"] for one in items] for items in found] == [["traderx"], ["trade-processor"]]


@pytest.mark.requirement("R-008", "R-271")
def test_what_is_scaled_by_another_comes_back_and_what_is_of_no_unit_is_told_and_stays(deployed: Deployed) -> None:
    kube, path = deployed.kube, f"{DEPLOYMENTS.format('traderx-dev')}/trade-service"
    kube.merge(path, {"spec": {"replicas": 10}}, manager="intruder")
    kube.create("/api/v1/namespaces/traderx-dev/configmaps", {"metadata": {"name": "odd"}, "data": {"a": "1"}})
    units = ("trade-service-deployment", "namespace")
    eventually("both are known", lambda: set(units) <= drifted(deployed, "--dry-run").keys())

    found = drifted(deployed)

    odd = kube.get("/api/v1/namespaces/traderx-dev/configmaps/odd")
    kube.delete("/api/v1/namespaces/traderx-dev/configmaps/odd")
    assert [found[slug]["action"] for slug in units] == ["corrected", "asked"]
    assert [one["resource"] for one in found["namespace"]["differences"]] == ["ConfigMap/odd"]
    assert kube.get(path)["spec"]["replicas"] == 1
    assert odd["data"] == {"a": "1"}


def drifted(deployed: Deployed, *options: str) -> dict[str, Any]:
    """Return what the detector says of dev's units, by their slugs."""
    answer = deployed.system.run("drift-detector", "--space", "dev", "--once", "--json", *options).out
    return {one["unit"]: one for one in json.loads(answer)["drift"]}


def served(kube: Kube, path: str) -> bool | None:
    """Return True once the server answers there; it says 429 while it prepares a new kind."""
    return kube.call("GET", path).status_code == 200 or None


def definition(group: str, kind: str, plural: str) -> dict[str, Any]:
    """Return a definition that takes objects of any content."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
        },
    }


@pytest.mark.requirement("R-228", "R-229", "R-235", "R-147")
def test_posture_claims_nothing_that_it_has_not_seen(deployed: Deployed) -> None:
    told = json.loads(deployed.system.must("traderx", "posture", "dev", "--json").out)

    states = {one["control"]: one["state"] for one in told["findings"]}
    assert "met" not in states.values()
    told_of_mesh = {one["control"]: one["evidence"] for one in told["findings"] if "mesh" in one["evidence"]}
    assert set(told_of_mesh) == {"mutual TLS between services", "mesh sidecars", "mesh tracing"}
    assert all(one.startswith("not enforced: ") for one in told_of_mesh.values())
    assert states["encryption at rest: secrets"] == "unknown"
    assert all(one["evidence"] for one in told["findings"])


def test_connectivity_is_not_claimed_where_no_pods_run(deployed: Deployed) -> None:
    need_pretended_nodes(deployed.plane)

    told = json.loads(deployed.system.must("traderx", "check-connectivity", "dev", "--json").out)

    assert told["ok"]
    assert [one["state"] for one in told["tests"]] == ["skipped", "skipped"]
    assert all("runs pods: kwok pretends them" in one["evidence"] for one in told["tests"])


def test_what_is_on_a_cluster_is_not_brought_up_on_this_machine(deployed: Deployed) -> None:
    before = {slug: unit["TargetID"] for slug, unit in deployed.system.units("dev").items()}

    ran = deployed.system.run("up")

    assert ran.code == 1
    assert "dev is on a cluster" in ran.err
    assert before == {slug: unit["TargetID"] for slug, unit in deployed.system.units("dev").items()}


@pytest.mark.requirement("R-294", "R-292", "R-295", "R-326", "R-281", "R-293", "R-289", "R-296")
@pytest.mark.requirement("R-215", "R-302", "R-306", "R-307", "R-310")
@pytest.mark.timeout(900)
def test_prod_runs_with_three_replicas_once_approved_and_moves_to_another_cluster(
    deployed: Deployed, tmp_path: Path
) -> None:
    need_pretended_nodes(deployed.plane)
    system = deployed.system
    system.must("setup-worker", "prod", "--kubeconfig", str(deployed.plane.kubeconfig))

    refused = system.run("ordered-apply", "prod")
    untouched = deployments(deployed.kube, "prod")
    system.must("ordered-apply", "prod", "--approve")

    replicas = {one.name: one.prod.replicas for one in topology.SERVICES}
    assert (refused.code, untouched) == (1, {})
    assert ready(deployments(deployed.kube, "prod")) == replicas
    with ControlPlane(tmp_path) as other:
        kubeconfig = written(tmp_path / "dr", renamed(other.kubeconfig, "traderx-prod-dr"))
        system.must("setup-worker", "prod", "--kubeconfig", str(kubeconfig))
        first = next(one for one in system_targets(system, "prod") if one != "traderx-prod-dr")

        system.must("apply-all", "prod", "--cluster", "traderx-prod-dr")
        assert ready(deployments(other.kube, "prod")) == replicas

        system.must("apply-all", "prod", "--cluster", first)
        assert {unit["LiveRevisionNum"] > 0 for unit in system.units("prod").values()} == {True}

        remove_namespace(other.kube, "traderx-prod")
        with playing_velero(other.kube, "traderx-prod-backup"):
            drilled = json.loads(system.must("traderx", "disaster", "drill", "prod", "--json").out)
        said = {step["name"]: f"{step['state']}: {step['said']}" for step in drilled["steps"]}
        assert "answers with 3 nodes" in said["look at the first place"]
        assert said["other place ready"] == "done: all 2 nodes of traderx-prod-dr are Ready; 1 cordoned"
        assert said["services run"].endswith(", 18 replicas")
        assert "Completed, 12 objects" in said["Velero restore and describe"]
        verdicts = {row["scenario"]: (row["verdict"], row["rpoSeconds"]) for row in drilled["table"]}
        assert verdicts["environment failure (prod)"] == ("met", 0.0)
        # there are no services to ask on pretended nodes, so what they would say is nobody's claim
        assert verdicts["complete cluster failure"] == ("not measured", None)
        assert ready(deployments(deployed.kube, "prod")) == replicas
        eventually("nothing left there", lambda: is_gone(other.kube, "traderx-prod"), timeout_s=60)

        # one region after the other, each on its own cluster
        system.must("traderx", "destroy", "prod", "--yes")
        remove_namespace(deployed.kube, "traderx-prod")
        promote = ("traderx", "regions", "promote", "--approve", "--without-traffic")
        for region, plane in (("us-east-1", other), ("us-west-2", deployed.plane)):
            refused = system.run(*promote, "--to", region)
            assert f"{region} has no cluster yet" in refused.err
            context = f"traderx-prod-{region}"
            kubeconfig = written(tmp_path / region, renamed(plane.kubeconfig, context))
            system.must("setup-worker", f"prod-{region}", "--kubeconfig", str(kubeconfig))
            system.must(*promote, "--to", region)
            assert ready(deployments(plane.kube, "prod")) == replicas
            system.must("../test/validate-region.sh", region, "--without-traffic")
        everything = ("--space", system.space("prod-us-east-1"), "--filter", f"{system.project}/all")
        system.must("cub", "unit", "apply", *everything, "--wait")

        # what breaks in the first region goes no further
        where = ("--space", system.space("prod"), "--unit", "web-gui-deployment")
        system.must("cub", "run", "set-replicas", "5", *where)
        other.kube.delete(f"{DEPLOYMENTS.format('traderx-prod')}/people-service")
        validate = ("../test/validate-region.sh", "us-east-1", "--without-traffic")
        eventually("loss seen", lambda: system.run(*validate).code == 1)
        stopped = system.run(*promote, "--from", "us-west-2", "--to", "us-west-2")
        assert stopped.code == 1
        assert "us-east-1, which comes before, is not well" in stopped.out
        assert ready(deployments(deployed.kube, "prod")) == replicas


def is_gone(kube: Kube, namespace: str) -> bool:
    """Tell whether the cluster has no such namespace."""
    return kube.call("GET", f"/api/v1/namespaces/{namespace}").status_code == 404


def remove_namespace(kube: Kube, namespace: str) -> None:
    """Remove the namespace with all in it, and wait until it is gone."""
    kube.delete_namespace(namespace, with_grace=False)
    eventually(f"{namespace} gone", lambda: is_gone(kube, namespace), timeout_s=60)


@contextmanager
def playing_velero(kube: Kube, backup: str) -> Iterator[None]:
    """Take Velero's part: its kinds, a finished backup, and restores that end well when they are asked for."""
    kube.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "velero"}})
    place = "/apis/velero.io/v1/namespaces/velero"
    for kind in ("Backup", "Restore"):
        kube.create(CRDS, definition("velero.io", kind, f"{kind.lower()}s"))
        eventually(f"{kind}s are served", partial(served, kube, f"{place}/{kind.lower()}s"))
    done = {"phase": "Completed", "completionTimestamp": "2026-10-03T02:00:41Z", "volumeSnapshotsCompleted": 2}
    made = {"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"name": backup, "namespace": "velero"}}
    kube.create(f"{place}/backups", {**made, "status": {**done, "progress": {"itemsBackedUp": 40}}})
    is_over = threading.Event()

    def restore() -> None:
        while not is_over.wait(0.2):
            for one in kube.get(f"{place}/restores").get("items", []):
                if not one.get("status"):
                    one["status"] = {"phase": "Completed", "progress": {"itemsRestored": 12}, "warnings": 0}
                    kube.call("PUT", f"{place}/restores/{one['metadata']['name']}", one)

    velero = threading.Thread(target=restore)
    velero.start()
    try:
        yield
    finally:
        is_over.set()
        velero.join()


def system_targets(system: System, environment: str) -> list[str]:
    """Return the slugs of an environment's targets."""
    listed = system.must("cub", "target", "list", "--space", system.space(environment), "--names", "--no-header").out
    return listed.split()


def test_an_installed_worker_needs_no_more_than_its_rights(deployed: Deployed, tmp_path: Path) -> None:
    system, kube = deployed.system, deployed.kube
    space = system.space("staging")
    system.must("cub", "worker", "create", "in-cluster", "--space", space)
    install = ("worker", "install", "in-cluster", "--space", space, "--namespace", "confighub-staging")
    printed = system.must("cub", *install, "--export", "--env", "CONFIGHUB_URL=http://hub:9090").out
    objects = list(yaml.safe_load_all(printed))

    assert send(kube, objects) == []
    shutil.copy(deployed.plane.kubeconfig, tmp_path / "admin")
    kubeconfig = with_token(tmp_path / "admin", kube, "in-cluster", "confighub-staging", context="least")
    system.must("setup-worker", "staging", "--kubeconfig", str(kubeconfig))
    system.must("ordered-apply", "staging")

    forbidden = "/api/v1/namespaces/kube-system/secrets"
    who = {"spec": {"user": "system:serviceaccount:confighub-staging:in-cluster", "resourceAttributes": {}}}
    who["spec"]["resourceAttributes"] = {"verb": "list", "resource": "secrets", "namespace": "kube-system"}
    review = kube.create("/apis/authorization.k8s.io/v1/subjectaccessreviews", who)
    kube.delete("/api/v1/namespaces/confighub-staging")
    assert not review["status"]["allowed"], forbidden


def test_the_server_accepts_all_that_is_shipped(deployed: Deployed) -> None:
    files = sorted((PROJECT / "deploy" / "kubernetes").glob("*.yaml"))
    files += sorted((PROJECT / "confighub").rglob("*.yaml"))
    known = {"", "apps", "networking.k8s.io", "rbac.authorization.k8s.io", "policy", "scheduling.k8s.io"}
    objects = []
    for path in files:
        for one in yaml.safe_load_all(path.read_text().replace(topology.PLACEHOLDER, "default")):
            if one["apiVersion"].rpartition("/")[0] in known:
                metadata = {key: value for key, value in one["metadata"].items() if key != "namespace"}
                objects.append({**one, "metadata": {**metadata, "namespace": "default"}})

    refused = send(deployed.kube, [plain(one) for one in objects], dryRun="All", force="true")

    assert len(objects) > 80
    assert refused == []


def plain(one: dict[str, Any]) -> dict[str, Any]:
    """Return a cluster-wide object without the namespace that the others got."""
    if one["kind"] in ("Namespace", "ClusterRole", "ClusterRoleBinding", "PriorityClass"):
        metadata = {key: value for key, value in one["metadata"].items() if key != "namespace"}
        return {**one, "metadata": metadata}
    return one
