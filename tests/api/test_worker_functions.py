"""Functions run by a connected worker when a request asks for it; the hub waits without holding anything."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from tests.api.running import WEB, HubProcess, b64
from tests.api.worker import Event, Worker, info, next_operation

NewSpace = Callable[..., tuple[str, str]]

MORE = WEB.replace("replicas: 1", "replicas: 4")


def called(*names: str, **more: Any) -> dict[str, Any]:
    """Return a request for calls without arguments."""
    return {"FunctionInvocations": [{"FunctionName": name} for name in names], **more}


def run_with(hub: HubProcess, space_id: str, worker: Worker, body: dict[str, Any], answer: Event) -> tuple[Event, Any]:
    """Send the request while the worker is connected; return what reached the worker, and the answer."""

    async def run() -> tuple[Event, Any]:
        async with worker.stream(info("w1-kind")) as events:
            await anext(events)
            path = f"/api/space/{space_id}/function/invoke"
            request = asyncio.create_task(asyncio.to_thread(hub.ok, "POST", path, None, body))
            event = await next_operation(events, "FunctionWorkerEvent")
            await worker.answer_call(event, answer)
            return event, await request

    return asyncio.run(run())


def test_a_worker_runs_a_function_that_the_hub_does_not_know(shared_hub: HubProcess, new_space: NewSpace) -> None:
    space_id, slug = new_space()
    unit_id = shared_hub.unit(space_id, "web")
    worker = Worker(shared_hub.url, *shared_hub.worker(space_id))
    output = b64('[{"Passed":false,"Index":0,"Details":["no"]}]')
    answer = {"Success": True, "OutputType": "ValidationResult", "Output": output, "Mutations": None, "Mutators": None}

    body = called("vet-own", BridgeWorkerID=worker.worker_id)
    event, (found,) = run_with(shared_hub, space_id, worker, body, answer)

    sent = event["Data"]["Payload"]["InvocationRequest"]
    assert (sent["UnitSlug"], sent["SpaceSlug"], sent["ConfigData"]) == ("web", slug, b64(WEB))
    assert (found["UnitID"], found["Success"], found["Output"]) == (unit_id, True, output)


def test_what_the_worker_of_the_target_changes_becomes_a_revision(shared_hub: HubProcess, new_space: NewSpace) -> None:
    space_id, _ = new_space()
    unit_id, *identity = shared_hub.deployable(space_id)
    answer = {"Success": True, "ConfigData": b64(MORE), "Mutators": [0], "Mutations": []}

    body = called("set-replicas", UseFunctionWorker=True)
    run_with(shared_hub, space_id, Worker(shared_hub.url, *identity), body, answer)

    unit = shared_hub.ok("GET", f"/api/space/{space_id}/unit/{unit_id}")["Unit"]
    assert (unit["Data"], unit["HeadRevisionNum"]) == (b64(MORE), 2)
    assert "spec.replicas" in unit["MutationSources"][0]["PathMutationMap"]


def test_a_worker_that_is_away_or_offers_no_such_function_is_told_for_the_unit(
    shared_hub: HubProcess, new_space: NewSpace
) -> None:
    space_id, _ = new_space()
    shared_hub.unit(space_id, "web")
    worker_id, _ = shared_hub.worker(space_id)
    path = f"/api/space/{space_id}/function/invoke"

    unknown = shared_hub.request("POST", path, None, called("vet-own", BridgeWorkerID=worker_id))
    nobody = shared_hub.request("POST", path, None, called("vet-own", UseFunctionWorker=True))

    assert unknown.status == nobody.status == 207
    assert "offers no function" in unknown.json[0]["Error"]["Message"]
    assert "has no target" in nobody.json[0]["Error"]["Message"]


def test_a_trigger_that_names_a_worker_runs_there_and_opens_its_gate(
    shared_hub: HubProcess, new_space: NewSpace
) -> None:
    space_id, _ = new_space()
    worker = Worker(shared_hub.url, *shared_hub.worker(space_id))
    trigger = {"Slug": "own", "Event": "Mutation", "FunctionName": "vet-own", "BridgeWorkerID": worker.worker_id}
    output = b64('[{"Passed":true,"Index":0}]')
    answer = {"Success": True, "OutputType": "ValidationResult", "Output": output, "Mutations": None, "Mutators": None}
    shown: list[dict[str, bool]] = []

    def gates(unit_id: str) -> dict[str, bool]:
        found: dict[str, bool] = shared_hub.ok("GET", f"/api/space/{space_id}/unit/{unit_id}")["Unit"]["ApplyGates"]
        return found

    async def run() -> Event:
        async with worker.stream(info()) as events:
            await anext(events)
            await asyncio.to_thread(shared_hub.ok, "POST", f"/api/space/{space_id}/trigger", None, trigger)
            unit_id = await asyncio.to_thread(shared_hub.unit, space_id)
            shown.append(await asyncio.to_thread(gates, unit_id))
            event = await next_operation(events, "FunctionWorkerEvent")
            await worker.answer_call(event, answer)
            shown.append(await asyncio.to_thread(gates, unit_id))
            return event

    event = asyncio.run(run())
    assert event["Data"]["Payload"]["InvocationRequest"]["FunctionInvocations"][0]["FunctionName"] == "vet-own"
    assert shown == [{"awaiting/triggers": True}, {}]
