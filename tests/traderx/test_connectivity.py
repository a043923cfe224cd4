"""The connectivity tests on a real API server; where pods would run, the test plays the node and says how they end."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from confighub.errors import NotFound
from tests.kubernetes.control_plane import IDLE_NODE, Kube, Plane, need_pretended_nodes
from traderx.clusters import ClusterApi, read_cluster
from traderx.connectivity import ALLOWED, REFUSED, Ended, check_connectivity, verdicts, why_not

NODES = "/api/v1/nodes"
DAEMON_SETS = "/apis/apps/v1/namespaces/kube-system/daemonsets"
ANSWERED, TIMED_OUT, UNRESOLVED = (0, "answered 200"), (28, "timed out"), (7, "name resolution failed")


@dataclass
class Cluster:
    """A control plane with a namespace in which what the tests ask for is deployed."""

    kube: Kube
    api: ClusterApi
    place: str

    def path(self, kind: str, name: str = "") -> str:
        return f"/api/v1/namespaces/{self.place}/{kind}" + (f"/{name}" if name else "")


@pytest.fixture
def cluster(control_plane: Plane, project: Path) -> Iterator[Cluster]:
    need_pretended_nodes(control_plane)
    if not control_plane.has_controllers:
        pytest.skip("kube-controller-manager, kube-scheduler or kwok is missing: .ci/kubernetes/build")
    kube, place = control_plane.kube, f"t-{uuid.uuid4().hex[:8]}"
    kube.create("/api/v1/namespaces", {"metadata": {"name": place}})
    for slug in ("reference-data-deployment", "trade-service-service"):
        send(kube, place, project / "confighub" / "base" / f"{slug}.yaml")
    send(kube, place, project / "confighub" / "addons" / "network-policies.yaml")
    account = f"/api/v1/namespaces/{place}/serviceaccounts/default"
    until(lambda: bool(kube.get(account)))
    context = yaml.safe_load(control_plane.kubeconfig.read_text())["current-context"]
    yield Cluster(kube, ClusterApi(read_cluster(str(control_plane.kubeconfig), context)), place)
    kube.delete(f"/api/v1/namespaces/{place}")


def send(kube: Kube, place: str, path: Path) -> None:
    """Make the objects of a unit's file in the namespace."""
    kinds = {"Deployment": "deployments", "Service": "services", "NetworkPolicy": "networkpolicies"}
    for one in yaml.safe_load_all(path.read_text(encoding="utf-8").replace("confighubplaceholder", place)):
        version = one["apiVersion"]
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        kube.create(f"{root}/namespaces/{place}/{kinds[one['kind']]}", one)


def until(is_so: Any) -> None:
    done = threading.Event()
    for _ in range(300):
        if is_so():
            return
        done.wait(0.1)
    pytest.fail("it does not come to be")


@contextmanager
def plugin(kube: Kube, name: str) -> Iterator[None]:
    """A node on which pods could run, and the DaemonSet of a network plugin, which puts a pod on none."""
    labels = {"app": name}
    container = {"name": "agent", "image": "registry.local/agent:v1"}
    pods = {"metadata": {"labels": labels}, "spec": {"containers": [container], "nodeSelector": {"none": "such"}}}
    spec = {"selector": {"matchLabels": labels}, "template": pods}
    kube.create(DAEMON_SETS, {"metadata": {"name": name}, "spec": spec})
    patch = {"status": {"conditions": [{"type": "Ready", "status": "True", "reason": "Test", "message": "played"}]}}
    kube.merge(f"{NODES}/{IDLE_NODE}/status", patch)
    try:
        yield
    finally:
        patch["status"]["conditions"][0]["status"] = "False"
        kube.merge(f"{NODES}/{IDLE_NODE}/status", patch)
        kube.delete(f"{DAEMON_SETS}/{name}")


