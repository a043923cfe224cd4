"""Rollouts on a real control plane: who gets the traffic is said by live objects, and judged by a real Prometheus.

The nodes are pretended ones, so a process counts in the ingress controller's place: it divides requests as the live
objects say, and Prometheus asks it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from tests.acceptance.conftest import end
from tests.acceptance.system import PROJECT, System, call, eventually
from tests.acceptance.test_cluster import CRDS, definition, served
from tests.acceptance.traffic import killed_at_every_step
from tests.folders import short_folder
from tests.kubernetes.control_plane import Kube, Plane, to_itself
from tests.prometheus import Server

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(900)]

NAMESPACE = "traderx-dev"
SERVICE = "trade-service"
UNITS = ("namespace", "service-accounts", "trade-service-service", "trade-service-deployment", "ingress")
QUICK = ("--speed", "1200", "--patience", "60", "--p95-ms", "1000")


@dataclass
class Shop:
    """A project of which one service runs on a cluster."""

    system: System
    plane: Plane

    @property
    def kube(self) -> Kube:
        """Calls to the cluster that know nothing of the system."""
        return self.plane.kube

    def selector(self) -> dict[str, str]:
        """Return what the live Service selects."""
        found = self.kube.get(f"/api/v1/namespaces/{NAMESPACE}/services/{SERVICE}")
        return dict(found["spec"]["selector"])

    def images(self) -> dict[str, str]:
        """Return the tags of the service's live Deployments by name."""
        found = self.kube.get(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments")["items"]
        chosen = [one for one in found if one["metadata"]["name"].startswith(SERVICE)]
        return {
            one["metadata"]["name"]: one["spec"]["template"]["spec"]["containers"][0]["image"].rpartition(":")[2]
            for one in chosen
        }

    @contextmanager
    def counted(self, server: Server) -> Iterator[Callable[[], list[dict[str, Any]]]]:
        """Let traffic flow and be counted; yields what tells the states of the live objects so far, in order."""
        command = [sys.executable, "-m", "tests.kubernetes.ingress_exporter"]
        arguments = [str(self.plane.kubeconfig), NAMESPACE, SERVICE, "2000"]
        process = subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True, cwd=PROJECT)
        assert process.stdout is not None
        try:
            url = process.stdout.readline().strip()
            server.scrape(f"{url}/metrics", job="ingress")
            server.await_value("nginx_ingress_controller_requests", 1)
            yield lambda: list(call(f"{url}/history"))
        finally:
            process.kill()
            process.wait(30)
            process.stdout.close()


@pytest.fixture(scope="module")
def shop(control_plane: Plane) -> Iterator[Shop]:
    """One service of dev on a cluster, with what leads to it."""
    if not control_plane.has_controllers:
        pytest.skip("kube-controller-manager, kube-scheduler or kwok is missing: .ci/kubernetes/build")
    with to_itself(control_plane, NAMESPACE):
        system = System(short_folder() / "data")
        try:
            system.must("install-base")
            system.must("install-envs")
            system.must("setup-worker", "dev", "--kubeconfig", str(control_plane.kubeconfig))
            for slug in UNITS:
                system.must("cub", "unit", "apply", slug, "--space", system.space("dev"), "--wait")
            yield Shop(system, control_plane)
        finally:
            end(system)


def changes(history: list[dict[str, Any]], what: str) -> list[Any]:
    """Return the values that one thing had, in order, each once in a row."""
    found: list[Any] = []
    for state in history:
        if not found or found[-1] != state[what]:
            found.append(state[what])
    return found


def shares(history: list[dict[str, Any]]) -> list[Any]:
    """Return the shares above 0 that a canary's Ingress had; the first is 0, a later 0 may be too short to be seen."""
    weights = changes(history, "weight")
    assert weights[:2] == [None, 0]
    return [one for one in weights if one != 0]


@pytest.mark.requirement("R-122", "R-125", "R-127", "R-175", "R-176", "R-180")
def test_a_canary_is_shared_out_by_ingress_and_goes_on_after_a_kill_at_every_step(
    shop: Shop, prometheus: Callable[[], Server]
) -> None:
    server = prometheus()
    options = [SERVICE, "dev", *QUICK]
    asked = ["--image", ":v1.1.0", "--prometheus", server.url, "--without-trades"]

    with shop.counted(server) as history:
        ran, killed = killed_at_every_step(shop.system, "canary", [*options, *asked], options)
        states = history()

    assert ran.code == 0, ran.out
    assert killed == [*("create", "deploy", "stage 10%", "stage 25%", "stage 50%", "stage 100%", "promote", "finish")]
    assert shares(states) == [None, 10, 25, 50, 100, None]
    exposed = [state["ready"] for state in states if state["weight"]]
    assert all(ready.get(f"{SERVICE}-canary", 0) >= 1 for ready in exposed)
    assert list(shop.images().values()) == ["v1.1.0"]


