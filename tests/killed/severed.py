"""A line between an operator's process and its hub, on which the process is killed between two of its changes.

with line_to(hub_url) as line:
    ended = line.run(command, environ, lambda changes: len(changes) == 3)     # -9, unless it made fewer changes
    line.changes                               # what it asked for, such as "POST /api/unit/hold?where=…"
    line.run(command, environ, EachOnce())     # again and again: killed at every step, one after the other

What the hub did at the last moment it did; the process never hears of it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_ONWARD = ("Authorization", "Content-Type", "Accept", "User-Agent", "If-None-Match")


@dataclass
class Line:
    """One way to a hub; ``changes`` are those that the process which ran last asked for, in order."""

    hub: str
    url: str = ""
    changes: list[str] = field(default_factory=list)
    _is_due: Callable[[list[str]], bool] = lambda _: False
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _process: subprocess.Popen[str] | None = None
    _started: threading.Event = field(default_factory=threading.Event)

    def run(
        self, command: Sequence[str], environ: Mapping[str, str], is_due: Callable[[list[str]], bool] = lambda _: False
    ) -> subprocess.CompletedProcess[str]:
        """Run an operator; SIGKILL ends it when that is due by the changes that the hub has made for it so far."""
        self.changes.clear()
        self._is_due = is_due
        self._started.clear()
        self._process = subprocess.Popen(
            command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self._started.set()
        out, _ = self._process.communicate(timeout=120)
        return subprocess.CompletedProcess(command, self._process.returncode, out, "")

    def passes(self, change: str) -> bool:
        """Take note of a change that the hub has made; False when the process is dead by now."""
        with self._lock:
            self.changes.append(change)
            if not self._is_due(self.changes):
                return True
        assert self._started.wait(30)
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGKILL)
        return False


@dataclass
class EachOnce:
    """Kills at each change that nobody was killed at before; ``steps`` are those, in order."""

    steps: list[str] = field(default_factory=list)

    def __call__(self, changes: list[str]) -> bool:
        """Tell whether the last change is a new one."""
        is_new = changes[-1] not in self.steps
        if is_new:
            self.steps.append(changes[-1])
        return is_new


def verbs(changes: Iterable[str]) -> list[str]:
    """Return the last word of each path that was asked for a change."""
    return [change.partition("?")[0].rpartition("/")[2] for change in changes]


@contextmanager
def line_to(hub_url: str) -> Iterator[Line]:
    """Open a line to the hub until the block ends."""
    line, place = Line(hub_url), urlsplit(hub_url)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

        def _pass_on(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length) if length else None
            sent = {name: self.headers[name] for name in _ONWARD if self.headers.get(name)}
            onward = HTTPConnection(place.hostname or "", place.port, timeout=60)
            try:
                onward.request(self.command, self.path, body, sent)
                answer = onward.getresponse()
                payload = answer.read()
            finally:
                onward.close()
            is_change = self.command != "GET" and "dry_run=true" not in self.path
            if is_change and not line.passes(f"{self.command} {self.path}"):
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _pass_on  # noqa: N815 - as the library calls them

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Say nothing of a process that is gone."""

    server = Server(("127.0.0.1", 0), Handler)
    line.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield line
    finally:
        server.shutdown()
        server.server_close()
        thread.join(30)
