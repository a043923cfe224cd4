"""Dry runs: asked for only where the hub is known to store nothing."""

import pytest

from confighub.client.transport import Transport
from confighub.errors import BadRequest
from tests.client.answering import AnsweringHub

DOCUMENT = {
    "paths": {
        "/api/space/{space_id}/unit": {"post": {"parameters": [{"name": "dry_run", "in": "query"}]}, "get": {}},
        "/api/space/{space_id}/unit/{unit_id}/approve": {"post": {"parameters": [{"name": "revision"}]}},
    }
}


@pytest.fixture
def rehearsing(hub: AnsweringHub) -> Transport:
    transport = Transport(hub.url)
    transport.is_rehearsal = True
    return transport


def test_a_change_is_sent_as_a_dry_run_where_the_hub_describes_one(hub: AnsweringHub, rehearsing: Transport) -> None:
    hub.on("GET /api/openapi.json", DOCUMENT)
    hub.on("POST /api/space/s1/unit", {"Slug": "web"})

    rehearsing.request("POST", "/space/s1/unit", body={"Slug": "web"})

    assert hub.of("POST")[0].query == {"dry_run": "true"}


def test_a_change_without_a_dry_run_is_refused_by_name_and_not_sent(hub: AnsweringHub, rehearsing: Transport) -> None:
    hub.on("GET /api/openapi.json", DOCUMENT)

    with pytest.raises(BadRequest, match="has no dry run of POST /space/s1/unit/u1/approve"):
        rehearsing.request("POST", "/space/s1/unit/u1/approve")

    assert hub.of("POST") == []


def test_a_hub_that_does_not_describe_itself_rehearses_nothing(hub: AnsweringHub, rehearsing: Transport) -> None:
    with pytest.raises(BadRequest, match="has no dry run of DELETE /space/s1"):
        rehearsing.request("DELETE", "/space/s1")

    assert hub.of("DELETE") == []


@pytest.mark.parametrize("path", ["/unit/apply", "/function/invoke", "/space/s1/function/invoke"])
def test_what_every_hub_rehearses_is_not_asked_for(hub: AnsweringHub, rehearsing: Transport, path: str) -> None:
    hub.on(f"POST /api{path}", [])

    rehearsing.request("POST", path)

    assert [one.path for one in hub.asked] == [f"/api{path}"]


def test_reading_is_never_a_dry_run(hub: AnsweringHub, rehearsing: Transport) -> None:
    hub.on("GET /api/space", [])

    rehearsing.request("GET", "/space")

    assert hub.of("GET")[0].query == {}
