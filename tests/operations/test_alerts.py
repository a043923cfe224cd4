"""Alerts on the wire: the body that each kind of receiver expects, on a real socket."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from confighub.errors import BadRequest
from confighub.operations.alerts import PAGERDUTY_URL, Alert, Receiver, pagerduty_from, send
from tests.operations.answering import Answering

Got = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def inbox() -> Iterator[tuple[str, Got]]:
    """The address of a server, and what it gets."""
    got: Got = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(202)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", got
    server.shutdown()
    server.server_close()


def drift(severity: str, **labels: str) -> Alert:
    at = datetime(2026, 10, 3, 10, 15, tzinfo=UTC)
    about = {"space": "shop-prod", "unit": "web", **labels}
    return Alert("ConfigurationDrift", "Drift detected", severity, about, ("image is x",), at)  # type: ignore[arg-type]


def test_pagerduty_gets_an_incident_and_its_end_under_one_key(inbox: tuple[str, Got]) -> None:
    url, got = inbox
    receiver = pagerduty_from({"PAGERDUTY_URL": f"{url}/v2/enqueue", "PAGERDUTY_ROUTING_KEY": "R0"})

    assert send(drift("critical", risk="HIGH", action="asked"), receiver) == ""
    assert send(drift("info", risk="HIGH", action="corrected"), receiver) == ""

    (_, trigger), (path, resolve) = got
    assert path == "/v2/enqueue"
    assert (trigger["event_action"], resolve["event_action"]) == ("trigger", "resolve")
    assert trigger["dedup_key"] == resolve["dedup_key"] == "ConfigurationDrift/shop-prod/web"
    assert trigger["routing_key"] == resolve["routing_key"] == "R0"
    assert trigger["payload"] == {
        "summary": "Drift detected",
        "source": "shop-prod/web",
        "severity": "critical",
        "timestamp": "2026-10-03T10:15:00+00:00",
        "class": "ConfigurationDrift",
        "custom_details": {
            "space": "shop-prod",
            "unit": "web",
            "risk": "HIGH",
            "action": "asked",
            "lines": ["image is x"],
        },
    }


def test_pagerduty_is_nobody_without_a_routing_key() -> None:
    with pytest.raises(BadRequest, match=r"needs the routing key .*PAGERDUTY_ROUTING_KEY"):
        pagerduty_from({})

    receiver = pagerduty_from({"PAGERDUTY_ROUTING_KEY": "R0"})
    assert (receiver.url, "R0" in repr(receiver)) == (PAGERDUTY_URL, False)


def test_slack_gets_the_channel_that_is_named(inbox: tuple[str, Got]) -> None:
    url, got = inbox

    send(drift("critical"), Receiver(url, "slack", channel="#incidents"))
    send(drift("info"), Receiver(url, "slack"))

    assert [body.get("channel") for _, body in got] == ["#incidents", None]
    assert got[0][1]["blocks"][0]["text"]["text"].startswith(":rotating_light: *Drift detected*\n• image is x")


@pytest.mark.parametrize("url", ["http://h:x", "http://[", "http://a b", "ftp://h", "https://", "http://h\n", "h"])
def test_what_is_no_web_address_is_refused_when_it_is_given(url: str) -> None:
    with pytest.raises(BadRequest, match="alerts go to an http or https address"):
        Receiver(url)


def test_an_address_is_never_shown_whole() -> None:
    assert "T0/B0/secret" not in repr(Receiver("https://hooks.slack.com/services/T0/B0/secret", "slack"))
    with pytest.raises(BadRequest) as refused:
        Receiver("ftp://hooks.slack.com/services/T0/B0/secret", "slack")
    assert str(refused.value) == "alerts go to an http or https address, not to ftp://hooks.slack.com"


def test_an_answer_that_is_none_is_told_and_never_raised() -> None:
    with Answering(b"nonsense\r\n\r\n") as url:
        told = send(drift("critical"), Receiver(f"{url}/secret"))

    assert told == "the alert was not delivered to 127.0.0.1: BadStatusLine"


def test_slack_gets_no_link_or_mention_that_nobody_wrote(inbox: tuple[str, Got]) -> None:
    url, got = inbox

    send(Alert("x", "a <!channel> & b", "info", lines=("<http://evil>",)), Receiver(url, "slack"))

    ((_, body),) = got
    assert body["text"] == "a &lt;!channel&gt; &amp; b"
    assert body["blocks"][0]["text"]["text"].endswith("a &lt;!channel&gt; &amp; b*\n• &lt;http://evil&gt;")
