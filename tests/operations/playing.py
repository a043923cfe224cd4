"""A hub with a space to deploy, and a worker in a thread that does as each test says."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
import warnings
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx2

from confighub.client.hub import HubClient
from confighub.client.transport import Transport
from tests.api.running import HubProcess, b64, basic
from tests.api.worker import Event, Worker, data_of

TEXT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: NAME
  namespace: shop
spec:
  replicas: 1 # enough here
  selector:
    matchLabels:
      app: NAME
  template:
    metadata:
      labels:
        app: NAME
    spec:
      containers:
      - name: NAME
        image: example/NAME:v1.0.0
"""


def running(text: str) -> bytes:
    """Return the live state of a Deployment that is ready."""
    name = text.split("name: ")[1].split()[0]
    status = {"replicas": 1, "readyReplicas": 1, "updatedReplicas": 1, "observedGeneration": 1}
    live = {"kind": "Deployment", "metadata": {"name": name, "generation": 1}, "spec": {"replicas": 1}}
    return json.dumps([{**live, "status": status}]).encode()


def refused(text: str, reason: str) -> bytes:
    """Return the live state of a Deployment that will not get ready."""
    name = text.split("name: ")[1].split()[0]
    condition = {"type": "Progressing", "status": "False", "reason": "CrashLoopBackOff", "message": reason}
    live = {"kind": "Deployment", "metadata": {"name": name, "generation": 1}, "spec": {"replicas": 1}}
    return json.dumps([{**live, "status": {"observedGeneration": 1, "conditions": [condition]}}]).encode()


@dataclass(frozen=True)
class Verdict:
    """How the worker ends an operation; ``silent`` means that it never does."""

    status: str = "Completed"
    result: str = "ApplyCompleted"
    message: str = ""
    live_state: bytes = b""
    silent: bool = False


def succeed(event: Event) -> Verdict:
    """End every operation well."""
    return Verdict(live_state=running(data_of(event)))


@dataclass
class PlayedWorker:
    """A connected worker; ``decide`` says how each operation ends, ``applied`` lists unit and revision in order."""

    worker: Worker
    decide: Callable[[Event], Verdict] = succeed
    applied: list[tuple[str, int]] = field(default_factory=list)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _ended: bool = False

    def __enter__(self) -> PlayedWorker:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(30)
        self._loop.close()
        # the HTTP client leaves a connection whose hub was killed to the collector, which says so
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()

    def _run(self) -> None:
        self._task = self._loop.create_task(self._serve())
        with suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._task)

    async def _serve(self) -> None:
        """Serve until ended; a hub that goes away is connected to again."""
        while not self._ended:
            with suppress(httpx2.HTTPError, AssertionError):
                async with self.worker.stream() as events:
                    async for event in events:
                        if event["Event"] == "BridgeWorkerEvent":
                            await self._carry_out(event)
            await asyncio.sleep(0.05)

    async def _carry_out(self, event: Event) -> None:
        payload = event["Data"]["Payload"]
        self.applied.append((payload["UnitSlug"], payload["RevisionNum"]))
        verdict = self.decide(event)
        if verdict.silent:
            return
        await self.worker.report(
            payload,
            Action=event["Data"]["Action"],
            Status=verdict.status,
            Result=verdict.result,
            Message=verdict.message,
            TerminatedAt="2026-01-01T00:00:01Z",
            LiveState=b64encode(verdict.live_state).decode(),
        )


@dataclass
class Stage:
    """A space of units that all use one worker's target."""

    process: HubProcess
    hub: HubClient
    space: str
    space_id: str
    worker: Worker
    target_id: str

    def unit(self, slug: str, order: int | None = 1, text: str = TEXT, **more: Any) -> str:
        """Make a unit; return its id."""
        labels = {"service": slug} | ({} if order is None else {"order": str(order)})
        body = {"Slug": slug, "Labels": labels, "TargetID": self.target_id, "Data": b64(text.replace("NAME", slug))}
        return str(self.hub.units.create({**body, **more}, space_id=self.space_id)["UnitID"])


def make_stage(process: HubProcess, space: str, *, auto_apply: bool = False, **labels: str) -> Stage:
    """Make a space with a worker and its target."""
    space_id = process.space(space, **labels)
    worker_id, secret = process.worker(space_id, AutoApply=auto_apply)
    target_id = process.target(space_id, worker_id)
    hub = HubClient(Transport(process.url, basic()))
    return Stage(process, hub, space, space_id, Worker(process.url, worker_id, secret), target_id)
