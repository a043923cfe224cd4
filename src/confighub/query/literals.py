"""Quoted values of a where-expression read into ids, times and patterns."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import re2

from confighub.errors import BadQuery

_TIME = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d:\d\d([.]\d{1,9})?(Z|[+-]\d\d:\d\d)?)?")


def id_text(text: str, expression: str, position: int) -> str:
    """Return the id in its one spelling, lower case with hyphens.

    Raises: BadQuery when the text is no UUID.
    """
    try:
        return str(UUID(text))
    except ValueError as bad:
        raise BadQuery(f"not an id: {text!r}", text=expression, position=position, hint="ids are UUIDs") from bad


def id_or_slug(text: str) -> str:
    """Return the id in its one spelling, or the text as it is when it is no UUID."""
    try:
        return str(UUID(text))
    except ValueError:
        return text


def time(text: str, expression: str, position: int) -> datetime:
    """Return the moment; a date is its midnight, and a time without zone is UTC.

    Raises: BadQuery when the text is neither a date nor a date with a time.
    """
    hint = "write '2025-01-01', '2025-01-01T00:00:00' or '2025-01-01T00:00:00+02:00'"
    if not _TIME.fullmatch(text):
        raise BadQuery(f"not a time: {text!r}", text=expression, position=position, hint=hint)
    try:
        return moment(text)
    except (ValueError, OverflowError) as bad:
        raise BadQuery(f"no such time: {text!r}", text=expression, position=position, hint=hint) from bad


def moment(text: str) -> datetime:
    """Return an RFC 3339 time in UTC; fractions beyond microseconds are cut."""
    cut = re.sub(r"([.]\d{6})\d+", r"\1", text)
    found = datetime.fromisoformat(cut)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def check_pattern(pattern: str, expression: str, position: int) -> None:
    """Raise BadQuery when the text is no RE2 pattern."""
    try:
        compiled(pattern)
    except re2.error as bad:
        reason = bad.args[0].decode() if bad.args and isinstance(bad.args[0], bytes) else str(bad)
        raise BadQuery(f"not a regular expression: {reason}", text=expression, position=position) from bad


@lru_cache(maxsize=512)
def compiled(pattern: str) -> Any:
    """Return the compiled RE2 pattern; its ``search`` is unanchored.

    Raises: re2.error.
    """
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)


def any_case(pattern: str) -> str:
    """Return the pattern that ignores case."""
    return f"(?i){pattern}"


@lru_cache(maxsize=512)
def like_pattern(text: str) -> str:
    """Return the RE2 pattern of a LIKE text: ``%`` is any run, ``_`` one character, both ends anchored."""
    runs = {"%": "(?s:.*)", "_": "(?s:.)"}
    return r"\A" + "".join(runs.get(c) or re2.escape(c) for c in text) + r"\z"


def folded(text: str) -> str:
    """Lower the ASCII letters only, as SQLite does in every locale."""
    return text.translate(_LOWER)


_LOWER = {ord(c): ord(c.lower()) for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
