"""Requests made from the OpenAPI document: whatever comes, no fault and no status that is not described."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from confighub.api import openapi
from confighub.api.table import PUBLIC
from tests.api.running import WEB, HubProcess, b64

Json = dict[str, Any]

DOCUMENT = openapi.document(PUBLIC)
OPERATIONS = [
    (path, method, operation)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    # A stream does not end by itself; what everything else hangs on is not deleted.
    if not path.endswith("/stream") and not (method == "delete" and "/organization" in path)
]
EXAMPLES = 25

NIL = "00000000-0000-0000-0000-000000000000"
TEXTS = st.sampled_from(["", "web", "Ω", "a b", "'", "%", "{{x}}", "true", "0", "2025-01-01T00:00:00Z", NIL, "x" * 300])
WHERES = st.sampled_from(["Slug = 'web'", "Slug ~ '('", "Labels.a IS NULL", "LEN(Labels) > 0", "Slug IN ()", "a", "Ω"])
SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | TEXTS
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=5
)


@pytest.fixture
def known_ids(shared_hub: HubProcess, new_space: Callable[..., tuple[str, str]]) -> dict[str, str]:
    """The id of something that is there, by the name of its path parameter."""
    space_id, _ = new_space()
    unit_id, worker_id, _ = shared_hub.deployable(space_id)
    other_id = shared_hub.unit(space_id, "other")
    shared_hub.ok("POST", f"/api/space/{space_id}/unit/{unit_id}/apply")
    unit = f"/api/space/{space_id}/unit/{unit_id}"

    def made(noun: str, **body: str) -> str:
        found = shared_hub.ok(
            "POST", f"/api/space/{space_id}/{noun}", body={"Slug": f"a-{noun.replace('_', '-')}", **body}
        )
        return str(found[next(key for key in found if key.lower() == f"{noun}id".replace("_", ""))])

    filter_id = made("filter", From="Unit", Where="Slug = 'web'")
    return {
        "space_id": space_id,
        "unit_id": unit_id,
        "bridge_worker_id": worker_id,
        "filter_id": filter_id,
        "tag_id": made("tag"),
        "set_id": made("set"),
        "view_id": made("view", FilterID=filter_id),
        "change_set_id": made("change_set", FilterID=filter_id),
        "link_id": made("link", FromUnitID=unit_id, ToUnitID=other_id, ToSpaceID=space_id),
        "invocation_id": made("invocation", ToolchainType="Kubernetes/YAML", FunctionName="get-replicas"),
        "trigger_id": made("trigger", Event="Mutation", ToolchainType="Kubernetes/YAML", FunctionName="is-approved"),
        "target_id": made("target", ProviderType="Kubernetes", BridgeWorkerID=worker_id),
        "revision_id": shared_hub.ok("GET", f"{unit}/revision")[0]["Revision"]["RevisionID"],
        "mutation_id": shared_hub.ok("GET", f"{unit}/mutation")[0]["Mutation"]["MutationID"],
        "unit_event_id": shared_hub.ok("GET", f"{unit}/unit_event")[0]["UnitEventID"],
        "user_id": shared_hub.ok("GET", "/api/me")["UserID"],
        "organization_id": shared_hub.ok("GET", "/api/me")["OrganizationID"],
        "organization_member_id": shared_hub.ok("GET", "/api/me")["UserID"],
    }


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS, ids=lambda value: value if "/" in value else "")
def test_whatever_comes_is_answered_as_described(
    shared_hub: HubProcess, known_ids: dict[str, str], path: str, method: str, operation: Json
) -> None:
    @settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.data())
    def run(data: st.DataObject) -> None:
        target = re.sub(r"{(\w+)}", lambda name: data.draw(_id_of(known_ids.get(name[1], NIL))), path)
        query = {
            parameter["name"]: str(data.draw(_value_of(parameter)))
            for parameter in operation["parameters"]
            if parameter["in"] == "query" and data.draw(st.booleans())
        }
        # A where that matches everything would delete what other tests work with.
        if method in ("delete", "post", "patch") and "{" not in path:
            query["where"] = data.draw(
                st.sampled_from(["Slug = 'none-like-this'", "Slug = ", "Space.Slug = 'fuzzed-x'"])
            )
            query.pop("where_space", None)
            query |= {name: "Slug = 'none'" for name in ("where_from", "where_to") if "link" in path}
        body = data.draw(_body_of(operation))

        answer = shared_hub.request(method.upper(), target, query, raw=body)

        assert str(answer.status) in operation["responses"], answer.body
        assert answer.status != 500, answer.body
        if answer.status >= 400:
            assert answer.json["Code"] == str(answer.status)
            assert answer.json["Message"]

    run()


def _id_of(known: str) -> st.SearchStrategy[str]:
    """Return ids that mostly lead somewhere."""
    return st.sampled_from([known] * 8 + [NIL, "no-id"])


def _value_of(parameter: Json) -> st.SearchStrategy[Any]:
    if parameter["name"].startswith("where"):
        return WHERES | TEXTS
    return {
        "boolean": st.sampled_from(["true", "false", "", "x"]),
        "integer": st.sampled_from(["0", "1", "-1", "x", str(2**80)]),
    }.get(parameter["schema"]["type"], TEXTS)


def _body_of(operation: Json) -> st.SearchStrategy[bytes | None]:
    if "requestBody" not in operation:
        return st.none()
    (content,) = operation["requestBody"]["content"].values()
    shaped = _shaped(content["schema"]) | ANYTHING
    return shaped.map(lambda value: json.dumps(value).encode()) | st.sampled_from([b"", b"null", b"{", b"\xff", b"[]"])


def _shaped(schema: Json) -> st.SearchStrategy[Any]:
    """Return values that mostly fit the schema."""
    reference = schema.get("$ref") or next((one["$ref"] for one in schema.get("allOf", []) if "$ref" in one), None)
    if reference:
        return _shaped(DOCUMENT["components"]["schemas"][reference.rpartition("/")[2]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"]) | SCALARS
    if schema.get("type") == "object" and "properties" in schema:
        simple = {name: one for name, one in schema["properties"].items() if name not in ("Error", "Organization")}
        chosen = st.lists(st.sampled_from(sorted(simple)), max_size=4, unique=True)
        return chosen.flatmap(lambda names: st.fixed_dictionaries({name: _named(name, simple[name]) for name in names}))
    if schema.get("type") == "array":
        return st.lists(_shaped(schema["items"]), max_size=2)
    if schema.get("type") == "integer":
        return st.integers(-3, 2**40)
    if schema.get("type") == "boolean":
        return st.booleans()
    if schema.get("type") == "object":
        return st.dictionaries(TEXTS, SCALARS, max_size=2)
    return TEXTS


def _named(name: str, schema: Json) -> st.SearchStrategy[Any]:
    if name == "Data":
        return st.sampled_from([b64(WEB), b64("a: ["), b64("x"), "?", b64("a: 1\n---\nb: 2\n"), ""]) | SCALARS
    if name.endswith("ID"):
        return st.sampled_from([NIL, "no-id", None, "7c61626f-ddbe-41af-93f6-b69f4ab6d308"])
    if name == "Slug":
        return st.uuids().map(lambda one: f"s-{one}") | TEXTS
    return _shaped(schema) | SCALARS
