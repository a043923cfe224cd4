"""A worker that speaks the wire protocol over clear-text HTTP/2, for tests."""

from __future__ import annotations

import asyncio
import json
import threading
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx2

Event = dict[str, Any]

ZERO_TIME = "0001-01-01T00:00:00Z"


def info(*targets: str) -> dict[str, Any]:
    """Return what a worker says of itself when it offers targets of these names."""
    offered = [{"Name": name, "Params": {"KubeContext": name}} for name in targets]
    kind = {"ToolchainType": "Kubernetes/YAML", "ProviderType": "Kubernetes", "AvailableTargets": offered}
    # Lists that are empty come as null from workers written in Go.
    vet = {"FunctionName": "vet-own", "Parameters": None, "OutputInfo": None, "Validating": True}
    number = {"FunctionName": "set-replicas", "Parameters": [], "RequiredParameters": 1, "Mutating": True}
    functions = {"Kubernetes/YAML": {"vet-own": vet, "set-replicas": number}}
    return {
        "BridgeWorkerInfo": {"SupportedConfigTypes": [kind]},
        "FunctionWorkerInfo": {"SupportedFunctions": functions},
    }


@dataclass
class Worker:
    """One worker's identity at a hub."""

    url: str
    worker_id: str
    secret: str

    @property
    def path(self) -> str:
        """The path of its three endpoints."""
        return f"{self.url}/api/bridge_worker/{self.worker_id}"

    @property
    def headers(self) -> dict[str, str]:
        """What goes with every request."""
        return {"Authorization": f"Bearer {self.secret}"}

    def client(self) -> httpx2.AsyncClient:
        """Return a client that speaks HTTP/2 without asking."""
        return httpx2.AsyncClient(http2=True, http1=False, headers=self.headers, timeout=60)

    @asynccontextmanager
    async def stream(self, about: Event | None = None) -> AsyncIterator[AsyncIterator[Event]]:
        """Connect; give the events one by one."""
        async with self.client() as client:
            body = json.dumps(about or {}).encode()
            headers = {"Accept": "text/event-stream", "Cache-Control": "no-cache"}
            async with client.stream("POST", f"{self.path}/stream", content=body, headers=headers) as response:
                assert response.http_version == "HTTP/2"
                assert response.status_code == 200, await response.aread()
                yield _events(response)

    async def report(self, payload: Event, **result: Any) -> httpx2.Response:
        """Send a result for the operation of an event's payload."""
        body = {
            **{name: payload[name] for name in ("UnitID", "SpaceID", "QueuedOperationID", "RevisionNum")},
            "StartedAt": "2026-01-01T00:00:00Z",
            "Message": "",
            **result,
        }
        async with self.client() as client:
            return await client.post(f"{self.path}/action_result", json=body)

    async def complete(self, event: Event, live_state: bytes = b"[]") -> None:
        """Report that the event's operation completed."""
        action = event["Data"]["Action"]
        result = {"Refresh": "RefreshAndNoDrift"}.get(action, f"{action}Completed")
        answer = await self.report(
            event["Data"]["Payload"],
            Action=action,
            Status="Completed",
            Result=result,
            TerminatedAt="2026-01-01T00:00:01Z",
            LiveState=b64encode(live_state).decode(),
        )
        assert answer.status_code == 200, answer.text

    async def answer_call(self, event: Event, answer: Event) -> None:
        """Report the answer to a function event."""
        payload = event["Data"]["Payload"]
        response = await self.report(
            {**payload["InvocationRequest"], "QueuedOperationID": payload["QueuedOperationID"]},
            Action="InvokeFunctions",
            Status="Completed",
            Result="FunctionInvocationCompleted",
            TerminatedAt="2026-01-01T00:00:01Z",
            Data=b64encode(json.dumps(answer).encode()).decode(),
        )
        assert response.status_code == 200, response.text


async def _events(response: httpx2.Response) -> AsyncIterator[Event]:
    async for line in response.aiter_lines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


async def next_operation(events: AsyncIterator[Event], kind: str = "BridgeWorkerEvent") -> Event:
    """Return the next event that is an operation, or of another kind."""
    async for event in events:
        if event["Event"] == kind:
            return event
    raise AssertionError("the stream ended")


def data_of(event: Event) -> str:
    """Return the text that an operation carries."""
    return b64decode(event["Data"]["Payload"]["Data"]).decode()


@dataclass
class DiligentWorker:
    """A worker in a thread that completes whatever comes, until it is closed."""

    worker: Worker
    about: Event = field(default_factory=dict)
    done: list[Event] = field(default_factory=list)
    answer: Callable[[Event], bytes] = lambda _: b"[]"
    _thread: threading.Thread | None = None
    _loop: asyncio.AbstractEventLoop | None = None
    _task: asyncio.Task[None] | None = None

    def __enter__(self) -> DiligentWorker:
        self._loop = asyncio.new_event_loop()
        connected = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(connected,), daemon=True)
        self._thread.start()
        assert connected.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._loop is not None
        assert self._thread is not None
        if self._task is not None:
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(30)
        self._loop.close()

    def _run(self, connected: threading.Event) -> None:
        assert self._loop is not None
        self._task = self._loop.create_task(self._serve(connected))
        with suppress(asyncio.CancelledError, httpx2.HTTPError):
            self._loop.run_until_complete(self._task)

    async def _serve(self, connected: threading.Event) -> None:
        async with self.worker.stream(self.about) as events:
            async for event in events:
                connected.set()
                if event["Event"] == "BridgeWorkerEvent":
                    # Kept first: who sees the result may look at once.
                    self.done.append(event)
                    await self.worker.complete(event, self.answer(event))
