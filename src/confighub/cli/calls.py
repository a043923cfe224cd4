"""Function calls as they are typed: positional words, and ``--name=value`` after ``--``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from confighub.client.transport import Wire


def arguments_of(words: Sequence[str]) -> list[Wire]:
    """Return the words as arguments of the wire; the values stay strings, which the hub casts.

    ``--name=value`` and ``name=value`` behind two dashes name their parameter.
    """
    return [_argument(word) for word in words]


def _argument(word: str) -> Wire:
    name, equals, value = word.partition("=")
    if word.startswith("--") and equals:
        return {"ParameterName": name.removeprefix("--"), "Value": value}
    return {"Value": word}
