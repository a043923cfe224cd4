"""Who may talk to whom by the network policies, worked out as Kubernetes defines them.

No network plugin is asked: this shows that the rules say what they should, not that a cluster enforces them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from confighub.operations.rollout.subject import Subject
from traderx import topology

PLACE = topology.PLACEHOLDER
DATABASE_PORT = 5432


@dataclass(frozen=True)
class Pod:
    """A pod as policies see it; ``ports`` are its named ports."""

    labels: Mapping[str, str]
    namespace: str = PLACE
    ports: tuple[tuple[str, int], ...] = ()


class Network:
    """The namespaces of a cluster with the policies of one environment."""

    namespaces = {
        PLACE: {"kubernetes.io/metadata.name": PLACE},
        "ingress-nginx": {"kubernetes.io/metadata.name": "ingress-nginx", "name": "ingress-nginx"},
        "monitoring": {"kubernetes.io/metadata.name": "monitoring"},
        "kube-system": {"kubernetes.io/metadata.name": "kube-system"},
        "elsewhere": {"kubernetes.io/metadata.name": "elsewhere"},
    }

    def __init__(self, project: Path) -> None:
        texts = [path.read_text(encoding="utf-8") for path in (project / "confighub" / "addons").glob("*.yaml")]
        objects = [one for text in texts for one in yaml.safe_load_all(text)]
        self.policies = [one["spec"] for one in objects if one["kind"] == "NetworkPolicy"]

    def allows(self, source: Pod, target: Pod, port: int, protocol: str = "TCP") -> bool:
        """Tell whether a connection may leave the one and enter the other."""
        leaves = self._passes("Egress", source, target, target, port, protocol)
        return leaves and self._passes("Ingress", target, source, target, port, protocol)

    def _passes(self, way: str, held: Pod, other: Pod, target: Pod, port: int, protocol: str) -> bool:
        if held.namespace != PLACE:
            return True
        policies = [
            one for one in self.policies if way in one["policyTypes"] and selects(one["podSelector"], held.labels)
        ]
        rules = [rule for one in policies for rule in one.get(way.lower()) or []]
        peers = "to" if way == "Egress" else "from"
        return not policies or any(
            self._is_peer(rule.get(peers), other) and has_port(rule.get("ports"), target, port, protocol)
            for rule in rules
        )

    def _is_peer(self, peers: list[dict[str, Any]] | None, pod: Pod) -> bool:
        if not peers:
            return True
        for peer in peers:
            place = peer.get("namespaceSelector")
            is_near = selects(place, self.namespaces[pod.namespace]) if place else pod.namespace == PLACE
            if is_near and selects(peer.get("podSelector") or {}, pod.labels):
                return True
        return False


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Tell whether a label selector takes the labels."""
    wanted = (selector.get("matchLabels") or {}).items()
    among = selector.get("matchExpressions") or []
    assert all(one["operator"] == "In" for one in among)
    return all(labels.get(key) == value for key, value in wanted) and all(
        labels.get(one["key"]) in one["values"] for one in among
    )


def has_port(ports: list[dict[str, Any]] | None, target: Pod, port: int, protocol: str) -> bool:
    """Tell whether a rule's ports hold this one; a name is that of the target's port."""
    named = dict(target.ports)
    return not ports or any(
        one.get("protocol", "TCP") == protocol and named.get(str(one["port"]), one["port"]) == port for one in ports
    )


@pytest.fixture(scope="module")
def network() -> Network:
    return Network(Path(__file__).resolve().parents[2])


def pod(name: str, version: str = "") -> Pod:
    """Return a pod of the service, labelled as its unit says, or as a rollout's second version of it."""
    path = Path(__file__).resolve().parents[2] / "confighub" / "base" / f"{name}-deployment.yaml"
    template = yaml.safe_load(path.read_text(encoding="utf-8"))["spec"]["template"]
    (container,) = template["spec"]["containers"]
    ports = tuple((one["name"], one["containerPort"]) for one in container["ports"])
    labels = template["metadata"]["labels"]
    if version:
        subject = Subject(name, PLACE, {}, {}, path.read_text(encoding="utf-8"), service_text(name))
        text = subject.second_deployment(f"{name}-{version}", version=version, image=":v1.1.0", env={})
        labels = yaml.safe_load(text)["spec"]["template"]["metadata"]["labels"]
    return Pod(labels, ports=ports)


