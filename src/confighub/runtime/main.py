"""The doors of the runtime: ``serve`` runs a project's daemon, ``logs`` prints what a workload said."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import msgspec

from confighub.errors import NotFound
from confighub.runtime import files
from confighub.runtime import logs as log_files
from confighub.runtime.messages import ADDRESS_FILE, Address
from confighub.runtime.state import Store

if TYPE_CHECKING:
    from aiohttp.web import AppRunner

_PORT_FILE = "port"


def serve(data_dir: Path, *, has_block: bool = sys.platform == "linux") -> None:
    """Run the daemon of a data folder until SIGTERM or SIGINT; all its processes end with it.

    ``has_block`` off keeps to 127.0.0.1 and free ports, as on systems without further loopback addresses.
    Raises Conflict when a daemon already runs there.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    data_dir = data_dir.resolve()
    asyncio.run(_serve(data_dir, has_block=has_block, port=_port_before(data_dir)))


def logs(
    data_dir: Path, environment: str, name: str, *, follow: bool = False, lines: int = 100, out: TextIO | None = None
) -> None:
    """Print the last lines of a workload, and with ``follow`` whatever comes, until interrupted.

    Raises NotFound when the environment has no such workload, naming those it has.
    """
    out = out or sys.stdout
    folder = log_files.folder_of(Store(data_dir).folder(environment))
    if not (folder / name).is_dir():
        known = sorted(path.name for path in folder.glob("*")) if folder.is_dir() else []
        hint = f"there is {', '.join(known)}" if known else f"nothing has run in {environment} yet"
        raise NotFound(f"environment {environment} has no logs of {name}", hint=hint)
    for line in log_files.read(folder, name, lines):
        print(line, file=out)
    if follow:
        for line in log_files.follow(folder, name):
            print(line, file=out, flush=True)


async def _serve(data_dir: Path, *, has_block: bool, port: int) -> None:
    # These are most of the start-up time; ``logs`` needs none of them.
    from aiohttp import web

    from confighub.runtime import control
    from confighub.runtime.daemon import Daemon

    daemon = Daemon(data_dir, has_block=has_block)
    token = secrets.token_urlsafe(32)
    runner = web.AppRunner(control.application(daemon, token), access_log=None, handler_cancellation=True)
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    daemon.start()
    await runner.setup()
    await _listen(runner, had=port)
    host, port = runner.addresses[0][:2]
    files.replace(data_dir / _PORT_FILE, str(port).encode())
    daemon.publish_metrics(f"http://{host}:{port}/metrics")
    address = Address(url=f"http://{host}:{port}", token=token, pid=os.getpid())
    where = data_dir / ADDRESS_FILE
    files.replace(where, msgspec.json.encode(address), mode=0o600)
    logging.getLogger("confighub.runtime").info("ready at %s for %s", address.url, data_dir)
    try:
        await stopping.wait()
    finally:
        where.unlink(missing_ok=True)
        daemon.end_watches()
        await runner.cleanup()
        await daemon.stop()


async def _listen(runner: AppRunner, *, had: int) -> None:
    """Open the port that the daemon had before, which a Prometheus may know; another one when that is taken."""
    from aiohttp import web

    try:
        await web.TCPSite(runner, "127.0.0.1", had, shutdown_timeout=1.0).start()
    except OSError:
        await web.TCPSite(runner, "127.0.0.1", 0, shutdown_timeout=1.0).start()


def _port_before(data_dir: Path) -> int:
    """Return the port that the last daemon of the folder had; 0 when there was none."""
    try:
        return int((data_dir / _PORT_FILE).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0
