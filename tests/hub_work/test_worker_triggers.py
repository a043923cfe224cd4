"""Triggers whose function a worker runs: queued with the head, gates closed until the answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from confighub.errors import BadRequest, Gated
from confighub.hub.kinds import BRIDGE_WORKER, TRIGGER
from confighub.hub.usecases import deliveries, entities, history, people, results, units, workers
from confighub.hub.usecases.trigger_calls import AWAITING
from confighub.records.base import to_wire
from confighub.records.functions import FunctionSignature, WorkerInvocationRequest, WorkerInvocationResponse
from confighub.records.units import Unit
from confighub.records.work import ActionResult, FunctionPayload, FunctionWorkerInfo, WorkerInfo
from tests.hub.conftest import Clock
from tests.hub_work.conftest import Field

CHECK = "checked/vet-own"

FUNCTIONS = {
    "vet-own": FunctionSignature(function_name="vet-own", validating=True),
    "vet-more": FunctionSignature(function_name="vet-more", validating=True),
    "scale": FunctionSignature(function_name="scale", mutating=True),
    "stamp": FunctionSignature(function_name="stamp", mutating=True),
}

INFO = WorkerInfo(function_worker_info=FunctionWorkerInfo(supported_functions={"Kubernetes/YAML": FUNCTIONS}))


@dataclass(frozen=True)
class Asked:
    """One call that reached the worker."""

    operation_id: str
    request: WorkerInvocationRequest

    @property
    def function(self) -> str:
        """The function's name."""
        return self.request.function_invocations[0].function_name


@dataclass
class Caught:
    """A field whose worker runs functions, and the answers that it gives."""

    field: Field

    def connect(self) -> None:
        """Connect the worker with what it offers."""
        self.field.connect(INFO)

    def trigger(self, slug: str, function: str, **more: Any) -> Any:
        """Make a trigger that the worker runs."""
        made = {"slug": slug, "function_name": function, "bridge_worker_id": self.field.worker.worker_id, **more}
        return self.field.scene.make("Trigger", self.field.space_id, **made)

    def asked(self) -> list[Asked]:
        """Take what is due."""
        worker_id = self.field.worker.worker_id or ""
        due = deliveries.lease_operations(self.field.scene.hub, worker_id=worker_id, stream=self.field.stream)
        payloads = [one.payload for one in due if isinstance(one.payload, FunctionPayload)]
        return [
            Asked(one.queued_operation_id, msgspec.json.decode(one.invocation_request, type=WorkerInvocationRequest))
            for one in payloads
        ]

    def report(self, asked: Asked, status: str, **more: Any) -> None:
        """Report the end of a call."""
        body = ActionResult(
            queued_operation_id=asked.operation_id,
            action="InvokeFunctions",
            status=status,  # type: ignore[arg-type]
            **more,
        )
        results.record_result(self.field.scene.hub, self.field.worker, body)

    def judge(self, asked: Asked, *, passed: bool, told: str = "") -> None:
        """Answer as a check does."""
        output = msgspec.json.encode([{"Passed": passed, "Index": 0}])
        answer = WorkerInvocationResponse(
            output=output, output_type="ValidationResult", error_messages=[told] if told else None
        )
        self.report(asked, "Completed", data=to_wire(answer))

    def make(self, asked: Asked, old: str, new: str) -> None:
        """Answer with the text that was sent, a piece of it replaced."""
        text = asked.request.config_data.decode()
        assert old in text
        answer = WorkerInvocationResponse(config_data=text.replace(old, new).encode(), mutators=[0])
        self.report(asked, "Completed", data=to_wire(answer))

    def gates(self, unit: Unit) -> list[str]:
        """Return the closed gates of the unit's head."""
        return sorted(self.field.now(unit).apply_gates)

    def refusal(self, unit: Unit, revision: str = "") -> str:
        """Return why the unit is not applied."""
        with pytest.raises(Gated) as refused:
            self.field.apply(unit, revision)
        return str(refused.value)


@pytest.fixture
def caught(dev: Field) -> Caught:
    """A field whose connected worker offers functions."""
    found = Caught(dev)
    found.connect()
    return found


