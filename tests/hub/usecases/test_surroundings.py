"""Checks that look at the other units of a space: what they see, and when a gate is looked at again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event, insert

from confighub.hub.hub import Hub
from confighub.hub.store.work_queue import live_states
from confighub.hub.usecases import applying, functions, units
from confighub.hub.usecases.gates import closed_gates
from confighub.hub.usecases.listing import Listing
from confighub.records.functions import FunctionInvocationsRequest
from confighub.records.units import Unit
from tests.hub.scene import WEB, Scene, call

NEEDY = (
    WEB + "          envFrom:\n            - configMapRef: {name: settings}\n            - secretRef: {name: keys}\n"
)
SETTINGS = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\n  namespace: shop\ndata: {a: b}\n"


def verdict(scene: Scene, unit: Unit) -> tuple[bool, list[str]]:
    """Return what vet-references says of the unit: whether it passed, and the details."""
    request = FunctionInvocationsRequest(function_invocations=[call("vet-references")], combine_results=True)
    listing = Listing(where=f"UnitID = '{unit.unit_id}'")
    [answer] = functions.invoke_functions(scene.hub, scene.caller, request, listing)
    output = json.loads(answer.output)
    return output["Passed"], output.get("Details", [])


def live(hub: Hub, unit: Unit, objects: list[dict[str, object]]) -> None:
    """Keep what a target reports of the unit."""
    with hub.write() as tx:
        values = {"unit_id": unit.unit_id, "live_state": json.dumps(objects).encode(), "revision_num": 1}
        tx.execute(insert(live_states).values(**values, updated_at=hub.now()))


def gates_now(hub: Hub, unit: Unit) -> list[str]:
    """Return the gates that would refuse the unit's head now."""
    with hub.read() as tx:
        return closed_gates(tx, unit.unit_id or "", unit.head_revision_num)


@pytest.mark.requirement("R-090")
def test_references_are_looked_up_in_the_units_of_the_space(scene: Scene) -> None:
    space = scene.space("dev")
    web = scene.unit(space, "web", NEEDY)
    scene.unit(scene.space("other"), "settings", SETTINGS)

    passed, details = verdict(scene, web)

    assert not passed
    assert any("names v1/ConfigMap settings, which is not in the space" in one for one in details)

    scene.unit(space, "settings", SETTINGS)

    passed, details = verdict(scene, web)
    assert passed
    assert [one for one in details if "unknown" in one and "keys" in one]


def test_secrets_are_looked_up_in_what_the_target_reports(hub: Hub, scene: Scene) -> None:
    space = scene.space("dev")
    web = scene.unit(space, "web", NEEDY)
    settings = scene.unit(space, "settings", SETTINGS)
    other: dict[str, object] = {"kind": "Secret", "metadata": {"name": "others", "namespace": "shop"}}
    live(hub, settings, [other])

    passed, details = verdict(scene, web)

    assert not passed
    assert any("keys, which the target does not have" in one for one in details)

    live(hub, web, [{"kind": "Secret", "metadata": {"name": "keys", "namespace": "shop"}}])

    assert verdict(scene, web) == (True, [])


def test_the_gate_of_a_trigger_opens_when_another_unit_brings_what_was_missing(hub: Hub, scene: Scene) -> None:
    space = scene.space("dev")
    scene.make("Trigger", space, slug="refs", function_name="vet-references")
    web = scene.unit(space, "web", NEEDY)
    assert scene.get(web).apply_gates == {"refs/vet-references": True}

    scene.unit(space, "settings", SETTINGS)

    assert scene.get(web).apply_gates == {}
    assert gates_now(hub, web) == []


def test_the_gate_of_a_trigger_is_looked_at_again_when_the_unit_is_applied(hub: Hub, scene: Scene) -> None:
    space = scene.space("dev")
    scene.make("Trigger", space, slug="refs", function_name="vet-references")
    settings = scene.unit(space, "settings", SETTINGS)
    web = scene.unit(space, "web", NEEDY)
    assert gates_now(hub, web) == []

    units.delete_unit(hub, scene.caller, settings.unit_id or "", space_id=space)

    assert gates_now(hub, web) == ["refs/vet-references"]
    assert scene.get(web).apply_gates == {"refs/vet-references": True}


