"""What our hub serves beyond the public API."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.api.running import WEB, HubProcess, b64
from tests.api.worker import DiligentWorker, Worker, data_of

NewSpace = Callable[..., tuple[str, str]]

LIVE = b"""[{"kind": "Deployment", "metadata": {"name": "web", "generation": 1}, "spec": {"replicas": 2},
"status": {"observedGeneration": 1, "replicas": 2, "readyReplicas": 2, "updatedReplicas": 2,
"conditions": [{"type": "Available", "status": "True"}]}}]"""


@pytest.mark.requirement("R-039", "R-346")
def test_a_new_prefix_is_two_words_that_no_space_begins_with(shared_hub: HubProcess) -> None:
    prefixes = {shared_hub.ok("GET", "/api/space/new_prefix")["Prefix"] for _ in range(5)}

    assert len(prefixes) > 1
    assert all(re.fullmatch("[a-z]+-[a-z]+", prefix) for prefix in prefixes)


def test_an_older_revision_is_applied_by_its_number_or_its_distance(
    shared_hub: HubProcess, new_space: NewSpace
) -> None:
    space_id, _ = new_space()
    unit_id, worker_id, secret = shared_hub.deployable(space_id)
    path = f"/api/space/{space_id}/unit/{unit_id}"
    for version in ("v2.0.0", "v3.0.0"):
        shared_hub.ok("PATCH", path, None, {"Data": b64(WEB.replace("v1.0.0", version))})

    with DiligentWorker(Worker(shared_hub.url, worker_id, secret)) as worker:
        for revision in ("N-1", "1", "N"):
            wait_for(shared_hub, space_id, shared_hub.ok("POST", f"{path}/apply", {"revision": revision}))

    assert [re.search(":v[123]", data_of(event))[0] for event in worker.done] == [":v2", ":v1", ":v3"]  # type: ignore[index]
    assert shared_hub.ok("GET", path)["Unit"]["HeadRevisionNum"] == 3


def test_an_upgrade_of_two_sides_that_do_not_fit_is_refused_whole(shared_hub: HubProcess, new_space: NewSpace) -> None:
    (base, _), (dev, _) = new_space(), new_space()
    text = WEB + "  strategy:\n    rollingUpdate:\n      maxSurge: 1\n"
    upstream = shared_hub.unit(base, "web", text)
    clone = shared_hub.unit(dev, "web", "", UpstreamSpaceID=base, UpstreamUnitID=upstream)
    here, there = f"/api/space/{dev}/unit/{clone}", f"/api/space/{base}/unit/{upstream}"
    shared_hub.ok("PATCH", here, None, {"Data": b64(text.replace("maxSurge: 1", "maxSurge: 2"))})
    shared_hub.ok("PATCH", there, None, {"Data": b64(WEB)})
    before = shared_hub.ok("GET", here)["Unit"]

    single = shared_hub.request("PUT", here, {"upgrade": "true"}, before)
    [one] = shared_hub.request(
        "PATCH",
        "/api/unit",
        {"upgrade": "true", "where": f"UnitID = '{clone}'"},
        {},
        content_type="application/merge-patch+json",
    ).json

    assert single.status == 409
    for details in (single.json["Details"], one["Error"]["Details"]):
        assert len(details) == 1
        assert all(part in details[0] for part in ("mutation 2: 2; upstream: nothing", "ours by ", "upstream's by "))
    assert one["Error"]["Status"] == 409
    assert shared_hub.ok("GET", here)["Unit"] == before


@pytest.mark.requirement("R-142", "R-357")
def test_live_status_is_the_seeds_json(shared_hub: HubProcess, new_space: NewSpace) -> None:
    space_id, _ = new_space()
    unit_id, worker_id, secret = shared_hub.deployable(space_id)
    path = f"/api/space/{space_id}/unit/{unit_id}"
    assert shared_hub.ok("GET", f"{path}/live_status")["Status"] == "NotLive"

    with DiligentWorker(Worker(shared_hub.url, worker_id, secret), answer=lambda _: LIVE):
        wait_for(shared_hub, space_id, shared_hub.ok("POST", f"{path}/apply"))

    found = shared_hub.ok("GET", f"{path}/live_status")
    assert [found[key] for key in ("Status", "Replicas", "ReadyReplicas", "UpdatedReplicas", "RevisionNum")] == [
        "Running",
        2,
        2,
        2,
        1,
    ]
    assert found["Conditions"][0]["Type"] == "Available"
    assert shared_hub.request("GET", f"{path}/live-state").body == LIVE


def test_a_worker_pushes_live_state_as_it_changes(shared_hub: HubProcess, new_space: NewSpace) -> None:
    space_id, _ = new_space()
    unit_id, worker_id, secret = shared_hub.deployable(space_id)
    body = [{"UnitID": unit_id, "SpaceID": space_id, "RevisionNum": 1, "LiveState": b64(LIVE.decode())}]

    answer = shared_hub.request(
        "POST", f"/api/bridge_worker/{worker_id}/live_state", body=body, authorization=f"Bearer {secret}"
    )

    assert answer.json == {"Kept": 1}
    assert shared_hub.ok("GET", f"/api/space/{space_id}/unit/{unit_id}/live_status")["Status"] == "Running"


def test_a_worker_reports_of_many_operations_at_once(shared_hub: HubProcess, new_space: NewSpace) -> None:
    space_id, _ = new_space()
    unit_id, worker_id, secret = shared_hub.deployable(space_id)
    queued = shared_hub.ok("POST", f"/api/space/{space_id}/unit/{unit_id}/apply")
    ended = {"UnitID": unit_id, "SpaceID": space_id, "Status": "Completed", "Result": "ApplyCompleted"}
    unknown = "5d2f2a0e-7f5b-4a57-9f0b-0d7f6f5f8a01"
    body = [
        {"QueuedOperationID": unknown, **ended},
        {"QueuedOperationID": queued["QueuedOperationID"], **ended, "LiveState": b64(LIVE.decode())},
    ]
    path, authorization = f"/api/bridge_worker/{worker_id}/action_results", f"Bearer {secret}"

    answer = shared_hub.request("POST", path, body=body, authorization=authorization)
    refused = shared_hub.request("POST", path, body={"no": "list"}, authorization=authorization)

    assert [bool(one["Message"]) for one in answer.json] == [True, False]
    assert unknown in answer.json[0]["Message"]
    assert shared_hub.ok("GET", f"/api/space/{space_id}/unit/{unit_id}")["Unit"]["LiveRevisionNum"] == 1
    assert refused.status == 400


def test_units_are_held_and_released_by_where(shared_hub: HubProcess, new_space: NewSpace) -> None:
    space_id, _ = new_space()
    unit_id = shared_hub.unit(space_id)
    query = {"where": f"SpaceID = '{space_id}'"}

    held = shared_hub.ok("POST", "/api/unit/hold", query, {"Reason": "ordered deploy", "TTLSeconds": 600})
    released = shared_hub.ok("POST", "/api/unit/release", query)

    assert held == released == [{"UnitID": unit_id}]


def test_a_hold_ends_for_its_own_holder_only(shared_hub: HubProcess, new_space: NewSpace) -> None:
    space_id, _ = new_space()
    unit_id = shared_hub.unit(space_id)
    query = {"where": f"SpaceID = '{space_id}'"}

    def kinds() -> list[str]:
        waiting = shared_hub.ok("GET", f"/api/space/{space_id}/unit/{unit_id}/waiting")
        return [one["Kind"] for one in waiting["Holds"]]

    for holder in ("", "deployment", "rollout"):
        shared_hub.ok("POST", "/api/unit/hold", query, {"Reason": "why", "Holder": holder})
    shared_hub.ok("POST", "/api/unit/release", {**query, "holder": "deployment"})
    assert sorted(kinds()) == ["operator", "rollout"]
    shared_hub.ok("POST", "/api/unit/release", query)

    assert kinds() == []
    refused = shared_hub.request("POST", "/api/unit/hold", query, body={"Reason": "why", "Holder": "older-revision"})
    assert refused.status == 400


def test_the_data_itself_is_patched(shared_hub: HubProcess, new_space: NewSpace) -> None:
    space_id, _ = new_space()
    unit_id = shared_hub.unit(space_id)
    path = f"/api/space/{space_id}/unit/{unit_id}"

    unit = shared_hub.ok("PATCH", path, {"data_patch": "true"}, {"spec": {"replicas": 5}})
    many = shared_hub.ok("PATCH", "/api/unit", {"where": f"UnitID = '{unit_id}'", "data_patch": "true"}, {"spec": None})

    assert unit["Data"] == b64(WEB.replace("replicas: 1", "replicas: 5"))
    assert "spec" not in decoded(many[0]["Unit"]["Data"])


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_dry_run_shows_what_would_be_and_stores_nothing(
    shared_hub: HubProcess, new_space: NewSpace, method: str
) -> None:
    space_id, _ = new_space()
    unit_id = shared_hub.unit(space_id)
    path = f"/api/space/{space_id}/unit/{unit_id}"
    changed = b64(WEB.replace("v1.0.0", "v2.0.0"))

    shown = shared_hub.ok(method, path, {"dry_run": "true"}, {"Slug": "web", "Data": changed})

    assert (shown["Data"], shown["HeadRevisionNum"]) == (changed, 2)
    now = shared_hub.ok("GET", path)["Unit"]
    assert (now["Data"], now["HeadRevisionNum"]) == (b64(WEB), 1)


def test_a_revision_is_approved_by_its_number(shared_hub: HubProcess, new_space: NewSpace) -> None:
    space_id, _ = new_space()
    unit_id = shared_hub.unit(space_id)
    path = f"/api/space/{space_id}/unit/{unit_id}"
    shared_hub.ok("PATCH", path, None, {"Data": b64(WEB.replace("v1.0.0", "v2.0.0"))})

    shared_hub.ok("POST", f"{path}/approve", {"revision": "1"})

    approved = [len(r["Revision"]["ApprovedBy"]) for r in shared_hub.ok("GET", f"{path}/revision")]
    assert approved == [1, 0]
    assert shared_hub.ok("GET", path)["Unit"]["ApprovedBy"] == []


def test_lists_come_in_pages(shared_hub: HubProcess, new_space: NewSpace) -> None:
    space_id, _ = new_space()
    for number in range(5):
        shared_hub.unit(space_id, f"u{number}")

    slugs: list[str] = []
    after = 0
    while page := shared_hub.ok("GET", f"/api/space/{space_id}/unit", {"limit": "2", "after": str(after)}):
        assert len(page) <= 2
        slugs += [one["Unit"]["Slug"] for one in page]
        after = page[-1]["Unit"]["CursorID"]

    assert slugs == ["u0", "u1", "u2", "u3", "u4"]


@pytest.mark.requirement("R-200")
def test_a_set_has_members_by_expression_and_by_hand(shared_hub: HubProcess, new_space: NewSpace) -> None:
    space_id, slug = new_space()
    body = {"Slug": f"critical-{slug}", "Where": f"Labels.tier = 'critical' AND SpaceID = '{space_id}'"}
    made = shared_hub.ok("POST", f"/api/space/{space_id}/set", body=body)
    shared_hub.unit(space_id, "by-label", Labels={"tier": "critical"})
    shared_hub.unit(space_id, "by-hand", SetID=made["SetID"])
    shared_hub.unit(space_id, "neither")

    for name in (made["SetID"], made["Slug"]):
        found = shared_hub.ok("GET", "/api/unit", {"where": f"SetID = '{name}'"})
        assert [one["Unit"]["Slug"] for one in found] == ["by-label", "by-hand"]


def test_a_stored_filter_chooses(shared_hub: HubProcess, new_space: NewSpace) -> None:
    space_id, slug = new_space()
    body = {"Slug": "fronts", "From": "Unit", "Where": f"Labels.layer = 'front' AND SpaceID = '{space_id}'"}
    shared_hub.ok("POST", f"/api/space/{space_id}/filter", body=body)
    shared_hub.unit(space_id, "a", Labels={"layer": "front"})
    shared_hub.unit(space_id, "b")

    found = shared_hub.ok("GET", "/api/unit", {"filter": f"{slug}/fronts"})

    assert [one["Unit"]["Slug"] for one in found] == ["a"]


def test_what_was_done_is_in_the_audit(shared_hub: HubProcess, new_space: NewSpace) -> None:
    space_id, _ = new_space()
    shared_hub.unit(space_id)

    rows = shared_hub.ok("GET", "/api/audit", {"limit": "2", "space_id": space_id})

    assert [(row["Action"], row["EntityType"]) for row in rows] == [("create", "Unit"), ("create", "Space")]
    assert {row["Username"] for row in rows} == {"alice@example.com"}


def test_a_bulk_answer_tells_what_failed(shared_hub: HubProcess, new_space: NewSpace) -> None:
    space_id, _ = new_space()
    _, worker_id, _ = shared_hub.deployable(space_id, "with-target")
    shared_hub.unit(space_id, "without-target")

    answer = shared_hub.request("POST", "/api/unit/apply", {"where": f"SpaceID = '{space_id}'"})

    assert answer.status == 207
    done, failed = answer.json
    assert done["Action"]["BridgeWorkerID"] == worker_id
    assert failed["Error"]["Status"] == 400
    assert "without-target has no target" in failed["Error"]["Message"]
    assert failed["Error"]["ErrorMetadata"]["EntityType"] == "Unit"


def test_the_old_flat_form_of_a_unit_is_served(shared_hub: HubProcess, new_space: NewSpace) -> None:
    space_id, _ = new_space()
    unit_id = shared_hub.unit(space_id)

    found = shared_hub.ok("GET", f"/api/space/{space_id}/unit/{unit_id}/extended")

    assert found["Unit"]["UnitID"] == unit_id
    assert (found["FromLinks"], found["ToLinks"]) == ([], [])


def wait_for(hub: HubProcess, space_id: str, operation: dict[str, Any]) -> None:
    """Return when the operation has ended."""
    import time

    deadline = time.monotonic() + 30
    query = {"where": f"QueuedOperationID = '{operation['QueuedOperationID']}'"}
    path = f"/api/space/{space_id}/unit/{operation['UnitID']}/unit_event"
    while hub.ok("GET", path, query)[0]["Status"] not in ("Completed", "Failed", "Canceled"):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def decoded(data: str) -> str:
    """Return the text of ``Data``."""
    from base64 import b64decode

    return b64decode(data).decode()
