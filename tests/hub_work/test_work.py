"""What callers ask for: apply, destroy, refresh, in bulk, and what is refused."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import event

from confighub.errors import BadRequest, Forbidden, Gated, NotFound
from confighub.hub.caller import Caller
from confighub.hub.kinds import TRIGGER
from confighub.hub.usecases import applying, entities, units, work
from confighub.hub.usecases.listing import Listing
from tests.hub.scene import WEB
from tests.hub_work.conftest import Field

PLACEHOLDER = WEB.replace("example/web:v1.0.0", "example/web:confighubplaceholder")


def test_an_apply_shows_its_event_at_once(dev: Field) -> None:
    unit = dev.unit()

    operation = dev.apply(unit)

    (event,) = dev.events(unit)
    assert event.queued_operation_id == operation.queued_operation_id
    assert (event.action, event.status, event.revision_num) == ("Apply", "Pending", 1)


def test_an_apply_without_a_target_says_how_to_set_one_and_queues_nothing(dev: Field) -> None:
    unit = dev.scene.unit(dev.space_id, "web")

    with pytest.raises(BadRequest, match=r"has no target.*cub unit set-target web"):
        dev.apply(unit)

    assert dev.events(unit) == []


def test_an_apply_without_a_worker_at_the_target_is_refused(dev: Field) -> None:
    target = dev.scene.make("Target", dev.space_id, slug="orphan", provider_type="Laptop")
    unit = dev.scene.unit(dev.space_id, "web", target_id=target.target_id)

    with pytest.raises(BadRequest, match="has no worker"):
        dev.apply(unit)


def test_a_closed_gate_refuses_and_names_itself(dev: Field) -> None:
    unit = dev.unit(data=PLACEHOLDER)

    with pytest.raises(Gated) as refused:
        dev.apply(unit)

    assert refused.value.gates == ["placeholders/no-placeholders"]
    assert dev.events(unit) == []


def test_production_wants_an_approval_of_the_revision(make_field: Callable[..., Field]) -> None:
    from confighub.hub.usecases import units

    prod = make_field("prod", environment="prod")
    unit = prod.unit()

    with pytest.raises(Gated, match=r"approval/is-approved.*cub unit approve web"):
        prod.apply(unit)
    units.approve_unit(prod.scene.hub, prod.scene.caller, unit.unit_id or "")
    prod.apply(unit)

    assert prod.statuses(unit) == ["Pending"]


def test_a_revision_that_was_live_needs_no_new_approval(make_field: Callable[..., Field]) -> None:
    from confighub.hub.usecases import units

    prod = make_field("prod", environment="prod")
    unit = prod.unit()
    units.approve_unit(prod.scene.hub, prod.scene.caller, unit.unit_id or "")
    prod.live(unit)
    prod.scene.edit(unit, "v1.0.0", "v2.0.0")

    prod.apply(unit, "N-1")

    assert prod.take()[0].payload.revision_num == 1


def test_an_older_revision_goes_out_with_its_own_text(dev: Field) -> None:
    unit = dev.unit()
    dev.scene.edit(unit, "v1.0.0", "v2.0.0")

    dev.apply(unit, "N-1")

    (delivery,) = dev.take()
    assert delivery.payload.revision_num == 1
    assert b"v1.0.0" in delivery.payload.data


def test_a_newer_apply_takes_the_place_of_one_that_nobody_took(dev: Field) -> None:
    unit = dev.unit()

    dev.apply(unit)
    dev.apply(unit)

    assert dev.statuses(unit) == ["Canceled", "Pending"]
    assert len(dev.take()) == 1


def test_an_unknown_unit_is_not_found(dev: Field) -> None:
    unit = dev.unit()
    unit.unit_id = dev.space_id

    with pytest.raises(NotFound):
        dev.apply(unit)


def test_a_viewer_may_not_apply(dev: Field, caller_as: Callable[[str], Caller]) -> None:
    unit = dev.unit()

    with pytest.raises(Forbidden):
        work.apply_unit(dev.scene.hub, caller_as("viewer"), space_id=dev.space_id, unit_id=unit.unit_id or "")


def test_a_bulk_apply_answers_for_each_unit(dev: Field) -> None:
    dev.unit("a")
    dev.unit("b", data=PLACEHOLDER)
    dev.unit("c")

    answers = applying.apply_units(dev.scene.hub, dev.scene.caller, Listing(where="Slug IN ('a', 'b', 'c')"))

    assert [answer.action is not None for answer in answers] == [True, False, True]
    assert answers[1].error is not None
    assert "placeholders" in answers[1].error.message
    assert len(dev.take()) == 2


def test_a_bulk_apply_takes_the_place_of_what_waited_and_ends_the_hand_brake(eager: Field) -> None:
    waiting, braked = eager.unit("waiting"), eager.unit("braked")
    eager.live(braked)
    eager.scene.edit(braked, "v1.0.0", "v2.0.0")
    eager.report(eager.take()[-1])
    eager.live(braked, revision="1")
    eager.apply(waiting)

    answers = applying.apply_units(eager.scene.hub, eager.scene.caller, Listing(where="Slug IN ('waiting', 'braked')"))
    for delivery in eager.take():
        eager.report(delivery)
    eager.scene.edit(braked, "v2.0.0", "v3.0.0")

    assert [answer.action.revision_num for answer in answers if answer.action] == [1, 2]
    assert eager.statuses(waiting)[:2] == ["Canceled", "Completed"]
    assert [delivery.payload.revision_num for delivery in eager.take()] == [3]


def test_a_bulk_apply_of_what_waits_already_asks_no_more_of_the_store_for_more_units(dev: Field) -> None:
    chosen = Listing(where="Slug IN ('a', 'b', 'c', 'd', 'e', 'f')")

    def statements() -> int:
        asked: list[str] = []

        def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            # Each that is woken is told by a message of its own.
            if "pg_notify" not in statement:
                asked.append(statement)

        event.listen(dev.scene.hub.database.writer, "before_cursor_execute", note)
        applying.apply_units(dev.scene.hub, dev.scene.caller, chosen)
        event.remove(dev.scene.hub.database.writer, "before_cursor_execute", note)
        return len(asked)

    made = [dev.unit("a"), dev.unit("b")]
    applying.apply_units(dev.scene.hub, dev.scene.caller, chosen)
    of_two = statements()
    made += [dev.unit(slug) for slug in "cdef"]
    applying.apply_units(dev.scene.hub, dev.scene.caller, chosen)

    assert statements() == of_two
    assert all(dev.statuses(unit)[-2:] == ["Canceled", "Pending"] for unit in made)
    assert len(dev.take()) == 6


def test_a_bulk_apply_queues_no_text_that_came_after_it_looked_at_the_gates(dev: Field) -> None:
    hub = dev.scene.hub
    if hub.database.is_sqlite:
        pytest.skip("an SQLite store has one writer, so nothing comes in between")
    unit = dev.unit()
    is_edited = threading.Event()

    def edit(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "quarantines" in statement and not is_edited.is_set():
            is_edited.set()
            dev.scene.edit(unit, "v1.0.0", "v2.0.0")

    event.listen(hub.database.writer, "before_cursor_execute", edit)
    applying.apply_units(hub, dev.scene.caller, Listing(where="Slug = 'web'"))

    (delivery,) = dev.take()
    assert is_edited.is_set()
    assert (delivery.payload.revision_num, b"v1.0.0" in delivery.payload.data) == (1, True)


def test_a_bulk_apply_of_production_takes_what_was_approved_or_live_before(make_field: Callable[..., Field]) -> None:
    prod = make_field("prod", environment="prod")
    fresh, approved = prod.unit("fresh"), prod.unit("approved")
    units.approve_unit(prod.scene.hub, prod.scene.caller, approved.unit_id or "")

    answers = applying.apply_units(prod.scene.hub, prod.scene.caller, Listing(where="Slug IN ('fresh', 'approved')"))

    assert answers[0].error is not None
    assert "approval/is-approved" in answers[0].error.message
    assert [delivery.payload.unit_id for delivery in prod.take()] == [approved.unit_id]
    assert prod.events(fresh) == []


def test_a_viewer_applies_nothing_in_bulk(dev: Field, caller_as: Callable[[str], Caller]) -> None:
    dev.unit()

    (answer,) = applying.apply_units(dev.scene.hub, caller_as("viewer"), Listing(where="Slug = 'web'"))

    assert answer.error is not None
    assert answer.error.status == 403
    assert dev.take() == []


def test_a_dry_run_of_a_bulk_apply_queues_nothing(dev: Field) -> None:
    unit = dev.unit()

    (answer,) = applying.apply_units(dev.scene.hub, dev.scene.caller, Listing(where="Slug = 'web'"), is_dry_run=True)

    assert answer.action is not None
    assert answer.action.queued_operation_id is None
    assert answer.action.revision_num == 1
    assert dev.events(unit) == []


def test_a_new_head_of_a_live_unit_is_applied_by_itself(eager: Field) -> None:
    unit = eager.unit()
    eager.live(unit)

    eager.scene.edit(unit, "v1.0.0", "v2.0.0")

    (delivery,) = eager.take()
    assert (delivery.action, delivery.payload.revision_num) == ("Apply", 2)
    assert "by itself" in eager.events(unit)[-1].message


def test_a_unit_that_is_not_live_waits_to_be_asked_for(eager: Field) -> None:
    unit = eager.unit()

    eager.scene.edit(unit, "v1.0.0", "v2.0.0")

    assert eager.take() == []


def test_only_a_worker_with_auto_apply_applies_by_itself(dev: Field) -> None:
    unit = dev.unit()
    dev.live(unit)

    dev.scene.edit(unit, "v1.0.0", "v2.0.0")

    assert dev.take() == []


def test_production_is_never_applied_by_itself(make_field: Callable[..., Field]) -> None:
    from confighub.hub.usecases import units

    prod = make_field("prod", auto_apply=True, env="prod")
    unit = prod.unit()
    units.approve_unit(prod.scene.hub, prod.scene.caller, unit.unit_id or "")
    prod.live(unit)
    prod.scene.edit(unit, "v1.0.0", "v2.0.0")

    units.approve_unit(prod.scene.hub, prod.scene.caller, unit.unit_id or "")

    assert prod.take() == []


def test_edits_during_an_apply_end_in_one_apply_of_the_newest(eager: Field) -> None:
    unit = eager.unit()
    eager.live(unit)
    eager.scene.edit(unit, "v1.0.0", "v2.0.0")
    (delivery,) = eager.take()
    eager.scene.edit(unit, "v2.0.0", "v3.0.0")
    eager.scene.edit(unit, "v3.0.0", "v4.0.0")
    assert eager.take() == []

    eager.report(delivery)

    (newest,) = eager.take()
    assert newest.payload.revision_num == 4
    eager.report(newest)
    assert eager.take() == []


def test_a_failure_is_not_repeated_by_itself(eager: Field) -> None:
    unit = eager.unit()
    eager.live(unit)
    eager.scene.edit(unit, "v1.0.0", "v2.0.0")
    (delivery,) = eager.take()

    eager.report(delivery, "Failed", message="ErrImagePull")

    assert eager.take() == []


def test_the_hand_brake_lasts_until_the_next_head(eager: Field) -> None:
    unit = eager.unit()
    eager.live(unit)
    eager.scene.edit(unit, "v1.0.0", "v2.0.0")
    eager.report(eager.take()[0])

    eager.live(unit, "N-1")
    assert eager.now(unit).live_revision_num == 1
    assert eager.take() == []

    eager.scene.edit(unit, "v2.0.0", "v3.0.0")
    assert [one.payload.revision_num for one in eager.take()] == [3]


def test_a_held_unit_is_applied_once_on_release(eager: Field) -> None:
    unit = eager.unit()
    eager.live(unit)
    chosen = Listing(where="Slug = 'web'")
    held = work.hold_units(eager.scene.hub, eager.scene.caller, chosen, reason="ordered deploy", ttl_s=600)
    eager.scene.edit(unit, "v1.0.0", "v2.0.0")
    eager.scene.edit(unit, "v2.0.0", "v3.0.0")
    assert held == [unit.unit_id]
    assert eager.take() == []

    work.release_units(eager.scene.hub, eager.scene.caller, chosen)
    work.release_units(eager.scene.hub, eager.scene.caller, chosen)

    assert [one.payload.revision_num for one in eager.take()] == [3]


def test_what_was_applied_under_a_hold_is_not_applied_again_on_release(eager: Field) -> None:
    unit = eager.unit()
    eager.live(unit)
    chosen = Listing(where="Slug = 'web'")
    work.hold_units(eager.scene.hub, eager.scene.caller, chosen, reason="ordered deploy", ttl_s=0)
    eager.scene.edit(unit, "v1.0.0", "v2.0.0")
    eager.live(unit)

    work.release_units(eager.scene.hub, eager.scene.caller, chosen)

    assert eager.take() == []


def waiting(field: Field) -> str:
    """Make a live unit whose new head waits for another unit's ConfigMap; return the id of the trigger that says so."""
    unit = field.unit()
    field.live(unit)
    trigger = field.scene.make("Trigger", field.space_id, slug="refs", function_name="vet-references")
    needs = "          envFrom:\n            - configMapRef: {name: settings}\n"
    body = field.now(unit)
    body.data, body.version = body.data + needs.encode(), 0
    units.update_unit(field.scene.hub, field.scene.caller, unit.unit_id or "", body)
    assert field.now(unit).apply_gates == {"refs/vet-references": True}
    assert field.take() == []
    return str(trigger.trigger_id)


def test_a_head_whose_gate_a_neighbour_opened_is_applied_by_itself(eager: Field) -> None:
    waiting(eager)

    settings = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\n  namespace: shop\ndata: {a: b}\n"
    eager.scene.unit(eager.space_id, "settings", settings)

    (delivery,) = eager.take()
    assert (delivery.payload.unit_slug, delivery.payload.revision_num) == ("web", 2)


def test_a_head_whose_gate_went_with_its_trigger_is_applied_by_itself(eager: Field) -> None:
    trigger_id = waiting(eager)

    entities.delete_entity(eager.scene.hub, eager.scene.caller, TRIGGER, trigger_id)

    (delivery,) = eager.take()
    assert (delivery.payload.unit_slug, delivery.payload.revision_num) == ("web", 2)
