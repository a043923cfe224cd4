"""The worker's stream over clear-text HTTP/2 on a real socket, and what survives when either side dies."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest
from h2.exceptions import ProtocolError

from tests.api.running import WEB, HubProcess, b64
from tests.api.worker import Event, Worker, data_of, info, next_operation
from tests.hub.databases import is_on_postgresql

NewSpace = Callable[..., tuple[str, str]]


def event_of(hub: HubProcess, space_id: str, unit_id: str) -> Any:
    """Return the unit's newest event."""
    return hub.ok("GET", f"/api/space/{space_id}/unit/{unit_id}/unit_event")[-1]


def unit_of(hub: HubProcess, space_id: str, unit_id: str) -> Any:
    """Return the plain unit."""
    return hub.ok("GET", f"/api/space/{space_id}/unit/{unit_id}")["Unit"]


def condition(hub: HubProcess, space_id: str, worker_id: str) -> str:
    """Return the worker's condition."""
    return str(hub.ok("GET", f"/api/space/{space_id}/bridge_worker/{worker_id}")["BridgeWorker"]["Condition"])


async def until(is_true: Callable[[], bool]) -> None:
    """Return when the condition holds."""
    deadline = time.monotonic() + 30
    while not await asyncio.to_thread(is_true):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


def test_a_worker_connects_gets_a_heartbeat_and_brings_its_targets(shared_hub: HubProcess, new_space: NewSpace) -> None:
    space_id, _ = new_space()
    worker = Worker(shared_hub.url, *shared_hub.worker(space_id))

    async def run() -> Event:
        async with worker.stream(info("w1-kind")) as events:
            first = await anext(events)
            await until(lambda: condition(shared_hub, space_id, worker.worker_id) == "Ready")
            return first

    first = asyncio.run(run())

    assert first["Event"] == "WorkerEvent"
    assert first["Data"]["Action"] == "Heartbeat"
    assert first["Data"]["Payload"]["Timestamp"] > 1_700_000_000_000_000
    targets = shared_hub.ok("GET", f"/api/space/{space_id}/target")
    assert [t["Target"]["Parameters"] for t in targets] == ['{"KubeContext":"w1-kind"}']


def test_a_worker_that_goes_is_disconnected(shared_hub: HubProcess, new_space: NewSpace) -> None:
    space_id, _ = new_space()
    worker = Worker(shared_hub.url, *shared_hub.worker(space_id))

    async def run() -> None:
        async with worker.stream() as events:
            await anext(events)
        await until(lambda: condition(shared_hub, space_id, worker.worker_id) == "Disconnected")

    asyncio.run(run())


def test_a_worker_knows_itself(shared_hub: HubProcess, new_space: NewSpace) -> None:
    worker_id, secret = shared_hub.worker(new_space()[0], "w1")

    me = shared_hub.request("GET", f"/api/bridge_worker/{worker_id}/me", authorization=f"Bearer {secret}").json

    assert me["Slug"] == "w1"


def test_an_apply_reaches_the_worker_and_its_result_the_unit(shared_hub: HubProcess, new_space: NewSpace) -> None:
    space_id, _ = new_space()
    unit_id, worker_id, secret = shared_hub.deployable(space_id)
    worker = Worker(shared_hub.url, worker_id, secret)
    path = f"/api/space/{space_id}/unit/{unit_id}/apply"

    async def run() -> Event:
        async with worker.stream() as events:
            await anext(events)
            queued = asyncio.to_thread(shared_hub.ok, "POST", path)
            event, operation = await asyncio.gather(next_operation(events), queued)
            assert event["Data"]["Payload"]["QueuedOperationID"] == operation["QueuedOperationID"]
            await worker.complete(event, b'[{"kind": "ConfigMap"}]')
            return event

    event = asyncio.run(run())

    assert event["Data"]["Action"] == "Apply"
    assert data_of(event) == WEB
    assert unit_of(shared_hub, space_id, unit_id)["LiveRevisionNum"] == 1
    assert event_of(shared_hub, space_id, unit_id)["Status"] == "Completed"
    assert shared_hub.ok("GET", f"/api/space/{space_id}/unit/{unit_id}/live_status")["Status"] == "Running"


