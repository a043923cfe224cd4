"""What goes wrong between worker and cluster; in the end live equals desired, or the failure is clear."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from confighub.worker.kubernetes.informers import Informer
from tests.runtime.running import until
from tests.worker.kubernetes.proxy import Proxy
from tests.worker.kubernetes.stage import Stage, config_map, new_unit


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


def test_a_server_that_stays_busy_is_told_as_such(proxied: tuple[Stage, Proxy]) -> None:
    scene, proxy = proxied
    proxy.refusals = 10_000

    outcome = scene.apply(config_map(color="blue"), unit=new_unit(), WaitTimeout="1s")

    assert outcome.result == "ApplyFailed"
    assert "429" in outcome.message
    proxy.refusals = 0


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
