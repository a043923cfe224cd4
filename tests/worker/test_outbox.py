"""Ends on their way to the hub: each once, and in few requests where many come."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from confighub.records.work import ActionResult
from confighub.worker.journal import Journal
from confighub.worker.outbox import Outbox
from tests.runtime.running import PATIENCE_S
from tests.worker.h2_hub import link_to

MANY = 300


def test_ends_that_come_one_after_the_other_are_told_once_each_in_few_requests(tmp_path: Path) -> None:
    requests: list[list[str]] = []
    journal = Journal(tmp_path / "journal")

    async def answer(what: str, body: bytes) -> tuple[int, bytes]:
        told = msgspec.json.decode(body)
        told = told if isinstance(told, list) else [told]
        requests.append([one["QueuedOperationID"] for one in told])
        taken = b"[" + b",".join([b"{}"] * len(told)) + b"]"
        return 200, taken if what == "action_results" else b'"ok"'

    async def run() -> None:
        async with asyncio.timeout(PATIENCE_S), link_to(answer) as link:
            outbox = Outbox(link, journal, longest_pause_s=0.1)
            sending = asyncio.create_task(outbox.run())
            ends: list[asyncio.Task[None]] = []
            for number in range(MANY):
                ends.append(asyncio.create_task(outbox.finish(ActionResult(queued_operation_id=f"operation-{number}"))))
                await asyncio.sleep(0.001)
            await asyncio.gather(*ends)
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    asyncio.run(run())

    assert [one for told in requests for one in told] == [f"operation-{number}" for number in range(MANY)]
    assert len(requests) < MANY / 10
    assert journal.unsent() == []
    journal.close()