@pytest.mark.requirement("R-224")
def test_a_change_reaches_the_worker_by_itself(shared_hub: HubProcess, new_space: NewSpace) -> None:
    space_id, _ = new_space()
    worker_id, secret = shared_hub.worker(space_id, AutoApply=True)
    unit_id = shared_hub.unit(space_id, TargetID=shared_hub.target(space_id, worker_id))
    worker = Worker(shared_hub.url, worker_id, secret)
    path = f"/api/space/{space_id}/unit/{unit_id}"

    async def run() -> Event:
        async with worker.stream() as events:
            await asyncio.to_thread(shared_hub.ok, "POST", f"{path}/apply")
            await worker.complete(await next_operation(events))
            changed = {"Data": b64(WEB.replace("v1.0.0", "v2.0.0"))}
            await asyncio.to_thread(shared_hub.ok, "PATCH", path, None, changed)
            return await next_operation(events)

    assert "v2.0.0" in data_of(asyncio.run(run()))


def test_a_second_stream_of_a_worker_takes_over(shared_hub: HubProcess, new_space: NewSpace) -> None:
    space_id, _ = new_space()
    unit_id, worker_id, secret = shared_hub.deployable(space_id)
    worker = Worker(shared_hub.url, worker_id, secret)

    async def run() -> Event:
        async with worker.stream() as first:
            await anext(first)
            async with worker.stream() as second:
                await anext(second)
                with pytest.raises(AssertionError, match="the stream ended"):
                    await next_operation(first)
                await asyncio.to_thread(shared_hub.ok, "POST", f"/api/space/{space_id}/unit/{unit_id}/apply")
                event = await next_operation(second)
                assert condition(shared_hub, space_id, worker_id) == "Ready"
                return event

    assert asyncio.run(run())["Data"]["Action"] == "Apply"


def test_an_operation_whose_stream_is_cut_comes_again(shared_hub: HubProcess, new_space: NewSpace) -> None:
    space_id, _ = new_space()
    unit_id, worker_id, secret = shared_hub.deployable(space_id)
    worker = Worker(shared_hub.url, worker_id, secret)

    async def run() -> list[Event]:
        await asyncio.to_thread(shared_hub.ok, "POST", f"/api/space/{space_id}/unit/{unit_id}/apply")
        found = []
        for _ in range(2):
            async with worker.stream() as events:
                found.append(await next_operation(events))
        return found

    first, second = asyncio.run(run())
    assert first == second


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"BridgeWorkerInfo": 3}'])
def test_a_worker_that_describes_itself_wrongly_is_refused(
    shared_hub: HubProcess, new_space: NewSpace, body: bytes
) -> None:
    worker_id, secret = shared_hub.worker(new_space()[0])

    path = f"/api/bridge_worker/{worker_id}/stream"
    answer = shared_hub.request("POST", path, raw=body, authorization=f"Bearer {secret}")

    assert answer.status == 400
    assert "body" in answer.json["Message"]


def test_what_was_accepted_survives_a_power_cut(hub_process: HubProcess) -> None:
    space_id = hub_process.space("dev")
    unit_id, worker_id, secret = hub_process.deployable(space_id)
    worker = Worker(hub_process.url, worker_id, secret)
    queued = hub_process.ok("POST", f"/api/space/{space_id}/unit/{unit_id}/apply")

    hub_process.kill()
    hub_process.start()

    async def run() -> Event:
        async with worker.stream() as events:
            event = await next_operation(events)
            await worker.complete(event)
            return event

    event = asyncio.run(run())
    assert event["Data"]["Payload"]["QueuedOperationID"] == queued["QueuedOperationID"]
    assert unit_of(hub_process, space_id, unit_id)["LiveRevisionNum"] == 1


