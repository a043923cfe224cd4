"""Alerts to where people look: a webhook, Slack, an Alertmanager, PagerDuty.

One that is not delivered is told, never raised.
"""

from __future__ import annotations

import http.client
import json
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import urlsplit

from confighub.errors import BadRequest

Severity = Literal["info", "warning", "critical"]
Format = Literal["webhook", "slack", "alertmanager", "pagerduty"]

PAGERDUTY_URL = "https://events.pagerduty.com/v2/enqueue"

_TIMEOUT_S = 10.0
_LONGEST_SUMMARY = 1024
_SUBJECT = ("environment", "space", "service", "unit")
"""Labels that say what an alert is about; the others say how it is now."""
_MARKS = {"info": ":white_check_mark:", "warning": ":warning:", "critical": ":rotating_light:"}


@dataclass(frozen=True)
class Alert:
    """Something that people should know. ``labels`` name what it is about, ``lines`` say more."""

    name: str
    title: str
    severity: Severity
    labels: Mapping[str, str] = field(default_factory=dict)
    lines: tuple[str, ...] = ()
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True)
class Receiver:
    """Where alerts go, and in which form. ``channel`` is Slack's, ``key`` PagerDuty's routing key.

    The path of an address may be a secret, as that of Slack's webhooks is, so no more than its host is ever shown.
    """

    url: str = field(repr=False)
    format: Format = "webhook"
    channel: str = ""
    key: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if not is_web_address(self.url):
            raise BadRequest(f"alerts go to an http or https address, not to {_place(self.url)}")
        if self.format == "pagerduty" and not self.key:
            raise BadRequest("PagerDuty needs the routing key of a service", hint="set PAGERDUTY_ROUTING_KEY")


def is_web_address(url: str) -> bool:
    """Tell whether it is an http or https address with a host, and a port that can be."""
    try:
        place = urlsplit(url)
        # reading the port is what refuses one that is no number
        is_whole = place.scheme in ("http", "https") and bool(place.hostname) and place.port != 0
    except ValueError:
        return False
    return is_whole and all(" " < letter != "\x7f" for letter in url)


def pagerduty_from(environ: Mapping[str, str]) -> Receiver:
    """Return PagerDuty by PAGERDUTY_ROUTING_KEY, and PAGERDUTY_URL for another address. Raises: BadRequest."""
    url = environ.get("PAGERDUTY_URL") or PAGERDUTY_URL
    return Receiver(url, "pagerduty", key=environ.get("PAGERDUTY_ROUTING_KEY", ""))


def send(alert: Alert, receiver: Receiver) -> str:
    """Deliver the alert; returns why it was not delivered, empty when it was."""
    url = receiver.url
    if receiver.format == "alertmanager" and not url.rstrip("/").endswith("/api/v2/alerts"):
        url = f"{url.rstrip('/')}/api/v2/alerts"
    body = json.dumps(_BODIES[receiver.format](alert, receiver)).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 checked above
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S):  # noqa: S310
            return ""
    except (OSError, http.client.HTTPException, ValueError) as error:
        host = urlsplit(url).hostname
        # what is no answer is told by its kind: the words may quote the address
        why = str(error).lower() if isinstance(error, OSError) else ""
        return f"the alert was not delivered to {host}: {why or type(error).__name__}"


def _place(url: str) -> str:
    """Return scheme and host of what was given as an address, no more of it."""
    try:
        place = urlsplit(url)
        host = place.hostname or ""
    except ValueError:
        return "what is no address"
    return f"{place.scheme}://{host}" if place.scheme and host else "what is no address"


def _webhook(alert: Alert, _: Receiver) -> Any:
    return {
        "name": alert.name,
        "title": alert.title,
        "severity": alert.severity,
        "at": alert.at.isoformat(),
        "labels": dict(alert.labels),
        "lines": list(alert.lines),
    }


def _slack(alert: Alert, receiver: Receiver) -> Any:
    """Source: Slack's incoming webhooks, ``text`` with blocks."""
    text = f"{_MARKS[alert.severity]} *{_escaped(alert.title)}*"
    more = "\n".join(f"• {_escaped(line)}" for line in alert.lines)
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": f"{text}\n{more}"[:2900]}}]
    named = {"channel": receiver.channel} if receiver.channel else {}
    return {"text": _escaped(alert.title), "blocks": blocks, **named}


def _escaped(text: str) -> str:
    """Return the text without what Slack reads as a link or a mention. Source: Slack's "Escaping text"."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _alertmanager(alert: Alert, _: Receiver) -> Any:
    """Source: Alertmanager's API v2, PostAlerts."""
    labels = {**alert.labels, "alertname": alert.name, "severity": alert.severity}
    notes = {"summary": alert.title, "description": "\n".join(alert.lines)}
    return [{"labels": labels, "annotations": notes, "startsAt": alert.at.isoformat()}]


def _pagerduty(alert: Alert, receiver: Receiver) -> Any:
    """Return an event of the incident of what the alert is about; what needs nobody any more resolves it.

    Source: PagerDuty's Events API v2, alert events.
    """
    subject = [alert.labels[name] for name in _SUBJECT if name in alert.labels]
    key = "/".join([alert.name, *subject])[:255]
    event: dict[str, Any] = {"routing_key": receiver.key, "dedup_key": key}
    if alert.severity == "info":
        return {**event, "event_action": "resolve"}
    payload = {
        "summary": alert.title[:_LONGEST_SUMMARY],
        "source": "/".join(subject) or "confighub",
        "severity": alert.severity,
        "timestamp": alert.at.isoformat(),
        "class": alert.name,
        "custom_details": {**alert.labels, "lines": list(alert.lines)},
    }
    return {**event, "event_action": "trigger", "payload": payload, "client": "confighub"}


_BODIES = {"webhook": _webhook, "slack": _slack, "alertmanager": _alertmanager, "pagerduty": _pagerduty}
