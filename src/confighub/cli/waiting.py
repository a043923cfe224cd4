"""Waiting for operations, with progress on standard error once it takes longer than a second."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING

from confighub.cli.command import flag, option
from confighub.cli.output import note
from confighub.errors import BadRequest

if TYPE_CHECKING:
    from confighub.cli.call import Call
    from confighub.client.transport import Wire

WAITING = (
    flag("wait", "Wait until it is done.", on=True),
    option("timeout", "How long to wait.", metavar="DURATION", default="2m"),
)

_DURATION = re.compile(r"(?P<count>\d+(?:\.\d+)?)(?P<unit>ms|h|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_QUIET_S = 1.0


def seconds(text: str) -> float:
    """Return a duration such as ``2m``, ``1m30s``, ``500ms`` or a bare number of seconds.

    Raises: BadRequest for anything else.
    """
    parts = list(_DURATION.finditer(text))
    if parts and "".join(part.group() for part in parts) == text:
        return sum(float(part["count"]) * _SECONDS[part["unit"]] for part in parts)
    try:
        return float(text)
    except ValueError:
        raise BadRequest(f"not a duration: {text}", hint="such as 30s, 2m or 1m30s") from None


def outcome_of(call: Call, operation: Wire, name: str) -> Wire:
    """Wait for the operation and return its final event; after a second progress is told."""
    progress = Progress(name)
    try:
        timeout_s = seconds(call.text("timeout"))
        return call.hub.units.wait(operation, timeout_s=timeout_s, on_progress=progress.see)
    finally:
        progress.end()


class Progress:
    """Tells on standard error how far one operation is, from a second on, each state once."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.latest = "waiting"
        self.talks = False
        self.lock = threading.Lock()
        self.timer = threading.Timer(_QUIET_S, self._begin)
        self.timer.daemon = True
        self.timer.start()

    def see(self, event: Wire) -> None:
        """Take note of an event."""
        message = str(event.get("Message") or event.get("Status") or "")
        with self.lock:
            self.latest = message.splitlines()[0] if message else "waiting"
            if self.talks:
                note(f"  {self.name}: {self.latest}")

    def end(self) -> None:
        """Say nothing from now on."""
        self.timer.cancel()

    def _begin(self) -> None:
        with self.lock:
            self.talks = True
            note(f"  {self.name}: {self.latest}")
