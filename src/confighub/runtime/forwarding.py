"""One client connection of a Service, forwarded byte by byte to a replica.

Between two HTTP exchanges the connection is nobody's: when the replica leaves the Service, or closes
its side, the next request goes to another one and the client notices nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Protocol

import msgspec

from confighub.runtime import background
from confighub.runtime.addresses import Endpoint
from confighub.runtime.framing import Exchanges
from confighub.runtime.replicas import Replica

_PAUSE_AT_BYTES = 262_144  # kept while a replica is being connected to


class Target(msgspec.Struct, frozen=True):
    """A replica and where it answers."""

    replica: Replica
    endpoint: Endpoint


class Pool(Protocol):
    """Who may serve a connection."""

    def pick(self, client: str, avoid: Collection[Endpoint] = ()) -> Target | None:
        """Return the replica for a client at that address, none of those to avoid; None when there is none."""

    def serves(self, replica: Replica) -> bool:
        """True while the replica may get requests."""


class Connection(asyncio.Protocol):
    """The client's side; it owns the server's side."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._client: asyncio.Transport | None = None
        self._client_host = ""
        self._server: asyncio.Transport | None = None
        self._target: Target | None = None
        self._exchanges = Exchanges()
        self._unsent: list[bytes] = []
        self._is_connecting = False
        self._client_is_done = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the client in and connect to a replica at once: the server may be the one to speak first."""
        assert isinstance(transport, asyncio.Transport)
        self._client = transport
        self._client_host = transport.get_extra_info("peername")[0]
        self._connect()

    def data_received(self, data: bytes) -> None:
        """Pass the client's bytes on."""
        if self._server and self._target and self._exchanges.is_idle and not self._pool.serves(self._target.replica):
            self._detach()
        self._exchanges.from_client(data)
        if self._server:
            self._server.write(data)
            return
        self._unsent.append(data)
        if self._client and sum(map(len, self._unsent)) > _PAUSE_AT_BYTES:
            self._client.pause_reading()
        if not self._is_connecting:
            self._connect()

    def eof_received(self) -> bool:
        """Pass the client's end of sending on; answers may still come."""
        self._client_is_done = True
        if self._server:
            self._server.write_eof()
        return bool(self._server) or self._is_connecting

    def connection_lost(self, _: Exception | None) -> None:
        """End the server's side with the client's."""
        self._client = None
        self._detach()

    def pause_writing(self) -> None:
        """Stop reading the server while the client is slow."""
        if self._server:
            self._server.pause_reading()

    def resume_writing(self) -> None:
        """Read the server again."""
        if self._server:
            self._server.resume_reading()

    def release(self) -> None:
        """Leave the replica now when nothing is in flight; opaque bytes cannot be waited for."""
        if self._exchanges.is_idle and not self._is_connecting:
            self._detach()
        elif self._exchanges.is_opaque and self._target:
            self._target.replica.users.leave(self)

    def server_made(self, transport: asyncio.Transport) -> None:
        """Send what the client said meanwhile."""
        self._is_connecting = False
        if self._client is None:
            transport.abort()
            return
        self._server = transport
        for data in self._unsent:
            transport.write(data)
        self._unsent.clear()
        self._client.resume_reading()
        if self._client_is_done:
            transport.write_eof()
        if self._exchanges.is_idle and self._target and self._target.replica.stopping:
            self._detach()

    def server_sent(self, data: bytes) -> None:
        """Pass the server's bytes on; at a boundary leave a replica that is going."""
        self._exchanges.from_server(data)
        if self._client:
            self._client.write(data)
        if self._exchanges.is_idle and self._target and self._target.replica.stopping:
            self._detach()

    def server_ended(self, transport: asyncio.Transport, error: Exception | None) -> None:
        """End the client's side too, unless the server only gave up an idle connection."""
        if transport is not self._server:
            return
        may_go_on = self._exchanges.is_idle and not self._exchanges.is_closing and not self._client_is_done
        client = self._client
        self._detach()
        if client is None or may_go_on:
            return
        if error:
            client.abort()
        else:
            client.close()

    def slow_down(self, *, client_too_fast: bool) -> None:
        """Stop or resume reading the client while the server is slow."""
        if self._client is None or self._client.is_closing():
            return
        if client_too_fast:
            self._client.pause_reading()
        else:
            self._client.resume_reading()

    def _detach(self) -> None:
        server, target = self._server, self._target
        self._server = self._target = None
        if server:
            server.close()
        if target:
            target.replica.users.leave(self)
        if self._client and not self._client.is_closing():
            self._client.resume_reading()

    def _connect(self) -> None:
        self._is_connecting = True
        background.start(self._find_server(), name="connect to a replica")

    async def _find_server(self) -> None:
        loop = asyncio.get_running_loop()
        avoid: set[Endpoint] = set()
        while self._client and (target := self._pool.pick(self._client_host, avoid)):
            self._target = target
            target.replica.users.enter(self)
            try:
                await loop.create_connection(lambda: _ServerSide(self), target.endpoint.host, target.endpoint.port)
                return
            except OSError:
                avoid.add(target.endpoint)
                target.replica.users.leave(self)
                self._target = None
        self._is_connecting = False
        if self._client:
            self._client.abort()


class _ServerSide(asyncio.Protocol):
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connection.server_made(transport)

    def data_received(self, data: bytes) -> None:
        self._connection.server_sent(data)

    def connection_lost(self, error: Exception | None) -> None:
        if self._transport:
            self._connection.server_ended(self._transport, error)

    def pause_writing(self) -> None:
        self._connection.slow_down(client_too_fast=True)

    def resume_writing(self) -> None:
        self._connection.slow_down(client_too_fast=False)
