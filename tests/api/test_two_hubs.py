"""Two hub processes on one PostgreSQL: they share the work, and what one leaves behind the other finishes."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
from cryptography.fernet import Fernet

from tests.api.running import HubProcess, fresh_store
from tests.api.worker import Event, Worker, info
from tests.hub.databases import PostgreSQL

UNITS = 6

PATIENCE_S = 60.0

FINAL = ("Completed", "Failed", "Canceled")


@dataclass
class Pair:
    """Two hubs on one database; each has a folder of its own, one has the key as a file, one in its environment."""

    hubs: list[HubProcess]
    database_url: str

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return what the database answers."""
        with psycopg.connect(self.database_url.replace("postgresql+psycopg", "postgresql")) as connection:
            return connection.execute(query.encode()).fetchall()


@pytest.fixture
def pair(postgresql: PostgreSQL, tmp_path: Path) -> Iterator[Pair]:
    """Two running hubs."""
    with postgresql.fresh() as url:
        fresh_store(tmp_path / "a", url)
        key = Fernet.generate_key().decode()
        names = {"a": {"CONFIGHUB_KEY": key}, "b": {}}
        (tmp_path / "b").mkdir()
        (tmp_path / "b" / "hub.key").write_text(key)
        hubs = [HubProcess(tmp_path / name, _port(), environ, url) for name, environ in names.items()]
        for hub in hubs:
            hub.start()
        yield Pair(hubs, url)
        for hub in hubs:
            hub.close()


@dataclass
class RestlessWorker:
    """A worker that connects to whichever hub lives, and reports each result until a hub has taken it."""

    workers: list[Worker]
    choice: random.Random
    seen: list[str] = field(default_factory=list)
    at: int = 0

    @contextmanager
    def running(self) -> Iterator[RestlessWorker]:
        """Run it in a thread."""
        loop = asyncio.new_event_loop()
        task = loop.create_task(self._serve())

        def run() -> None:
            with suppress(asyncio.CancelledError):
                loop.run_until_complete(task)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(task.cancel)
            thread.join(PATIENCE_S)
            loop.close()

    async def _serve(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            while True:
                try:
                    async with self.workers[self.at].stream(info()) as events:
                        async for event in events:
                            if event["Event"] == "BridgeWorkerEvent":
                                tasks.create_task(self._finish(event))
                except (httpx2.HTTPError, AssertionError):
                    pass
                self.at = 1 - self.at
                await asyncio.sleep(0.02)

    async def _finish(self, event: Event) -> None:
        payload = event["Data"]["Payload"]
        self.seen.append(payload["QueuedOperationID"])
        for result in ({"Status": "Progressing"}, None):
            while True:
                worker = self.choice.choice(self.workers)
                try:
                    if result is None:
                        await worker.complete(event)
                    else:
                        answer = await worker.report(payload, Action="Apply", Result="None", **result)
                        assert answer.status_code == 200, answer.text
                    break
                except httpx2.HTTPError:
                    await asyncio.sleep(0.02)


def test_a_command_sent_to_one_reaches_the_worker_at_the_other(pair: Pair) -> None:
    a, b = pair.hubs
    space = a.space("shop")
    unit, *identity = a.deployable(space)
    worker = RestlessWorker([Worker(b.url, *identity)] * 2, random.Random(1))

    with worker.running():
        _until(lambda: _condition(a, space) == "Ready")
        operation = a.ok("POST", f"/api/space/{space}/unit/{unit}/apply")["QueuedOperationID"]
        _until(lambda: _statuses(a, space, unit) == {operation: "Completed"})

    assert set(worker.seen) == {operation}


def test_killing_either_loses_nothing_and_does_nothing_twice(pair: Pair) -> None:
    choice = random.Random(5)
    space = pair.hubs[0].space("shop")
    first, *identity = pair.hubs[0].deployable(space)
    target = pair.hubs[0].ok("GET", f"/api/space/{space}/target")[0]["Target"]["TargetID"]
    units = [first, *(pair.hubs[0].unit(space, f"u{number}", TargetID=target) for number in range(1, UNITS))]
    answered: list[tuple[str, str]] = []

    def apply(unit: str) -> None:
        with suppress(OSError, ConnectionError):
            answer = choice.choice(pair.hubs).request("POST", f"/api/space/{space}/unit/{unit}/apply")
            if answer.status == 200:
                answered.append((unit, answer.json["QueuedOperationID"]))
            assert answer.status in (200, 503), answer.body

    with RestlessWorker([Worker(hub.url, *identity) for hub in pair.hubs], choice).running():
        for round_ in range(6):
            senders = [threading.Thread(target=apply, args=(unit,)) for unit in units * 3]
            victim = pair.hubs[round_ % 2]
            for number, sender in enumerate(senders):
                sender.start()
                if number == choice.randrange(len(senders)) or number == len(senders) - 1:
                    victim.close()
            for sender in senders:
                sender.join()
            victim.start()
        _until(lambda: all(set(_statuses(pair.hubs[0], space, unit).values()) <= set(FINAL) for unit in units))

    found = {unit: _statuses(pair.hubs[1], space, unit) for unit in units}
    assert answered
    assert [one for one in answered if one[1] not in found[one[0]]] == []
    assert {status for statuses in found.values() for status in statuses.values()} <= {"Completed", "Canceled"}
    completed = {operation for one in found.values() for operation, status in one.items() if status == "Completed"}
    assert Counter(row[0] for row in pair.rows("SELECT queued_operation_id FROM applications")) == Counter(completed)
    (told,) = pair.rows("SELECT count(*) FROM audit_log WHERE action = 'apply completed'")
    assert told[0] == len(completed)


def test_the_newest_stream_of_a_worker_counts_whichever_hub_it_is_at(pair: Pair) -> None:
    a, b = pair.hubs
    space = a.space("shop")
    unit, *identity = a.deployable(space)

    async def run() -> tuple[bool, list[Event]]:
        async with Worker(a.url, *identity).stream(info()) as older:
            await anext(older)
            async with Worker(b.url, *identity).stream(info()) as newer:
                await anext(newer)
                left = [event async for event in older if event["Event"] != "WorkerEvent"]
                ready = await asyncio.to_thread(_condition, a, space) == "Ready"
                await asyncio.to_thread(a.ok, "POST", f"/api/space/{space}/unit/{unit}/apply")
                return ready, [*left, await _next(newer)]

    ready, got = asyncio.run(run())
    assert ready
    assert [event["Data"]["Action"] for event in got] == ["Apply"]


def test_a_hub_with_another_key_does_not_start(pair: Pair, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "confighub.server", "serve", "--port", "0", "--data", str(tmp_path / "c")]
    environ = {**os.environ, "CONFIGHUB_DATABASE_URL": pair.database_url}

    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=PATIENCE_S, check=False)

    assert done.returncode == 1
    assert done.stderr.startswith("confighub: the key of this hub is not the one")


async def _next(events: Any) -> Event:
    async for event in events:
        if event["Event"] == "BridgeWorkerEvent":
            return dict(event)
    raise AssertionError("the stream ended")


def _statuses(hub: HubProcess, space: str, unit: str) -> dict[str, str]:
    found = hub.ok("GET", f"/api/space/{space}/unit/{unit}/unit_event")
    return {one["QueuedOperationID"]: one["Status"] for one in found}


def _condition(hub: HubProcess, space: str) -> str:
    return str(hub.ok("GET", f"/api/space/{space}/bridge_worker")[0]["BridgeWorker"]["Condition"])


def _until(is_true: Callable[[], bool]) -> None:
    """Wait for the condition; the limit only keeps a broken hub from hanging the tests."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
