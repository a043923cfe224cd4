"""Work done again when PostgreSQL ended its transaction: of two that wait for one another, one is ended.

A use case is one transaction, so the one that was ended is simply done again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import DBAPIError

T = TypeVar("T")

ATTEMPTS = 5
"""More than that is no accident."""

_ENDED = frozenset({"40001", "40P01"})
"""SQLSTATE of a serialization failure and of a deadlock."""


def repeated(work: Callable[[], T]) -> T:
    """Return what ``work`` returns, done again when PostgreSQL ended its transaction for another one's sake."""
    for _ in range(ATTEMPTS - 1):
        try:
            return work()
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in _ENDED:
                raise
    return work()
