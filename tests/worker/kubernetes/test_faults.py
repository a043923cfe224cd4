"""What goes wrong between worker and cluster; in the end live equals desired, or the failure is clear."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from confighub.worker.kubernetes.informers import Informer
from tests.kubernetes.control_plane import ControlPlane
from tests.runtime.running import until
from tests.worker.kubernetes.proxy import Proxy
from tests.worker.kubernetes.stage import Stage, config_map, new_unit

MANY = 40
"""Objects of a unit that is interrupted on its way."""


@pytest.fixture
def proxied(scene: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, Proxy]]:
    """The bridge behind a proxy that can be troublesome."""
    proxy = Proxy(scene.plane, tmp_path_factory.mktemp("proxy"))
    scene.stop()
    scene.start(proxy.kubeconfig)
    yield scene, proxy
    scene.stop()
    proxy.stop()
    scene.start()


def names(scene: Stage) -> set[str]:
    """Return the unit objects of the test's namespace."""
    items = scene.kube.get(scene.path("configmaps"), labelSelector="confighub.com/unit-id")["items"]
    return {item["metadata"]["name"] for item in items}


def informers(scene: Stage) -> list[Informer]:
    """Return the watches on the test's namespace."""
    found = (informer for cluster in scene.bridge.clusters() for informer in cluster.informers())
    return [informer for informer in found if informer.namespace == scene.namespace]


def test_a_cut_watch_goes_on_where_it_was_cut(proxied: tuple[Stage, Proxy]) -> None:
    scene, proxy = proxied
    unit = new_unit()
    scene.apply(config_map(color="blue"), unit=unit)
    (informer,) = (one for one in informers(scene) if one.resource.kind == "ConfigMap")
    lists = informer.lists

    for color in ("red", "green", "yellow"):
        until(proxy.cut_watches)
        scene.kube.merge(scene.path("configmaps", "settings"), {"data": {"color": color}})
        scene.until_live(unit, lambda live, color=color: live and live[0]["data"] == {"color": color})

    assert informer.lists == lists


def test_a_version_that_the_server_forgot_begins_again_with_a_list(proxied: tuple[Stage, Proxy]) -> None:
    scene, proxy = proxied
    unit = new_unit()
    scene.apply(config_map(color="blue"), unit=unit)
    for informer in informers(scene):
        informer.resume_at("1")
    proxy.cut_watches()

    scene.kube.merge(scene.path("configmaps", "settings"), {"data": {"color": "red"}})

    scene.until_live(unit, lambda live: live and live[0]["data"] == {"color": "red"})


def test_a_busy_server_is_waited_for(proxied: tuple[Stage, Proxy]) -> None:
    scene, proxy = proxied
    proxy.refusals = 5

    outcome = scene.apply(config_map(color="blue"), unit=new_unit())

    assert outcome.result == "ApplyCompleted", outcome.message
    assert proxy.refused == 5


def test_a_server_that_stays_busy_is_told_as_such(proxied: tuple[Stage, Proxy]) -> None:
    scene, proxy = proxied
    proxy.refusals = 10_000

    outcome = scene.apply(config_map(color="blue"), unit=new_unit(), WaitTimeout="1s")

    assert outcome.result == "ApplyFailed"
    assert "429" in outcome.message
    proxy.refusals = 0


def test_a_slow_server_is_no_failure(proxied: tuple[Stage, Proxy]) -> None:
    scene, proxy = proxied
    proxy.delay_s = 0.1

    outcome = scene.apply(config_map("one"), config_map("two"), unit=new_unit())

    assert outcome.result == "ApplyCompleted", outcome.message


def test_a_worker_that_dies_while_it_applies_leaves_nothing_that_the_next_does_not_know(scene: Stage) -> None:
    unit = new_unit()
    first = [config_map(f"old-{number}") for number in range(MANY)]
    running = scene.begin(scene.operation(*first, unit=unit))
    until(lambda: names(scene))
    scene.kill(running)
    scene.start()

    outcome = scene.apply(config_map("new"), unit=unit, revision=2)

    assert outcome.result == "ApplyCompleted", outcome.message
    until(lambda: names(scene) == {"new"}, because=lambda: names(scene))


def test_a_namespace_on_its_way_out_is_waited_for_and_then_named(scene: Stage) -> None:
    held = {"metadata": {"name": "held", "finalizers": ["example.test/hold"]}}
    scene.kube.create(scene.path("configmaps"), held)
    scene.kube.delete(f"/api/v1/namespaces/{scene.namespace}")

    outcome = scene.apply(config_map(), unit=new_unit(), WaitTimeout="500ms")

    assert outcome.result == "ApplyFailed"
    assert "is being terminated" in outcome.message
    scene.kube.merge(scene.path("configmaps", "held"), {"metadata": {"finalizers": None}})


def test_an_api_server_that_is_killed_and_started_again_is_survived(scene: Stage) -> None:
    plane = scene.plane
    if not isinstance(plane, ControlPlane):
        pytest.skip("the given cluster is not ours to kill")
    unit = new_unit()
    wanted = [config_map(f"part-{number}") for number in range(MANY)]
    running = scene.begin(scene.operation(*wanted, unit=unit, WaitTimeout="55s"))
    until(lambda: names(scene))
    plane.stop("kube-apiserver")
    plane.start_api_server()
    outcome = running.result(60)

    assert outcome.result == "ApplyCompleted", outcome.message
    assert len(names(scene)) == MANY
    scene.kube.merge(scene.path("configmaps", "part-0"), {"data": {"more": "1"}})
    scene.until_live(unit, lambda live: any(item.get("data") for item in live))


def test_a_group_whose_server_is_down_holds_nothing_up(scene: Stage) -> None:
    name = f"v1.{scene.namespace}.test"
    service = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": name},
        "spec": {
            "group": f"{scene.namespace}.test",
            "version": "v1",
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "insecureSkipTLSVerify": True,
            "service": {"name": "nobody", "namespace": scene.namespace},
        },
    }
    scene.kube.create("/apis/apiregistration.k8s.io/v1/apiservices", service)
    scene.stop()
    scene.start()

    outcome = scene.apply(config_map(), unit=new_unit())

    assert outcome.result == "ApplyCompleted", outcome.message
    scene.kube.delete(f"/apis/apiregistration.k8s.io/v1/apiservices/{name}")