def service_text(name: str) -> str:
    path = Path(__file__).resolve().parents[2] / "confighub" / "base" / f"{name}-service.yaml"
    return path.read_text(encoding="utf-8")


STRANGER = Pod({"run": "test-pod"})
DATABASE = Pod({"app": "postgresql"}, ports=(("postgresql", DATABASE_PORT),))
NAMES = Pod({"k8s-app": "kube-dns"}, "kube-system")


@pytest.mark.requirement("R-169", "R-232")
@pytest.mark.parametrize("one", topology.SERVICES, ids=lambda one: one.name)
def test_every_call_of_the_trade_flow_goes_through(network: Network, one: topology.Service) -> None:
    for name in (*one.needs, *one.calls):
        if topology.BY_NAME[name].port:
            assert network.allows(pod(one.name), pod(name), topology.BY_NAME[name].port), name


@pytest.mark.requirement("R-166")
@pytest.mark.parametrize("one", topology.SERVICES, ids=lambda one: one.name)
def test_a_pod_that_is_not_of_traderx_reaches_nothing(network: Network, one: topology.Service) -> None:
    elsewhere = Pod({"app.kubernetes.io/part-of": "traderx"}, "elsewhere")

    assert not network.allows(STRANGER, pod(one.name), one.container_port)
    assert not network.allows(elsewhere, pod(one.name), one.container_port)


@pytest.mark.requirement("R-171", "R-230")
def test_the_ingress_controller_reaches_what_the_ingress_routes_and_no_more(network: Network) -> None:
    controller = Pod({"app.kubernetes.io/name": "ingress-nginx"}, "ingress-nginx")
    routed = {one.name for one in topology.SERVICES if one.port}

    reached = {one.name for one in topology.SERVICES if network.allows(controller, pod(one.name), one.container_port)}

    assert reached == routed
    assert not network.allows(controller, DATABASE, DATABASE_PORT)


@pytest.mark.parametrize("version", ["canary", "green"])
@pytest.mark.parametrize("one", [one for one in topology.SERVICES if one.port], ids=lambda one: one.name)
def test_a_second_version_is_reached_as_the_first_one_is(network: Network, one: topology.Service, version: str) -> None:
    controller = Pod({"app.kubernetes.io/name": "ingress-nginx"}, "ingress-nginx")
    second = pod(one.name, version)

    assert second.labels["app"] == f"{one.name}-{version}"
    assert network.allows(controller, second, one.container_port)
    assert all(network.allows(second, pod(name), topology.BY_NAME[name].port) for name in (*one.needs, *one.calls))
    assert not network.allows(STRANGER, second, one.container_port)


def test_the_scraper_reaches_every_service(network: Network) -> None:
    scraper = Pod({"app": "prometheus"}, "monitoring")

    assert all(network.allows(scraper, pod(one.name), one.container_port) for one in topology.SERVICES)
    assert not network.allows(scraper, pod("trade-service"), 22)


@pytest.mark.requirement("R-234")
def test_only_the_layers_with_data_reach_the_database(network: Network) -> None:
    for one in topology.SERVICES:
        may = one.layer in ("data", "backend")
        assert network.allows(pod(one.name), DATABASE, DATABASE_PORT) is may, one.name
    assert not network.allows(STRANGER, DATABASE, DATABASE_PORT)


@pytest.mark.requirement("R-170")
@pytest.mark.parametrize("protocol", ["UDP", "TCP"])
def test_names_are_resolved_by_the_clusters_dns_alone(network: Network, protocol: str) -> None:
    other = Pod({}, "elsewhere")

    assert network.allows(pod("trade-service"), NAMES, 53, protocol)
    assert not network.allows(pod("trade-service"), other, 53, protocol)
    assert not network.allows(pod("trade-service"), other, 443)
