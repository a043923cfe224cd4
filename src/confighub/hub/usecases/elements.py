"""Bulk answers: one element for each thing that a call was about, whatever became of it.

Each element runs in a savepoint of its own, so that one failure leaves the others done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any, TypeVar

from sqlalchemy import Connection

from confighub.errors import ConfigHubError, Conflict, Forbidden, NotFound, RetryLater
from confighub.hub.kinds import Kind
from confighub.records.answers import ErrorMetadata, ResponseError

T = TypeVar("T")
Item = TypeVar("Item")

_STATUS: tuple[tuple[type[ConfigHubError], int], ...] = (
    (Forbidden, 403),
    (NotFound, 404),
    (Conflict, 409),
    (RetryLater, 503),
)
"""The first class that fits decides; what is not listed is 400."""


def failure(error: ConfigHubError, kind: Kind, one: Any) -> ResponseError:
    """Return the error as the part of an element that says why it failed."""
    return ResponseError(
        message=str(error),
        status=next((status for known, status in _STATUS if isinstance(error, known)), 400),
        type=type(error).__name__,
        error_category=type(error).__name__,
        details=error.details,
        error_metadata=ErrorMetadata(entity_type=kind.name, entity_id=getattr(one, kind.id_attribute) or ""),
    )


def each(
    tx: Connection,
    kind: Kind,
    items: Iterable[Item],
    act: Callable[[Item], T],
    failed: Callable[[ResponseError], T],
    *,
    about: Callable[[Item], Any] = lambda item: item,
) -> list[T]:
    """Return one element for each item, in order: what ``act`` gives, or ``failed`` of why it could not.

    ``about`` gives the entity that an item is about; by default it is the item.
    """
    answers: list[T] = []
    for item in items:
        try:
            with tx.begin_nested():
                answers.append(act(item))
        except ConfigHubError as error:
            answers.append(failed(failure(error, kind, about(item))))
    return answers


first = itemgetter(0)
"""``about`` of items that are tuples which begin with their entity."""
