from __future__ import annotations

from collections.abc import Callable

import pytest

from confighub.errors import BadRequest
from confighub.hub.caller import Caller
from confighub.hub.hub import Hub
from confighub.hub.kinds import TRIGGER
from confighub.hub.usecases import entities, functions, history
from confighub.hub.usecases.listing import Listing
from confighub.records.functions import FunctionInvocation, FunctionInvocationsRequest, FunctionInvocationsResponse
from tests.hub.scene import WEB, Scene, call


def run(
    scene: Scene, *calls: FunctionInvocation, where: str = "", is_dry_run: bool = False, as_: Caller | None = None
) -> list[FunctionInvocationsResponse]:
    request = FunctionInvocationsRequest(function_invocations=list(calls), cast_string_args_to_scalars=True)
    return functions.invoke_functions(
        scene.hub, as_ or scene.caller, request, Listing(where=where), is_dry_run=is_dry_run
    )


def test_a_mutating_function_makes_one_revision_that_tells_of_it(hub: Hub, scene: Scene) -> None:
    unit = scene.unit(scene.space("dev"), "web")

    answers = run(scene, call("set-replicas", "4"))

    assert [(one.success, one.mutators, one.unit_id) for one in answers] == [(True, [0], unit.unit_id)]
    assert scene.text(unit) == WEB.replace("replicas: 1", "replicas: 4")
    head = scene.revisions(unit)[-1]
    assert (head.revision_num, head.source, head.description) == (2, "Invoke", "replicas from 1 to 4 (set-replicas 4)")
    assert answers[0].revision_id == head.revision_id
    mutation = history.list_mutations(hub, scene.caller, unit.unit_id or "")[-1].mutation
    assert mutation is not None
    assert mutation.function_invocation == call("set-replicas", "4")


def test_each_call_that_changes_something_is_a_mutation_of_its_own(hub: Hub, scene: Scene) -> None:
    unit = scene.unit(scene.space("dev"), "web")

    run(scene, call("set-replicas", "1"), call("set-replicas", "2"), call("get-replicas"), call("set-replicas", "3"))

    found = history.list_mutations(hub, scene.caller, unit.unit_id or "")
    assert [(one.mutation and (one.mutation.mutation_num, one.mutation.revision_num)) for one in found] == [
        (1, 1),
        (2, 2),
        (3, 2),
    ]
    sources = scene.get(unit).mutation_sources or []
    assert sources[0].path_mutation_map["spec.replicas"].index == 3


def test_a_call_that_changes_nothing_leaves_no_trace(scene: Scene) -> None:
    unit = scene.unit(scene.space("dev"), "web")

    answers = run(scene, call("set-replicas", "1"))

    assert (answers[0].success, answers[0].mutators) == (True, [])
    assert scene.get(unit) == unit


def test_a_dry_run_shows_the_text_and_stores_nothing(scene: Scene) -> None:
    unit = scene.unit(scene.space("dev"), "web")

    answers = run(scene, call("set-replicas", "4"), is_dry_run=True)

    assert answers[0].config_data.decode() == WEB.replace("replicas: 1", "replicas: 4")
    assert scene.get(unit) == unit


def test_functions_run_on_what_matches(scene: Scene) -> None:
    space = scene.space("dev")
    web, api = scene.unit(space, "web"), scene.unit(space, "api")

    run(scene, call("set-replicas", "4"), where="Slug = 'web'")

    assert ("replicas: 4" in scene.text(web), "replicas: 4" in scene.text(api)) == (True, False)


def test_no_match_is_an_empty_answer(scene: Scene) -> None:
    assert run(scene, call("set-replicas", "4")) == []


def test_an_unknown_function_is_a_bad_request(scene: Scene) -> None:
    scene.unit(scene.space("dev"), "web")

    with pytest.raises(BadRequest, match="set-replica"):
        run(scene, call("set-replica", "4"))


def test_a_unit_whose_toolchain_lacks_the_function_fails_alone(scene: Scene) -> None:
    space_id = scene.space("dev")
    scene.unit(space_id, "web")
    scene.unit(space_id, "cloud", "", toolchain_type="OpenTofu/HCL")

    answers = run(scene, call("get-replicas"))

    assert [one.success for one in answers] == [True, False]
    assert "get-replicas" in str(answers[1].error)


