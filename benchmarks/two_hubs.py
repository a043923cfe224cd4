"""How long a command to one hub process takes to the worker that is connected to another, on one PostgreSQL.

Two processes serve one database; the worker's stream is at the second. Each apply is sent to the first, and what
is measured is the time from just before its request until the worker has the event. Before each one the last has
ended, so that nothing waits for its turn. The same is measured with the command sent to the worker's own hub.

    python benchmarks/two_hubs.py [--database URL] [--commands N] [--json]

Without --database a PostgreSQL server is started for the while, as the tests do.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cryptography.fernet import Fernet
from tests.api.running import HubProcess, fresh_store
from tests.api.worker import Worker, info, next_operation
from tests.hub.databases import PostgreSQL, find_postgresql

COMMANDS = 200


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--database", default="", help="SQLAlchemy URL of an empty PostgreSQL database")
    parser.add_argument("--commands", type=int, default=COMMANDS)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="two-hubs-") as name, database(asked.database) as url:
        for found in measure(Path(name), url, asked.commands):
            print(json.dumps(found) if asked.json else "  ".join(f"{key} {value}" for key, value in found.items()))


@contextlib.contextmanager
def database(url: str) -> Iterator[str]:
    """Give the URL, or that of a new database on a server that lives as long as the block."""
    if url:
        yield url
        return
    programs = find_postgresql()
    if programs is None:
        sys.exit("postgresql is missing: apt-get install postgresql, or give --database")
    with PostgreSQL.running(programs) as server, server.fresh() as made:
        yield made


def measure(folder: Path, url: str, commands: int) -> list[dict[str, object]]:
    """Return the times over the other process, then over the worker's own."""
    fresh_store(folder / "first", url)
    key = {"CONFIGHUB_KEY": Fernet.generate_key().decode()}
    hubs = [HubProcess(folder / name, _port(), key, url) for name in ("first", "second")]
    with contextlib.ExitStack() as stack:
        for hub in hubs:
            hub.start()
            stack.callback(hub.close)
        space = hubs[0].space("bench")
        unit, *identity = hubs[0].deployable(space)
        path = f"/api/space/{space}/unit/{unit}/apply"
        worker = Worker(hubs[1].url, *identity)
        ways = {"to the other process": hubs[0], "to the worker's own process": hubs[1]}
        return [
            {"work": f"command {way}, to its worker", **asyncio.run(_times(hub, worker, path, commands))}
            for way, hub in ways.items()
        ]


async def _times(hub: HubProcess, worker: Worker, path: str, commands: int) -> dict[str, object]:
    """Return median and 95th percentile in milliseconds, of so many commands."""
    found: list[float] = []
    async with worker.stream(info()) as events:
        await anext(events)
        for _ in range(commands):
            begun = time.perf_counter()
            request = asyncio.create_task(asyncio.to_thread(hub.ok, "POST", path))
            event = await next_operation(events)
            found.append((time.perf_counter() - begun) * 1000)
            await request
            await worker.complete(event)
    hundredths = quantiles(found, n=100)
    return {
        "p50": round(hundredths[49], 1),
        "p95": round(hundredths[94], 1),
        "max": round(max(found), 1),
        "unit": "ms",
        "commands": commands,
    }


def _port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