def test_a_check_is_awaited_and_opens_its_gate(caught: Caught) -> None:
    caught.trigger("checked", "vet-own")
    unit = caught.field.unit()
    assert caught.gates(unit) == [AWAITING]
    assert "worker worker has not answered yet" in caught.refusal(unit)

    (asked,) = caught.asked()
    caught.judge(asked, passed=True)

    assert (asked.function, asked.request.unit_slug, asked.request.config_data) == ("vet-own", "web", unit.data)
    assert asked.request.previous_content_hash == unit.content_hash
    assert caught.gates(unit) == []
    assert caught.field.apply(unit).revision_num == 1


def test_a_check_that_does_not_pass_closes_its_gate_and_says_why(caught: Caught) -> None:
    caught.trigger("checked", "vet-own")
    unit = caught.field.unit()

    (asked,) = caught.asked()
    caught.judge(asked, passed=False, told="the image is not signed")

    assert caught.gates(unit) == [CHECK]
    assert "the image is not signed" in caught.refusal(unit)


def test_a_check_that_gives_no_verdict_keeps_its_gate_closed(caught: Caught) -> None:
    caught.trigger("checked", "vet-own")
    unit = caught.field.unit()

    (asked,) = caught.asked()
    caught.report(asked, "Completed", data=to_wire(WorkerInvocationResponse()))

    assert caught.gates(unit) == [CHECK]
    assert "vet-own gave no verdict" in caught.refusal(unit)


def test_a_trigger_whose_worker_lost_the_function_can_be_switched_off(caught: Caught) -> None:
    trigger = caught.trigger("checked", "vet-own")
    caught.field.connect(WorkerInfo(function_worker_info=FunctionWorkerInfo(supported_functions={})))
    hub, caller = caught.field.scene.hub, caught.field.scene.caller

    entities.patch_entity(hub, caller, TRIGGER, trigger.trigger_id, {"Labels": {"lost": "yes"}})
    off = entities.patch_entity(hub, caller, TRIGGER, trigger.trigger_id, {"Disabled": True})

    assert (off.disabled, off.labels) == (True, {"lost": "yes"})
    for refused in ({"Disabled": False}, {"FunctionName": "vet-more"}):
        with pytest.raises(BadRequest, match="offers no function"):
            entities.patch_entity(hub, caller, TRIGGER, trigger.trigger_id, refused)


def test_whether_a_function_checks_is_known_from_its_worker(caught: Caught) -> None:
    assert caught.trigger("checked", "vet-own").validating
    assert not caught.trigger("scaled", "scale").validating
    with pytest.raises(BadRequest, match="offers no function"):
        caught.trigger("unknown", "no-such-function")


def test_what_failed_or_cannot_be_read_keeps_the_gate_closed(caught: Caught) -> None:
    caught.trigger("checked", "vet-own")
    caught.trigger("more", "vet-more")
    unit = caught.field.unit()

    first, second = caught.asked()
    caught.report(first, "Failed", message="out of memory")
    caught.report(second, "Completed", data=b"{")

    assert caught.gates(unit) == [CHECK, "more/vet-more"]
    assert "out of memory" in caught.refusal(unit)
    assert "cannot be read" in caught.refusal(unit)


def test_a_worker_that_is_away_closes_the_gate_at_once_and_opens_it_when_it_is_back(caught: Caught) -> None:
    caught.trigger("checked", "vet-own")
    caught.field.disconnect()
    unit = caught.field.unit()
    assert caught.gates(unit) == [CHECK]
    assert "worker worker is Disconnected: start it with cub worker run worker" in caught.refusal(unit)

    caught.connect()
    (asked,) = caught.asked()
    caught.judge(asked, passed=True)

    assert caught.gates(unit) == []


def test_a_worker_that_never_connected_is_asked_when_it_comes(dev: Field) -> None:
    made = dev.scene.make("BridgeWorker", dev.space_id, slug="new")
    trigger = dev.scene.make(
        "Trigger", dev.space_id, slug="checked", function_name="vet-own", bridge_worker_id=made.bridge_worker_id
    )
    unit = dev.unit()
    assert not trigger.validating
    assert sorted(dev.now(unit).apply_gates) == [CHECK]

    worker = people.authenticate_worker(dev.scene.hub, made.bridge_worker_id, made.secret)
    caught = Caught(Field(dev.scene, dev.space_id, worker, dev.target_id))
    caught.connect()
    (asked,) = caught.asked()
    caught.judge(asked, passed=True)

    found = entities.get_entity(dev.scene.hub, dev.scene.caller, TRIGGER, trigger.trigger_id).trigger
    assert found.validating
    assert caught.gates(unit) == []


