"""The synthetic trader where nothing answers, or something else does: a verdict, never a traceback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from traderx.synthetic import SyntheticTrader, health

NAMES = ("account-service", "reference-data", "trade-feed", "trade-service", "position-service")


@contextmanager
def answering(body: object) -> Iterator[str]:
    """Run a server that answers everything with the same JSON; gives its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_no_address_is_a_reason_and_no_crash() -> None:
    assert "did not answer" in health("")


@pytest.mark.parametrize("service", ["trade-service", "account-service"])
def test_what_has_no_address_is_neither_good_nor_bad(service: str) -> None:
    trial = SyntheticTrader(service, dict.fromkeys(NAMES, "")).trial("")

    assert trial.passed is None
    assert "no address" in trial.what


def test_an_environment_without_addresses_says_nothing_of_the_version() -> None:
    trial = SyntheticTrader("trade-service", {}).trial("http://127.0.0.1:9")

    assert trial.passed is None
    assert "account-service" in trial.what


@pytest.mark.parametrize("body", [{}, [], [1], {"id": 1}, "text", None])
def test_an_environment_that_answers_oddly_says_nothing_of_the_version(body: object) -> None:
    with answering(body) as url:
        trial = SyntheticTrader("trade-service", dict.fromkeys(NAMES, url)).trial(url)

    assert trial.passed is None