@contextmanager
def playing(cluster: Cluster, ends: Mapping[str, tuple[int, str]]) -> Iterator[dict[str, Any]]:
    """Play the node: end each pod of the tests with the code and the words given; yields the pods that were seen."""
    seen: dict[str, Any] = {}
    over = threading.Event()

    def play() -> None:
        while not over.wait(0.05):
            for pod in cluster.kube.get(cluster.path("pods"), labelSelector="connectivity-test")["items"]:
                who, name = pod["metadata"]["labels"]["connectivity-test"], pod["metadata"]["name"]
                # kwok runs a pod once, and what ended it leaves alone
                if who in seen or pod["status"].get("phase") != "Running":
                    continue
                code, said = ends[who]
                state = {"terminated": {"exitCode": code, "message": said, "reason": "Test"}}
                own = {"name": "ask", "state": state, "ready": False, "restartCount": 0, "image": "", "imageID": ""}
                status = {"phase": "Failed" if code else "Succeeded", "containerStatuses": [own]}
                cluster.kube.merge(f"{cluster.path('pods', name)}/status", {"status": status})
                seen[who] = pod

    thread = threading.Thread(target=play, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def test_where_nodes_are_pretended_both_are_skipped_by_that_name(cluster: Cluster) -> None:
    found = check_connectivity(cluster.api, cluster.place, timeout_s=5)

    assert {(one.test, one.state) for one in found} == {(ALLOWED, "skipped"), (REFUSED, "skipped")}
    assert all("kwok" in one.evidence for one in found)
    assert not cluster.kube.get(cluster.path("pods"), labelSelector="connectivity-test")["items"]


def test_a_plugin_that_enforces_nothing_is_named(cluster: Cluster) -> None:
    with plugin(cluster.kube, "kube-flannel-ds"):
        why = why_not(cluster.api)

    assert why.startswith("flannel, the network plugin of ")


def test_a_plugin_that_nobody_knows_is_not_taken_for_one_that_enforces(cluster: Cluster) -> None:
    with plugin(cluster.kube, "new-net"):
        assert "no network plugin known to enforce policies" in why_not(cluster.api)
        assert why_not(cluster.api, is_certain=True) == ""


@pytest.mark.requirement("R-172", "R-173")
def test_where_policies_hold_the_one_gets_an_answer_and_the_other_none(cluster: Cluster) -> None:
    ends = {"allowed": ANSWERED, "control": ANSWERED, "stranger": TIMED_OUT}

    with plugin(cluster.kube, "calico-node"), playing(cluster, ends) as pods:
        found = check_connectivity(cluster.api, cluster.place, timeout_s=20)

    assert [(one.state, one.evidence) for one in found] == [("passed", "answered 200"), ("passed", "timed out")]
    asked = {who: pod["spec"]["containers"][0]["command"][3] for who, pod in pods.items()}
    assert asked["allowed"] == f"http://reference-data.{cluster.place}.svc.cluster.local:18085/health"
    assert asked["stranger"] == f"http://trade-service.{cluster.place}.svc.cluster.local:18092/health"
    ours = {who: pod["metadata"]["labels"].get("app.kubernetes.io/part-of") for who, pod in pods.items()}
    assert ours == {"allowed": "traderx", "control": "traderx", "stranger": None}
    service = cluster.kube.get(cluster.path("services", "trade-service"))
    assert pods["stranger"]["spec"]["hostAliases"][0]["ip"] == service["spec"]["clusterIP"]


@pytest.mark.requirement("R-173")
def test_a_stranger_that_gets_an_answer_fails_the_test(cluster: Cluster) -> None:
    ends = {"allowed": ANSWERED, "control": ANSWERED, "stranger": ANSWERED}

    with plugin(cluster.kube, "calico-node"), playing(cluster, ends):
        found = check_connectivity(cluster.api, cluster.place, timeout_s=20)

    assert [one.state for one in found] == ["passed", "failed"]
    assert not cluster.kube.get(cluster.path("pods"), labelSelector="connectivity-test")["items"]


@pytest.mark.parametrize(
    ("ends", "states"),
    [
        ((UNRESOLVED, ANSWERED, TIMED_OUT), ["failed", "passed"]),
        # nobody answers: a stranger's silence shows nothing
        ((ANSWERED, TIMED_OUT, TIMED_OUT), ["passed", "failed"]),
        # refused by whom, nobody can tell
        ((ANSWERED, ANSWERED, (7, "connection refused")), ["passed", "failed"]),
        ((ANSWERED, ANSWERED, (None, "no end within 60 s: ErrImagePull")), ["passed", "failed"]),
    ],
)
def test_what_shows_nothing_does_not_pass(ends: tuple[tuple[int | None, str], ...], states: list[str]) -> None:
    found = verdicts(*(Ended(code, said) for code, said in ends))

    assert [one.state for one in found] == states
    assert all(one.evidence for one in found)


def test_without_the_policies_there_is_nothing_to_test(cluster: Cluster) -> None:
    path = f"/apis/networking.k8s.io/v1/namespaces/{cluster.place}/networkpolicies/default-deny-all"
    cluster.kube.delete(path)

    with plugin(cluster.kube, "calico-node"), pytest.raises(NotFound, match="no NetworkPolicy default-deny-all"):
        check_connectivity(cluster.api, cluster.place, timeout_s=5)
