"""Alerts to where people look: a webhook, Slack, an Alertmanager. One that is not delivered is told, never raised."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import urlsplit

from confighub.errors import BadRequest

Severity = Literal["info", "warning", "critical"]
Format = Literal["webhook", "slack", "alertmanager"]

_TIMEOUT_S = 10.0
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
    """Where alerts go, and in which form."""

    url: str
    format: Format = "webhook"

    def __post_init__(self) -> None:
        if urlsplit(self.url).scheme not in ("http", "https"):
            raise BadRequest(f"alerts go to an http or https address, not to {self.url}")


def send(alert: Alert, receiver: Receiver) -> str:
    """Deliver the alert; returns why it was not delivered, empty when it was."""
    url = receiver.url
    if receiver.format == "alertmanager" and not url.rstrip("/").endswith("/api/v2/alerts"):
        url = f"{url.rstrip('/')}/api/v2/alerts"
    body = json.dumps(_BODIES[receiver.format](alert)).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 checked above
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S):  # noqa: S310
            return ""
    except OSError as error:
        host = urlsplit(url).hostname
        return f"the alert was not delivered to {host}: {str(error).lower() or type(error).__name__}"


def _webhook(alert: Alert) -> Any:
    return {
        "name": alert.name,
        "title": alert.title,
        "severity": alert.severity,
        "at": alert.at.isoformat(),
        "labels": dict(alert.labels),
        "lines": list(alert.lines),
    }


def _slack(alert: Alert) -> Any:
    """Source: Slack's incoming webhooks, ``text`` with blocks."""
    text = f"{_MARKS[alert.severity]} *{alert.title}*"
    more = "\n".join(f"• {line}" for line in alert.lines)
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": f"{text}\n{more}"[:2900]}}]
    return {"text": alert.title, "blocks": blocks}


def _alertmanager(alert: Alert) -> Any:
    """Source: Alertmanager's API v2, PostAlerts."""
    labels = {**alert.labels, "alertname": alert.name, "severity": alert.severity}
    notes = {"summary": alert.title, "description": "\n".join(alert.lines)}
    return [{"labels": labels, "annotations": notes, "startsAt": alert.at.isoformat()}]


_BODIES = {"webhook": _webhook, "slack": _slack, "alertmanager": _alertmanager}
