"""Conditions in Kubernetes shape, whose times tell when the status last changed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

import msgspec

from confighub.runtime.manifests import Manifest

Status = Literal["True", "False", "Unknown"]


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """One statement about an object, with the reason in one word and a message for people."""

    type: str
    status: Status
    reason: str = ""
    message: str = ""


class Clock:
    """Remembers since when each condition of one object has had its status."""

    def __init__(self) -> None:
        self._since: dict[str, tuple[Status, str]] = {}

    def stamp(self, conditions: list[Condition]) -> list[Manifest]:
        """Return the conditions as JSON values with ``lastTransitionTime``."""
        stamped = []
        for condition in conditions:
            status, since = self._since.get(condition.type, ("", ""))
            if status != condition.status:
                since = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                self._since[condition.type] = (condition.status, since)
            stamped.append(msgspec.to_builtins(condition) | {"lastTransitionTime": since})
        return stamped
