"""Applying, destroying, approving: against canned answers, since the ends matter here, not the way."""

from typing import Any

import pytest

from tests.cli.conftest import SPACE_ID, Terminal
from tests.client.answering import AnsweringHub, Asked

UNIT = {
    "UnitID": "u1",
    "SpaceID": SPACE_ID,
    "Slug": "web",
    "HeadRevisionNum": 7,
    "LiveRevisionNum": 5,
    "Labels": {"order": "1"},
    "MutationSources": [],
}
OTHER = {**UNIT, "UnitID": "u2", "Slug": "api", "Labels": {"order": "2"}}
OPERATION = {"QueuedOperationID": "op-1", "UnitID": "u1", "SpaceID": SPACE_ID, "Action": "Apply"}
ONE = f"/api/space/{SPACE_ID}/unit/u1"


@pytest.fixture(autouse=True)
def units(hub: AnsweringHub) -> None:
    def listed(asked: Asked) -> Any:
        where = asked.query.get("where", "")
        if "'web'" in where:
            return [{"Unit": UNIT}]
        return [] if "Slug" in where else [{"Unit": UNIT}, {"Unit": OTHER}]

    hub.on(f"GET /api/space/{SPACE_ID}/unit", listed)
    hub.on("GET /api/unit", listed)
    for unit_id in ("u1", "u2"):
        for action in ("apply", "destroy", "refresh"):
            hub.on(f"POST /api/space/{SPACE_ID}/unit/{unit_id}/{action}", {**OPERATION, "UnitID": unit_id})
        hub.on(f"GET /api/space/{SPACE_ID}/unit/{unit_id}/unit_event", [{"Status": "Completed", "Message": "ready"}])


@pytest.mark.requirement("R-105")
def test_apply_waits_and_says_what_was_done(cub: Terminal) -> None:
    ran = cub.run("unit", "apply", "web")

    assert (ran.status, ran.out) == (0, "Successfully completed Apply on unit web (u1)\n")


def test_apply_without_waiting_says_that_it_is_queued(cub: Terminal, hub: AnsweringHub) -> None:
    ran = cub.run("unit", "apply", "web", "--wait=false")

    assert ran.out == "Queued apply for unit web (u1)\n"
    assert hub.of("GET", f"{ONE}/unit_event") == []


def test_a_failed_apply_exits_one_with_the_reason(cub: Terminal, hub: AnsweringHub) -> None:
    hub.on(f"GET {ONE}/unit_event", [{"Status": "Failed", "Message": "ErrImagePull: web:v9"}])

    ran = cub.run("unit", "apply", "web")

    assert ran.status == 1
    assert ran.err == "Failed: Apply failed on unit web: ErrImagePull: web:v9\n"


def test_an_apply_that_takes_too_long_exits_one_and_says_how_far_it_is(cub: Terminal, hub: AnsweringHub) -> None:
    hub.on(f"GET {ONE}/unit_event", [{"Status": "Progressing", "Message": "0 of 1 ready"}])

    ran = cub.run("unit", "apply", "web", "--timeout", "50ms")

    assert ran.status == 1
    assert "Apply did not end within 0.05 s: 0 of 1 ready" in ran.err


def test_what_takes_longer_than_a_second_is_told_on_standard_error(cub: Terminal, hub: AnsweringHub) -> None:
    import time

    began = time.monotonic()

    def event(_: Asked) -> Any:
        done = time.monotonic() - began > 1.6
        return [{"Status": "Completed" if done else "Progressing", "Message": "ready" if done else "1 of 3 ready"}]

    hub.on(f"GET {ONE}/unit_event", event)

    ran = cub.run("unit", "apply", "web")

    assert ran.status == 0
    assert "  web: 1 of 3 ready\n" in ran.err


@pytest.mark.requirement("R-130")
@pytest.mark.parametrize(
    ("named", "number"), [("N-1", "6"), ("-2", "5"), ("3", "3"), ("live", "5"), ("head", "7"), ("Tag:v1", "Tag:v1")]
)
def test_an_older_revision_is_applied_by_number_or_name(
    cub: Terminal, hub: AnsweringHub, named: str, number: str
) -> None:
    ran = cub.run("unit", "apply", "web", f"--revision={named}")

    assert ran.status == 0
    assert hub.of("POST")[0].query == {"revision": number}


