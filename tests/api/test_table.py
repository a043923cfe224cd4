"""The route table against the public API, and the document that is made of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from confighub.api import openapi
from confighub.api.routing import MethodNotAllowed, Router
from confighub.api.table import PUBLIC, ROUTES
from confighub.errors import NotFound
from tests.api.running import HubProcess


@pytest.fixture(scope="module")
def operations(shared: Path) -> list[dict[str, Any]]:
    """The operations of the public API."""
    found: list[dict[str, Any]] = json.loads((shared / "spec/api.json").read_text())["operations"]
    return found


def test_every_public_operation_is_served_under_its_name(operations: list[dict[str, Any]]) -> None:
    served = {(route.method, route.path): route.operation for route in PUBLIC}

    assert {(o["method"], o["path"]): o["op"] for o in operations}.items() <= served.items()


def test_every_public_parameter_is_documented(operations: list[dict[str, Any]]) -> None:
    served = {(route.method, route.path): {p.name for p in route.query} for route in PUBLIC}

    for operation in operations:
        names = {parameter["name"] for parameter in operation["query"]}
        assert names <= served[operation["method"], operation["path"]], operation["op"]


def test_what_is_not_public_is_marked_as_ours(operations: list[dict[str, Any]]) -> None:
    public = {(operation["method"], operation["path"]) for operation in operations}

    for route in PUBLIC:
        assert route.is_ours == ((route.method, route.path) not in public), route.operation


def test_partial_success_is_possible_exactly_where_it_is_public(operations: list[dict[str, Any]]) -> None:
    served = {(route.method, route.path): route.is_bulk for route in PUBLIC}

    for operation in operations:
        assert served[operation["method"], operation["path"]] == ("207" in operation["responses"]), operation["op"]


def test_operation_names_are_unique() -> None:
    names = [route.operation for route in ROUTES]

    assert len(names) == len(set(names))


def test_every_path_leads_to_its_row() -> None:
    router = Router(ROUTES)

    for route in ROUTES:
        found, parameters = router.find(route.method, route.full_path.replace("{", "").replace("}", ""))
        assert found is route
        assert all(name == value for name, value in parameters.items())


def test_the_router_tells_a_wrong_method_from_a_wrong_path() -> None:
    router = Router(ROUTES)

    with pytest.raises(MethodNotAllowed):
        router.find("PUT", "/api/space")
    with pytest.raises(NotFound, match="nothing is served"):
        router.find("GET", "/api/spaces")


def test_the_document_describes_every_row(shared_hub: HubProcess) -> None:
    document = shared_hub.request("GET", "/api/openapi.json", authorization="").json

    described = {(m.upper(), p): o["operationId"] for p, item in document["paths"].items() for m, o in item.items()}
    assert described == {(route.method, route.full_path): route.operation for route in PUBLIC}


def test_every_reference_of_the_document_leads_somewhere() -> None:
    document = openapi.document(PUBLIC)

    names = set(document["components"]["schemas"])
    assert {reference.rpartition("/")[2] for reference in _references(document)} <= names


def test_the_document_speaks_openapi_3_0() -> None:
    document = json.dumps(openapi.document(PUBLIC))

    assert '"type": "null"' not in document
    assert "contentEncoding" not in document


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)
