"""Live states that change by themselves while operations end: the newest is what the hub has at last."""

from __future__ import annotations

import asyncio
import json
import uuid
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from confighub.records.work import ConfigType
from confighub.worker.bridge import LiveChange, Operation, Outcome, Report, Tell
from confighub.worker.journal import Journal
from confighub.worker.loop import Worker
from tests.runtime.running import PATIENCE_S
from tests.worker.h2_hub import link_to

UNIT_ID = "7c0f4f0e-1111-4a57-9f0b-0d7f6f5f8a01"
SPACE_ID = "7c0f4f0e-2222-4a57-9f0b-0d7f6f5f8a01"
READY = b"[]"


@dataclass
class Place:
    """A place where the test says what happens: how the next apply ends, and what changes by itself."""

    outcome: asyncio.Future[Outcome]
    changes: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)

    def offers(self) -> ConfigType:
        return ConfigType(toolchain_type="Kubernetes/YAML", provider_type="Kubernetes")

    async def apply(self, operation: Operation, report: Report) -> Outcome:
        return await self.outcome

    async def refresh(self, operation: Operation, report: Report) -> Outcome:
        return await self.outcome

    async def destroy(self, operation: Operation, report: Report) -> Outcome:
        return await self.outcome

    async def import_objects(self, operation: Operation, report: Report) -> Outcome:
        return await self.outcome

    async def watch(self, tell: Tell) -> None:
        while True:
            await tell(LiveChange(UNIT_ID, SPACE_ID, 1, await self.changes.get()))

    def trouble(self) -> str:
        return ""

    async def close(self) -> None:
        pass


@dataclass
class Keeper:
    """A hub that keeps the last live state; it answers each push, and each end, when the test gives the status."""

    kept: bytes = b""
    pushes: asyncio.Queue[tuple[bytes, asyncio.Future[int]]] = field(default_factory=asyncio.Queue)
    ends: asyncio.Queue[tuple[bytes, asyncio.Future[int]]] = field(default_factory=asyncio.Queue)

    async def answer(self, what: str, body: bytes) -> tuple[int, bytes]:
        """Answer one request of the worker."""
        if what == "me":
            return 200, b'{"Slug": "w1"}'
        if what == "stream":
            payload = {"QueuedOperationID": str(uuid.uuid4()), "UnitID": UNIT_ID, "SpaceID": SPACE_ID}
            payload |= {"ProviderType": "Kubernetes", "UnitSlug": "web", "RevisionNum": 1}  # type: ignore[dict-item]
            event = {"Event": "BridgeWorkerEvent", "Data": {"Action": "Apply", "Payload": payload}}
            return 200, b"data: " + json.dumps(event).encode() + b"\n\n"
        said: Any = json.loads(body)
        (one,) = said if isinstance(said, list) else [said]
        live_state = b64decode(one.get("LiveState") or "")
        status: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        (self.pushes if what == "live_state" else self.ends).put_nowait((live_state, status))
        if await status == 200:
            self.kept = live_state
        return status.result(), b'"ok"'


@asynccontextmanager
async def working(folder: Path) -> AsyncIterator[tuple[Keeper, Place]]:
    """Give a hub and a place with a worker between them that has begun an apply."""
    hub, place = Keeper(), Place(asyncio.get_running_loop().create_future())
    async with asyncio.timeout(PATIENCE_S), link_to(hub.answer) as link:
        journal = Journal(folder / "journal.jsonl")
        worker = Worker(link, {"Kubernetes": place}, journal, poll_interval_s=0.01, offers_functions=False)
        task = asyncio.create_task(worker.run())
        try:
            yield hub, place
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            journal.close()


@pytest.mark.parametrize("answer", [503, 200], ids=["failed", "came late"])
def test_a_push_under_way_at_the_end_of_an_operation_does_not_stay(tmp_path: Path, answer: int) -> None:
    async def run() -> bytes:
        async with working(tmp_path) as (hub, place):
            place.changes.put_nowait(b"c1")
            _, pushed = await hub.pushes.get()
            place.outcome.set_result(Outcome("ApplyCompleted", "", live_state=b"c2"))
            _, ended = await hub.ends.get()
            ended.set_result(200)
            pushed.set_result(answer)
            live_state, pushed = await hub.pushes.get()
            pushed.set_result(200)
            return live_state

    assert asyncio.run(run()) == b"c2"


def test_what_changes_while_a_late_end_is_on_its_way_is_pushed_after_it(tmp_path: Path) -> None:
    async def run() -> list[bytes]:
        async with working(tmp_path) as (hub, place):
            place.outcome.set_result(Outcome("ApplyWaitFailed", "not ready"))
            _, ended = await hub.ends.get()
            ended.set_result(200)
            place.changes.put_nowait(READY)
            _, ended = await hub.ends.get()
            place.changes.put_nowait(b'[{"kind": "Pod"}]')
            first, pushed = await hub.pushes.get()
            pushed.set_result(200)
            ended.set_result(200)
            second, pushed = await hub.pushes.get()
            pushed.set_result(200)
            return [first, second]

    assert asyncio.run(run()) == [b'[{"kind": "Pod"}]'] * 2
