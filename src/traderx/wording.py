"""Words for people."""

from __future__ import annotations

from datetime import UTC, datetime

from confighub.errors import BadRequest


def counted(number: int, noun: str) -> str:
    """Return number and noun as they are said: ``1 unit``, ``17 units``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def moment_of(text: str) -> datetime:
    """Return the moment that the text names; without a zone it is UTC. Raises: BadRequest for another text."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadRequest(f"not a moment: {text}", hint="write it like 2026-10-03T10:15:00Z") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
