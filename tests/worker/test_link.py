"""The line to the hub, frame by frame."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import h2.config
import h2.connection
import h2.events

from confighub.errors import ConfigHubError, RetryLater
from confighub.records.work import ActionResult, WorkerInfo
from confighub.worker.link import HubLink
from tests.runtime.running import PATIENCE_S
from tests.worker.h2_hub import link_to

EVENT = b'data: {"Event":"WorkerEvent","Data":{"Action":"Heartbeat","Payload":{}}}\n\n'
BEAT = ActionResult(action="Heartbeat", status="Completed", started_at=datetime.now(UTC))


class TwoAtOnce:
    """A hub that sends one event at the first result, and answers that result and the second with one write."""

    def __init__(self) -> None:
        self.is_streaming = asyncio.Event()
        self._stream: tuple[h2.connection.H2Connection, asyncio.StreamWriter, int] | None = None
        self._paths: dict[tuple[asyncio.StreamWriter, int], str] = {}
        self._unanswered: list[int] = []
        self._connections: set[asyncio.Task[None]] = set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take in one connection."""
        self._connections.add(asyncio.create_task(self._serve(reader, writer)))

    async def ended(self) -> None:
        """Wait until the other side has closed all connections."""
        await asyncio.gather(*self._connections)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                for event in connection.receive_data(data):
                    if isinstance(event, h2.events.RequestReceived):
                        self._paths[writer, event.stream_id] = dict(event.headers)[b":path"].decode()
                    elif isinstance(event, h2.events.StreamEnded):
                        self._asked(connection, writer, event.stream_id)
                writer.write(connection.data_to_send())
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    def _asked(self, connection: h2.connection.H2Connection, writer: asyncio.StreamWriter, number: int) -> None:
        if self._paths[writer, number].endswith("/stream"):
            connection.send_headers(number, [(":status", "200"), ("content-type", "text/event-stream")])
            self._stream = connection, writer, number
            self.is_streaming.set()
            return
        self._unanswered.append(number)
        if len(self._unanswered) == 1:
            assert self._stream
            streaming, to_worker, stream = self._stream
            streaming.send_data(stream, EVENT)
            to_worker.write(streaming.data_to_send())
            return
        for unanswered in self._unanswered:
            connection.send_headers(unanswered, [(":status", "200")])
            connection.send_data(unanswered, b'"ok"', end_stream=True)


@asynccontextmanager
async def listening(hub: TwoAtOnce) -> AsyncIterator[tuple[HubLink, asyncio.Event]]:
    """Give a link whose stream of events is open and read, and what is set at the first event."""
    server = await asyncio.start_server(hub.accept, "127.0.0.1", 0)
    link = HubLink(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", "w1", "secret", silence_s=3 * PATIENCE_S)
    has_event = asyncio.Event()

    async def listen() -> None:
        async for _ in link.events(WorkerInfo()):
            has_event.set()

    reading = asyncio.create_task(listen())
    try:
        await hub.is_streaming.wait()
        yield link, has_event
    finally:
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading
        await link.close()
        server.close()
        await hub.ended()


def test_a_result_whose_answer_came_with_another_ones_does_not_wait_for_the_next_event() -> None:
    async def run() -> None:
        async with asyncio.timeout(PATIENCE_S), listening(TwoAtOnce()) as (link, has_event):
            first = asyncio.create_task(link.send(BEAT))
            # The event puts the stream behind the first result, and the second result behind the stream.
            await has_event.wait()
            await asyncio.gather(first, link.send(BEAT))

    asyncio.run(run())


def test_a_report_that_a_hub_cannot_bear_does_not_keep_the_others_from_it() -> None:
    bad, good = (ActionResult(action="Apply", message=message) for message in ("bad", "good"))

    async def answer(what: str, body: bytes) -> tuple[int, bytes]:
        return (500, b"") if b"bad" in body else (200, b'"ok"')

    async def run() -> list[ConfigHubError | None]:
        async with asyncio.timeout(PATIENCE_S), link_to(answer) as link:
            return await link.send_all([bad, good])

    first, second = asyncio.run(run())

    assert isinstance(first, RetryLater)
    assert second is None


def test_a_hub_that_took_each_report_alone_is_asked_to_take_many_after_a_new_stream() -> None:
    asked: list[str] = []

    async def answer(what: str, body: bytes) -> tuple[int, bytes]:
        asked.append(what)
        if what == "stream":
            return 200, EVENT
        return (404, b"") if what == "action_results" else (200, b'"ok"')

    async def run() -> None:
        async with asyncio.timeout(PATIENCE_S), link_to(answer) as link:
            for _ in range(2):
                await link.send_all([BEAT, BEAT])
            events = link.events(WorkerInfo())
            await anext(events)
            await link.send_all([BEAT, BEAT])
            await events.aclose()  # type: ignore[attr-defined]

    asyncio.run(run())

    each = ["action_result", "action_result"]
    assert asked == ["action_results", *each, *each, "stream", "action_results", *each]
