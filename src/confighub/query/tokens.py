"""A where-expression cut into tokens, each knowing its place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from confighub.errors import BadQuery

MAX_LENGTH = 4096
MAX_TEXT_LENGTH = 255
MAX_DIGITS = 10


class Sort(Enum):
    """What a token is."""

    WORD = "a word"
    NUMBER = "a number"
    TEXT = "a text"
    OPERATOR = "an operator"
    OPEN = "("
    CLOSE = ")"
    COMMA = ","
    END = "the end"


@dataclass(frozen=True)
class Token:
    """One token; ``text`` is without its quotes, ``position`` counts characters from 0."""

    sort: Sort
    text: str
    position: int

    def __str__(self) -> str:
        return self.sort.value if self.sort is Sort.END else f"{self.text!r}"


# Longer operators first, so that "!~~" is not read as "!~" and "~".
_PATTERN = re.compile(
    r"""
    (?P<SPACE>[ \t]+)
  | (?P<TEXT>'[^'"\\]*')
  | (?P<NUMBER>[0-9]+(?![A-Za-z_]))
  | (?P<WORD>[A-Za-z](?:[A-Za-z0-9_./-]*[A-Za-z0-9])?)
  | (?P<OPERATOR><=|>=|!~~|!~\*|!~|!=|~~|~\*|~|<|>|=|\?)
  | (?P<OPEN>\()
  | (?P<CLOSE>\))
  | (?P<COMMA>,)
    """,
    re.VERBOSE,
)


def tokenise(text: str) -> list[Token]:
    """Return the tokens of the expression, closed by one of sort END.

    Raises: BadQuery at the first character that starts no token, or for a text,
    number or expression that is too long.
    """
    if len(text) > MAX_LENGTH:
        raise BadQuery(f"the expression has more than {MAX_LENGTH} characters", text=text[:80], position=0)
    tokens: list[Token] = []
    position = 0
    while position < len(text):
        match = _PATTERN.match(text, position)
        if match is None:
            raise _refusal(text, position)
        if match.lastgroup != "SPACE":
            tokens.append(_token(text, match))
        position = match.end()
    tokens.append(Token(Sort.END, "", len(text)))
    return tokens


def _token(text: str, match: re.Match[str]) -> Token:
    sort = Sort[match.lastgroup or "END"]
    found, position = match.group(), match.start()
    if sort is Sort.TEXT:
        found = found[1:-1]
        if len(found) > MAX_TEXT_LENGTH:
            raise BadQuery(f"a text has more than {MAX_TEXT_LENGTH} characters", text=text, position=position)
    if sort is Sort.NUMBER and len(found) > MAX_DIGITS:
        raise BadQuery(f"a number has more than {MAX_DIGITS} digits", text=text, position=position)
    return Token(sort, found, position)


def _refusal(text: str, position: int) -> BadQuery:
    """Say why no token starts here, and what to write instead."""
    character = text[position]
    if character == "'":
        rest = text[position + 1 :]
        if "'" in rest:
            return BadQuery(
                "a text cannot hold double quotes or back-slashes",
                text=text,
                position=position,
                hint="in patterns write a character class such as [0-9] or [.]",
            )
        return BadQuery("the closing quote is missing", text=text, position=position)
    if character == '"':
        return BadQuery("texts stand in single quotes", text=text, position=position, hint="write 'text'")
    if character == "-":
        return BadQuery("numbers have no sign", text=text, position=position)
    if character.isdigit():
        return BadQuery("a number cannot be followed by a letter", text=text, position=position, hint="quote texts")
    return BadQuery(f"unexpected character {character!r}", text=text, position=position)
