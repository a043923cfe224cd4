"""The posture report: met only with evidence, missing only when it was looked for, else unknown."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from confighub.runtime import certificates
from traderx.posture import Facts, State, findings
from traderx.posture_facts import accepted, disk

LIMIT = "nginx.ingress.kubernetes.io/limit-rps"
NGINX = {"nginx": "k8s.io/ingress-nginx"}


def ingress(annotations: dict[str, str] | None = None, *, served: bool = True) -> dict[str, Any]:
    """Return a live Ingress of class nginx."""
    return {
        "kind": "Ingress",
        "metadata": {"name": "traderx-ingress", "annotations": annotations or {}},
        "spec": {"ingressClassName": "nginx"},
        "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}] if served else []}},
    }


CLUSTER = Facts(cluster="prod", ingresses=[ingress({LIMIT: "100"})], controllers=NGINX, controller_settings={})


def state(facts: Facts, control: str) -> State:
    """Return one control's state."""
    return next(one.state for one in findings(facts) if one.control == control)


def test_nothing_is_met_where_nothing_can_be_seen() -> None:
    assert {one.state for one in findings(Facts(cluster="prod"))} == {"unknown", "missing"}


def test_every_finding_says_how_it_is_known() -> None:
    for facts in (Facts(), Facts(cluster="prod"), CLUSTER):
        assert all(one.evidence for one in findings(facts))
        assert len(findings(facts)) == 10


@pytest.mark.requirement("R-228")
@pytest.mark.parametrize(
    ("versions", "wanted"),
    [([], "unknown"), (["TLS 1.2", "TLS 1.3"], "missing"), (["TLS 1.3"], "met")],
)
def test_tls_is_met_when_only_the_wanted_version_is_accepted(versions: list[str], wanted: State) -> None:
    assert state(Facts(doors={"192.0.2.1:443": versions}), "TLS minimum version") == wanted


@pytest.mark.requirement("R-228", "R-161")
@pytest.mark.parametrize(
    ("facts", "wanted"),
    [
        (CLUSTER, "met"),
        (replace(CLUSTER, ingresses=[ingress()]), "missing"),
        (replace(CLUSTER, ingresses=[ingress({LIMIT: "100"}, served=False)]), "unknown"),
        (replace(CLUSTER, controllers={"nginx": "traefik.io/ingress-controller"}), "unknown"),
        (replace(CLUSTER, controllers=None), "unknown"),
        (Facts(ingresses=[ingress({LIMIT: "100"})]), "met"),
        (Facts(ingresses=[ingress({LIMIT: "100", "laptop.confighub/ignored": "limit-rps"})]), "unknown"),
    ],
)
def test_a_rate_limit_counts_when_a_controller_that_knows_it_serves_it(facts: Facts, wanted: State) -> None:
    assert state(facts, "rate limit") == wanted


@pytest.mark.requirement("R-229")
@pytest.mark.parametrize(
    ("facts", "wanted"),
    [
        (CLUSTER, "missing"),
        (replace(CLUSTER, controller_settings=None), "unknown"),
        (replace(CLUSTER, controller_settings={"controller": {"enable-modsecurity": "true"}}), "met"),
        (replace(CLUSTER, ingresses=[ingress({"nginx.ingress.kubernetes.io/enable-modsecurity": "true"})]), "met"),
    ],
)
def test_a_firewall_is_one_that_is_turned_on(facts: Facts, wanted: State) -> None:
    assert state(facts, "web application firewall") == wanted


@pytest.mark.requirement("R-235")
@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        (None, "unknown"),
        ({"kube-apiserver-a": ["kube-apiserver", "--etcd-servers=x"]}, "missing"),
        ({"kube-apiserver-a": ["kube-apiserver", "--encryption-provider-config=/etc/enc.yaml"]}, "met"),
    ],
)
def test_secrets_are_encrypted_when_every_api_server_says_so(flags: dict[str, list[str]] | None, wanted: State) -> None:
    assert state(replace(CLUSTER, api_server_flags=flags), "encryption at rest: secrets") == wanted


