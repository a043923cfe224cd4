"""One hub process: the socket, the application, the sweeper, and an orderly end.

The HTTP server runs inside this process and on this event loop, so there is one process to
start, to measure and to stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import IO, Any

from confighub.api.app import Api
from confighub.api.table import ROUTES
from confighub.errors import Conflict
from confighub.hub.hub import Hub
from confighub.hub.usecases import audit, people, workers
from confighub.settings import LOOPBACK, HubSettings

SWEEP_S = 1.0
"""How often time itself is looked at: leases, timeouts, holds."""

CHAIN_EVERY = 5
"""Sweeps between two extensions of the audit chain."""

DRAIN_S = 1.5
"""How long requests may take to end after SIGTERM."""

SETTLE_S = 0.05

LINGER_S = 0.5
"""How long the HTTP server may take afterwards; an idle HTTP/2 connection keeps it for ever."""

log = logging.getLogger("confighub")


def serve(settings: HubSettings, *, host: str, port: int) -> None:
    """Serve the hub until SIGTERM or SIGINT.

    Raises: Conflict when the port is taken, or another process serves the same folder; ConfigHubError when
    the key is not the one that the database was begun with.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    settings = replace(settings, host=host, port=_free_port(host, port))
    with _sole_server(settings), contextlib.closing(Hub(settings)) as hub:
        people.found(hub)
        audit.claim(hub)
        if hub.database.is_sqlite:
            workers.recover(hub)
        asyncio.run(_serve(hub))


async def _serve(hub: Hub) -> None:
    from granian.constants import HTTPModes, Interfaces
    from granian.server.embed import Server

    api = Api(hub, ROUTES)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    server = Server(
        api,
        address=hub.settings.host,
        port=hub.settings.port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.auto,
        websockets=False,
        log_enabled=False,
    )
    async with _running(server.serve()) as serving, _running(_sweep(api)):
        await _announce(hub.settings, serving, ended)
        await asyncio.wait([serving, asyncio.create_task(ended.wait())], return_when=asyncio.FIRST_COMPLETED)
        log.info("stopping")
        await _drain(api)
        # Clients read the ends of their streams before the connections go away under them.
        await asyncio.sleep(SETTLE_S)
        server.stop()  # type: ignore[no-untyped-call]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                await asyncio.shield(serving)
    hub.close()
    logging.shutdown()
    # Threads of the HTTP server may wait for idle connections; everything of ours has ended.
    os._exit(0)


@contextlib.asynccontextmanager
async def _running(work: Any) -> AsyncIterator[asyncio.Task[Any]]:
    """Run the coroutine beside the block and cancel it afterwards."""
    task = asyncio.ensure_future(work)
    try:
        yield task
    finally:
        task.cancel()


async def _announce(settings: HubSettings, serving: asyncio.Task[Any], ended: asyncio.Event) -> None:
    """Say where the hub answers, once it does."""
    host = LOOPBACK if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104 - compared, not bound
    while not serving.done() and not ended.is_set():
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(host, settings.port)
            writer.close()
            log.info("the hub answers at http://%s:%d, its data is in %s", host, settings.port, settings.data_dir)
            return
        await asyncio.sleep(0.01)


async def _sweep(api: Api) -> None:
    """Look at the time now and then; a failure is logged and the next round tries again."""
    hub, loop = api.hub, asyncio.get_running_loop()
    rounds = 0
    while True:
        await asyncio.sleep(SWEEP_S)
        rounds += 1
        try:
            if await loop.run_in_executor(api.threads, workers.is_sweep_due, hub):
                await loop.run_in_executor(api.threads, workers.sweep, hub)
            if rounds % CHAIN_EVERY == 0:
                await loop.run_in_executor(api.threads, audit.sequence, hub)
        except Exception:
            log.exception("the sweep failed")


async def _drain(api: Api) -> None:
    """End the streams and give requests under way a moment to end."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_S):
            await api.stop()


def _free_port(host: str, port: int) -> int:
    """Return the port, or a free one for 0.

    Raises: Conflict, naming the holder, when another program listens there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # The server itself shares ports silently, so this is where a second hub is noticed.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            holder = _holder(port)
            raise Conflict(
                f"cannot listen on {host}:{port}: {(error.strerror or str(error)).lower()}{holder}",
                hint="end it, or choose another --port",
            ) from error
        return int(probe.getsockname()[1])


def _holder(port: int) -> str:
    """Return who listens on the port, as the end of a sentence; empty when the system does not tell."""
    import psutil

    try:
        found = [
            c.pid for c in psutil.net_connections("tcp") if c.laddr and c.laddr.port == port and c.status == "LISTEN"
        ]
        process = psutil.Process(next(pid for pid in found if pid))
        return f" by {' '.join(process.cmdline()[:4]) or process.name()} (pid {process.pid})"
    except (psutil.Error, StopIteration):
        return ""


@contextlib.contextmanager
def _sole_server(settings: HubSettings) -> Any:
    """Hold the folder, so that one process serves an SQLite store.

    Raises: Conflict, naming the other process.
    """
    if settings.database_url and not settings.database_url.startswith("sqlite"):
        yield
        return
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (settings.data_dir / "hub.lock").open("a+") as file:
        _lock(file, settings)
        yield


def _lock(file: IO[str], settings: HubSettings) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.seek(0)
        raise Conflict(
            f"another hub serves {settings.data_dir}: process {file.read().strip() or 'unknown'}", hint="end it first"
        ) from error
    # The system drops the lock with the process, however it ends; the number is for people.
    file.seek(0)
    file.truncate()
    file.write(str(os.getpid()))
    file.flush()
