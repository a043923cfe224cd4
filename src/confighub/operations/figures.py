"""Whether a text says only figures that are in what it was written from: digits by value, numbers in words too."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

_NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?")
_SCALED = re.compile(rf"({_NUMBER.pattern})\s?(k|K|thousand|[mM]illion|[bB]illion|bn|M|B|G|T)\b")
_TO_TWENTY = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
)
_WORDS = {word: number for number, word in enumerate(re.findall(r"\w+", _TO_TWENTY)) if word != "one"} | {
    word: (number + 2) * 10 for number, word in enumerate(("twenty", "thirty", "forty", "fifty", "sixty", "seventy"))
}
"""Numbers in words; not *one*, which is mostly no figure."""
_COMPUTED = re.compile(
    r"\b(half|halve[sd]?|halving|doubl(?:es?|ed|ing)|twice|thrice|tripl(?:es?|ed|ing)|quarters?|thirds?|dozens?|"
    r"hundreds?|thousands?|millions?|billions?|\w*fold)\b",
    re.IGNORECASE,
)
"""Words that say a figure which somebody computed; they count as invented unless the facts say them too."""


def invented(text: str, facts: Any) -> list[str]:
    """Return the figures of a text that are not in the facts, as written, in the order of the text.

    Facts are JSON: numbers, and the numbers inside texts and keys. Nothing is rounded and no unit converted:
    25 % is not in facts that say 0.25, and 31 not in facts that say 31.2.
    """
    told = "\n".join(_texts(facts))
    known = {value for value, _ in _numbers(told)}
    scales = {(_decimal(number), scale) for number, scale in _SCALED.findall(told)}
    found = [written for value, written in _numbers(text) if value not in known]
    found += [f"{number} {scale}" for number, scale in _SCALED.findall(text) if (_decimal(number), scale) not in scales]
    words = {word.lower() for word in _COMPUTED.findall(told)}
    found += [
        word for word in _COMPUTED.findall(text) if word.lower() not in words and not any(word in one for one in found)
    ]
    return list(dict.fromkeys(found))


def _numbers(text: str) -> Iterator[tuple[Decimal, str]]:
    """Yield the value of each number with how it is written."""
    for match in _NUMBER.finditer(text):
        yield _decimal(match[0]), match[0]
    for word in re.findall(r"[a-z]+", text.lower()):
        if word in _WORDS:
            yield Decimal(_WORDS[word]), word
    for sign in text:
        # fractions, superscripts and the like
        if sign.isnumeric() and not sign.isdecimal():
            yield Decimal(str(unicodedata.numeric(sign))), sign


def _decimal(written: str) -> Decimal:
    return Decimal(written.replace(",", ""))


def _texts(facts: Any) -> Iterator[str]:
    """Yield everything that the facts say, keys too."""
    if isinstance(facts, dict):
        for key, value in facts.items():
            yield str(key)
            yield from _texts(value)
    elif isinstance(facts, list | tuple):
        for value in facts:
            yield from _texts(value)
    elif isinstance(facts, float):
        yield f"{Decimal(str(facts)):f}"
    elif facts is not None and not isinstance(facts, bool):
        yield str(facts)
