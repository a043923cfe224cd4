"""A hub of canned answers on a real socket, which remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request as the hub saw it."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    headers: dict[str, str]


Answer = Any
"""A JSON value for 200, a pair of status and JSON value, or a function of the request that returns either."""


@dataclass
class AnsweringHub:
    """Canned answers by ``"METHOD /path"``; unknown requests get 404."""

    url: str
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    connections: set[tuple[str, int]] = field(default_factory=set)

    def on(self, request: str, answer: Answer | Callable[[Asked], Answer]) -> None:
        """Give that answer to that request from now on."""
        self.answers[request] = answer

    def of(self, method: str, path: str = "") -> list[Asked]:
        """The requests seen with that method (and path), oldest first."""
        return [one for one in self.asked if one.method == method and path in ("", one.path)]


@contextmanager
def answering_hub() -> Iterator[AnsweringHub]:
    """Serve until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

        def handle_one_request(self) -> None:
            """Answer one request from the table."""
            self.close_connection = False
            super().handle_one_request()

        def _answer(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            asked = Asked(self.command, parts.path, dict(parse_qsl(parts.query)), body, dict(self.headers))
            hub.asked.append(asked)
            hub.connections.add(self.client_address)
            missing = (404, {"Code": "404", "Message": f"no such path: {parts.path}"})
            answer = hub.answers.get(f"{self.command} {parts.path}", missing)
            if callable(answer):
                answer = answer(asked)
            status, value = answer if isinstance(answer, tuple) else (200, answer)
            payload = value if isinstance(value, bytes) else json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.send_header("X-Request-Id", f"r{len(hub.asked)}")
            self.end_headers()
            self.wfile.write(payload)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub = AnsweringHub(url=f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
