"""Deployments: in order, stopping at a failure, started again, held, approved."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from confighub.errors import BadRequest, Gated, RetryLater
from confighub.operations.deploy import Options, Outcome, deploy, explain, read_units
from confighub.operations.plan import in_order
from tests.api.running import HubProcess
from tests.api.worker import Event, data_of
from tests.operations.playing import PlayedWorker, Stage, Verdict, make_stage, refused, succeed


def run(stage: Stage, *, said: list[str] | None = None, **options: Any) -> Outcome:
    units = read_units(stage.hub, stage.space_id)
    plan = in_order(space=stage.space, space_id=stage.space_id, units=units)
    lines: list[str] = [] if said is None else said
    return deploy(stage.hub, plan, Options(**options), lines.append)


def failing(slug: str, verdict: Verdict) -> Callable[[Event], Verdict]:
    """Return what ends the operations of one unit as told and all others well."""
    return lambda event: verdict if event["Data"]["Payload"]["UnitSlug"] == slug else succeed(event)


@pytest.mark.requirement("R-103", "R-108")
def test_units_are_applied_from_the_lowest_order_to_the_highest(dev: Stage) -> None:
    for slug, order in (("c", 2), ("a", 0), ("b", 1)):
        dev.unit(slug, order)
    said: list[str] = []

    with PlayedWorker(dev.worker) as worker:
        outcome = run(dev, said=said)

    assert [slug for slug, _ in worker.applied] == ["a", "b", "c"]
    assert outcome.failure is None
    assert [line for line in said if line.startswith("order")] == ["order 0: a", "order 1: b", "order 2: c"]
    assert [line.split(" (")[0] for line in said if "Running (" in line] == [
        f"  {slug} is Running" for slug in ("a", "b", "c")
    ]


def test_what_runs_already_is_passed_over(dev: Stage) -> None:
    dev.unit("a")
    with PlayedWorker(dev.worker) as worker:
        run(dev)
        said: list[str] = []

        outcome = run(dev, said=said)

    assert len(worker.applied) == 1
    assert [result.state for result in outcome.results] == ["kept"]
    assert said == ["order 1: a (running already)"]


def test_a_newer_head_is_applied(dev: Stage) -> None:
    unit_id = dev.unit("a")
    with PlayedWorker(dev.worker) as worker:
        run(dev)
        dev.hub.units.patch_data(unit_id, {"spec": {"replicas": 2}}, space_id=dev.space_id)
        run(dev)

    assert worker.applied == [("a", 1), ("a", 2)]


@pytest.mark.requirement("R-107")
def test_the_first_failure_stops_it_and_is_explained(dev: Stage) -> None:
    dev.unit("a", 1)
    dev.unit("b", 2)
    verdict = Verdict("Failed", "ApplyFailed", "ErrImagePull: example/a has no tag v9", b"")
    said: list[str] = []

    with PlayedWorker(dev.worker, failing("a", verdict)) as worker:
        outcome = run(dev, said=said)

    assert worker.applied == [("a", 1)]
    assert outcome.failure is not None
    assert (outcome.failure.slug, outcome.failure.reason) == ("a", "ErrImagePull: example/a has no tag v9")
    assert said[-2].startswith("ERROR: a failed after ")
    assert said[-2].endswith("(the limit is 60 seconds)")
    assert said[-1] == "  ErrImagePull: example/a has no tag v9"


@pytest.mark.requirement("R-107")
def test_a_unit_that_is_never_ready_fails_at_its_limit(dev: Stage) -> None:
    dev.unit("a", 1)
    dev.unit("b", 2)
    said: list[str] = []

    with PlayedWorker(dev.worker, failing("a", Verdict(silent=True))) as worker:
        outcome = run(dev, said=said, timeout_s=0.5)

    assert worker.applied == [("a", 1)]
    assert outcome.failure is not None
    assert "ERROR: a failed to start within 0.5 seconds" in said


def test_the_reason_has_what_live_state_adds(dev: Stage) -> None:
    dev.unit("a")

    def decide(event: Event) -> Verdict:
        return Verdict(
            "Failed", "ApplyWaitFailed", "not ready in time", refused(data_of(event), "GET /health/ready: 503")
        )

    with PlayedWorker(dev.worker, decide):
        outcome = run(dev)

    assert outcome.failure is not None
    assert outcome.failure.reason.splitlines()[0] == "not ready in time"
    assert "GET /health/ready: 503" in outcome.failure.reason


def test_units_of_one_order_do_not_wait_for_each_other(dev: Stage) -> None:
    dev.unit("a", 1)
    dev.unit("b", 1)

    with PlayedWorker(dev.worker, failing("a", Verdict(silent=True))) as worker:
        run(dev, timeout_s=0.5)

    assert sorted(slug for slug, _ in worker.applied) == ["a", "b"]


def test_units_without_a_target_are_named_before_anything_is_applied(dev: Stage) -> None:
    dev.unit("a", 1)
    dev.unit("b", 2, TargetID=None)

    with PlayedWorker(dev.worker) as worker, pytest.raises(BadRequest, match=r"have no target: b .*setup-worker"):
        run(dev)

    assert worker.applied == []


def test_a_worker_that_is_not_connected_is_named_before_anything_is_queued(
    dev: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("confighub.operations.guard._CONNECT_TIMEOUT_S", 0.5)
    unit_id = dev.unit("a")

    with pytest.raises(RetryLater, match=r"the worker w1 is not connected .*setup-worker"):
        run(dev)

    assert dev.hub.units.events(unit_id, space_id=dev.space_id) == []


def test_a_closed_gate_refuses_before_anything_is_applied(dev: Stage) -> None:
    dev.unit("a", 1)
    dev.unit("b", 2, TEXT_WITH_PLACEHOLDER)

    with PlayedWorker(dev.worker) as worker, pytest.raises(Gated, match=r"b \(placeholders/no-placeholders\)"):
        run(dev)

    assert worker.applied == []


def test_prod_asks_for_approval_before_the_first_apply(new_stage: Callable[..., Stage]) -> None:
    prod = new_stage(environment="prod")
    prod.unit("a", 1)
    prod.unit("b", 2)

    with PlayedWorker(prod.worker) as worker, pytest.raises(Gated) as refusal:
        run(prod, command="bin/ordered-apply prod")

    assert worker.applied == []
    assert "a revision 1, b revision 1" in refusal.value.message
    assert refusal.value.hint.endswith("bin/ordered-apply prod --approve")


def test_an_approval_is_for_exactly_what_is_applied(new_stage: Callable[..., Stage]) -> None:
    prod = new_stage(environment="prod")
    unit_id = prod.unit("a")

    with PlayedWorker(prod.worker) as worker:
        run(prod, approve=True)
        approved = prod.hub.units.revision(unit_id, 1, space_id=prod.space_id)
        prod.hub.units.patch_data(unit_id, {"spec": {"replicas": 2}}, space_id=prod.space_id)
        with pytest.raises(Gated):
            run(prod)

    assert worker.applied == [("a", 1)]
    assert len(approved["ApprovedBy"]) == 1


def test_what_was_live_is_applied_again_without_an_approval(new_stage: Callable[..., Stage]) -> None:
    """After a disaster the head that nobody approved yet must not come along."""
    prod = new_stage(environment="prod")
    unit_id = prod.unit("a")

    with PlayedWorker(prod.worker) as worker:
        run(prod, approve=True)
        prod.hub.units.patch_data(unit_id, {"spec": {"replicas": 2}}, space_id=prod.space_id)
        outcome = run(prod, again=True, live_revisions=True)

    assert worker.applied == [("a", 1), ("a", 1)]
    assert outcome.failure is None


def test_a_change_made_meanwhile_is_applied_when_it_is_over(new_stage: Callable[..., Stage]) -> None:
    """With auto-apply on, the new head would otherwise be applied between two stages."""
    eager = new_stage(environment="dev", auto_apply=True)
    first = eager.unit("a", 1)
    eager.unit("b", 2)

    def decide(event: Event) -> Verdict:
        if event["Data"]["Payload"]["UnitSlug"] == "b":
            eager.hub.units.patch_data(first, {"spec": {"replicas": 2}}, space_id=eager.space_id)
        return succeed(event)

    with PlayedWorker(eager.worker, decide) as worker:
        run(eager)
        wait_until_live(eager, first, revision=2)

    assert worker.applied == [("a", 1), ("b", 1), ("a", 2)]


def test_a_hub_that_dies_on_the_way_is_brought_back_and_asked_again(hub_process: HubProcess) -> None:
    stage = make_stage(hub_process, "dev", environment="dev")
    stage.unit("a", 1)
    stage.unit("b", 2)
    revived: list[bool] = []

    def decide(event: Event) -> Verdict:
        if not revived:
            hub_process.kill()
        return succeed(event)

    def revive() -> None:
        if hub_process.process is not None and hub_process.process.poll() is not None:
            hub_process.start()
            revived.append(True)

    with PlayedWorker(stage.worker, decide):
        outcome = run(stage, revive=revive)

    assert outcome.failure is None
    assert [result.state for result in outcome.results] == ["ready", "ready"]
    assert revived


def test_explaining_tells_what_would_be_applied(dev: Stage) -> None:
    dev.unit("a", 1)
    plan = in_order(space=dev.space, space_id=dev.space_id, units=read_units(dev.hub, dev.space_id))

    assert explain(plan)[1:] == ["order 1:", "  a: not live, apply revision 1"]


TEXT_WITH_PLACEHOLDER = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: b\n  namespace: confighubplaceholder\n"


def wait_until_live(stage: Stage, unit_id: str, *, revision: int) -> None:
    deadline = time.monotonic() + 30
    while stage.hub.units.get(unit_id, space_id=stage.space_id)["Unit"]["LiveRevisionNum"] != revision:
        assert time.monotonic() < deadline
        time.sleep(0.02)