@contextmanager
def looks_at_the_space(hub: Hub) -> Iterator[list[str]]:
    """Collect the statements that read the texts of a whole space."""
    found: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("SELECT units.unit_id, blobs.content"):
            found.append(statement)

    event.listen(hub.database.writer, "before_cursor_execute", note)
    yield found
    event.remove(hub.database.writer, "before_cursor_execute", note)


def test_the_texts_of_a_space_are_read_once_when_a_unit_goes(hub: Hub, scene: Scene) -> None:
    space = scene.space("dev")
    scene.make("Trigger", space, slug="refs", function_name="vet-references")
    settings = scene.unit(space, "settings", SETTINGS)
    needing = [scene.unit(space, slug, NEEDY) for slug in "abc"]

    with looks_at_the_space(hub) as found:
        units.delete_unit(hub, scene.caller, settings.unit_id or "", space_id=space)

    assert len(found) == 1
    assert all(scene.get(unit).apply_gates == {"refs/vet-references": True} for unit in needing)
    # What is remembered ends with the use case.
    scene.unit(space, "settings-again", SETTINGS)
    assert all(scene.get(unit).apply_gates == {} for unit in needing)


def test_the_texts_of_a_space_are_read_once_by_a_bulk_apply(hub: Hub, scene: Scene) -> None:
    space = scene.space("dev")
    scene.make("Trigger", space, slug="refs", function_name="vet-references")
    worker = scene.make("BridgeWorker", space, slug="worker")
    target = scene.make("Target", space, slug="there", provider_type="Laptop", bridge_worker_id=worker.bridge_worker_id)
    scene.unit(space, "settings", SETTINGS)
    for slug in "abc":
        scene.unit(space, slug, NEEDY, target_id=target.target_id)

    with looks_at_the_space(hub) as found:
        answers = applying.apply_units(hub, scene.caller, Listing(where="Slug IN ('a', 'b', 'c')"))

    assert [answer.action is not None for answer in answers] == [True] * 3
    assert len(found) == 1


def test_a_unit_that_goes_closes_no_budget(hub: Hub, scene: Scene) -> None:
    space = scene.space("dev")
    amounts = call("vet-budget", "1000", "0.04", "0.004").arguments
    scene.make("Trigger", space, slug="budget", function_name="vet-budget", arguments=amounts)
    gone, left = scene.unit(space, "gone"), scene.unit(space, "left")

    with looks_at_the_space(hub) as found:
        units.delete_unit(hub, scene.caller, gone.unit_id or "", space_id=space)

    assert found == []
    assert gates_now(hub, left) == []


def test_policies_are_looked_up_in_the_space_too(scene: Scene) -> None:
    space = scene.space("dev")
    web = scene.unit(space, "web")
    policy = (
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: web\n  namespace: shop\n"
        "spec:\n  podSelector:\n    matchLabels:\n      app: web\n"
    )
    request = FunctionInvocationsRequest(function_invocations=[call("vet-network-policy")], combine_results=True)
    listing = Listing(where=f"UnitID = '{web.unit_id}'")

    before = functions.invoke_functions(scene.hub, scene.caller, request, listing)[0]
    scene.unit(space, "policy", policy)
    after = functions.invoke_functions(scene.hub, scene.caller, request, listing)[0]

    assert [json.loads(one.output)["Passed"] for one in (before, after)] == [False, True]


def test_what_runs_is_provided_too(hub: Hub, scene: Scene) -> None:
    web = scene.unit(scene.space("dev"), "web", WEB)
    made: dict[str, object] = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "made-there", "namespace": "shop"},
    }
    live(hub, web, [made, {"kind": "NothingNamed"}])

    request = FunctionInvocationsRequest(function_invocations=[call("get-provided")], combine_results=True)
    [answer] = functions.invoke_functions(scene.hub, scene.caller, request, Listing(where="Slug = 'web'"))

    [found] = [one for one in json.loads(answer.output) if one.get("InLiveState")]
    assert (found["ResourceType"], found["ResourceName"], found["Value"]) == (
        "v1/ConfigMap",
        "shop/made-there",
        "made-there",
    )
    assert found["Info"]["GetterInvocation"]["Arguments"][0]["Value"] == "v1/ConfigMap"
