"""Operations on their way: order, leases, and what happens when either side goes away."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Connection, select, text

from confighub.errors import NotFound
from confighub.hub.store.work_queue import queued_operations
from confighub.hub.usecases import deliveries, people, results, work, workers
from confighub.hub.usecases.listing import Listing
from confighub.hub.usecases.results import PushedLiveState
from confighub.records.base import NIL_ID
from confighub.records.work import (
    ActionResult,
    AvailableTarget,
    BridgePayload,
    BridgeWorkerInfo,
    ConfigType,
    ImportRequest,
    WorkerInfo,
)
from tests.hub.conftest import Clock
from tests.hub.scene import WEB
from tests.hub_work.conftest import Field, Taken


def test_a_delivery_holds_what_the_worker_needs(dev: Field) -> None:
    unit = dev.unit()
    dev.apply(unit)

    (delivery,) = dev.take()

    payload = delivery.payload
    assert (delivery.action, payload.unit_slug, payload.revision_num) == ("Apply", "web", 1)
    assert payload.data == dev.now(unit).data
    assert (payload.provider_type, payload.target_params) == ("Laptop", b'{"Environment": "dev"}')
    assert dev.now(unit).last_applied_revision_num == 1
    assert dev.statuses(unit) == ["Submitted"]


def test_operations_of_one_unit_go_out_one_at_a_time_in_order(dev: Field) -> None:
    unit = dev.unit()
    dev.apply(unit)
    (first,) = dev.take()
    dev.act("Refresh", unit)
    dev.act("Destroy", unit)
    assert dev.take() == []

    dev.report(first)
    (second,) = dev.take()
    assert second.action == "Refresh"
    assert dev.take() == []
    dev.report(second, result="RefreshAndNoDrift")

    assert [one.action for one in dev.take()] == ["Destroy"]


def test_operations_of_different_units_go_out_together(dev: Field) -> None:
    for slug in ("a", "b", "c"):
        dev.apply(dev.unit(slug))

    assert [one.payload.unit_slug for one in dev.take()] == ["a", "b", "c"]
    assert dev.take() == []


def test_a_worker_gets_only_what_is_for_it(dev: Field) -> None:
    dev.apply(dev.unit())

    assert deliveries.lease_operations(dev.scene.hub, worker_id=NIL_ID, stream="s") == []


def test_a_completed_apply_makes_the_revision_live(dev: Field) -> None:
    unit = dev.unit()
    dev.live(unit)
    dev.scene.edit(unit, "v1.0.0", "v2.0.0")
    dev.apply(unit)
    (delivery,) = dev.take()

    dev.report(delivery, "Progressing", message="starting")
    assert dev.statuses(unit) == ["Completed", "Progressing"]
    dev.report(delivery, live_state=b"[]", outputs=b"{}", message="done")

    now = dev.now(unit)
    assert (now.live_revision_num, now.previous_live_revision_num, now.last_applied_revision_num) == (2, 1, 2)
    assert (now.live_state, now.outputs) == (b"[]", b"{}")
    event = dev.events(unit)[-1]
    assert (event.status, event.result, event.message) == ("Completed", "ApplyCompleted", "done")
    assert event.terminated_at is not None
    assert all(revision.live_at.year > 1 for revision in dev.scene.revisions(unit))


def test_a_failed_apply_leaves_what_is_live(dev: Field) -> None:
    unit = dev.unit()
    dev.live(unit)
    dev.scene.edit(unit, "v1.0.0", "v9.9.9")
    dev.apply(unit)

    dev.report(dev.take()[0], "Failed", message="ErrImagePull: no tag v9.9.9")

    now = dev.now(unit)
    assert (now.live_revision_num, now.last_applied_revision_num) == (1, 2)
    assert dev.events(unit)[-1].message == "ErrImagePull: no tag v9.9.9"


def test_an_end_that_is_reported_twice_counts_once(dev: Field) -> None:
    unit = dev.unit()
    dev.live(unit)
    dev.scene.edit(unit, "v1.0.0", "v2.0.0")
    dev.apply(unit)
    (delivery,) = dev.take()
    dev.report(delivery)
    before = dev.now(unit), dev.events(unit), dev.scene.revisions(unit)

    dev.report(delivery)
    dev.report(delivery, "Failed")
    dev.report(delivery, "Progressing")

    assert (dev.now(unit), dev.events(unit), dev.scene.revisions(unit)) == before


def test_many_reports_in_one_request_count_as_if_each_came_alone(dev: Field) -> None:
    a, b, c = (dev.unit(slug) for slug in "abc")
    for unit in (a, b, c):
        dev.apply(unit)
    first, second, third = dev.take()
    stranger = Taken("Apply", BridgePayload(queued_operation_id=dev.scene.hub.new_id(), unit_id=c.unit_id or ""))

    answers = results.record_results(
        dev.scene.hub,
        dev.worker,
        [
            dev.result(first, "Progressing", message="half way"),
            dev.result(second, "Failed", message="no room"),
            dev.result(first, live_state=b"[1]"),
            dev.result(stranger),
            dev.result(third, "Progressing", message="pulling"),
            dev.result(first, "Failed"),
        ],
    )

    assert [answer is None for answer in answers] == [True, True, True, False, True, True]
    assert [dev.now(unit).live_revision_num for unit in (a, b, c)] == [1, 0, 0]
    assert [dev.events(unit)[-1].status for unit in (a, b, c)] == ["Completed", "Failed", "Progressing"]
    assert [dev.events(unit)[-1].message for unit in (b, c)] == ["no room", "pulling"]
    assert dev.now(a).live_state == b"[1]"


def test_imports_that_come_together_follow_the_links_between_their_units(dev: Field) -> None:
    home = dev.unit("home", data="apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop-dev\n")
    web = dev.unit("web", data=WEB.replace("namespace: shop", "namespace: confighubplaceholder"))
    dev.scene.make("Link", dev.space_id, slug="l", from_unit_id=web.unit_id, to_unit_id=home.unit_id)
    for unit in (home, web):
        work.import_unit(
            dev.scene.hub, dev.scene.caller, ImportRequest(), space_id=dev.space_id, unit_id=unit.unit_id or ""
        )
    first, second = dev.take()
    renamed = dev.now(home).data.replace(b"shop-dev", b"shop-test")
    found = dev.now(web).data.replace(b"v1.0.0", b"v3.0.0")

    answers = results.record_results(
        dev.scene.hub, dev.worker, [dev.result(first, data=renamed), dev.result(second, data=found)]
    )

    assert answers == [None, None]
    assert (dev.now(home).data, dev.now(web).data) == (renamed, found)
    assert [one.source for one in dev.scene.revisions(web)][-2:] == ["Link", "Import"]


def test_reports_are_about_the_unit_of_their_operation_whatever_they_claim(dev: Field) -> None:
    unit = dev.unit()
    dev.apply(unit)
    (delivery,) = dev.take()
    failed = dev.result(delivery, "Failed", "ApplyWaitFailed", message="not ready")
    completed = dev.result(delivery, message="ready after all")
    failed.unit_id, completed.unit_id = NIL_ID, dev.scene.hub.new_id()
    completed.queued_operation_id = completed.queued_operation_id.upper()

    answers = results.record_results(dev.scene.hub, dev.worker, [completed, failed])

    assert answers == [None, None]
    assert dev.now(unit).live_revision_num == 1
    assert [(one.status, one.message) for one in dev.events(unit)] == [("Completed", "ready after all")]


def test_reports_take_operations_one_after_the_other(dev: Field) -> None:
    hub, c = dev.scene.hub, queued_operations.c
    if hub.database.is_sqlite:
        pytest.skip("an SQLite store has one writer, so nobody waits in a circle")
    for slug in "abc":
        dev.apply(dev.unit(slug))
    first, second, third = dev.take()
    reported = [dev.result(first, "Progressing"), dev.result(second), dev.result(third, "Progressing")]

    def lock(tx: Connection, taken: Taken) -> None:
        own = c.queued_operation_id == taken.payload.queued_operation_id
        tx.execute(select(c.cursor_id).where(own).with_for_update(nowait=True)).one()

    with ThreadPoolExecutor() as threads:
        with hub.write() as tx:
            lock(tx, second)
            answers = threads.submit(results.record_results, hub, dev.worker, reported)
            waiting = text("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
            while tx.execute(waiting).first() is None:
                tx.execute(text("SELECT pg_stat_clear_snapshot()"))
            lock(tx, third)
        assert answers.result() == [None] * 3

    assert [dev.events(unit)[-1].status for unit in map(dev.scene.by_slug, "abc")] == [
        "Progressing",
        "Completed",
        "Progressing",
    ]


def test_ends_that_come_together_let_newer_heads_be_applied_by_themselves(eager: Field) -> None:
    a, b = eager.unit("a"), eager.unit("b")
    for unit in (a, b):
        eager.apply(unit)
    taken = eager.take()
    eager.scene.edit(b, "v1.0.0", "v2.0.0")

    results.record_results(eager.scene.hub, eager.worker, [eager.result(one) for one in taken])

    assert [(one.payload.unit_id, one.payload.revision_num) for one in eager.take()] == [(b.unit_id, 2)]


def test_a_report_on_another_workers_operation_is_refused(dev: Field) -> None:
    dev.apply(dev.unit())
    (delivery,) = dev.take()
    made = dev.scene.make("BridgeWorker", dev.space_id, slug="stranger")
    dev.worker = people.authenticate_worker(dev.scene.hub, made.bridge_worker_id, made.secret)

    with pytest.raises(NotFound):
        dev.report(delivery)


def test_a_lost_stream_puts_its_operations_back(dev: Field) -> None:
    unit = dev.unit()
    dev.apply(unit)
    (first,) = dev.take()
    dev.report(first, "Progressing")

    dev.disconnect()
    assert dev.statuses(unit) == ["Pending"]
    (again,) = dev.take("stream-2")
    dev.report(again)

    assert again == first
    assert dev.statuses(unit) == ["Completed"]
    assert dev.now(unit).live_revision_num == 1


def test_a_report_counts_after_its_stream_was_lost(dev: Field) -> None:
    unit = dev.unit()
    dev.apply(unit)
    (delivery,) = dev.take()
    dev.disconnect()

    dev.report(delivery)

    assert dev.now(unit).live_revision_num == 1
    assert dev.take("stream-2") == []


def test_what_a_worker_still_works_on_is_not_sent_to_its_next_stream(dev: Field) -> None:
    dev.apply(dev.unit())
    (delivery,) = dev.take()
    dev.disconnect()

    dev.report(delivery, "Progressing")

    assert dev.take("stream-2") == []


def test_a_restart_puts_everything_in_flight_back(dev: Field) -> None:
    unit = dev.unit()
    dev.apply(unit)
    (first,) = dev.take()

    workers.recover(dev.scene.hub)

    assert dev.statuses(unit) == ["Pending"]
    assert dev.take("after") == [first]


def test_a_lease_that_is_not_renewed_ends(dev: Field, clock: Clock) -> None:
    unit = dev.unit()
    dev.apply(unit)
    dev.take()

    clock.now += timedelta(seconds=40)
    deliveries.renew_leases(dev.scene.hub, stream=dev.stream)
    clock.now += timedelta(seconds=40)
    workers.sweep(dev.scene.hub)
    assert dev.statuses(unit) == ["Submitted"]

    clock.now += timedelta(seconds=80)
    assert workers.is_sweep_due(dev.scene.hub)
    workers.sweep(dev.scene.hub)
    assert dev.statuses(unit) == ["Pending"]


def test_a_worker_that_says_nothing_is_asked_once_more_then_given_up(dev: Field, clock: Clock) -> None:
    unit = dev.unit()
    dev.apply(unit)
    for expected in ("Pending", "Failed"):
        dev.take()
        clock.now += timedelta(seconds=310)
        deliveries.renew_leases(dev.scene.hub, stream=dev.stream)
        workers.sweep(dev.scene.hub)
        assert dev.statuses(unit) == [expected]

    assert "said nothing" in dev.events(unit)[0].message


def test_progress_keeps_an_operation_alive(dev: Field, clock: Clock) -> None:
    unit = dev.unit()
    dev.apply(unit)
    (delivery,) = dev.take()
    for _ in range(3):
        clock.now += timedelta(seconds=200)
        dev.report(delivery, "Progressing")
        deliveries.renew_leases(dev.scene.hub, stream=dev.stream)
        workers.sweep(dev.scene.hub)

    assert dev.statuses(unit) == ["Progressing"]


def test_a_worker_that_gave_up_waiting_may_still_succeed(dev: Field) -> None:
    unit = dev.unit()
    dev.apply(unit)
    (delivery,) = dev.take()
    dev.report(delivery, "Failed", "ApplyWaitFailed")
    assert dev.now(unit).live_revision_num == 0

    dev.report(delivery)

    assert dev.now(unit).live_revision_num == 1
    assert dev.statuses(unit) == ["Completed"]


def test_a_late_success_does_not_undo_what_came_after(dev: Field) -> None:
    unit = dev.unit()
    dev.apply(unit)
    (first,) = dev.take()
    dev.report(first, "Failed", "ApplyWaitFailed")
    dev.scene.edit(unit, "v1.0.0", "v2.0.0")
    dev.live(unit)

    dev.report(first)

    assert dev.now(unit).live_revision_num == 2
    assert dev.statuses(unit) == ["Failed", "Completed"]


def test_a_destroyed_unit_is_not_live(dev: Field) -> None:
    unit = dev.unit()
    dev.live(unit)
    dev.act("Destroy", unit)

    dev.report(dev.take()[0])

    now = dev.now(unit)
    assert (now.live_revision_num, now.previous_live_revision_num, now.live_state) == (0, 1, b"")


def test_drift_that_comes_with_data_becomes_a_revision_that_is_live(dev: Field) -> None:
    unit = dev.unit()
    dev.live(unit)
    dev.act("Refresh", unit)
    drifted = dev.now(unit).data.replace(b"replicas: 1", b"replicas: 4")

    dev.report(dev.take()[0], result="RefreshAndDrifted", data=drifted, live_state=b"[]")

    now = dev.now(unit)
    assert now.data == drifted
    assert (now.head_revision_num, now.live_revision_num, now.version) == (2, 2, unit.version + 1)
    assert dev.scene.revisions(unit)[-1].source == "Refresh"


def test_drift_without_data_is_reported(dev: Field) -> None:
    unit = dev.unit()
    dev.live(unit)
    dev.act("Refresh", unit)

    dev.report(dev.take()[0], result="RefreshAndDrifted", live_state=b"[]")

    assert dev.now(unit).head_revision_num == 1
    assert dev.events(unit)[-1].result == "RefreshAndDrifted"


def test_an_import_becomes_the_head(dev: Field) -> None:
    unit = dev.unit()
    request = ImportRequest(where="kind = 'Deployment'")
    work.import_unit(dev.scene.hub, dev.scene.caller, request, space_id=dev.space_id, unit_id=unit.unit_id or "")
    (delivery,) = dev.take()
    found = dev.now(unit).data.replace(b"v1.0.0", b"v3.0.0")

    dev.report(delivery, data=found)

    assert delivery.payload.data == b""
    assert delivery.payload.extra_params
    assert dev.now(unit).data == found
    assert dev.scene.revisions(unit)[-1].source == "Import"


def test_an_import_of_what_is_refused_fails_and_says_why(dev: Field) -> None:
    unit = dev.unit()
    request = ImportRequest()
    work.import_unit(dev.scene.hub, dev.scene.caller, request, space_id=dev.space_id, unit_id=unit.unit_id or "")

    dev.report(dev.take()[0], data=b"a: [")

    event = dev.events(unit)[-1]
    assert (event.status, event.result) == ("Failed", "ImportFailed")
    assert "line" in event.message
    assert dev.now(unit).head_revision_num == 1


def test_live_state_is_taken_only_from_the_units_own_worker(dev: Field) -> None:
    mine = dev.unit("mine")
    other = dev.scene.unit(dev.space_id, "other")
    pushed = [PushedLiveState(unit_id=u.unit_id or "", revision_num=1, live_state=b"[1]") for u in (mine, other)]

    kept = results.keep_live_states(dev.scene.hub, dev.worker, pushed)

    assert kept == 1
    assert (dev.now(mine).live_state, dev.now(other).live_state) == (b"[1]", b"")


def test_a_heartbeat_is_a_sign_of_life(dev: Field) -> None:
    results.record_result(dev.scene.hub, dev.worker, ActionResult(action="Heartbeat", message="MemoryPressure"))

    worker = workers.get_self(dev.scene.hub, dev.worker)
    assert (worker.condition, worker.last_message, worker.secret) == ("Ready", "MemoryPressure", "")


def test_a_worker_that_falls_silent_is_unresponsive(dev: Field, clock: Clock) -> None:
    clock.now += timedelta(minutes=5)
    assert workers.is_sweep_due(dev.scene.hub)

    workers.sweep(dev.scene.hub)

    assert workers.get_self(dev.scene.hub, dev.worker).condition == "Unresponsive"
    assert not workers.is_sweep_due(dev.scene.hub)


def test_a_worker_brings_its_targets_and_renews_their_parameters(dev: Field) -> None:
    def offer(context: str) -> WorkerInfo:
        target = AvailableTarget(name="w1 kind", params={"KubeContext": context})
        kind = ConfigType(toolchain_type="Kubernetes/YAML", provider_type="Kubernetes", available_targets=[target])
        return WorkerInfo(bridge_worker_info=BridgeWorkerInfo(supported_config_types=[kind]))

    for context in ("one", "two"):
        dev.connect(offer(context))

    assert dev.scene.slugs("Target") == ["cluster", "w1-kind"]
    worker = workers.get_self(dev.scene.hub, dev.worker)
    assert worker.condition == "Ready"
    assert worker.provided_info == offer("two")


def test_connections_leave_their_moments(dev: Field) -> None:
    dev.disconnect()

    found = workers.list_statuses(
        dev.scene.hub, dev.scene.caller, space_id=dev.space_id, worker_id=dev.worker.worker_id or ""
    )

    assert [status.status for status in found] == ["Connected", "Disconnected"]
    assert workers.get_self(dev.scene.hub, dev.worker).condition == "Disconnected"


def test_an_expired_hold_applies_what_is_due(eager: Field, clock: Clock) -> None:
    unit = eager.unit()
    eager.live(unit)
    chosen = Listing(where="Slug = 'web'")
    work.hold_units(eager.scene.hub, eager.scene.caller, chosen, reason="rollout", ttl_s=60)
    eager.scene.edit(unit, "v1.0.0", "v2.0.0")
    assert eager.take() == []

    clock.now += timedelta(seconds=120)
    workers.sweep(eager.scene.hub)

    assert [one.payload.revision_num for one in eager.take()] == [2]
