"""Claude's outermost edge: a server on a real socket that speaks the Messages API's shapes and says what it is told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "sk-ant-test"


@dataclass
class MessagesApi:
    """What the server answers next, and what it was asked. ``drips`` sends byte after byte without end."""

    url: str = ""
    text: str = "{}"
    status: int = 200
    stop_reason: str = "end_turn"
    body: bytes | None = None
    is_silent: bool = False
    drips: bool = False
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def says(self, **answer: object) -> None:
        """Answer with this object as the message's text."""
        self.text = json.dumps(answer)

    def question(self) -> str:
        """Return the last question."""
        return str(self.asked[-1]["messages"][0]["content"])

    def key(self) -> str:
        """Return the key that came last, by either of the headers that the SDK has used for it."""
        headers = self.headers[-1]
        return headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")

    def answer(self) -> bytes:
        """Return the whole body of the next answer."""
        if self.body is not None:
            return self.body
        if self.status != 200:
            error = {"type": "error", "error": {"type": "api_error", "message": self.text}}
            return json.dumps(error).encode()
        message = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": self.asked[-1]["model"],
            "content": [{"type": "text", "text": self.text}],
            "stop_reason": self.stop_reason,
            "stop_sequence": None,
            "usage": {"input_tokens": 300, "output_tokens": 60},
        }
        return json.dumps(message).encode()


@contextmanager
def serve_messages() -> Iterator[MessagesApi]:
    """Yield a running server; it refuses what the real one would refuse."""
    api = MessagesApi()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            api.asked.append(asked)
            api.headers.append({name.lower(): value for name, value in self.headers.items()})
            if self.path != "/v1/messages" or api.key() != KEY:
                api.status, api.text = 401, "invalid x-api-key"
            elif not {"model", "max_tokens", "messages"} <= set(asked) or "anthropic-version" not in api.headers[-1]:
                api.status, api.text = 400, "a required field is missing"
            if api.is_silent:
                api.ended.wait(30)
                return
            body = api.answer()
            self.send_response(api.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body) + (10**6 if api.drips else 0)))
            self.end_headers()
            self.wfile.write(body)
            while api.drips and not api.ended.is_set():
                try:
                    self.wfile.write(b" ")
                except OSError:
                    return
                time.sleep(0.02)

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    api.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield api
    finally:
        api.ended.set()
        server.shutdown()
        server.server_close()