def test_an_operation_in_the_hands_of_a_worker_survives_a_power_cut_and_ends_once(hub_process: HubProcess) -> None:
    space_id = hub_process.space("dev")
    unit_id, worker_id, secret = hub_process.deployable(space_id)
    worker = Worker(hub_process.url, worker_id, secret)
    hub_process.ok("POST", f"/api/space/{space_id}/unit/{unit_id}/apply")

    async def taken() -> Event:
        async with worker.stream() as events:
            event = await next_operation(events)
            hub_process.kill()
            with pytest.raises((httpx2.HTTPError, AssertionError)):
                await next_operation(events)
            return event

    async def finished() -> Event:
        async with worker.stream() as events:
            event = await next_operation(events)
            # The first try was done and its report lost; both tries now report the same end.
            await worker.complete(event)
            await worker.complete(event)
            return event

    first = asyncio.run(taken())
    hub_process.start()
    again = asyncio.run(finished())

    assert again == first
    unit = unit_of(hub_process, space_id, unit_id)
    assert (unit["LiveRevisionNum"], unit["PreviousLiveRevisionNum"]) == (1, 0)
    events = hub_process.ok("GET", f"/api/space/{space_id}/unit/{unit_id}/unit_event")
    assert [event["Status"] for event in events] == ["Completed"]


def test_a_report_that_was_answered_survives_a_power_cut(hub_process: HubProcess) -> None:
    space_id = hub_process.space("dev")
    unit_id, worker_id, secret = hub_process.deployable(space_id)
    worker = Worker(hub_process.url, worker_id, secret)
    hub_process.ok("POST", f"/api/space/{space_id}/unit/{unit_id}/apply")

    async def run() -> None:
        async with worker.stream() as events:
            await worker.complete(await next_operation(events))
            hub_process.kill()

    with pytest.raises(httpx2.HTTPError):
        asyncio.run(_until_the_end(run, worker))
    hub_process.start()

    assert unit_of(hub_process, space_id, unit_id)["LiveRevisionNum"] == 1

    async def nothing_is_left() -> list[Event]:
        async with worker.stream() as events:
            return [await anext(events)]

    assert asyncio.run(nothing_is_left())[0]["Event"] == "WorkerEvent"


async def _until_the_end(run: Callable[[], Any], worker: Worker) -> None:
    await run()
    async with worker.stream() as events:
        await anext(events)


def test_the_server_stops_at_once_with_open_streams(hub_process: HubProcess) -> None:
    space_id = hub_process.space("dev")
    workers = [Worker(hub_process.url, *hub_process.worker(space_id, f"w{n}")) for n in range(3)]

    async def run() -> tuple[int, list[int]]:
        async with workers[0].stream() as a, workers[1].stream() as b, workers[2].stream() as c:
            for events in (a, b, c):
                await anext(events)
            status = asyncio.to_thread(hub_process.stop)
            return await status, [len(await _rest(events)) for events in (a, b, c)]

    status, _ = asyncio.run(run())
    assert status == 0

    hub_process.start()
    assert {condition(hub_process, space_id, worker.worker_id) for worker in workers} == {"Disconnected"}


async def _rest(events: AsyncIterator[Event]) -> list[Event]:
    found = []
    # The client's library stumbles over what a server sends while it closes a connection.
    with suppress(httpx2.HTTPError, ProtocolError):
        async for event in events:
            found.append(event)  # noqa: PERF401 - what came before the stumble counts
    return found


def test_a_port_in_use_is_refused_with_its_holder(shared_hub: HubProcess, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "confighub.server",
        "serve",
        "--port",
        str(shared_hub.port),
        "--data",
        str(tmp_path),
    ]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert found.returncode == 1
    assert shared_hub.process is not None
    assert f"pid {shared_hub.process.pid}" in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1


@pytest.mark.skipif(is_on_postgresql(), reason="several processes may serve a PostgreSQL database")
def test_a_folder_is_served_by_one_process_only(shared_hub: HubProcess) -> None:
    command = [sys.executable, "-m", "confighub.server", "serve", "--port", "0", "--data", str(shared_hub.folder)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert found.returncode == 1
    assert "another hub serves" in found.stderr
