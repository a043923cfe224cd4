"""The ingress with real requests: routing, WebSocket, TLS, canary shares, limits, metrics."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections import Counter

import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.runtime.running import Running, deployment, ingress, service, until


@pytest.fixture
def site(daemon: Running) -> Running:
    """A GUI and an API, each with a Service, ready."""
    daemon.apply(deployment("gui"), service("gui"), deployment("api", tag="v2"), service("api"))
    daemon.wait_complete("gui")
    daemon.wait_complete("api")
    return daemon


def open_door(site: Running, *documents: dict[str, object]) -> str:
    """Apply the Ingress documents and return the URL once it answers."""
    assert site.apply(*documents, unit="door").status_code == 200
    url = site.ingress_url()
    until(lambda: httpx2.get(url))
    return url


@pytest.mark.requirement("R-156", "R-157")
def test_paths_lead_to_their_services_unchanged(site: Running) -> None:
    url = open_door(site, ingress(("/", "gui"), ("/api", "api"), host="traderx.example.com"))

    answers = {
        path: httpx2.get(url + path).json() for path in ("/", "/index.html", "/api", "/api/trades/new?x=%2F", "/apis")
    }

    assert {path: answer["version"] for path, answer in answers.items()} == {
        "/": "v1",
        "/index.html": "v1",
        "/api": "v2",
        "/api/trades/new?x=%2F": "v2",
        "/apis": "v1",
    }
    assert answers["/api/trades/new?x=%2F"]["path"] == "/api/trades/new?x=%2F"


def test_several_documents_are_one_table_and_a_rewrite_keeps_to_its_own(site: Running) -> None:
    front = ingress(("/", "gui"), name="front")
    back = ingress(
        ("/api/(.*)", "api"), name="back", path_type="ImplementationSpecific", use_regex="true", rewrite_target="/$1"
    )
    url = open_door(site, front, back)

    assert httpx2.get(f"{url}/api/trades/7?a=b").json()["path"] == "/trades/7?a=b"
    assert httpx2.get(f"{url}/assets/app.js").json()["path"] == "/assets/app.js"


def test_a_request_is_passed_on_whole(site: Running) -> None:
    url = open_door(site, ingress(("/", "api")))
    headers = {"traceparent": "00-1-2-01", "Cookie": "a=b", "X-Forwarded-For": "10.0.0.9"}

    answer = httpx2.put(f"{url}/x?status=418", content=b"{}" * 100_000, headers=headers)

    seen = answer.json()
    assert answer.status_code == 418
    assert seen["method"] == "PUT"
    assert len(seen["body"]) == 200_000
    assert seen["headers"]["traceparent"] == "00-1-2-01"
    assert seen["headers"]["cookie"] == "a=b"
    assert seen["headers"]["x-forwarded-for"] == "10.0.0.9, 127.0.0.1"
    assert seen["headers"]["x-forwarded-proto"] == "http"


def test_events_are_streamed(site: Running) -> None:
    url = open_door(site, ingress(("/", "api")))

    with httpx2.stream("GET", f"{url}/stream") as answer:
        lines = [line for line in answer.iter_lines() if line]

    assert answer.headers["content-type"] == "text/event-stream"
    assert lines == ["data: 0", "data: 1", "data: 2"]


def test_websockets_pass_both_ways(site: Running) -> None:
    url = open_door(site, ingress(("/", "api")))

    async def talk() -> tuple[str | bytes, str | None]:
        async with connect(f"{url.replace('http', 'ws')}/socket", subprotocols=["chat"]) as socket:  # type: ignore[list-item]
            await socket.send("hello")
            return await socket.recv(), socket.subprotocol

    assert asyncio.run(talk()) == ("v2:hello", "chat")


def test_a_stopping_replica_sends_its_websockets_elsewhere(site: Running) -> None:
    url = open_door(site, ingress(("/", "api")))
    services = [deployment("gui"), service("gui"), service("api")]

    async def talk() -> int:
        async with connect(f"{url.replace('http', 'ws')}/socket") as socket:
            await socket.send("hello")
            await socket.recv()
            site.apply(deployment("api", tag="v3"), *services)
            try:
                await socket.recv()
            except ConnectionClosed as closed:
                return closed.rcvd.code if closed.rcvd else 0
        return 0

    assert asyncio.run(talk()) == 1012


@pytest.mark.requirement("R-156")
def test_https_shows_a_certificate_for_the_named_host(site: Running) -> None:
    open_door(site, ingress(("/", "gui"), host="traderx.example.com", tls="traderx.example.com"))
    url = site.ingress_url("https")
    trusted = ssl.create_default_context()
    trusted.check_hostname, trusted.verify_mode = False, ssl.CERT_NONE

    seen = httpx2.get(url, verify=trusted).json()
    named = ssl.create_default_context(cafile=str(site.data_dir / "authority.crt"))
    with httpx2.Client(verify=named) as http:
        checked = http.get(url, extensions={"sni_hostname": "traderx.example.com"})

    assert seen["headers"]["x-forwarded-proto"] == "https"
    assert checked.status_code == 200


def test_one_authority_signs_for_every_environment_and_its_key_stays_private(site: Running) -> None:
    document = ingress(("/", "gui"), tls="traderx.example.com")
    open_door(site, document)
    site.apply(document, unit="door", environment="staging")
    authority = site.data_dir / "authority.crt"
    until(lambda: httpx2.get(site.ingress_url("http", "staging")))

    with httpx2.Client(verify=ssl.create_default_context(cafile=str(authority))) as http:
        seen = [until(lambda name=name: http.get(site.ingress_url("https", name))) for name in ("dev", "staging")]  # type: ignore[misc]

    assert [answer.status_code for answer in seen] == [200, 503]
    notes = [site.object("Ingress", "ingress", name)["metadata"]["annotations"] for name in ("dev", "staging")]
    assert [one["laptop.confighub/authority"] for one in notes] == [str(authority)] * 2
    assert (site.data_dir / "authority.key").stat().st_mode & 0o077 == 0
    assert "PRIVATE" not in authority.read_text()


def test_old_tls_is_refused(site: Running) -> None:
    open_door(site, ingress(("/", "gui"), tls="traderx.example.com"))
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1

    with pytest.raises(httpx2.ConnectError):
        httpx2.get(site.ingress_url("https"), verify=old)


@pytest.mark.requirement("R-175", "R-176", "R-177", "R-180")
def test_a_canary_gets_exactly_its_share(site: Running) -> None:
    main = ingress(("/api/trades", "gui"), host="traderx.example.com")
    canary = ingress(
        ("/api/trades", "api"), name="canary", host="traderx.example.com", canary="true", canary_weight="10"
    )
    url = open_door(site, main, canary)

    with httpx2.Client() as http:
        shares = Counter(http.get(f"{url}/api/trades/new").json()["version"] for _ in range(100))

    assert shares == {"v1": 90, "v2": 10}


def test_a_client_over_the_limit_gets_429(site: Running) -> None:
    url = open_door(site, ingress(("/", "gui"), limit_rpm="2", limit_burst_multiplier="2"))

    statuses = [httpx2.get(url).status_code for _ in range(5)]

    # One request of the burst of four was the one that found the door open.
    assert statuses == [200, 200, 200, 429, 429]


def test_a_service_without_ready_replicas_is_503_and_an_unknown_path_404(site: Running) -> None:
    url = open_door(site, ingress(("/api", "api"), ("/gone", "gone")))

    assert httpx2.get(f"{url}/gone").status_code == 503
    assert httpx2.get(f"{url}/other").status_code == 404


def test_requests_are_counted_per_backend(site: Running) -> None:
    url = open_door(site, ingress(("/", "gui"), ("/api", "api")))
    for status in (200, 200, 500):
        httpx2.get(f"{url}/api/x?status={status}")

    text = httpx2.get(json.loads(site.address_file.read_text())["url"] + "/metrics").text

    labels = 'environment="dev",ingress="ingress",service="api"'
    assert f'confighub_ingress_requests_total{{{labels},status="200"}} 2' in text
    assert f'confighub_ingress_requests_total{{{labels},status="500"}} 1' in text
    assert f"confighub_ingress_request_duration_seconds_count{{{labels}}} 3" in text
    assert 'confighub_replicas_ready{environment="dev",deployment="api"} 1' in text


def test_live_state_says_where_an_environments_requests_are_counted(site: Running) -> None:
    url = open_door(site, ingress(("/api", "api")))
    site.apply(deployment("web"), service("web"), environment="staging")
    httpx2.get(f"{url}/api")

    address = site.object("Ingress", "ingress")["metadata"]["annotations"]["laptop.confighub/metrics"]
    text = httpx2.get(address).text

    assert 'confighub_ingress_requests_total{environment="dev",ingress="ingress",service="api",status="200"} 1' in text
    assert 'confighub_replica_restarts{environment="dev",deployment="api"} 0' in text
    assert 'environment="staging"' not in text


def test_a_canary_is_asked_for_and_refused_by_header_whatever_its_share(site: Running) -> None:
    main = ingress(("/api", "gui"))
    options = {"canary": "true", "canary_weight": "0", "canary_by_header": "X-Canary"}
    url = open_door(site, main, ingress(("/api", "api"), name="canary", **options))

    versions = [
        httpx2.get(f"{url}/api", headers=headers).json()["version"]
        for headers in ({"X-Canary": "always"}, {"X-Canary": "never"}, {})
    ]

    assert versions == ["v2", "v1", "v1"]


def test_a_document_that_cannot_be_routed_is_refused(site: Running) -> None:
    answer = site.apply(ingress(("/(", "gui"), use_regex="true"), unit="door")

    assert answer.status_code == 400
    assert "path /( is not a pattern" in answer.json()["message"]
