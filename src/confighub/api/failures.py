"""Errors as answers: one table from the error to its HTTP status.

Source: the statuses whose body the public client reads. It reads 409 on PUT only, so a
conflict of another method, such as a slug that is taken, is 400.
"""

from __future__ import annotations

from confighub.api.routing import MethodNotAllowed
from confighub.errors import (
    BadQuery,
    BadRequest,
    ConfigHubError,
    Conflict,
    Forbidden,
    Gated,
    NotFound,
    RetryLater,
    Unauthenticated,
)
from confighub.records.base import Record

_STATUS: tuple[tuple[type[ConfigHubError], int], ...] = (
    (MethodNotAllowed, 405),
    (BadRequest, 400),
    (Gated, 400),
    (Unauthenticated, 401),
    (Forbidden, 403),
    (NotFound, 404),
    (Conflict, 409),
    (RetryLater, 503),
)
"""The first class that fits decides; what is not listed is 500."""


class Failure(Record, omit_defaults=True):
    """The body of every error answer: the public keys, and ours for what a program may want."""

    code: str
    message: str
    details: list[str] = []
    gates: list[str] = []


def status_of(error: ConfigHubError, method: str) -> int:
    """Return the HTTP status of the error when it ends a request of that method."""
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    return 400 if status == 409 and method != "PUT" else status


def failure(error: ConfigHubError, status: int) -> Failure:
    """Return the body for the error; the hint is part of the message, as the public client shows nothing else."""
    gates = error.gates if isinstance(error, Gated) else []
    return Failure(code=str(status), message=_told(error), details=error.details if not gates else [], gates=gates)


def _told(error: ConfigHubError) -> str:
    """Return message and hint in one line; the text of an expression stays last, so that a client can draw it."""
    if isinstance(error, BadQuery) and error.hint:
        return f"{error.reason} ({error.hint}) at column {error.position + 1}: {error.text}"
    return str(error)
