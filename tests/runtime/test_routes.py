"""Which route gets which request, and what its annotations say."""

from __future__ import annotations

from typing import Any

import pytest

from confighub.errors import BadRequest
from confighub.runtime import manifests, routes
from confighub.runtime.routes import Limit
from tests.runtime.running import ingress


def table(*documents: dict[str, Any]) -> routes.Table:
    return routes.compile_table(manifests.read(document, manifests.Ingress) for document in documents)


def target(found: routes.Route | None) -> str:
    return found.destination.service if found else ""


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/", "gui"), ("/api", "api"), ("/api/", "api"), ("/api/x", "api"), ("/apix", "gui"), ("/api/x/y", "deep")],
)
def test_the_longest_prefix_of_whole_elements_wins(path: str, expected: str) -> None:
    routing = table(ingress(("/", "gui"), ("/api", "api"), ("/api/x/y", "deep")))

    assert target(routing.find("any", path)) == expected


def test_an_exact_path_comes_before_a_prefix() -> None:
    routing = table(ingress(("/a", "prefix")), ingress(("/a", "exact"), name="exact", path_type="Exact"))

    assert target(routing.find("any", "/a")) == "exact"
    assert target(routing.find("any", "/a/b")) == "prefix"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("traderx.example.com", "one"),
        ("TRADERX.example.com", "one"),
        ("deep.wild.org", "wild"),
        ("127.0.0.1", "one"),
        ("localhost", "one"),
    ],
)
def test_a_named_host_gets_its_rules_and_any_other_all(host: str, expected: str) -> None:
    routing = table(
        ingress(("/", "one"), name="a", host="traderx.example.com"), ingress(("/", "wild"), name="b", host="*.wild.org")
    )

    assert target(routing.find(host, "/x")) == expected


def test_rules_without_a_host_hold_for_named_hosts_too() -> None:
    routing = table(ingress(("/", "one"), host="a.example"), ingress(("/api", "api"), name="open"))

    assert target(routing.find("a.example", "/api")) == "api"


def test_a_plain_rewrite_replaces_the_whole_path() -> None:
    route = table(ingress(("/api", "api"), rewrite_target="/")).find("any", "/api/trades")

    assert route
    assert route.rewritten("/api/trades") == "/"


@pytest.mark.requirement("R-159")
def test_a_rewrite_with_groups_keeps_the_rest_of_the_path() -> None:
    route = table(
        ingress(("/api/trades(/|$)(.*)", "api"), rewrite_target="/trades/$2", path_type="ImplementationSpecific")
    ).find("any", "/api/trades/new")

    assert route
    assert route.rewritten("/api/trades/new") == "/trades/new"
    assert route.rewritten("/api/trades") == "/trades/"


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({}, Limit()),
        ({"limit_rps": "100"}, Limit(100, 500)),
        ({"limit_rps": "10", "limit_burst_multiplier": "2"}, Limit(10, 20)),
        ({"limit_rpm": "60"}, Limit(1, 300)),
        ({"rate_limit": "100"}, Limit(100, 500)),
        ({"rate_limit": "100", "limit_rps": "10"}, Limit(10, 50)),
        ({"limit_connections": "4"}, Limit(0, 0, 4)),
    ],
)
@pytest.mark.requirement("R-161")
def test_limits_are_read(annotations: dict[str, str], expected: Limit) -> None:
    route = table(ingress(("/", "gui"), **annotations)).find("any", "/")

    assert route
    assert route.limit == expected


def test_a_canary_follows_its_header() -> None:
    route = table(
        ingress(("/", "main")),
        ingress(("/", "new"), name="canary", canary="true", canary_weight="0", canary_by_header="X-Canary"),
    ).find("any", "/")

    assert route
    chosen = [route.choose(headers).service for headers in ({"X-Canary": "always"}, {"X-Canary": "never"}, {})]
    assert chosen == ["new", "main", "main"]


def test_a_canary_of_another_path_changes_nothing() -> None:
    route = table(
        ingress(("/", "main")), ingress(("/other", "new"), name="canary", canary="true", canary_weight="100")
    ).find("any", "/other")

    assert target(route) == "main"
    assert route
    assert route.canary is None


def test_the_default_backend_gets_the_rest() -> None:
    document = ingress(("/api", "api"))
    document["spec"]["defaultBackend"] = {"service": {"name": "rest", "port": {"number": 1}}}

    assert target(table(document).find("any", "/x")) == "rest"


@pytest.mark.parametrize("annotations", [{"limit_rps": "many"}, {"use_regex": "true"}])
def test_what_cannot_be_read_is_refused_by_name(annotations: dict[str, str]) -> None:
    with pytest.raises(BadRequest, match="Ingress ingress"):
        table(ingress(("/(", "gui"), **annotations))


def test_annotations_without_effect_are_told() -> None:
    document = ingress(("/", "gui"), limit_rps="1", proxy_body_size="8m")
    document["metadata"]["annotations"]["cert-manager.io/cluster-issuer"] = "letsencrypt"

    assert routes.not_honoured(manifests.read(document, manifests.Ingress)) == [
        "metadata.annotations[nginx.ingress.kubernetes.io/proxy-body-size]",
        "metadata.annotations[cert-manager.io/cluster-issuer]",
    ]