@pytest.mark.parametrize("named", ["8", "N-7", "newest"])
def test_a_revision_that_is_not_there_is_refused_before_anything_is_sent(
    cub: Terminal, hub: AnsweringHub, named: str
) -> None:
    ran = cub.run("unit", "apply", "web", f"--revision={named}")

    assert ran.status == 1
    assert named in ran.err
    assert hub.of("POST") == []


@pytest.mark.requirement("R-191")
def test_many_are_applied_and_one_failure_makes_the_command_fail(cub: Terminal, hub: AnsweringHub) -> None:
    failed = [{"Status": "Failed", "Message": "crash loop"}]
    hub.on(f"GET /api/space/{SPACE_ID}/unit/u2/unit_event", failed)

    ran = cub.run("unit", "apply", "--where", "Labels.layer = 'backend'")

    assert ran.status == 1
    assert ran.out == "Successfully completed Apply on unit web (u1)\n"
    assert ran.err == "  api: crash loop\nFailed: Apply failed on 1 of 2 units\n"


def test_applying_everything_needs_a_selection(cub: Terminal, hub: AnsweringHub) -> None:
    ran = cub.run("unit", "apply")

    assert ran.status == 1
    assert "which units?" in ran.err
    assert hub.of("POST") == []


@pytest.mark.requirement("R-353")
def test_one_unit_is_destroyed_without_asking(cub: Terminal, hub: AnsweringHub) -> None:
    ran = cub.run("unit", "destroy", "web")

    assert ran.status == 0
    assert hub.of("POST")[0].path == f"{ONE}/destroy"


@pytest.mark.requirement("R-135")
def test_many_are_not_destroyed_without_a_confirmation(cub: Terminal, hub: AnsweringHub) -> None:
    ran = cub.run("unit", "destroy", "--filter", "Labels.order IS NOT NULL")

    assert ran.status == 1
    assert "--yes" in ran.err
    assert "api, web" in ran.err
    assert hub.of("POST") == []


@pytest.mark.requirement("R-135")
def test_before_many_are_destroyed_what_is_live_gets_a_tag_and_the_last_goes_first(
    cub: Terminal, hub: AnsweringHub
) -> None:
    hub.on(f"POST /api/space/{SPACE_ID}/tag", {"TagID": "t1", "Slug": "before"})
    hub.on("POST /api/unit/tag", [])

    ran = cub.run("unit", "destroy", "--filter", "Labels.order IS NOT NULL", "--yes")

    assert ran.status == 0, ran.err
    sent = [one.path.rsplit("/", 2)[-2:] for one in hub.of("POST")]
    assert sent == [[SPACE_ID, "tag"], ["unit", "tag"], ["u2", "destroy"], ["u1", "destroy"]]
    assert hub.of("POST", "/api/unit/tag")[0].body == {"TagID": "t1", "Revision": "LiveRevisionNum"}


def test_a_drift_is_said(cub: Terminal, hub: AnsweringHub) -> None:
    hub.on(f"GET {ONE}/unit_event", [{"Status": "Completed", "Result": "RefreshAndDrifted"}])

    assert cub.run("unit", "refresh", "web").out == "Successfully completed Refresh on unit web (u1): it drifted\n"


def test_an_approval_names_the_revision(cub: Terminal, hub: AnsweringHub) -> None:
    hub.on(f"POST {ONE}/approve", "")

    assert cub.run("unit", "approve", "web").out == "Unit web (u1) has been approved at revision 7\n"


@pytest.mark.parametrize(
    ("target", "space", "unit", "told"),
    [
        ({"BridgeWorkerID": "w1"}, {}, {}, "will be applied: web\n"),
        ({"BridgeWorkerID": "w2"}, {}, {}, "changed, not applied: web; run `cub unit apply web --space dev`\n"),
        ({"BridgeWorkerID": "w1"}, {"environment": "prod"}, {}, "changed, not applied: web"),
        ({"BridgeWorkerID": "w1"}, {"env": "prod"}, {}, "changed, not applied: web"),
        ({"BridgeWorkerID": "w1"}, {}, {"LiveRevisionNum": 0}, "changed, not applied: web"),
        ({"BridgeWorkerID": "w1"}, {}, {"ApplyGates": {"schema/validate": True}}, "changed, not applied: web"),
        ({}, {}, {}, "changed, not applied: web"),
    ],
)
def test_a_change_says_what_happens_next(
    cub: Terminal, hub: AnsweringHub, target: dict[str, Any], space: dict[str, str], unit: dict[str, Any], told: str
) -> None:
    changed = {**UNIT, "HeadRevisionNum": 8, **unit}
    extended = {"Unit": changed, "Target": target, "Space": {"Slug": "dev", "Labels": space}}
    workers = [{"BridgeWorker": {"BridgeWorkerID": "w1", "AutoApply": True}}]
    hub.on("PATCH " + ONE, changed)
    hub.on("GET /api/unit", [extended])
    hub.on("GET /api/bridge_worker", lambda asked: workers if "w1" in asked.query["where"] else [])

    ran = cub.run("unit", "update", "web", "--patch", "--data", '{"spec":{"replicas":2}}')

    assert ran.status == 0, ran.err
    assert ran.out.startswith("Successfully updated unit web (u1)\n" + told)