def test_nobody_waits_longer_than_the_timeout_and_a_late_answer_counts(caught: Caught, clock: Clock) -> None:
    hub = caught.field.scene.hub
    caught.trigger("checked", "vet-own")
    unit = caught.field.unit()
    (asked,) = caught.asked()
    assert not workers.is_sweep_due(hub)

    clock.now += timedelta(seconds=hub.settings.trigger_timeout_s + 1)
    assert workers.is_sweep_due(hub)
    workers.sweep(hub)

    assert caught.gates(unit) == [CHECK]
    assert "has not answered within 20 s: see its log, or start it again" in caught.refusal(unit)
    (again,) = caught.asked()
    assert again.operation_id == asked.operation_id
    caught.judge(again, passed=True)
    assert caught.gates(unit) == []


def test_a_call_survives_the_stream_and_the_process(caught: Caught) -> None:
    caught.trigger("checked", "vet-own")
    unit = caught.field.unit()
    caught.asked()

    caught.field.disconnect()
    workers.recover(caught.field.scene.hub)
    caught.connect()
    (asked,) = caught.asked()
    caught.judge(asked, passed=True)

    assert caught.gates(unit) == []


def test_a_trigger_that_changes_makes_a_revision_and_the_checks_see_it(caught: Caught) -> None:
    trigger = caught.trigger("scaled", "scale")
    caught.trigger("checked", "vet-own")
    unit = caught.field.unit()

    (first,) = caught.asked()
    caught.make(first, "replicas: 1", "replicas: 3")
    (second,) = caught.asked()
    assert caught.gates(unit) == [AWAITING]
    caught.judge(second, passed=True)

    head = caught.field.now(unit)
    assert (first.function, second.function) == ("scale", "vet-own")
    assert (head.head_revision_num, head.apply_gates) == (2, {})
    assert b"replicas: 3" in second.request.config_data
    mutation = history.list_mutations(caught.field.scene.hub, caught.field.scene.caller, unit.unit_id or "")[
        -1
    ].mutation
    assert mutation is not None
    assert (mutation.trigger_id, mutation.function_invocation.function_name) == (trigger.trigger_id, "scale")
    assert [one.source for one in caught.field.scene.revisions(unit)] == ["Create", "Trigger"]
    assert "revision 2 was made of it" in caught.refusal(unit, "1")


def test_triggers_that_change_run_one_after_the_other_and_once(caught: Caught) -> None:
    caught.trigger("scaled", "scale")
    caught.trigger("stamped", "stamp")
    unit = caught.field.unit()

    (first,) = caught.asked()
    caught.make(first, "replicas: 1", "replicas: 2")
    (second,) = caught.asked()
    caught.make(second, "replicas: 2", "replicas: 3")

    assert (first.function, second.function) == ("scale", "stamp")
    assert caught.asked() == []
    assert (caught.field.now(unit).head_revision_num, caught.gates(unit)) == (3, [])


def test_a_trigger_that_changes_nothing_makes_no_revision(caught: Caught) -> None:
    caught.trigger("scaled", "scale")
    caught.trigger("stamped", "stamp")
    unit = caught.field.unit()

    for function in ("scale", "stamp"):
        (asked,) = caught.asked()
        assert asked.function == function
        caught.report(asked, "Completed", data=to_wire(WorkerInvocationResponse()))

    assert (caught.field.now(unit).head_revision_num, caught.gates(unit)) == (1, [])


def test_what_a_worker_made_is_refused_as_any_other_text(caught: Caught) -> None:
    caught.trigger("scaled", "scale")
    unit = caught.field.unit()

    (asked,) = caught.asked()
    caught.make(asked, "replicas: 1", "replicas: {{ .Values.replicas }}")

    assert (caught.field.now(unit).head_revision_num, caught.gates(unit)) == (1, ["scaled/scale"])
    assert "is refused" in caught.refusal(unit)


def test_an_edit_in_between_makes_the_answer_for_the_older_revision_void(caught: Caught) -> None:
    caught.trigger("scaled", "scale")
    unit = caught.field.unit()
    (stale,) = caught.asked()
    caught.field.scene.edit(unit, "v1.0.0", "v2.0.0")

    caught.make(stale, "replicas: 1", "replicas: 3")
    (asked,) = caught.asked()
    caught.make(asked, "replicas: 1", "replicas: 3")

    assert "replicas: 3" in caught.field.scene.text(unit)
    assert "v2.0.0" in caught.field.scene.text(unit)
    assert (caught.field.now(unit).head_revision_num, caught.gates(unit)) == (3, [])


