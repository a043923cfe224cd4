"""Moments as people write them."""

from __future__ import annotations

from datetime import UTC, datetime

from confighub.errors import BadRequest


def moment_of(text: str) -> datetime:
    """Return the moment that the text names; without a zone it is UTC. Raises: BadRequest for another text."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadRequest(f"not a moment: {text}", hint="write it like 2026-10-03T10:15:00Z") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
