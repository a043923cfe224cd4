"""Errors as answers: one table from the error to its HTTP status.

Source: the statuses whose body the public client reads. It reads 409 on PUT only, so a
conflict of another method, such as a slug that is taken, is 400.
"""

from __future__ import annotations

from confighub.api.routing import MethodNotAllowed
from confighub.errors import (
    BadRequest,
    ConfigHubError,
    Conflict,
    Forbidden,
    Gated,
    NotFound,
    RetryLater,
    Unauthenticated,
)
from confighub.records.answers import ErrorMetadata, ResponseError
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
    return Failure(code=str(status), message=str(error), details=error.details if not gates else [], gates=gates)


def element(error: ConfigHubError, *, entity_type: str = "", entity_id: str = "") -> ResponseError:
    """Return the error as one element of a bulk answer."""
    return ResponseError(
        message=str(error),
        status=status_of(error, "POST"),
        type=type(error).__name__,
        error_category=_category(error),
        details=error.details,
        error_metadata=ErrorMetadata(entity_type=entity_type, entity_id=entity_id) if entity_type else None,
    )


def _category(error: ConfigHubError) -> str:
    return next((kind.__name__ for kind, _ in _STATUS if isinstance(error, kind)), "Internal")
