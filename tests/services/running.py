"""Services as processes on free ports, and a client that reads what they answer."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any, TypeVar

from traderx.services.main import SERVICES
from traderx.services.platform.environment import URL_VARIABLES

PATIENCE_S = 30.0
Found = TypeVar("Found")


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


def call(
    url: str, body: object = None, *, method: str | None = None, headers: Mapping[str, str] | None = None
) -> Reply:
    """Return the reply, whatever its status; a body that is no text is sent as JSON.

    Raises: OSError when there is none, or only half of one.
    """
    data = None
    if body is not None:
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
    request = urllib.request.Request(url, data, dict(headers or {}), method=method)
    if data is not None:
        request.add_header("content-type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return Reply(answer.status, _lower(answer.headers), answer.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return Reply(error.code, _lower(error.headers), error.read().decode())
    except http.client.HTTPException as error:
        raise ConnectionError(f"{url} was cut off: {error!r}") from error


def eventually(what: str, look: Callable[[], Found | None]) -> Found:
    """Return what ``look`` finds, as soon as it finds something true."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if found := look():
                return found
        time.sleep(0.02)
    raise AssertionError(f"not within {PATIENCE_S:g} s: {what}")


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ServiceProcess:
    """One service running with these variables."""

    def __init__(self, name: str, variables: Mapping[str, str]) -> None:
        self.name = name
        inherited = {key: os.environ[key] for key in ("PATH", "LANG", "HOME") if key in os.environ}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "traderx.services", name],
            env={"PORT": "0", **inherited, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._port: queue.Queue[int] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def url(self) -> str:
        """Where it answers; waits until it does."""
        if not hasattr(self, "_url"):
            try:
                self._url = f"http://127.0.0.1:{self._port.get(timeout=PATIENCE_S)}"
            except queue.Empty:
                raise AssertionError(f"{self.name} never listened: {self.lines}") from None
        return self._url

    def logs(self, message: str) -> list[dict[str, Any]]:
        """Return the log lines with this message so far."""
        found = [json.loads(line) for line in list(self.lines) if line.startswith("{")]
        return [line for line in found if line["message"] == message]

    def wait_ready(self) -> ServiceProcess:
        """Return once it says that it can do its work."""
        eventually(f"{self.name} ready", lambda: call(f"{self.url}/health/ready").status == 200)
        return self

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.kill()
        self._end()

    def stop(self) -> int:
        """End it politely and return its exit code."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        return self._end()

    def wait(self) -> int:
        """Return its exit code once it ended by itself."""
        return self._end()

    def _end(self) -> int:
        code = self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if '"listening"' in line:
                self._port.put(int(json.loads(line)["port"]))


@dataclass
class Desk:
    """A set of services that know each other, on one database."""

    database_url: str
    variables: dict[str, str] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=lambda: {name: free_port() for name in SERVICES})
    running: list[ServiceProcess] = field(default_factory=list)

    def start(self, *names: str, **variables: str) -> ServiceProcess:
        """Start services at their places and return the last, ready."""
        started = [self.begin(name, **variables) for name in names]
        for process in started:
            process.wait_ready()
        return started[-1]

    def begin(self, name: str, **variables: str) -> ServiceProcess:
        """Start one service at its place; a processor gets any place, since nobody calls it."""
        port = "0" if name == "trade-processor" else str(self.ports[name])
        urls = {names[0]: self.url(one) for one, names in URL_VARIABLES.items() if one != "trade-processor"}
        process = ServiceProcess(
            name, {"DATABASE_URL": self.database_url, "PORT": port, **urls, **self.variables, **variables}
        )
        self.running.append(process)
        return process

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    def process(self, name: str) -> ServiceProcess:
        """Return the latest process of this service."""
        return next(one for one in reversed(self.running) if one.name == name)

    def stop(self) -> None:
        for process in self.running:
            if process.process.poll() is None:
                process.kill()
            else:
                process.wait()

    def order(self, **fields: object) -> Reply:
        """Send an order by the seed's path."""
        return call(f"{self.url('trade-service')}/api/trades/new", fields)

    def settled(self, trade_id: str) -> dict[str, Any]:
        """Return a trade once it is booked."""

        def look() -> dict[str, Any] | None:
            reply = call(f"{self.url('trade-service')}/api/trades/{trade_id}")
            return reply.json if reply.status == 200 and reply.json["state"] == "Settled" else None

        return eventually(f"{trade_id} settled", look)

    def held(self, account: int, security: str) -> int:
        """Return how much an account holds."""
        for position in call(f"{self.url('position-service')}/positions/{account}").json:
            if position["security"] == security:
                return int(position["quantity"])
        return 0


@contextlib.contextmanager
def running_desk(folder: Path, *names: str, **variables: str) -> Iterator[Desk]:
    """Run services on a new SQLite file until the end of the block."""
    desk = Desk(f"sqlite:///{folder}/traderx.db", variables)
    try:
        if names:
            desk.start(*names)
        yield desk
    finally:
        desk.stop()


def _lower(headers: Message) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
