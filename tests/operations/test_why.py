"""Why a unit waits: every state that can stop one, with the words and the command."""

from __future__ import annotations

import json
from collections.abc import Callable

from confighub.operations.deploy import Options, deploy, read_units
from confighub.operations.plan import in_order
from confighub.operations.why import Answer, why
from tests.api.worker import Event
from tests.operations.playing import TEXT, PlayedWorker, Stage, Verdict, refused, running, succeed


def ask(stage: Stage, unit_id: str) -> Answer:
    return why(stage.hub, stage.hub.units.get(unit_id, space_id=stage.space_id), environment="dev")


def states(answer: Answer) -> list[str]:
    return [reason.state for reason in answer.reasons]


def bring_up(stage: Stage, **options: bool) -> None:
    plan = in_order(space=stage.space, space_id=stage.space_id, units=read_units(stage.hub, stage.space_id))
    deploy(stage.hub, plan, Options(timeout_s=20, **options), lambda _: None)  # type: ignore[arg-type]


def scale(stage: Stage, unit_id: str, replicas: object) -> None:
    stage.hub.units.patch_data(unit_id, {"spec": {"replicas": replicas}}, space_id=stage.space_id)


def test_a_unit_that_runs_waits_for_nothing(dev: Stage) -> None:
    unit_id = dev.unit("a")
    with PlayedWorker(dev.worker):
        bring_up(dev)

        answer = ask(dev, unit_id)

    assert answer.reasons == ()
    assert list(answer.lines())[-1] == "  it waits for nothing"


def test_without_a_target_or_a_worker_it_has_no_place(dev: Stage) -> None:
    homeless = dev.hub.units.create({"Slug": "h", "Data": ""}, space_id=dev.space_id)["UnitID"]
    unit_id = dev.unit("a")

    assert "no target" in states(ask(dev, homeless))
    away = ask(dev, unit_id)
    assert states(away)[0] == "worker away"
    assert away.reasons[0].commands[0] == "bin/setup-worker dev"


def test_closed_gates_are_named_with_what_they_found(new_stage: Callable[..., Stage]) -> None:
    prod = new_stage(environment="prod")
    unit_id = prod.unit("a", text=TEXT.replace("namespace: shop", "namespace: confighubplaceholder"))
    scale(prod, unit_id, "many")
    trigger = {"Slug": "few", "Event": "Mutation", "ToolchainType": "Kubernetes/YAML", "FunctionName": "is-approved"}
    prod.hub.triggers.create({**trigger, "Arguments": [{"Value": 2}]}, space_id=prod.space_id)
    with PlayedWorker(prod.worker):
        answer = ask(prod, unit_id)

    said = {reason.message.split(" ")[0]: reason for reason in answer.reasons if reason.state == "gate closed"}
    assert "metadata.namespace is confighubplaceholder" in said["placeholders/no-placeholders"].message
    assert "spec.replicas: is a string, expected integer" in said["schema/validate"].message
    assert "at revision 2" in said["approval/is-approved"].message
    assert said["approval/is-approved"].commands == (f"cub unit approve a --space {prod.space}",)
    assert "few/is-approved" in said


def test_a_quarantined_head_says_why_it_was_rolled_back(dev: Stage) -> None:
    unit_id = dev.unit("a")
    with PlayedWorker(dev.worker):
        bring_up(dev)
        scale(dev, unit_id, 4)
        dev.hub.units.quarantine(unit_id, 2, space_id=dev.space_id, reason="it was slow")

        answer = ask(dev, unit_id)

    assert states(answer) == ["gate closed"]
    assert "revision 2 was rolled back from: it was slow" in answer.reasons[0].message
    assert answer.reasons[0].commands[0] == "traderx quarantine lift dev a --reason WHY"


def test_an_operation_that_nobody_takes_is_named(dev: Stage) -> None:
    unit_id = dev.unit("a")
    dev.hub.units.apply(unit_id, space_id=dev.space_id)

    answer = ask(dev, unit_id)

    assert states(answer) == ["under way", "worker away"]
    assert "apply of revision 1 waits for its worker since" in answer.reasons[0].message


def test_a_failed_apply_tells_what_the_worker_said(dev: Stage) -> None:
    unit_id = dev.unit("a")

    def fail(event: Event) -> Verdict:
        return Verdict("Failed", "ApplyFailed", "ErrImagePull: no tag v9", b"")

    with PlayedWorker(dev.worker) as worker:
        bring_up(dev)
        scale(dev, unit_id, 2)
        worker.decide = fail
        bring_up(dev)

        answer = ask(dev, unit_id)

    assert states(answer) == ["failed"]
    assert "apply of revision 2 ended as ApplyFailed: ErrImagePull: no tag v9" in answer.reasons[0].message
    assert f"cub unit update a --restore 1 --space {dev.space}" in answer.reasons[0].commands


def test_holds_say_by_whom_and_until_when(new_stage: Callable[..., Stage]) -> None:
    stage = new_stage(environment="dev", auto_apply=True)
    unit_id = stage.unit("a")
    with PlayedWorker(stage.worker):
        bring_up(stage)
        stage.hub.units.hold(where=f"UnitID = '{unit_id}'", reason="an audit", ttl_s=500)
        scale(stage, unit_id, 2)

        answer = ask(stage, unit_id)

    assert states(answer) == ["held"]
    assert "an audit by alice@example.com since" in answer.reasons[0].message
    assert "until" in answer.reasons[0].message


def test_a_head_that_nobody_asked_for_says_so(dev: Stage) -> None:
    unit_id = dev.unit("a")
    with PlayedWorker(dev.worker):
        bring_up(dev)
        scale(dev, unit_id, 2)

        answer = ask(dev, unit_id)

    assert states(answer) == ["not applied"]
    assert "its worker does not apply by itself" in answer.reasons[0].message
    assert answer.reasons[0].commands == (f"cub unit apply a --space {dev.space}",)


def test_what_stopped_being_ready_shows_the_probe(dev: Stage) -> None:
    unit_id = dev.unit("a")
    with PlayedWorker(dev.worker, lambda event: Verdict(live_state=refused(TEXT.replace("NAME", "a"), "HTTP 503"))):
        dev.hub.units.wait(dev.hub.units.apply(unit_id, space_id=dev.space_id))

        answer = ask(dev, unit_id)

    assert states(answer) == ["not ready"]
    assert "HTTP 503" in answer.reasons[0].message


def test_drift_and_a_newer_upstream_are_told(new_stage: Callable[..., Stage]) -> None:
    staging, prod = new_stage(), new_stage()
    source = staging.unit("a")
    record = {"Slug": "a", "TargetID": prod.target_id, "Labels": {"order": "1"}}
    clone = prod.hub.units.clone(
        record, space_id=prod.space_id, upstream_space_id=staging.space_id, upstream_unit_id=source
    )["UnitID"]
    scale(staging, source, 3)

    def drifted(event: Event) -> Verdict:
        if event["Data"]["Action"] == "Refresh":
            return Verdict(result="RefreshAndDrifted", message="x is 2", live_state=running(TEXT.replace("NAME", "a")))
        return succeed(event)

    with PlayedWorker(prod.worker, drifted):
        bring_up(prod)
        prod.hub.units.wait(prod.hub.units.refresh(clone, space_id=prod.space_id))

        answer = ask(prod, clone)

    assert states(answer) == ["drifted", "behind upstream"]
    assert answer.reasons[0].message == "x is 2"
    assert "at revision 2, this has revision 1" in answer.reasons[1].message
    assert json.loads(json.dumps(answer.as_json()))["waits"][0]["state"] == "drifted"
