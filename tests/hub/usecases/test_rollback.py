"""Rollback and quarantine: units go back together, and what they were rolled back from stays out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from sqlalchemy import select

from confighub.errors import BadRequest, Gated, NotFound
from confighub.hub.caller import Caller
from confighub.hub.hub import Hub
from confighub.hub.kinds import CHANGE_SET
from confighub.hub.store.work_queue import holds as held
from confighub.hub.usecases import (
    audit,
    deliveries,
    entities,
    history,
    holds,
    quarantine,
    results,
    rollback,
    units,
    work,
)
from confighub.hub.usecases.listing import Listing
from confighub.hub.usecases.unit_changes import Change
from confighub.records.answers import Rollback
from confighub.records.units import Unit
from confighub.records.work import ActionResult
from tests.hub.scene import Scene

UPGRADE = Change(upgrade=True)
WHY = "errors at checkout"
GATE = "quarantine/not-quarantined"


@dataclass
class Running:
    """A space whose units a worker applies as soon as the test says so."""

    scene: Scene
    space_id: str
    worker: Caller
    target_id: str

    def unit(self, slug: str = "web", **attributes: Any) -> Unit:
        made = self.scene.unit(self.space_id, slug, target_id=self.target_id, **attributes)
        self.apply(made)
        return made

    def apply(self, unit: Unit, revision: str = "") -> None:
        """Apply the unit and let the worker say that it runs."""
        operation = work.apply_unit(
            self.scene.hub, self.scene.caller, space_id=self.space_id, unit_id=unit.unit_id or "", revision=revision
        )
        done = ActionResult(
            queued_operation_id=operation.queued_operation_id or "",
            unit_id=unit.unit_id or "",
            space_id=self.space_id,
            revision_num=operation.revision_num,
            action="Apply",
            status="Completed",
            result="ApplyCompleted",
        )
        results.record_result(self.scene.hub, self.worker, done)

    def roll_back(self, to: str, where: str = "", reason: str = WHY) -> Rollback:
        chosen = Listing(where=f"SpaceID = '{self.space_id}'{where}")
        return rollback.roll_back(self.scene.hub, self.scene.caller, chosen, to=to, reason=reason)

    def lift(self, unit: Unit, revision: int, reason: str = "fixed elsewhere") -> str:
        return quarantine.lift_quarantine(
            self.scene.hub,
            self.scene.caller,
            space_id=self.space_id,
            unit_id=unit.unit_id or "",
            revision_num=revision,
            reason=reason,
        )


@pytest.fixture
def running(scene: Scene) -> Running:
    return make_running(scene, "dev", environment="dev")


def make_running(scene: Scene, slug: str, **labels: str) -> Running:
    """Make a space with a worker and its target."""
    space_id = scene.space(slug, **labels)
    worker = scene.make("BridgeWorker", space_id, slug="worker")
    target = scene.make(
        "Target", space_id, slug="target", provider_type="Laptop", bridge_worker_id=worker.bridge_worker_id
    )
    caller = replace(scene.caller, worker_id=worker.bridge_worker_id)
    return Running(scene, space_id, caller, target.target_id)


def release(running: Running, unit: Unit) -> None:
    """Apply version 2 of the unit."""
    running.scene.edit(unit, "v1.0.0", "v2.0.0")
    running.apply(unit)


def test_a_rollback_adds_a_revision_with_the_old_text(running: Running) -> None:
    web = running.unit()
    old = running.scene.text(web)
    release(running, web)

    done = running.roll_back("1")

    assert running.scene.text(web) == old
    assert [one.revision_num for one in running.scene.revisions(web)] == [1, 2, 3]
    assert running.scene.revisions(web)[-1].description == f"rolled back to revision 1: {WHY}"
    assert [(one.slug, one.to_revision_num, one.new_revision_num, one.quarantined) for one in done.units] == [
        ("web", 1, 3, [2])
    ]


def test_nothing_is_applied_and_the_unit_waits_for_its_turn(hub: Hub, running: Running) -> None:
    web = running.unit()
    release(running, web)

    running.roll_back("1")

    assert running.scene.get(web).live_revision_num == 2
    with hub.read() as tx:
        assert holds.is_held(tx, hub, web.unit_id)


def test_the_same_rollback_again_changes_nothing(running: Running) -> None:
    web = running.unit()
    release(running, web)
    running.roll_back("1")

    again = running.roll_back("1")

    assert again.change_set == ""
    assert [one.new_revision_num for one in again.units] == [0]
    assert running.scene.get(web).head_revision_num == 3


def test_a_rollback_is_a_change_set_that_can_be_taken_back(running: Running) -> None:
    web, other = running.unit("web"), running.unit("other")
    release(running, web)

    done = running.roll_back("1")

    found = entities.list_entities(running.scene.hub, running.scene.caller, CHANGE_SET)
    assert [one.change_set.slug for one in found] == [done.change_set]
    running.scene.change(web, Change(restore=f"Before:ChangeSet:{done.change_set}"))
    assert "v2.0.0" in running.scene.text(web)
    running.scene.change(web, Change(restore=f"ChangeSet:{done.change_set}"))
    assert "v1.0.0" in running.scene.text(web)
    assert running.scene.get(other).head_revision_num == 1


def test_a_moment_means_what_was_live_then(hub: Hub, running: Running) -> None:
    web = running.unit("web")
    release(running, web)
    running.scene.edit(web, "v2.0.0", "v2.1.0")
    then = hub.now()
    running.apply(web)
    late = running.unit("late")

    done = running.roll_back(f"Time:{then.isoformat()}")

    assert {one.slug: one.to_revision_num for one in done.units} == {"web": 2, "late": 0}
    assert "no such revision" in next(one.why_not for one in done.units if one.slug == "late")
    assert "v2.0.0" in running.scene.text(web)
    assert running.scene.get(late).head_revision_num == 1


def test_what_nothing_can_go_back_to_is_an_error(running: Running) -> None:
    running.unit()

    with pytest.raises(BadRequest, match="no such revision: Tag:nowhere"):
        running.roll_back("Tag:nowhere")


def test_units_of_several_spaces_do_not_go_back_together(scene: Scene, running: Running) -> None:
    running.unit()
    make_running(scene, "qa").unit()

    with pytest.raises(BadRequest, match="one space"):
        rollback.roll_back(scene.hub, scene.caller, Listing(where="Slug = 'web'"), to="1", reason=WHY)


def test_a_quarantined_text_is_not_applied_whichever_revision_brings_it(running: Running) -> None:
    web = running.unit()
    release(running, web)
    running.roll_back("1")
    running.apply(web)
    running.scene.edit(web, "v1.0.0", "v2.0.0")

    assert running.scene.get(web).apply_gates == {GATE: True}
    for revision in ("", "2"):
        with pytest.raises(Gated, match="quarantine"):
            running.apply(web, revision)


def test_it_is_applied_with_a_reason_and_the_log_tells_it(hub: Hub, running: Running) -> None:
    web = running.unit()
    release(running, web)
    running.roll_back("1")
    caller = running.scene.caller

    work.apply_unit(
        hub,
        caller,
        space_id=running.space_id,
        unit_id=web.unit_id or "",
        revision="2",
        despite_quarantine="a rehearsal",
    )

    newest = audit.list_audit(hub, caller, limit=1)[0]
    assert (newest.action, newest.message) == ("apply", "applied despite quarantine: a rehearsal")


def test_neither_a_rollback_nor_an_apply_despite_quarantine_goes_without_a_reason(hub: Hub, running: Running) -> None:
    web = running.unit()
    release(running, web)
    with pytest.raises(BadRequest, match="reason"):
        running.roll_back("1", reason=" ")
    running.roll_back("1")

    with pytest.raises(BadRequest, match="reason"):
        work.apply_unit(
            hub,
            running.scene.caller,
            space_id=running.space_id,
            unit_id=web.unit_id or "",
            revision="2",
            despite_quarantine=" ",
        )


def test_a_quarantined_text_that_waits_for_its_worker_is_not_applied(hub: Hub, running: Running) -> None:
    web = running.unit()
    running.scene.edit(web, "v1.0.0", "v2.0.0")
    where = {"space_id": running.space_id, "unit_id": web.unit_id or ""}
    work.apply_unit(hub, running.scene.caller, **where)

    quarantine.quarantine_unit(hub, running.scene.caller, **where, revision_num=2, reason=WHY)

    worker_id = running.worker.worker_id or ""
    assert deliveries.lease_operations(hub, worker_id=worker_id, stream="stream") == []
    event = history.list_unit_events(hub, running.scene.caller, web.unit_id or "")[-1]
    assert (event.status, event.message) == ("Canceled", f"quarantined before a worker took it: {WHY}")


@pytest.mark.parametrize("ttl_s", [0, 60, 3600])
def test_a_rollback_holds_beside_what_a_person_holds(hub: Hub, running: Running, ttl_s: int) -> None:
    web = running.unit()
    release(running, web)
    work.hold_units(hub, running.scene.caller, Listing(where="Slug = 'web'"), reason="by Alice", ttl_s=ttl_s)

    running.roll_back("1")

    with hub.read() as tx:
        reasons = set(tx.execute(select(held.c.reason).where(held.c.unit_id == web.unit_id)).scalars())
    assert reasons == {"by Alice", f"rollback: {WHY}"}


@pytest.mark.parametrize(
    "name",
    ["Time:0001-01-01T00:00:00+23:59", "Time:9999-12-31T23:59:59-23:59", "Before:Time:2026-10-03T10:15:00Z"],
)
def test_a_moment_that_cannot_be_meant_is_refused(running: Running, name: str) -> None:
    web = running.unit()

    with pytest.raises(BadRequest, match="moment"):
        running.apply(web, name)


def test_lifting_opens_the_gate_and_wants_a_reason(hub: Hub, running: Running) -> None:
    web = running.unit()
    release(running, web)
    running.roll_back("1")
    running.scene.edit(web, "v1.0.0", "v2.0.0")

    with pytest.raises(BadRequest, match="reason"):
        running.lift(web, 2, reason=" ")
    assert "may be applied again" in running.lift(web, 2)

    assert running.scene.get(web).apply_gates == {}
    assert quarantine.list_quarantines(hub, running.scene.caller, Listing()) == []
    running.apply(web)
    with pytest.raises(NotFound):
        running.lift(web, 2)


def test_promotion_does_not_bring_back_what_was_rolled_back(scene: Scene, running: Running) -> None:
    upstream = scene.unit(scene.space("staging"), "web")
    web = scene.clone(upstream, running.space_id)
    units.patch_unit(scene.hub, scene.caller, web.unit_id or "", {"TargetID": running.target_id})
    running.apply(web)
    scene.edit(upstream, "v1.0.0", "v2.0.0")
    scene.change(web, UPGRADE)
    running.apply(web)
    running.roll_back("1")

    assert scene.get(web).upstream_revision_num == 1
    with pytest.raises(Gated, match="was rolled back"):
        scene.change(web, UPGRADE)
    scene.edit(upstream, "v2.0.0", "v2.0.1")
    scene.change(web, UPGRADE)

    assert "v2.0.1" in scene.text(web)
    assert scene.get(web).apply_gates == {}


def test_what_was_set_here_stays_protected_after_a_rollback(scene: Scene, running: Running) -> None:
    upstream = scene.unit(scene.space("staging"), "web")
    web = scene.clone(upstream, running.space_id)
    scene.edit(web, "replicas: 1", "replicas: 3")
    scene.edit(upstream, "v1.0.0", "v2.0.0")
    scene.change(web, UPGRADE)
    scene.edit(web, "replicas: 3", "replicas: 5")
    running.roll_back("2")
    scene.edit(upstream, "v2.0.0", "v3.0.0")
    scene.edit(upstream, "replicas: 1", "replicas: 2")

    held = scene.change(web, UPGRADE).held

    assert "replicas: 3" in scene.text(web)
    assert "v3.0.0" in scene.text(web)
    assert [(one.path, one.ours.strip()) for one in held] == [("spec.replicas", "3")]


def test_promotion_does_not_bring_what_was_rolled_back_upstream(scene: Scene, running: Running) -> None:
    web = running.unit()
    clone = scene.clone(web, scene.space("qa"))
    release(running, web)
    running.roll_back("1")
    scene.edit(web, "v1.0.0", "v2.0.0")

    with pytest.raises(Gated, match="the upstream unit was rolled back"):
        scene.change(clone, UPGRADE)


def test_a_correction_applies_what_is_live_and_holds_nothing(hub: Hub, running: Running) -> None:
    web = running.unit()
    running.scene.edit(web, "v1.0.0", "v2.0.0")

    operation = work.correct_unit(
        hub, running.scene.caller, space_id=running.space_id, unit_id=web.unit_id or "", reason="replicas 10, not 1"
    )

    assert operation.revision_num == 1
    with hub.read() as tx:
        assert not holds.is_held(tx, hub, web.unit_id)
    assert audit.list_audit(hub, running.scene.caller, limit=1)[0].message == "drift corrected: replicas 10, not 1"
