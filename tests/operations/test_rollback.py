"""Rollback and rewind: restored together, applied backwards, resumed, and what was left stays out."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from confighub.errors import BadRequest, Gated, NotFound
from confighub.operations import promote as promotion
from confighub.operations import rollback
from confighub.operations.deploy import Options, Outcome, deploy, read_units
from confighub.operations.plan import in_order
from confighub.operations.rollback import Rollback
from tests.api.worker import Event
from tests.operations.playing import PlayedWorker, Stage, Verdict, succeed

WHY = "orders were lost"


def bring_up(stage: Stage, *, approve: bool = False) -> None:
    units = read_units(stage.hub, stage.space_id)
    plan = in_order(space=stage.space, space_id=stage.space_id, units=units)
    assert deploy(stage.hub, plan, Options(approve=approve), lambda _: None).failure is None


def shown(stage: Stage, to: str, unit_id: str = "") -> Rollback:
    return rollback.preview(stage.hub, space=stage.space, space_id=stage.space_id, unit_id=unit_id, to=to, reason=WHY)


def go_back(
    stage: Stage, to: str, unit_id: str = "", *, approve: bool = False, said: list[str] | None = None
) -> tuple[Rollback, Outcome]:
    lines: list[str] = [] if said is None else said
    options = Options(approve=approve, command=f"bin/rollback dev --to {to}")
    return rollback.roll_back(stage.hub, shown(stage, to, unit_id), options, lines.append)


def release(stage: Stage, unit_id: str, replicas: int) -> None:
    stage.hub.units.patch_data(unit_id, {"spec": {"replicas": replicas}}, space_id=stage.space_id)


def text(stage: Stage, unit_id: str) -> str:
    return stage.hub.units.data(unit_id, space_id=stage.space_id)


@pytest.mark.requirement("R-216")
def test_a_unit_goes_back_to_a_revision_and_runs(dev: Stage) -> None:
    unit_id = dev.unit("a")
    with PlayedWorker(dev.worker) as worker:
        bring_up(dev)
        release(dev, unit_id, 4)
        bring_up(dev)

        done, outcome = go_back(dev, "1", unit_id)

    assert worker.applied == [("a", 1), ("a", 2), ("a", 3)]
    assert "replicas: 1 # enough here" in text(dev, unit_id)
    assert [one["Quarantined"] for one in done.changing] == [[2]]
    assert outcome.failure is None


def test_what_a_person_holds_stays_held_through_a_rollback_and_a_deployment(new_stage: Callable[..., Stage]) -> None:
    stage = new_stage(environment="dev", auto_apply=True)
    unit_id = stage.unit("a")
    where = f"UnitID = '{unit_id}'"
    with PlayedWorker(stage.worker) as worker:
        bring_up(stage)
        stage.hub.units.hold(where=where, reason="an audit", ttl_s=0)
        release(stage, unit_id, 4)
        bring_up(stage)
        go_back(stage, "1", unit_id)
        release(stage, unit_id, 5)
        bring_up(stage)
        release(stage, unit_id, 6)

        held = stage.hub.units.waiting(unit_id, space_id=stage.space_id)["Holds"]
        applied = [number for _, number in worker.applied]
        stage.hub.units.release(where=where)
        deadline = time.monotonic() + 30
        while worker.applied[-1] != ("a", 5):
            assert time.monotonic() < deadline, worker.applied
            time.sleep(0.05)

    assert [(one["Kind"], one["Reason"], one.get("ExpiresAt")) for one in held] == [("operator", "an audit", None)]
    assert applied == [1, 2, 3, 4]


def test_an_environment_goes_back_in_reverse_order(dev: Stage) -> None:
    ids = {slug: dev.unit(slug, order) for slug, order in (("first", 0), ("second", 1), ("third", 2))}
    with PlayedWorker(dev.worker) as worker:
        bring_up(dev)
        moment = datetime.now(UTC).isoformat()
        for unit_id in ids.values():
            release(dev, unit_id, 4)
        bring_up(dev)
        before = len(worker.applied)

        go_back(dev, moment)

    assert [slug for slug, _ in worker.applied[before:]] == ["third", "second", "first"]
    assert all("replicas: 1" in text(dev, unit_id) for unit_id in ids.values())


def test_a_tag_and_a_change_set_are_places_to_go_back_to(dev: Stage) -> None:
    unit_id = dev.unit("a")
    tag = dev.hub.tags.create({"Slug": "v1"}, space_id=dev.space_id)
    dev.hub.units.tag_all(tag["TagID"], where=f"UnitID = '{unit_id}'")
    dev.hub.change_sets.create({"Slug": "release"}, space_id=dev.space_id)
    release(dev, unit_id, 4)

    assert [one["ToRevisionNum"] for one in shown(dev, "v1").units] == [1]
    assert [one["ToRevisionNum"] for one in shown(dev, "release").units] == [1]
    assert [one["ToRevisionNum"] for one in shown(dev, "tag:v1").units] == [1]
    assert dev.hub.units.get(unit_id, space_id=dev.space_id)["Unit"]["HeadRevisionNum"] == 2


def test_places_that_are_not_there_are_refused(dev: Stage) -> None:
    dev.unit("a")

    with pytest.raises(NotFound, match="nothing to go back to is called nowhere"):
        shown(dev, "nowhere")
    with pytest.raises(BadRequest, match="another state in every unit"):
        shown(dev, "3")
    with pytest.raises(BadRequest, match="not a moment"):
        shown(dev, "2026-13-99")


def test_a_failure_stops_it_and_the_same_command_goes_on(dev: Stage) -> None:
    ids = [dev.unit("a", 1), dev.unit("b", 2)]
    with PlayedWorker(dev.worker) as worker:
        bring_up(dev)
        moment = datetime.now(UTC).isoformat()
        for unit_id in ids:
            release(dev, unit_id, 4)
        bring_up(dev)
        worker.decide = lambda event: failed(event, "a")
        _, outcome = go_back(dev, moment)
        assert outcome.failure is not None
        assert outcome.failure.slug == "a"
        worker.decide = succeed
        before = len(worker.applied)

        again, finished = go_back(dev, moment)

    assert again.changing == ()
    assert finished.failure is None
    assert worker.applied[before:] == [("a", 3)]
    assert len(dev.hub.change_sets.list(space_id=dev.space_id)) == 1


def test_one_who_was_killed_before_applying_is_followed_by_another(new_stage: Callable[..., Stage]) -> None:
    stage = new_stage(environment="dev", auto_apply=True)
    ids = [stage.unit("a", 1), stage.unit("b", 2)]
    with PlayedWorker(stage.worker) as worker:
        bring_up(stage)
        moment = datetime.now(UTC).isoformat()
        for unit_id in ids:
            release(stage, unit_id, 4)
        wait_until_live(stage, 2)
        before = len(worker.applied)
        where = f"SpaceID = '{stage.space_id}'"
        stage.hub.units.roll_back(where=where, to=shown(stage, moment).to, reason=WHY)

        again, outcome = go_back(stage, moment)

    assert again.changing == ()
    assert outcome.failure is None
    assert worker.applied[before:] == [("b", 3), ("a", 3)]


def failed(event: Event, slug: str) -> Verdict:
    if event["Data"]["Payload"]["UnitSlug"] == slug:
        return Verdict("Failed", "ApplyFailed", "no space left", b"")
    return succeed(event)


def test_a_worker_that_applies_by_itself_waits_for_the_order(new_stage: Callable[..., Stage]) -> None:
    stage = new_stage(environment="dev", auto_apply=True)
    ids = [stage.unit("a", 1), stage.unit("b", 2)]
    with PlayedWorker(stage.worker) as worker:
        bring_up(stage)
        moment = datetime.now(UTC).isoformat()
        for unit_id in ids:
            release(stage, unit_id, 4)
        wait_until_live(stage, 2)
        before = len(worker.applied)

        go_back(stage, moment)

    assert worker.applied[before:] == [("b", 3), ("a", 3)]


def wait_until_live(stage: Stage, revision: int) -> None:
    for _ in range(600):
        if all(unit.live == revision for unit in read_units(stage.hub, stage.space_id)):
            return
        time.sleep(0.05)
    raise AssertionError("the units did not get live")


def test_prod_wants_an_approval_before_anything_is_changed(new_stage: Callable[..., Stage]) -> None:
    prod = new_stage(environment="prod")
    unit_id = prod.unit("a")
    with PlayedWorker(prod.worker) as worker:
        bring_up(prod, approve=True)
        release(prod, unit_id, 4)
        bring_up(prod, approve=True)

        with pytest.raises(Gated, match="a revision 3") as refused:
            go_back(prod, "1", unit_id)
        assert "--approve" in refused.value.hint
        assert prod.hub.units.get(unit_id, space_id=prod.space_id)["Unit"]["HeadRevisionNum"] == 2
        _, outcome = go_back(prod, "1", unit_id, approve=True)

    assert outcome.failure is None
    assert worker.applied[-1] == ("a", 3)


def test_going_back_to_what_is_in_quarantine_is_refused(dev: Stage) -> None:
    unit_id = dev.unit("a")
    with PlayedWorker(dev.worker):
        bring_up(dev)
        release(dev, unit_id, 4)
        bring_up(dev)
        go_back(dev, "1", unit_id)

        with pytest.raises(Gated, match="quarantine"):
            go_back(dev, "2", unit_id)


def test_what_is_quarantined_is_not_promoted_until_it_is_lifted(new_stage: Callable[..., Stage]) -> None:
    staging, prod = new_stage(environment="staging"), new_stage(environment="qa")
    source_id = staging.unit("a")
    clone = prod.hub.units.clone(
        {"Slug": "a", "TargetID": prod.target_id, "Labels": {"order": "1"}},
        space_id=prod.space_id,
        upstream_space_id=staging.space_id,
        upstream_unit_id=source_id,
    )
    with PlayedWorker(prod.worker):
        bring_up(prod)
        release(staging, source_id, 4)
        promotion.promote(prod.hub, promotion.preview(prod.hub, source=staging.space, target=prod.space))
        bring_up(prod)
        go_back(prod, "1", clone["UnitID"])

        with pytest.raises(Gated, match=WHY):
            promotion.preview(prod.hub, source=staging.space, target=prod.space)
        prod.hub.units.lift(clone["UnitID"], 2, space_id=prod.space_id, reason="it was the network")

        assert promotion.preview(prod.hub, source=staging.space, target=prod.space).changes


def test_more_units_than_one_expression_names_go_back_together(new_stage: Callable[..., Stage]) -> None:
    stage = new_stage(environment="dev")
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: NAME\n  namespace: shop\ndata:\n  color: blue\n"
    for number in range(110):
        stage.unit(f"unit-{number:03}", text=config)
    here = f"SpaceID = '{stage.space_id}'"
    tag = stage.hub.tags.create({"Slug": "before"}, space_id=stage.space_id)
    stage.hub.units.tag_all(tag["TagID"], where=here)
    stage.hub.units.patch_all({"data": {"color": "red"}}, where=here, data_patch="true")

    done, outcome = go_back(stage, "before")

    assert (len(done.changing), outcome.failure) == (110, None)
    found = stage.hub.units.list(where=here, include="", select="Slug,HeadRevisionNum")
    assert {one["Unit"]["HeadRevisionNum"] for one in found} == {3}
