"""A Redis server of a test's own."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.conftest import need
from tests.services.running import eventually


@contextmanager
def redis_server(folder: Path, port: int, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server that keeps nothing on disk; without the program the test is skipped, and fails under CI."""
    program = need("redis-server", "apt-get install redis-server")
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder), *options]
    log = folder / "redis.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
    try:
        eventually("redis-server accepts", lambda: "Ready to accept" in log.read_text(errors="replace"))
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        process.wait()
