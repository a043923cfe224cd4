"""Health is what live state says of the live revision; and an environment can be moved to another target."""

from __future__ import annotations

import pytest

from confighub.errors import NotFound
from confighub.operations.deploy import Options, deploy, read_units
from confighub.operations.health import unit_health
from confighub.operations.plan import at_once
from confighub.operations.readiness import is_ready, reasons, word_for
from confighub.operations.retarget import retarget
from tests.operations.playing import PlayedWorker, Stage


def apply_everything(stage: Stage) -> None:
    units = read_units(stage.hub, stage.space_id)
    plan = at_once(space=stage.space, space_id=stage.space_id, units=units)
    assert deploy(stage.hub, plan, Options(), print).failure is None


def test_what_was_never_applied_is_not_live(dev: Stage) -> None:
    dev.unit("a")

    (health,) = unit_health(dev.hub, dev.space_id)

    assert (health.word, health.is_ready, health.live) == ("not live", False, 0)


def test_units_are_listed_in_deployment_order_with_addons_last(dev: Stage) -> None:
    dev.unit("addon", None, Labels={"type": "addon"})
    dev.unit("b", 2)
    dev.unit("a", 10)
    with PlayedWorker(dev.worker):
        apply_everything(dev)

    found = unit_health(dev.hub, dev.space_id)

    assert [one.slug for one in found] == ["b", "a", "addon"]
    assert all(one.is_ready for one in found)


def test_a_newer_head_does_not_make_what_runs_unhealthy(dev: Stage) -> None:
    unit_id = dev.unit("a")
    with PlayedWorker(dev.worker):
        apply_everything(dev)
    dev.hub.units.patch_data(unit_id, {"spec": {"replicas": 2}}, space_id=dev.space_id)

    (health,) = unit_health(dev.hub, dev.space_id)

    assert (health.is_ready, health.live, health.head) == (True, 1, 2)


@pytest.mark.requirement("R-294")
def test_units_are_pointed_at_another_target(dev: Stage) -> None:
    dev.unit("a")
    other = dev.process.target(dev.space_id, dev.worker.worker_id, "standby")

    retarget(dev.hub, space=dev.space, space_id=dev.space_id, target="standby", say=print)

    assert [unit.target_id for unit in read_units(dev.hub, dev.space_id)] == [other]


def test_an_unknown_target_is_told_with_those_that_are_there(dev: Stage) -> None:
    with pytest.raises(NotFound, match="has no target standby; it has t1"):
        retarget(dev.hub, space=dev.space, space_id=dev.space_id, target="standby", say=print)


def test_reasons_are_said_once() -> None:
    status = {
        "Status": "Degraded",
        "Message": "Deployment/web: GET /health/ready answered 503",
        "Conditions": [
            {"Type": "Progressing", "Status": "False", "Reason": "Crash", "Message": "GET /health/ready answered 503"},
            {"Type": "Available", "Status": "False", "Reason": "Minimum", "Message": "0 of 1 available"},
            {"Type": "Fine", "Status": "True", "Reason": "Yes", "Message": "all is well"},
        ],
    }

    assert reasons(status) == ["Deployment/web: GET /health/ready answered 503", "Minimum: 0 of 1 available"]


@pytest.mark.parametrize(
    ("status", "ready"),
    [
        ({"Status": "Running", "RevisionNum": 2}, True),
        ({"Status": "Running", "RevisionNum": 1}, False),
        ({"Status": "Progressing", "RevisionNum": 2}, False),
        ({}, False),
    ],
)
def test_ready_means_the_right_revision_runs(status: dict[str, object], ready: bool) -> None:
    assert is_ready(status, revision=2) is ready


def test_several_replicas_are_counted() -> None:
    assert word_for({"Status": "Running", "Replicas": 3, "ReadyReplicas": 3}) == "Running, 3 of 3 ready"
    assert word_for({"Status": "Running", "Replicas": 1, "ReadyReplicas": 1}) == "Running"
