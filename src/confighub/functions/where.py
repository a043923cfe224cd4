"""The data filter: which resources of a type match terms over their data.

    spec.replicas > 1 AND spec.template.spec.containers.*.image#reference = ':v2'

Terms are joined by AND and each must hold for the same resource, anywhere in it. A path that leads nowhere matches
nothing, except with ``!=`` behind ``.|``. Values compare with literals of their own type only.
Source: spec where.md §2.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import re2

from confighub.data.path import MISSING, Place, get, pattern, places, positioned, split
from confighub.errors import BadPath, BadQuery

_KEY = r"[A-Za-z](?:[A-Za-z0-9/_-]|~1|~2)*"
_PARAM = r"[A-Za-z][A-Za-z0-9_-]*"
_SEGMENT = (
    rf"(?:\*\?{_KEY}(?::{_PARAM})?|\*@:{_PARAM}|\*|\?{_KEY}(?::{_PARAM})?=[^.\s'\"]*"
    rf"|@{_KEY}:{_PARAM}|{_KEY}|[0-9]{{1,10}})"
)
_PLAIN = rf"(?:@{_KEY}:{_PARAM}|{_KEY}|[0-9]{{1,10}})"
_PATH = re.compile(rf"{_SEGMENT}(?:\.{_SEGMENT})*(?:\.\|{_PLAIN}(?:\.{_PLAIN})*)?(?:#{_KEY})?")
_OPERATOR = re.compile(r"<=|>=|<|>|=|!=|LIKE|ILIKE|~~|!~~|~\*|!~\*|~|!~|IN(?![A-Za-z])|NOT[ \t]+IN(?![A-Za-z])")
_LITERAL = re.compile(r"[0-9]{1,10}(?![0-9A-Za-z.])|true(?![0-9A-Za-z])|false(?![0-9A-Za-z])|'[^\"'\\]{0,255}'")
_LIST = re.compile(r"\(([^)]+)\)")
_SPACE = re.compile(r"[ \t]*")
_AND = re.compile(r"AND(?=[ \t]|\Z)")
MAX_LENGTH = 4096

_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_WORDS = {str: "string", int: "int", bool: "bool"}

Extract = Callable[[str, str], str]
"""Takes a text and the name of a part, returns the part, empty when there is none."""
Resource = tuple[str, str, Any]
"""Type, name and data."""


@dataclass(frozen=True, slots=True)
class Term:
    """One relation; ``rest`` is what stands behind ``.|``, ``kind`` the type a value must have."""

    path: str
    rest: str
    part: str
    operator: str
    kind: type
    test: Callable[[Any], bool]


@lru_cache(maxsize=1024)
def parse(text: str) -> tuple[Term, ...]:
    """Return the terms of an expression.

    Raises: BadQuery with the place, for anything outside the language.
    """
    if len(text) > MAX_LENGTH:
        raise BadQuery("expression longer than 4096 characters", text=text[:40] + "…", position=40)
    terms: list[Term] = []
    at = _skip(text, 0)
    while at < len(text):
        term, at = _term(text, at)
        terms.append(term)
        at = _skip(text, at)
        joined = _AND.match(text, at)
        if joined:
            at = _skip(text, joined.end())
    if not terms:
        raise BadQuery("no term in expression", text=text, position=0)
    return tuple(terms)


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _term(text: str, at: int) -> tuple[Term, int]:
    path = _PATH.match(text, at)
    if path is None:
        raise BadQuery("invalid path", text=text, position=at)
    start = _skip(text, path.end())
    sign = _OPERATOR.match(text, start)
    if sign is None:
        raise BadQuery("invalid operator", text=text, position=start)
    word = " ".join(sign.group().split())
    here = _skip(text, sign.end())
    whole, _, part = path.group().partition("#")
    before, bar, rest = whole.partition(".|")
    if word in ("IN", "NOT IN"):
        items = _LIST.match(text, here)
        if items is None:
            raise BadQuery("invalid IN clause", text=text, position=here)
        chosen = frozenset(item.strip().strip("'\"") for item in items.group(1).split(","))
        test = chosen.__contains__ if word == "IN" else lambda value: value not in chosen
        return Term(before, rest if bar else "", part, word, str, test), items.end()
    literal = _LITERAL.match(text, here)
    if literal is None:
        raise BadQuery("no operand found", text=text, position=here)
    value = _value(literal.group())
    return Term(before, rest if bar else "", part, word, type(value), _test(text, start, word, value)), literal.end()


def _value(literal: str) -> str | int | bool:
    if literal[0] == "'":
        return literal[1:-1]
    return literal == "true" if literal in ("true", "false") else int(literal)


def _test(text: str, at: int, sign: str, wanted: Any) -> Callable[[Any], bool]:
    if isinstance(wanted, bool) and sign not in ("=", "!="):
        raise BadQuery("invalid boolean operator", text=text, position=at)
    if sign in _ORDER:
        compare = _ORDER[sign]
        return lambda value: compare(value, wanted)
    if not isinstance(wanted, str):
        raise BadQuery("this operator needs a string", text=text, position=at)
    expected = not sign.startswith("!")
    match = _matcher(text, at, sign.lstrip("!"), wanted)
    return lambda value: match(value) is expected


def _matcher(text: str, at: int, sign: str, wanted: str) -> Callable[[str], bool]:
    source = like(wanted) if sign in ("LIKE", "ILIKE", "~~") else wanted
    flags = "(?i)" if sign in ("ILIKE", "~*") else ""
    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(flags + source, options)
    except re2.error as error:
        reason = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        raise BadQuery(f"invalid regular expression, {reason}", text=text, position=at) from None
    return lambda value: compiled.search(value) is not None


def like(wanted: str) -> str:
    """Return a LIKE pattern as a regular expression: ``%`` any run, ``_`` one character, anchored, no escape."""
    parts = (".*" if sign == "%" else "." if sign == "_" else re.escape(sign) for sign in wanted)
    return "(?s)^" + "".join(parts) + r"\z"


def matching(expression: str, kind: str, resources: list[Resource], extract: Extract) -> set[str]:
    """Return the names of the resources of a type for which every term holds; all of the type when there is none.

    Raises: BadQuery; BadPath when a value has another type than the literal.
    """
    if not expression.strip():
        return {name for own, name, _ in resources if own == kind}
    found: set[str] | None = None
    for term in parse(expression):
        names = {name for own, name, data in resources if kind in ("*", own) and _holds(term, data, extract)}
        found = names if found is None else found & names
    return found or set()


def _holds(term: Term, data: Any, extract: Extract) -> bool:
    holds = False
    for place in places(data, pattern(term.path)):
        value: Any = place.value
        if term.rest:
            value = get(value, positioned(value, split(_unbound(term.rest))))
            if value is MISSING:
                holds = holds or term.operator == "!="
                continue
        holds = _matches(term, place, value, extract) or holds
    return holds


def _unbound(path: str) -> str:
    return re.sub(r"@([^.:]+):[^.]+", r"\1", path)


def _matches(term: Term, place: Place, value: Any, extract: Extract) -> bool:
    if type(value) is not term.kind:
        where = ".".join(str(step) for step in place.steps)
        name = _WORDS.get(type(value))
        if name is None:
            raise BadPath(f"value at {where} is a {type(value).__name__}, which has no comparison")
        raise BadPath(f"value at {where} is of type {name}, expected {_WORDS[term.kind]}")
    if term.part and isinstance(value, str):
        value = extract(value, term.part)
    return term.test(value)
