"""However an apply is disturbed: in the end live equals desired, or the failure is clear and a cure is enough.

Each object's generation rises once a revision, and nothing is left that no unit has. KUBERNETES_FAULT_ROUNDS says how
often each happens (3 under CI, 30 for the full proof, else 1).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from confighub.worker.bridge import Operation, Outcome
from tests.kubernetes.control_plane import ControlPlane, Plane
from tests.runtime.running import until
from tests.worker.kubernetes.proxy import Proxy
from tests.worker.kubernetes.stage import Object, Stage, config_map, new_unit

ROUNDS = int(os.environ.get("KUBERNETES_FAULT_ROUNDS", "3" if os.environ.get("CI") == "true" else "1"))
MANY, DOORS = 24, 3
NETWORKING = "networking.k8s.io/v1"
HELD = {"metadata": {"name": "held", "finalizers": ["example.test/hold"]}}


class Troubled:
    """A unit of many objects whose second revision is being applied."""

    def __init__(self, stage: Stage, proxy: Proxy) -> None:
        self.stage, self.proxy, self.unit = stage, proxy, new_unit()
        self.is_new, self.more = False, list[Object]()

    def begin(self) -> None:
        """Have the first revision live in a namespace of its own."""
        self.stage.new_namespace()
        outcome = self.stage.apply(*self.wanted(1), unit=self.unit)
        assert outcome.result == "ApplyCompleted", outcome.message

    def wanted(self, revision: int) -> list[Object]:
        """Return the unit's objects: the same ones with other content, and one that comes and goes."""
        parts = [config_map(f"part-{number}", revision=str(revision)) for number in range(MANY)]
        doors = [door(f"door-{number}", revision) for number in range(DOORS)]
        return [*doors, *parts, config_map(f"only-{revision}", revision=str(revision))]

    def second(self, **parameters: object) -> Operation:
        """Return the operation that is disturbed."""
        wanted = [*self.wanted(2), *self.more]
        return self.stage.operation(*wanted, unit=self.unit, revision=2, **parameters)

    def apply(self, **parameters: object) -> Outcome:
        """Apply the second revision to its end."""
        return self.stage.begin(self.second(**parameters)).result(90)

    def is_amid(self) -> bool:
        """Whether some of the second revision are there."""
        return any(one["data"]["revision"] == "2" for one in self.found("configmaps"))

    def found(self, plural: str, group: str = "") -> list[Object]:
        """Return the unit's objects of a kind."""
        label = {"labelSelector": f"confighub.com/unit-id={self.unit}"}
        return list(self.stage.kube.get(self.stage.path(plural, group=group), **label)["items"])

    def must_be_settled(self) -> None:
        """Fail unless exactly the second revision is there, written once."""
        parts = {one["metadata"]["name"]: one["data"] for one in self.found("configmaps")}
        doors = {one["metadata"]["name"]: one for one in self.found("networkpolicies", NETWORKING)}
        generations = {one["metadata"]["generation"] for one in doors.values()}
        chosen = {one["spec"]["podSelector"]["matchLabels"]["revision"] for one in doors.values()}
        assert parts == {f"part-{number}": {"revision": "2"} for number in range(MANY)} | {"only-2": {"revision": "2"}}
        assert (set(doors), chosen) == ({f"door-{number}" for number in range(DOORS)}, {"2"})
        assert generations == ({1} if self.is_new else {2})
        refreshed = self.stage.refresh(*self.wanted(2), unit=self.unit, revision=2)
        assert refreshed.result == "RefreshAndNoDrift", refreshed.message
        self.must_be_watched()

    def must_be_watched(self) -> None:
        """Fail unless a change by another is told."""
        note = new_unit()
        self.stage.kube.merge(self.stage.path("configmaps", "part-0"), {"metadata": {"annotations": {"note": note}}})
        self.stage.until_live(self.unit, lambda live: any(note in str(one) for one in live))


def door(name: str, revision: int) -> Object:
    spec = {"podSelector": {"matchLabels": {"revision": str(revision)}}}
    return {"apiVersion": NETWORKING, "kind": "NetworkPolicy", "metadata": {"name": name}, "spec": spec}


def worker_killed(it: Troubled) -> Outcome:
    running = it.stage.begin(it.second())
    until(it.is_amid)
    it.stage.kill(running)
    it.stage.start(it.proxy.kubeconfig)
    return it.apply()


def server_restarted(it: Troubled) -> Outcome:
    plane = it.stage.plane
    if not isinstance(plane, ControlPlane):
        pytest.skip("the given cluster is not ours to kill")
    it.stage.stop()
    it.stage.start()
    running = it.stage.begin(it.second(WaitTimeout="80s"))
    until(it.is_amid)
    plane.stop("kube-apiserver")
    plane.start_api_server()
    outcome = running.result(90)
    it.must_be_watched()
    it.stage.stop()
    it.stage.start(it.proxy.kubeconfig)
    return outcome