@pytest.fixture
def deployments(hub: AnsweringHub) -> None:
    """A filter that looks into the configuration, by which only one of the units is found."""
    found = {"FilterID": "f1", "Slug": "deployments", "From": "Unit", "ResourceType": "apps/v1/Deployment"}
    hub.on(f"GET /api/space/{SPACE_ID}/filter", [{"Filter": found}])
    listed = [{"Unit": UNIT}, {"Unit": OTHER}]
    hub.on("GET /api/unit", lambda asked: listed[:1] if asked.query.get("resource_type") else listed)


def test_only_what_a_filter_finds_inside_is_deleted(cub: Terminal, hub: AnsweringHub, deployments: None) -> None:
    hub.on("DELETE /api/unit", [{"Message": "gone"}])

    ran = cub.run("unit", "delete", "--filter", "deployments")

    assert ran.status == 0, ran.err
    assert [asked.query["where"] for asked in hub.of("DELETE")] == ["UnitID IN ('u1')"]


@pytest.mark.parametrize(
    ("command", "where", "pinned"),
    [("add-units", "UnitID IN ('u1')", "s1"), ("remove-units", "UnitID IN ('u1') AND SetID = 's1'", None)],
)
def test_only_what_a_filter_finds_inside_is_pinned(
    cub: Terminal, hub: AnsweringHub, deployments: None, command: str, where: str, pinned: str | None
) -> None:
    hub.on(f"GET /api/space/{SPACE_ID}/set", [{"Set": {"SetID": "s1", "Slug": "core", "SpaceID": SPACE_ID}}])
    hub.on("PATCH /api/unit", [{"Unit": UNIT}])

    ran = cub.run("set", command, "core", "--filter", "deployments")

    assert ran.status == 0, ran.err
    assert [(asked.query["where"], asked.body) for asked in hub.of("PATCH")] == [(where, {"SetID": pinned})]


def test_a_target_beside_data_is_set_too(cub: Terminal, hub: AnsweringHub) -> None:
    hub.on("PATCH " + ONE, UNIT)

    ran = cub.run("unit", "update", "web", "--patch", "--data", '{"spec":{"replicas":2}}', "--target", "-")

    assert ran.status == 0, ran.err
    assert [asked.body for asked in hub.of("PATCH")] == [{"spec": {"replicas": 2}}, {"TargetID": None}]


def test_a_target_that_is_not_there_keeps_the_data_as_it_is(cub: Terminal, hub: AnsweringHub) -> None:
    hub.on("PATCH " + ONE, UNIT)
    hub.on(f"GET /api/space/{SPACE_ID}/target", [])
    hub.on("GET /api/target", [])

    ran = cub.run("unit", "update", "web", "--patch", "--data", '{"spec":{"replicas":2}}', "--target", "nowhere")

    assert ran.status == 1
    assert "nowhere" in ran.err
    assert hub.of("PATCH") == []


@pytest.mark.parametrize("also", [("--target", "-"), ("--label", "tier=a")])
def test_data_of_many_units_is_changed_alone(cub: Terminal, hub: AnsweringHub, also: tuple[str, str]) -> None:
    hub.on("GET /api/unit", [{"Unit": UNIT}])

    ran = cub.run("unit", "update", "--patch", "--unit", "web", "--data", '{"spec":{"replicas":2}}', *also)

    assert "--data changes texts, and nothing else of many units" in ran.err
    assert hub.of("PATCH") == []


def test_a_change_of_labels_has_nothing_to_apply(cub: Terminal, hub: AnsweringHub) -> None:
    hub.on("PATCH " + ONE, UNIT)

    ran = cub.run("unit", "update", "web", "--patch", "--label", "tier=a", "--label", "app=-")

    assert ran.out == "Successfully updated unit web (u1)\n"
    assert hub.of("PATCH")[0].body == {"Labels": {"tier": "a", "app": None}}
