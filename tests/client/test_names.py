"""Names that people type, resolved against a hub."""

from typing import Any

import pytest

from confighub.client.hub import HubClient
from confighub.client.names import is_expression
from confighub.client.transport import Transport
from confighub.errors import BadRequest, NotFound
from tests.client.answering import AnsweringHub, Asked

PROJECT = "calm-otter-traderx"


@pytest.fixture
def client(hub: AnsweringHub) -> HubClient:
    spaces = {
        f"{PROJECT}-dev": {"SpaceID": "s-dev", "Slug": f"{PROJECT}-dev", "Labels": {"project": PROJECT}},
        f"{PROJECT}-filters": {"SpaceID": "s-filters", "Slug": f"{PROJECT}-filters"},
    }

    def find_space(asked: Asked) -> Any:
        slug = asked.query["where"].removeprefix("Slug = '").removesuffix("'")
        return [{"Space": spaces[slug]}] if slug in spaces else []

    def find_filter(asked: Asked) -> Any:
        if "'backend'" in asked.query["where"]:
            return [{"Filter": {"Slug": "backend", "From": "Unit", "Where": "Labels.layer = 'backend'"}}]
        return [{"Filter": {"Slug": "tags", "From": "Tag"}}] if "'tags'" in asked.query["where"] else []

    hub.on("GET /api/space", find_space)
    hub.on("GET /api/space/s-dev/filter", [])
    hub.on("GET /api/space/s-filters/filter", find_filter)
    return HubClient(Transport(hub.url))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("all", False),
        ("calm-otter-traderx/all", False),
        ("Labels.order = '3'", True),
        ("Labels.order IS NOT NULL", True),
        ("Labels.service IN ('a', 'b')", True),
        ("Slug='x'", True),
        ("INBOX", False),
    ],
)
def test_an_expression_is_told_from_a_name_by_its_operator(text: str, expected: bool) -> None:
    assert is_expression(text) is expected


@pytest.mark.parametrize(
    ("text", "space"),
    [
        ("backend", f"{PROJECT}-dev"),
        (f"{PROJECT}/backend", f"{PROJECT}-dev"),
        (f"{PROJECT}/backend", ""),
        (f"{PROJECT}-filters/backend", ""),
    ],
)
def test_a_filter_is_found_in_the_project_of_the_space(client: HubClient, text: str, space: str) -> None:
    assert client.filter(text, space=space).where == "Labels.layer = 'backend'"


def test_an_unknown_filter_names_both_places(client: HubClient) -> None:
    with pytest.raises(NotFound, match=f"neither in {PROJECT}-dev nor in {PROJECT}-filters"):
        client.filter("nosuch", space=f"{PROJECT}-dev")


def test_a_filter_over_another_noun_is_refused(client: HubClient) -> None:
    with pytest.raises(BadRequest, match="selects Tag, not Unit"):
        client.filter("tags", space=f"{PROJECT}-dev")


def test_a_service_name_stands_for_its_deployment(hub: AnsweringHub, client: HubClient) -> None:
    def units(asked: Asked) -> Any:
        if "Slug" in asked.query["where"]:
            return []
        assert asked.query["resource_type"] == "apps/v1/Deployment"
        return [{"Unit": {"Slug": "trade-service-deployment", "Labels": {"service": "trade-service"}}}]

    hub.on("GET /api/space/s-dev/unit", units)

    assert client.unit("trade-service", space_id="s-dev")["Unit"]["Slug"] == "trade-service-deployment"


def test_of_two_colours_the_active_one_is_meant(hub: AnsweringHub, client: HubClient) -> None:
    colours = [
        {"Unit": {"Slug": "web-blue", "Labels": {"active": "false"}}},
        {"Unit": {"Slug": "web-green", "Labels": {"active": "true"}}},
    ]
    hub.on("GET /api/space/s-dev/unit", lambda asked: [] if "Slug" in asked.query["where"] else colours)

    assert client.unit("web", space_id="s-dev")["Unit"]["Slug"] == "web-green"


def test_several_deployments_of_a_service_are_listed(hub: AnsweringHub, client: HubClient) -> None:
    both = [{"Unit": {"Slug": "web-b"}}, {"Unit": {"Slug": "web-a"}}]
    hub.on("GET /api/space/s-dev/unit", lambda asked: [] if "Slug" in asked.query["where"] else both)

    with pytest.raises(BadRequest, match="web-a, web-b"):
        client.unit("web", space_id="s-dev")


def test_a_name_that_fits_nothing_is_not_found(hub: AnsweringHub, client: HubClient) -> None:
    hub.on("GET /api/space/s-dev/unit", [])

    with pytest.raises(NotFound, match="no such unit: web"):
        client.unit("web", space_id="s-dev")
