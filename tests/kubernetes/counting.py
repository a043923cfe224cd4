"""What counts requests on a cluster in tests, in the names of the real programs, and a door where Prometheus can ask.

Source: ingress-nginx's exporter. Its label ``service`` is who was meant; ``canary`` names who got it when a canary did.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REQUESTS = "nginx_ingress_controller_requests"
BUCKET = "nginx_ingress_controller_request_duration_seconds_bucket"
BOUNDS = ("0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf")
"""The bounds of its histogram unless it is told others; none at 0.2 s."""


def nginx_labels(namespace: str, service: str, status: int | str, *, canary: str = "", port: int | str = 80) -> str:
    """Return the labels of a request that was meant for the Service; ``canary`` is the Service that got it instead."""
    backend = f"{namespace}-{canary}-{port}" if canary else ""
    return f'namespace="{namespace}",service="{service}",canary="{backend}",status="{status}"'


def serve(pages: Mapping[str, Callable[[], str]]) -> str:
    """Answer these paths in a thread, each with what its function says then, and return where."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = pages.get(self.path)
            self.send_response(200 if page else 404)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            with suppress(ConnectionError):  # who asked did not wait for it
                self.wfile.write((page() if page else "").encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"