@pytest.mark.requirement("R-147", "R-144", "R-233")
@pytest.mark.parametrize(
    ("modes", "pods", "wanted"),
    [
        (None, {"a": ["a"]}, "missing"),
        ({"traderx": "STRICT"}, {"a": ["a", "istio-proxy"]}, "met"),
        ({"traderx": "STRICT"}, {"a": ["a", "istio-proxy"], "b": ["b"]}, "missing"),
        ({"traderx": "PERMISSIVE"}, {"a": ["a", "istio-proxy"]}, "missing"),
        ({"traderx": "STRICT"}, {}, "missing"),
    ],
)
def test_mutual_tls_needs_the_rule_and_a_sidecar_in_every_pod(
    modes: dict[str, str] | None, pods: dict[str, list[str]], wanted: State
) -> None:
    assert state(replace(CLUSTER, peer_modes=modes, pods=pods), "mutual TLS between services") == wanted


@pytest.mark.parametrize(
    ("facts", "sidecars", "tracing"),
    [
        (Facts(), "missing", "missing"),
        (replace(CLUSTER, pods={"a": ["a"]}), "missing", "missing"),
        (replace(CLUSTER, peer_modes={}, pods={"a": ["a", "istio-proxy"], "b": ["b"]}), "missing", "missing"),
        (replace(CLUSTER, peer_modes={}, pods={"a": ["a", "istio-proxy"]}), "met", "missing"),
        # asked for, and whether somebody takes the traces is not seen from here
        (replace(CLUSTER, peer_modes={}, pods={"a": ["istio-proxy"]}, tracing=["istio-system/all"]), "met", "unknown"),
    ],
)
def test_what_a_mesh_brings_is_not_claimed_without_one(facts: Facts, sidecars: State, tracing: State) -> None:
    assert state(facts, "mesh sidecars") == sidecars
    assert state(facts, "mesh tracing") == tracing
    told = {one.control: one.evidence for one in findings(facts)}
    assert sidecars == "met" or told["mesh sidecars"].startswith("not enforced: ")


@pytest.mark.parametrize(
    ("annotations", "wanted"),
    [
        ({}, "missing"),
        ({"external-dns.alpha.kubernetes.io/hostname": "traderx.example.com"}, "missing"),
        # asked for; how DNS answers elsewhere is not seen from here
        ({"external-dns.alpha.kubernetes.io/aws-geolocation-continent-code": "EU"}, "unknown"),
    ],
)
def test_geography_is_never_claimed_to_be_routed(annotations: dict[str, str], wanted: State) -> None:
    assert state(replace(CLUSTER, ingresses=[ingress(annotations)]), "geo-DNS") == wanted


def test_volumes_count_by_what_their_class_says() -> None:
    encrypting: dict[str, Any] = {"parameters": {"encrypted": "true"}}

    assert state(replace(CLUSTER, volumes={"data": encrypting}), "encryption at rest: data") == "met"
    assert state(replace(CLUSTER, volumes={"data": {}}), "encryption at rest: data") == "unknown"


@contextmanager
def door(folder: Path, least: ssl.TLSVersion) -> Iterator[int]:
    """A TLS server that accepts this version at least; yields its port."""
    settings = certificates.context()
    settings.minimum_version = least
    certificates.load(settings, hosts=["localhost"], folder=folder, authority=folder, secrets_dir="", secret="")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            while True:
                try:
                    plain, _ = listener.accept()
                except OSError:
                    return
                try:
                    settings.wrap_socket(plain, server_side=True).close()
                except OSError:
                    plain.close()

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


@pytest.mark.parametrize(
    ("least", "wanted"),
    [(ssl.TLSVersion.TLSv1_2, ["TLS 1.2", "TLS 1.3"]), (ssl.TLSVersion.TLSv1_3, ["TLS 1.3"])],
)
def test_a_door_is_asked_which_versions_it_takes(tmp_path: Path, least: ssl.TLSVersion, wanted: list[str]) -> None:
    with door(tmp_path, least) as port:
        assert accepted("127.0.0.1", port, "localhost") == wanted


def test_a_door_that_is_not_there_takes_none(free_port: int) -> None:
    assert accepted("127.0.0.1", free_port, "localhost") == []


def test_the_disk_is_never_called_encrypted_by_guess(tmp_path: Path) -> None:
    found, evidence = disk(tmp_path)

    assert found in ("unknown", "missing") or "encrypted" in evidence
