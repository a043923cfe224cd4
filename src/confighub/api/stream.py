"""The event stream to a worker: operations as soon as they are due, heartbeats in between.

Server-sent events over HTTP/2: one ``data: `` line with one JSON object an event. The stream
ends when the worker goes, when a newer stream of the same worker takes over, or when the
server stops; what it carried is then put back. Source: the worker protocol of the public API.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from concurrent.futures import Executor
from typing import Any

import msgspec

from confighub.api.call import Call
from confighub.hub.hub import Hub
from confighub.hub.ids import new_id
from confighub.hub.retrying import repeated
from confighub.hub.usecases import deliveries, workers
from confighub.records.base import Record, to_wire
from confighub.records.work import WorkerEvent, WorkerEventBody, WorkerInfo

Message = MutableMapping[str, Any]

PIECE_BYTES = 256 * 1024
"""How much of a delivery is sent at once."""

log = logging.getLogger("confighub.stream")


class Heartbeat(Record):
    """The payload of a heartbeat, in microseconds since 1970."""

    timestamp: int


class Streams:
    """The open streams of this process, at most one a worker; the newest counts, at whichever process it is."""

    def __init__(self, hub: Hub, threads: Executor) -> None:
        self.hub = hub
        self.threads = threads
        self._open: dict[str, _Stream] = {}
        self._ended = asyncio.Event()
        self._is_stopping = False

    async def serve(
        self,
        call: Call,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
        request_id: str,
    ) -> None:
        """Run one worker's stream until it ends.

        Raises: BadRequest before anything is sent, when the body does not describe a worker.
        """
        info = call.record(WorkerInfo) if call.body.strip() else WorkerInfo()
        worker_id = call.caller.worker_id or ""
        stream = _Stream(self, call, send)
        about = {"info": info, "ip_address": call.ip_address, "stream": stream.id}
        await self.in_thread(workers.connect_worker, caller=call.caller, **about)
        older = self._open.get(worker_id)
        self._open[worker_id] = stream
        if older is not None:
            older.end()
        if self._is_stopping:
            stream.end()
        try:
            await stream.run(receive, request_id)
        except Exception:
            # The answer has begun, so all that is left is to end it: the worker connects again.
            log.exception("the stream of worker %s ended early, request %s", call.caller.username, request_id)
        finally:
            if self._open.get(worker_id) is stream:
                del self._open[worker_id]
            # A cancelled request must not leave the worker marked as connected.
            await asyncio.shield(self.in_thread(workers.disconnect_worker, stream=stream.id, caller=call.caller))
            self._ended.set()

    async def stop(self) -> None:
        """End every stream and wait until their workers are marked as gone."""
        self._is_stopping = True
        while self._open:
            self._ended.clear()
            for stream in self._open.values():
                stream.end()
            await self._ended.wait()

    async def in_thread(self, function: Callable[..., Any], **arguments: Any) -> Any:
        """Run a use case in the pool of threads."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.threads, lambda: repeated(lambda: function(self.hub, **arguments)))


def _due(hub: Hub, *, worker_id: str, stream: str) -> list[deliveries.Delivery] | None:
    """Return what the stream is to carry now; None when the worker has a newer one, also at another process."""
    if workers.is_superseded(hub, worker_id=worker_id, stream=stream):
        return None
    return deliveries.lease_operations(hub, worker_id=worker_id, stream=stream)


def _line(event: str, action: str, payload: Record) -> bytes:
    body = WorkerEventBody(action=action, payload=msgspec.Raw(to_wire(payload)))
    return b"data: " + to_wire(WorkerEvent(event=event, data=body)) + b"\n\n"


def _portions(due: list[deliveries.Delivery]) -> Iterator[bytes]:
    """Yield the events, many at a time: each piece that is sent costs the server a turn of its own."""
    piece = b""
    for delivery in due:
        piece += _line(delivery.event, delivery.action, delivery.payload)
        if len(piece) >= PIECE_BYTES:
            yield piece
            piece = b""
    if piece:
        yield piece


class _Stream:
    """One worker's stream."""

    def __init__(self, streams: Streams, call: Call, send: Callable[[Message], Awaitable[None]]) -> None:
        self.id = new_id()
        self._streams = streams
        self._worker_id = call.caller.worker_id or ""
        self._send = send
        self._woken = asyncio.Event()
        self._is_over = False

    def end(self) -> None:
        """Make ``run`` return soon."""
        self._is_over = True
        self._woken.set()

    async def run(self, receive: Callable[[], Awaitable[Message]], request_id: str) -> None:
        """Send events until the stream ends."""
        loop = asyncio.get_running_loop()

        def wake() -> None:
            loop.call_soon_threadsafe(self._woken.set)

        unsubscribe = self._streams.hub.wakeups.subscribe(self._worker_id, wake)
        watch = asyncio.create_task(self._watch(receive))
        try:
            await self._start(request_id)
            while not self._is_over:
                await self._beat()
                await self._deliver_until(loop.time() + self._streams.hub.settings.heartbeat_s)
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            watch.cancel()
            unsubscribe()

    async def _start(self, request_id: str) -> None:
        headers = [
            (b"content-type", b"text/event-stream"),
            (b"cache-control", b"no-cache"),
            (b"x-request-id", request_id.encode()),
        ]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})

    async def _beat(self) -> None:
        """Send a sign of life, and keep what the stream carries."""
        await self._event("WorkerEvent", "Heartbeat", Heartbeat(timestamp=time.time_ns() // 1000))
        await self._streams.in_thread(deliveries.renew_leases, stream=self.id)

    async def _deliver_until(self, deadline: float) -> None:
        """Send what is due now and what becomes due before the deadline."""
        loop = asyncio.get_running_loop()
        while not self._is_over:
            # Cleared before looking, so that what is queued while we look wakes us again.
            self._woken.clear()
            due = await self._streams.in_thread(_due, worker_id=self._worker_id, stream=self.id)
            if due is None:
                self.end()
                return
            for portion in _portions(due):
                await self._send({"type": "http.response.body", "body": portion, "more_body": True})
            if due:
                continue
            try:
                async with asyncio.timeout(max(0.0, deadline - loop.time())):
                    await self._woken.wait()
            except TimeoutError:
                return

    async def _event(self, event: str, action: str, payload: Record) -> None:
        await self._send({"type": "http.response.body", "body": _line(event, action, payload), "more_body": True})

    async def _watch(self, receive: Callable[[], Awaitable[Message]]) -> None:
        """End the stream when the worker closes it."""
        while (await receive())["type"] != "http.disconnect":
            pass
        self.end()
