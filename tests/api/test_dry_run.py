"""``dry_run=true`` on everything that changes something: the answer of the real thing, and nothing kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from confighub.api.table import PUBLIC
from tests.api.running import WEB, HubProcess, b64
from tests.api.worker import Worker, next_operation

DRY = {"dry_run": "true"}

MERGE_PATCH = "application/merge-patch+json"


def test_everything_that_changes_something_takes_it() -> None:
    changing = [route for route in PUBLIC if route.method != "GET" and route.access == "caller"]

    assert [route.operation for route in changing if "dry_run" not in {one.name for one in route.query}] == []


@pytest.fixture
def scene(either_hub: HubProcess, request: pytest.FixtureRequest) -> dict[str, str]:
    """A space with a unit that can be applied, and what it takes; ids by the names that paths use."""
    slug = f"dry-{abs(hash(request.node.name))}"
    space = either_hub.space(slug)
    unit, worker, secret = either_hub.deployable(space)
    tag = either_hub.ok("POST", f"/api/space/{space}/tag", body={"Slug": "v1"})["TagID"]
    return {"space": space, "slug": slug, "unit": unit, "worker": worker, "secret": secret, "tag": str(tag)}


CALLS: dict[str, tuple[str, str, dict[str, str], Any]] = {
    "create a space": ("POST", "/api/space", {}, {"Slug": "never-{slug}"}),
    "create a unit": ("POST", "/api/space/{space}/unit", {}, {"Slug": "other", "Data": b64(WEB)}),
    "clone a unit": ("POST", "/api/space/{space}/unit", {"upstream_unit_id": "{unit}"}, {"Slug": "twin"}),
    "clone units": ("POST", "/api/unit", {"where": "SpaceID = '{space}'", "name_prefixes": "new-"}, {}),
    "create a tag": ("POST", "/api/space/{space}/tag", {}, {"Slug": "v2"}),
    "change a tag": ("PATCH", "/api/space/{space}/tag/{tag}", {}, {"Labels": {"a": "b"}}),
    "delete a tag": ("DELETE", "/api/space/{space}/tag/{tag}", {}, None),
    "delete a unit": ("DELETE", "/api/space/{space}/unit/{unit}", {}, None),
    "delete units": ("DELETE", "/api/unit", {"where": "SpaceID = '{space}'"}, None),
    "delete the space": ("DELETE", "/api/space/{space}", {"recursive": "true"}, None),
    "approve": ("POST", "/api/space/{space}/unit/{unit}/approve", {}, None),
    "approve units": ("POST", "/api/unit/approve", {"where": "SpaceID = '{space}'"}, None),
    "tag units": ("POST", "/api/unit/tag", {"where": "SpaceID = '{space}'"}, {"TagID": "{tag}"}),
    "apply": ("POST", "/api/space/{space}/unit/{unit}/apply", {}, None),
    "apply units": ("POST", "/api/unit/apply", {"where": "SpaceID = '{space}'"}, None),
    "destroy": ("POST", "/api/space/{space}/unit/{unit}/destroy", {}, None),
    "refresh": ("POST", "/api/space/{space}/unit/{unit}/refresh", {}, None),
    "import": ("POST", "/api/space/{space}/unit/{unit}/import", {}, {"Where": "kind = 'ConfigMap'"}),
    "hold units": ("POST", "/api/unit/hold", {"where": "SpaceID = '{space}'"}, {"Reason": "why"}),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_dry_run_answers_and_keeps_nothing(either_hub: HubProcess, scene: dict[str, str], name: str) -> None:
    method, path, query, body = _filled(CALLS[name], scene)
    before = _state(either_hub, scene)

    answer = either_hub.request(method, path, {**query, **DRY}, body, content_type=_type(method, path))

    assert answer.status == 200, answer.body
    assert _state(either_hub, scene) == before


def test_a_dry_run_is_refused_as_the_real_thing(shared_hub: HubProcess, new_space: Callable[..., Any]) -> None:
    space, _ = new_space()
    unit = shared_hub.unit(space)

    taken = shared_hub.request("POST", f"/api/space/{space}/unit", DRY, {"Slug": "web", "Data": b64(WEB)})
    nowhere = shared_hub.request("POST", f"/api/space/{space}/unit/{unit}/apply", DRY)

    assert (taken.status, nowhere.status) == (400, 400)
    assert "slug already" in taken.json["Message"]
    assert "no target" in nowhere.json["Message"]


def test_a_dry_run_sends_nothing_to_the_worker(shared_hub: HubProcess, new_space: Callable[..., Any]) -> None:
    space, _ = new_space()
    unit, worker_id, secret = shared_hub.deployable(space)
    path = f"/api/space/{space}/unit/{unit}"

    shown = shared_hub.ok("POST", f"{path}/destroy", DRY)
    real = shared_hub.ok("POST", f"{path}/apply")

    async def first() -> Any:
        async with Worker(shared_hub.url, worker_id, secret).stream() as events:
            return await next_operation(events)

    event = asyncio.run(first())
    assert (shown["Action"], shown.get("QueuedOperationID")) == ("Destroy", None)
    assert event["Data"]["Payload"]["QueuedOperationID"] == real["QueuedOperationID"]


def _filled(call: tuple[str, str, dict[str, str], Any], scene: dict[str, str]) -> tuple[str, str, dict[str, str], Any]:
    def fill(value: Any) -> Any:
        if isinstance(value, str):
            return value.format_map(scene) if "{" in value else value
        return {key: fill(one) for key, one in value.items()} if isinstance(value, dict) else value

    method, path, query, body = call
    return method, fill(path), fill(query), fill(body)


def _type(method: str, path: str) -> str:
    return MERGE_PATCH if method == "PATCH" or path == "/api/unit" else "application/json"


def _state(hub: HubProcess, scene: dict[str, str]) -> list[Any]:
    """Return everything that the calls of this module could have left behind."""
    space = {"where": f"SpaceID = '{scene['space']}'"}
    found = [hub.ok("GET", f"/api/{noun}", space) for noun in ("space", "unit", "tag", "link", "target")]
    path = f"/api/space/{scene['space']}/unit/{scene['unit']}"
    found += [hub.ok("GET", f"{path}/{noun}") for noun in ("revision", "mutation", "unit_event")]
    return [*found, len(hub.ok("GET", "/api/space")), hub.ok("GET", "/api/audit", {"limit": "5"})]