def test_what_no_worker_took_of_an_older_revision_is_not_sent(caught: Caught) -> None:
    caught.trigger("checked", "vet-own")
    caught.field.disconnect()
    unit = caught.field.unit()
    caught.field.scene.edit(unit, "v1.0.0", "v2.0.0")

    caught.connect()
    (asked,) = caught.asked()
    caught.judge(asked, passed=True)

    assert asked.request.revision_num == 2
    assert caught.gates(unit) == []
    assert "a newer revision came" in caught.refusal(unit, "1")


def test_a_clone_is_changed_by_its_space_before_it_is_checked(caught: Caught) -> None:
    unit = caught.field.unit()
    caught.trigger("scaled", "scale", event="PostClone")
    caught.trigger("checked", "vet-own")
    (old,) = caught.asked()
    caught.judge(old, passed=True)

    clone = caught.field.scene.clone(unit, caught.field.space_id, "twin")
    (first,) = caught.asked()
    caught.make(first, "replicas: 1", "replicas: 3")
    (second,) = caught.asked()
    caught.judge(second, passed=True)

    assert (first.function, second.function) == ("scale", "vet-own")
    assert "replicas: 3" in caught.field.scene.text(clone)
    assert (caught.field.now(clone).head_revision_num, caught.gates(clone)) == (2, [])


def test_a_new_trigger_checks_the_heads_that_are_there_and_goes_with_its_gate(caught: Caught) -> None:
    unit = caught.field.unit()
    trigger = caught.trigger("checked", "vet-own")
    (asked,) = caught.asked()
    caught.judge(asked, passed=False)
    assert caught.gates(unit) == [CHECK]

    entities.delete_entity(caught.field.scene.hub, caught.field.scene.caller, TRIGGER, trigger.trigger_id)

    assert caught.gates(unit) == []


def test_a_trigger_deleted_while_its_call_is_under_way_leaves_no_gate(caught: Caught) -> None:
    trigger = caught.trigger("scaled", "scale")
    caught.trigger("checked", "vet-own")
    unit = caught.field.unit()
    (under_way,) = caught.asked()

    entities.delete_entity(caught.field.scene.hub, caught.field.scene.caller, TRIGGER, trigger.trigger_id)
    caught.make(under_way, "replicas: 1", "replicas: 3")
    (asked,) = caught.asked()
    caught.judge(asked, passed=True)

    assert (asked.function, caught.field.now(unit).head_revision_num) == ("vet-own", 1)
    assert caught.gates(unit) == []


def test_an_approval_has_the_checks_run_again_with_it(caught: Caught) -> None:
    caught.trigger("checked", "vet-own")
    unit = caught.field.unit()
    (asked,) = caught.asked()
    caught.judge(asked, passed=False, told="nobody approved")

    units.approve_unit(caught.field.scene.hub, caught.field.scene.caller, unit.unit_id or "")
    (again,) = caught.asked()
    caught.judge(again, passed=True)

    assert (asked.request.approved_by, again.request.approved_by) == ([], [caught.field.scene.caller.username])
    assert caught.gates(unit) == []


def test_a_live_unit_is_applied_by_itself_once_its_check_has_passed(eager: Field) -> None:
    caught = Caught(eager)
    caught.connect()
    unit = eager.unit()
    eager.live(unit)
    caught.trigger("checked", "vet-own")
    caught.judge(caught.asked()[0], passed=True)

    eager.scene.edit(unit, "v1.0.0", "v2.0.0")
    assert len(eager.events(unit)) == 1
    caught.judge(caught.asked()[0], passed=True)

    assert eager.statuses(unit) == ["Completed", "Pending"]


def test_a_worker_that_triggers_name_is_not_deleted(caught: Caught) -> None:
    caught.trigger("checked", "vet-own")

    with pytest.raises(BadRequest, match="in use by trigger checked"):
        entities.delete_entity(
            caught.field.scene.hub, caught.field.scene.caller, BRIDGE_WORKER, caught.field.worker.worker_id or ""
        )