@pytest.mark.requirement("R-129", "R-125")
def test_a_bad_canary_is_found_by_prometheus_and_its_version_stays_out(
    shop: Shop, prometheus: Callable[[], Server]
) -> None:
    server, before = prometheus(), shop.images()
    options = [SERVICE, "dev", *QUICK, "--image", ":v2.0.0", "--env", "FAULT_ERROR_RATE=0.05", "--json"]
    options += ["--prometheus", server.url, "--without-trades"]

    with shop.counted(server) as history:
        ran = shop.system.run("canary", *options)
        states = history()
    again = shop.system.run("canary", *options)

    told = json.loads(ran.out)
    assert (ran.code, told["check"] in ("error rate", "error increase")) == (3, True), ran.text
    assert told["rolled_back_in_s"] < 30
    assert shares(states) == [None, 10, None]
    assert shop.images() == before
    assert (again.code, "in quarantine" in again.err) == (1, True), again.text


@pytest.mark.requirement("R-110", "R-119")
def test_a_switch_of_colours_goes_on_after_a_kill_at_every_step(shop: Shop, prometheus: Callable[[], Server]) -> None:
    server = prometheus()
    options = [SERVICE, "dev", "--soak", "2"]
    asked = ["--image", ":v1.1.0", "--prometheus", server.url, "--without-trades"]
    first = shop.selector()

    with shop.counted(server) as history:
        ran, killed = killed_at_every_step(shop.system, "blue-green", [*options, *asked], options)
        states = history()

    assert ran.code == 0, ran.out
    assert killed == ["create", "deploy", "validate", "switch", "soak", "decommission"]
    selectors = changes(states, "selector")
    assert selectors == [first, {"app": f"{SERVICE}-green", "version": "green"}]
    switched = next(state for state in states if state["selector"] != first)
    assert switched["ready"] == {SERVICE: 1, f"{SERVICE}-green": 1}
    assert list(shop.images()) == [f"{SERVICE}-green"]


@pytest.mark.requirement("R-120", "R-121")
def test_a_colour_that_prometheus_finds_bad_is_left_though_killed_on_the_way_back(
    shop: Shop, prometheus: Callable[[], Server]
) -> None:
    server, before, images = prometheus(), shop.selector(), shop.images()
    asked = ["--image", ":v2.0.0", "--env", "FAULT_ERROR_RATE=0.2", "--prometheus", server.url, "--without-trades"]
    options = [SERVICE, "dev", "--soak", "30"]

    with shop.counted(server) as history:
        ran, killed = killed_at_every_step(shop.system, "blue-green", [*options, *asked], options)
        states = history()
    again = shop.system.run("canary", SERVICE, "dev", *asked)

    assert (ran.code, "rolled back: errors in" in ran.out) == (3, True), ran.text
    assert killed == ["create", "deploy", "validate", "switch", "soak", "back", "clean"]
    assert [one == before for one in changes(states, "selector")] == [True, False, True]
    assert shop.images() == images
    assert (again.code, "in quarantine" in again.err) == (1, True), again.text


def test_what_nobody_could_see_is_refused_before_anything_is_made(shop: Shop) -> None:
    before = shop.images()

    for program in ("canary", "blue-green"):
        unreachable = shop.system.run(program, SERVICE, "dev", "--image", ":v1.1.0")
        blind = shop.system.run(program, SERVICE, "dev", "--image", ":v1.1.0", "--without-trades")

        assert (unreachable.code, "no address that can be reached" in unreachable.err) == (1, True), unreachable.text
        assert (blind.code, "nothing would be seen" in blind.err) == (1, True), blind.text
    assert shop.images() == before


@pytest.mark.requirement("R-124")
def test_where_a_mesh_routes_the_service_its_virtual_service_divides(
    shop: Shop, prometheus: Callable[[], Server]
) -> None:
    kinds = {"VirtualService": "virtualservices", "DestinationRule": "destinationrules"}
    for kind, plural in kinds.items():
        made = definition("networking.istio.io", kind, plural)
        made["spec"]["versions"][0]["name"] = "v1beta1"
        shop.kube.create(CRDS, made)
    path = f"/apis/networking.istio.io/v1beta1/namespaces/{NAMESPACE}"
    try:
        for plural in kinds.values():
            eventually(f"{plural} are served", partial(served, shop.kube, f"{path}/{plural}"))
        shop.system.must("cub", "unit", "apply", "mesh", "--space", shop.system.space("dev"), "--wait")
        server = prometheus()
        with shop.counted(server) as history:
            options = ["--image", ":v2.0.0", "--prometheus", server.url, "--without-trades", "--json"]
            refused = shop.system.run("blue-green", SERVICE, "dev", *options)
            ran = shop.system.run("canary", SERVICE, "dev", *QUICK, *options)
            states = history()

        assert (refused.code, "the mesh routes trade-service" in refused.err) == (1, True), refused.text
        assert ran.code == 0, ran.text
        assert changes(states, "weight") == [0, 10, 25, 50, 100, 0]
        assert "v2.0.0" in shop.images().values()
    finally:
        shop.system.run("cub", "unit", "destroy", "mesh", "--space", shop.system.space("dev"), "--wait")
        for plural in kinds.values():
            shop.kube.delete(f"{CRDS}/{plural}.networking.istio.io")
