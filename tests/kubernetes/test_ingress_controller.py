"""The ingress controller of tests: whose pods a Service's are, and by whose name a canary's requests are counted."""

from __future__ import annotations

from typing import Any

from confighub.runtime.addresses import Endpoint
from tests.kubernetes.ingress_controller import Counts, canaries, places_of, served

NGINX = "nginx.ingress.kubernetes.io"


def ingress(name: str, service: str, **annotations: str) -> dict[str, Any]:
    path = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": service, "port": {"number": 80}}}}
    marks = {f"{NGINX}/{key.replace('_', '-')}": value for key, value in annotations.items()}
    metadata = {"name": name, "namespace": "shop", "resourceVersion": "7", "annotations": marks}
    rules = [{"host": "shop.example.com", "http": {"paths": [path]}}]
    return {"metadata": metadata, "spec": {"ingressClassName": "nginx", "tls": [{"secretName": "x"}], "rules": rules}}


def test_the_pods_of_a_port_are_those_that_are_ready_by_its_name_and_number() -> None:
    ports = [{"name": "http", "port": 80, "targetPort": 8080}, {"name": "other", "port": 81, "targetPort": 8081}]
    service = {"metadata": {"name": "web"}, "spec": {"ports": ports}}
    pods = [
        {"addresses": ["10.0.0.1"], "conditions": {"ready": True}},
        {"addresses": ["10.0.0.2"], "conditions": {"ready": False}},
    ]
    declared = [{"name": "http", "port": 8080}, {"name": "other", "port": 8081}]
    own = {"metadata": {"labels": {"kubernetes.io/service-name": "web"}}, "ports": declared, "endpoints": pods}
    another = {**own, "metadata": {"labels": {"kubernetes.io/service-name": "shop"}}}

    found = places_of(service, [own, another])

    http, other = frozenset({Endpoint("10.0.0.1", 8080)}), frozenset({Endpoint("10.0.0.1", 8081)})
    assert found == {("web", 80): http, ("web", "http"): http, ("web", 81): other, ("web", "other"): other}


def test_requests_of_a_canary_are_counted_as_meant_for_the_service_whose_canary_it_is() -> None:
    found = served([ingress("web", "web"), ingress("web-canary", "web-canary", canary="true", canary_weight="10")])
    counts = Counts("shop")
    counts.canaries = canaries(found)

    counts.note("shop", "web", "web", status=200, seconds=0.02)
    counts.note("shop", "web", "web-canary", status=500, seconds=0.25)

    text = counts.text()
    canary = 'namespace="shop",service="web",canary="shop-web-canary-80",status="500"'
    assert f"nginx_ingress_controller_requests{{{canary}}} 1\n" in text
    assert 'nginx_ingress_controller_requests{namespace="shop",service="web",canary="",status="200"} 1\n' in text
    bucket = "nginx_ingress_controller_request_duration_seconds_bucket"
    assert f'{bucket}{{{canary},le="0.1"}} 0\n{bucket}{{{canary},le="0.25"}} 1\n' in text


def test_an_ingress_is_new_only_when_it_says_something_else() -> None:
    first, second = ingress("web", "web"), ingress("web", "web")
    second["metadata"]["resourceVersion"] = "8"
    second["status"] = {"loadBalancer": {"ingress": [{"ip": "127.0.0.1"}]}}

    assert served([first]) == served([second])
    assert served([{**first, "spec": {**first["spec"], "ingressClassName": "else"}}]) == []