def watch_cut(it: Troubled) -> Outcome:
    running = it.stage.begin(it.second())
    until(it.is_amid)
    it.proxy.cut_watches()
    return running.result(90)


def server_busy(it: Troubled) -> Outcome:
    it.proxy.refusals = MANY
    outcome = it.apply()
    assert it.proxy.refusals == 0
    return outcome


def server_slow(it: Troubled) -> Outcome:
    it.proxy.delay_s = 0.05
    outcome = it.apply()
    it.proxy.delay_s = 0.0
    return outcome


def field_taken(it: Troubled) -> Outcome:
    it.stage.kube.merge(it.stage.path("configmaps", "part-1"), {"data": {"revision": "9"}}, manager="intruder")
    it.stage.kube.merge(it.stage.path("configmaps", "part-2"), {"data": {"more": "1"}}, manager="intruder")
    return it.apply()


SURVIVED: dict[str, Callable[[Troubled], Outcome]] = {
    "the worker is killed": worker_killed,
    "the API server is killed and started again": server_restarted,
    "the watches are cut": watch_cut,
    "the API server says 429": server_busy,
    "the API server is slow": server_slow,
    "another takes fields over": field_taken,
}


def object_of_another(it: Troubled) -> Callable[[], None]:
    body = {**config_map("only-2", revision="9"), "metadata": {"name": "only-2"}}
    it.stage.kube.apply(it.stage.path("configmaps", "only-2"), body, "helm")
    return lambda: it.stage.kube.delete(it.stage.path("configmaps", "only-2"))


def invalid_object(it: Troubled) -> Callable[[], None]:
    it.more = [{**config_map("wrong"), "data": {"on": True}}]
    return it.more.clear


def missing_kind(it: Troubled) -> Callable[[], None]:
    it.more = [{"apiVersion": "lamps.test/v1", "kind": "Lamp", "metadata": {"name": "desk"}}]
    return it.more.clear


def namespace_leaving(it: Troubled) -> Callable[[], None]:
    if not it.stage.plane.has_controllers:
        pytest.skip("kube-controller-manager is needed for a namespace to go")
    kube, path = it.stage.kube, f"/api/v1/namespaces/{it.stage.namespace}"
    kube.create(it.stage.path("configmaps"), HELD)
    kube.delete(path)
    it.is_new = True

    def cure() -> None:
        kube.merge(it.stage.path("configmaps", "held"), {"metadata": {"finalizers": None}})
        until(lambda: not kube.get(path))
        kube.create("/api/v1/namespaces", {"metadata": {"name": it.stage.namespace}})

    return cure


TOLD: dict[str, tuple[Callable[[Troubled], Callable[[], None]], str]] = {
    "an object is another's": (object_of_another, "data.revision from helm"),
    "an object is invalid": (invalid_object, "ConfigMap wrong is refused"),
    "a kind is missing": (missing_kind, "no kind Lamp in lamps.test/v1"),
    "the namespace is on its way out": (namespace_leaving, "is being terminated"),
}


@pytest.fixture(scope="module")
def proxied(stage: Stage, control_plane: Plane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """A proxy that can be troublesome, between the module's bridge and the server."""
    proxy = Proxy(control_plane, tmp_path_factory.mktemp("proxy"))
    stage.stop()
    stage.start(proxy.kubeconfig)
    yield proxy
    stage.stop()
    proxy.stop()
    stage.start()


@pytest.fixture
def troubled(stage: Stage, proxied: Proxy) -> Troubled:
    """A unit whose first revision is live."""
    found = Troubled(stage, proxied)
    found.begin()
    return found


@pytest.mark.parametrize("turn", range(ROUNDS))
@pytest.mark.parametrize("fault", SURVIVED)
def test_a_disturbed_apply_ends_as_if_it_were_not(troubled: Troubled, fault: str, turn: int) -> None:
    outcome = SURVIVED[fault](troubled)

    assert outcome.result == "ApplyCompleted", outcome.message
    troubled.must_be_settled()


@pytest.mark.parametrize("turn", range(ROUNDS))
@pytest.mark.parametrize("fault", TOLD)
def test_what_stands_in_the_way_is_told_and_once_cured_the_apply_ends_well(
    troubled: Troubled, fault: str, turn: int
) -> None:
    stand_in_the_way, said = TOLD[fault]
    cure = stand_in_the_way(troubled)

    refused = troubled.apply(WaitTimeout="1s" if troubled.is_new else "20s")
    cure()
    outcome = troubled.apply()

    assert refused.result == "ApplyFailed"
    assert said in refused.message
    assert outcome.result == "ApplyCompleted", outcome.message
    troubled.must_be_settled()
