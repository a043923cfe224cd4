"""The reference's stand-alone function server as a process: started, called over HTTP, its CPU time read.

Only the server's own processor time counts, as the operating system books it; the client's work does not.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_NIL = "00000000-0000-0000-0000-000000000000"


class Peer:
    """A running function server."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self._process, self._port = process, port
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def call(self, text: str, calls: list[tuple[str, list[Any]]]) -> dict[str, Any]:
        """Return the server's answer to a list of calls on one text."""
        return self._ask(self._connection, text, calls)

    def call_apart(self, text: str, calls: list[tuple[str, list[Any]]]) -> dict[str, Any]:
        """Like call, over a connection of its own, for several threads at once."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            return self._ask(connection, text, calls)
        finally:
            connection.close()

    def _ask(
        self, connection: http.client.HTTPConnection, text: str, calls: list[tuple[str, list[Any]]]
    ) -> dict[str, Any]:
        body = {
            "ToolchainType": "Kubernetes/YAML",
            "UnitSlug": "unit",
            "UnitDisplayName": "unit",
            "SpaceSlug": "space",
            "UnitID": _NIL,
            "SpaceID": _NIL,
            "OrganizationID": _NIL,
            "ConfigData": base64.b64encode(text.encode()).decode(),
            "CastStringArgsToScalars": True,
            "CombineValidationResults": True,
            "FunctionInvocations": [
                {"FunctionName": name, "Arguments": [{"Value": value} for value in values]} for name, values in calls
            ],
        }
        connection.request("POST", "/function/kubernetes", json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        read = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"the peer answered {answer.status}: {read[:200]!r}")
        return dict(json.loads(read))

    def cpu_ns(self) -> int:
        """Return the processor time of all its threads so far, in nanoseconds."""
        total = 0
        for task in Path(f"/proc/{self._process.pid}/task").iterdir():
            try:
                total += int((task / "schedstat").read_text().split()[0])
            except (OSError, IndexError):
                continue
        return total

    def is_running(self) -> bool:
        """Say whether the process still lives."""
        return self._process.poll() is None


@contextmanager
def running(program: Path | None) -> Iterator[Peer | None]:
    """Yield the server, started on a free port, or None without a program; it ends with the block."""
    if program is None:
        yield None
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    environment = {**os.environ, "CONFIGHUB_FUNCTION_PORT": str(port)}
    process = subprocess.Popen([program], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _await(process, port)
        yield Peer(process, port)
    finally:
        process.terminate()
        process.wait(timeout=10)


def _await(process: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(200):
        if process.poll() is not None:
            raise RuntimeError(f"the peer ended with code {process.returncode}")
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("the peer did not listen within 10 s")
