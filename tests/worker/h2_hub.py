"""A hub in the test's own process that answers over h2 what the test says, and opens a stream for whoever asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import h2.config
import h2.connection
import h2.events

from confighub.worker.link import HubLink
from tests.runtime.running import PATIENCE_S

Answer = Callable[[str, bytes], Awaitable[tuple[int, bytes]]]
"""Gives status and body to the last word of a path and the body of a request."""


class _Connection:
    def __init__(self, answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._answer, self._reader, self._writer = answer, reader, writer
        self._h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self._asked: dict[int, tuple[str, bytes]] = {}

    async def serve(self) -> None:
        """Answer until the other side goes."""
        self._h2.initiate_connection()
        answering: set[asyncio.Task[None]] = set()
        try:
            with suppress(ConnectionError):
                self._write()
                while data := await self._reader.read(65536):
                    for event in self._h2.receive_data(data):
                        if number := self._taken(event):
                            answering.add(asyncio.create_task(self._give(number)))
                    self._write()
        finally:
            for task in answering:
                task.cancel()
            await asyncio.gather(*answering, return_exceptions=True)
            self._writer.close()
            with suppress(ConnectionError):
                await self._writer.wait_closed()

    def _taken(self, event: h2.events.Event) -> int | None:
        """Take in an event; return the number of the request that it completes."""
        if isinstance(event, h2.events.RequestReceived):
            path = dict(event.headers)[b":path"].decode()
            self._asked[event.stream_id] = path.rpartition("/")[2], b""
        elif isinstance(event, h2.events.DataReceived):
            what, body = self._asked[event.stream_id]
            self._asked[event.stream_id] = what, body + event.data
            self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            return event.stream_id
        return None

    async def _give(self, number: int) -> None:
        what, body = self._asked[number]
        status, text = await self._answer(what, body)
        self._h2.send_headers(number, [(":status", str(status))])
        self._h2.send_data(number, text, end_stream=what != "stream")
        self._write()

    def _write(self) -> None:
        self._writer.write(self._h2.data_to_send())


@asynccontextmanager
async def link_to(answer: Answer) -> AsyncIterator[HubLink]:
    """Give a link to a hub that answers so."""
    serving: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.create_task(_Connection(answer, reader, writer).serve()))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    link = HubLink(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", "w1", "secret", silence_s=3 * PATIENCE_S)
    try:
        yield link
    finally:
        await link.close()
        server.close()
        await asyncio.gather(*serving)
