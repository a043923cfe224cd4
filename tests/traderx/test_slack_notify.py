"""Telling people by one command: what arrives at a real receiver, and what is said when nothing does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from traderx.cli import main


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """What a server gets that the environment names as Slack's webhook and as PagerDuty."""
    got: list[tuple[str, dict[str, Any]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("SLACK_WEBHOOK_URL", f"{url}/slack")
    monkeypatch.setenv("PAGERDUTY_URL", f"{url}/v2/enqueue")
    monkeypatch.setenv("PAGERDUTY_ROUTING_KEY", "R0")
    yield got
    server.shutdown()
    server.server_close()


@pytest.mark.requirement("R-291")
def test_the_channel_hears_that_recovery_starts(inbox: list[tuple[str, dict[str, Any]]]) -> None:
    words = ["prod is down, recovery starts", "--channel", "#incidents", "--severity", "critical", "--pagerduty"]

    assert main(["slack-notify", *words]) == 0

    slack, pagerduty = dict(inbox)["/slack"], dict(inbox)["/v2/enqueue"]
    assert (slack["channel"], slack["text"]) == ("#incidents", "prod is down, recovery starts")
    assert (pagerduty["event_action"], pagerduty["payload"]["severity"]) == ("trigger", "critical")


def test_what_is_not_delivered_is_a_failure_with_its_reason(
    inbox: list[tuple[str, dict[str, Any]]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["slack-notify", "hello", "--url", "http://127.0.0.1:1/"]) == 1

    assert "the alert was not delivered to 127.0.0.1" in capsys.readouterr().out
    assert inbox == []


def test_without_anybody_to_tell_it_says_how_to_name_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("SLACK_WEBHOOK_URL", raising=False)

    assert main(["slack-notify", "hello"]) == 1

    assert "nobody to tell (name the webhook: --url URL, or SLACK_WEBHOOK_URL)" in capsys.readouterr().err
