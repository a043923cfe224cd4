"""One request as a handler sees it, and what a handler may answer beside plain records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from confighub.api import bodies
from confighub.errors import BadRequest
from confighub.hub.caller import Caller
from confighub.hub.hub import Hub


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is no plain 200 JSON: ``body`` is a record, or bytes of the media type."""

    body: Any
    status: int = 200
    media_type: str = "application/json"
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """One request: who asks the hub for what. ``path`` and ``query`` hold the parameters by name."""

    hub: Hub
    caller: Caller
    method: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes = b""
    ip_address: str = ""

    def id(self, name: str) -> str:
        """Return the id in the path.

        Raises: BadRequest when it is no UUID.
        """
        text = self.path[name]
        try:
            return str(UUID(text))
        except ValueError as bad:
            raise BadRequest(f"{name} in the path is not an id: {text!r}", hint="ids are UUIDs") from bad

    def text(self, name: str) -> str:
        """Return the query parameter, empty when it is missing."""
        return self.query.get(name, "")

    def flag(self, name: str) -> bool:
        """Return whether the query parameter says true; ``name`` without value counts as true.

        Raises: BadRequest for anything else.
        """
        text = self.query.get(name)
        if text is None or text.lower() in ("false", "0"):
            return False
        if text.lower() in ("", "true", "1"):
            return True
        raise BadRequest(f"{name} is true or false, not {text!r}")

    def number(self, name: str) -> int | None:
        """Return the query parameter as a whole number, None when it is missing.

        Raises: BadRequest when it is none, or below zero.
        """
        text = self.query.get(name, "")
        if not text:
            return None
        if not text.isascii() or not text.isdigit() or len(text) > 18:
            raise BadRequest(f"{name} is a whole number, not {text!r}")
        return int(text)

    def required(self, name: str) -> str:
        """Return the query parameter.

        Raises: BadRequest when it is missing or blank.
        """
        text = self.query.get(name, "").strip()
        if not text:
            raise BadRequest(f"the query parameter {name} is missing")
        return text

    def record(self, shape: type[Any]) -> Any:
        """Return the body as a record of the shape; see ``bodies.record``."""
        return bodies.record(self.body, shape)

    def changes(self) -> dict[str, Any]:
        """Return the body as a merge patch; see ``bodies.changes``."""
        return bodies.changes(self.body)

    def json(self) -> dict[str, Any]:
        """Return the body as the JSON object that it is; none is an empty one."""
        return bodies.json_object(self.body) if self.body.strip() else {}