def test_a_viewer_may_read_with_functions_but_not_change(scene: Scene, caller_as: Callable[[str], Caller]) -> None:
    unit = scene.unit(scene.space("dev"), "web")
    viewer = caller_as("viewer")

    assert run(scene, call("get-replicas"), as_=viewer)[0].success
    refused = run(scene, call("set-replicas", "4"), as_=viewer)[0]

    assert (refused.success, refused.error and refused.error.status) == (False, 403)
    assert scene.get(unit) == unit


def test_an_own_function_call_survives_an_upgrade(scene: Scene) -> None:
    from confighub.hub.usecases.unit_changes import Change

    upstream = scene.unit(scene.space("base"), "web")
    clone = scene.clone(upstream, scene.space("dev"))
    run(scene, call("set-replicas", "3"), where=f"UnitID = '{clone.unit_id}'")
    run(scene, call("set-replicas", "2"), where=f"UnitID = '{upstream.unit_id}'")

    scene.change(clone, Change(upgrade=True))

    assert "replicas: 3" in scene.text(clone)


def test_functions_are_listed_by_toolchain(hub: Hub, scene: Scene) -> None:
    unit = scene.unit(scene.space("dev"), "web")

    everything = functions.list_functions(hub, scene.caller)
    of_unit = functions.list_functions(hub, scene.caller, entity="unit", entity_id=unit.unit_id or "")

    assert "set-replicas" in everything["Kubernetes/YAML"]
    assert list(of_unit) == ["Kubernetes/YAML"]


def test_a_validating_trigger_closes_a_gate_until_it_passes(scene: Scene) -> None:
    space = scene.space("dev")
    trigger = scene.make(
        "Trigger", space, slug="req", function_name="is-approved", arguments=call("is-approved", "1").arguments
    )
    unit = scene.unit(space, "web")
    assert trigger.validating
    assert scene.get(unit).apply_gates == {"req/is-approved": True}

    from confighub.hub.usecases import units

    units.approve_unit(scene.hub, scene.caller, unit.unit_id or "")

    assert scene.get(unit).apply_gates == {}


def test_a_new_trigger_looks_at_the_units_that_are_there(hub: Hub, scene: Scene) -> None:
    space = scene.space("dev")
    unit = scene.unit(space, "web")

    trigger = scene.make(
        "Trigger", space, slug="req", function_name="is-approved", arguments=call("is-approved", "1").arguments
    )
    assert scene.get(unit).apply_gates == {"req/is-approved": True}

    entities.patch_entity(hub, scene.caller, TRIGGER, trigger.trigger_id, {"Disabled": True})
    assert scene.get(unit).apply_gates == {}


def test_a_mutating_trigger_changes_every_new_head(hub: Hub, scene: Scene) -> None:
    space = scene.space("dev")
    trigger = scene.make(
        "Trigger", space, slug="five", function_name="set-replicas", arguments=call("set-replicas", 5).arguments
    )

    unit = scene.unit(space, "web")

    assert "replicas: 5" in scene.text(unit)
    found = history.list_mutations(hub, scene.caller, unit.unit_id or "", Listing(include="TriggerID"))
    assert [one.mutation and one.mutation.trigger_id for one in found] == [None, trigger.trigger_id]
    assert found[1].trigger is not None
    assert found[1].trigger.slug == "five"
    assert scene.get(unit).head_revision_num == 1


def test_a_clone_is_changed_by_the_triggers_of_its_space(scene: Scene) -> None:
    upstream = scene.unit(scene.space("base"), "web")
    dev = scene.space("dev")
    scene.make(
        "Trigger",
        dev,
        slug="five",
        event="PostClone",
        function_name="set-replicas",
        arguments=call("set-replicas", 5).arguments,
    )

    clone = scene.clone(upstream, dev)
    plain = scene.unit(dev, "plain")

    assert ("replicas: 5" in scene.text(clone), "replicas: 5" in scene.text(plain)) == (True, False)


def test_a_trigger_runs_the_call_of_its_invocation(scene: Scene) -> None:
    space = scene.space("dev")
    stored = scene.make(
        "Invocation", space, slug="five", function_name="set-replicas", arguments=call("set-replicas", 5).arguments
    )
    scene.make("Trigger", space, slug="t", invocation_id=stored.invocation_id)

    assert "replicas: 5" in scene.text(scene.unit(space, "web"))


def test_a_trigger_for_no_function_is_refused(scene: Scene) -> None:
    space = scene.space("dev")

    with pytest.raises(BadRequest, match="no such function"):
        scene.make("Trigger", space, slug="t", function_name="nonsense")
    with pytest.raises(BadRequest, match="Event is one of"):
        scene.make("Trigger", space, slug="t", function_name="set-replicas", event="Sometimes")
