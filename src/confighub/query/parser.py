"""Where-expressions read into values; every error points at its place.

One method a grammar rule, the rule being its docstring. Names and types are checked
against ``fields`` while reading, so that what comes out can be evaluated as it is.
Source: the documented grammar of the public entity filter; ``IS [NOT] NULL`` and the
spelling ``NOT LIKE`` come on top, OR and grouping do not exist.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import cast

from confighub.errors import BadQuery
from confighub.query import fields, literals
from confighub.query.expression import (
    REGEX,
    Attribute,
    Comparison,
    Expression,
    Holds,
    Length,
    Membership,
    Operator,
    Presence,
    Term,
    Value,
)
from confighub.query.fields import ACCEPTS_SLUG, Fields, Kind
from confighub.query.tokens import Sort, Token, tokenise

MAX_KEY_LENGTH = 128

_ORDER = frozenset({"=", "!=", "<", ">", "<=", ">="})
_EQUALITY = frozenset({"=", "!="})
_OPERATORS: dict[Kind, frozenset[str]] = {
    Kind.TEXT: _ORDER | {"LIKE", "ILIKE", "NOT LIKE"} | REGEX,
    Kind.NUMBER: _ORDER,
    Kind.TIME: _ORDER,
    Kind.FLAG: _EQUALITY,
    Kind.ID: _EQUALITY,
}
_SPELLINGS = {"~~": "LIKE", "!~~": "NOT LIKE"}
_KEYWORDS = frozenset({"AND", "OR", "NOT", "IN", "IS", "NULL", "LIKE", "ILIKE", "LEN"})
_GATE_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*/[A-Za-z0-9][A-Za-z0-9_-]*")


# Lists repeat the same few expressions; the result is immutable, so it can be shared.
@lru_cache(maxsize=1024)
def parse(text: str, entity: str = "Unit") -> Expression:
    """Return the expression about records of the entity; blank text matches every record.

    Raises: BadQuery, at the first place that does not fit the grammar or the entity's
    fields; BadRequest when there is no such entity.
    """
    return _Parser(text, fields.of(entity)).filter()


class _Parser:
    """Reads one expression, token by token."""

    def __init__(self, text: str, known: Fields) -> None:
        self.text = text
        self.known = known
        self.tokens = tokenise(text)
        self.index = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.index]

    def filter(self) -> Expression:
        """Filter = [ relation { "AND" relation } ]"""
        if self.at(Sort.END):
            return Expression(self.known.entity)
        terms = [self.relation()]
        while not self.at(Sort.END):
            self.conjunction()
            terms.append(self.relation())
        return Expression(self.known.entity, tuple(terms))

    def conjunction(self) -> None:
        """Expect the word AND between two relations."""
        token = self.token
        if token.text == "OR" and token.sort is Sort.WORD:
            raise self.error("OR is not in this language", hint="use IN ('a', 'b') for one attribute, or ask twice")
        if token.sort is Sort.CLOSE:
            raise self.error("parentheses only stand around lists", hint="all terms are joined by AND")
        if not self.take_word("AND"):
            raise self.error(f"expected AND or the end, found {token}", hint=_upper_case_hint(token))

    def relation(self) -> Term:
        """Relation = left ( comparison | membership | presence | holds )"""
        if self.at(Sort.OPEN):
            raise self.error(
                "parentheses only stand around lists", hint="all terms are joined by AND, write them in a row"
            )
        if self.at(Sort.WORD) and self.token.text == "NOT":
            raise self.error("NOT cannot stand before a term", hint="use !=, !~~, !~, NOT IN or IS NOT NULL")
        left = self.left()
        if self.take_word("IS"):
            return self.presence(left)
        if self.take_word("IN"):
            return self.membership(left, is_negated=False)
        if self.take_word("NOT"):
            return self.negation(left)
        return self.comparison(left)

    def left(self) -> Attribute | Length:
        """Left = "LEN" "(" attr ")" | mapref | attr"""
        if self.token.text == "LEN" and self.tokens[self.index + 1].sort is Sort.OPEN:
            self.index += 2
            attribute = self.attribute(whole=True)
            if not attribute.kind.is_collection:
                raise self.error(f"{attribute} has no length, it is {attribute.kind.value}", at=attribute.position)
            if not self.at(Sort.CLOSE):
                raise self.error(f"expected ), found {self.token}")
            self.index += 1
            return Length(attribute)
        return self.attribute(whole=True)

    def attribute(self, *, whole: bool = False) -> Attribute:
        """Attr = [ relation-name "." ] name | [ relation-name "." ] map-name "." key

        A collection as such is returned only where ``whole`` allows it.
        """
        token = self.token
        if token.sort is not Sort.WORD or token.text in _KEYWORDS:
            raise self.error(f"expected an attribute, found {token}", hint=_upper_case_hint(token))
        self.index += 1
        return _Naming(self, token).attribute(whole=whole)

    def presence(self, left: Attribute | Length) -> Presence:
        """Presence = "IS" [ "NOT" ] "NULL"

        A list or a map is never null.
        """
        is_null = not self.take_word("NOT")
        if not self.take_word("NULL"):
            raise self.error(f"expected NULL, found {self.token}")
        if isinstance(left, Length) or left.kind.is_collection:
            raise self.error(f"{left} is never null", hint="LEN(…) = 0 asks whether it is empty")
        return Presence(left, is_null=is_null)

    def negation(self, left: Attribute | Length) -> Term:
        """Negation = "NOT" ( "IN" list | "LIKE" text )"""
        if self.take_word("IN"):
            return self.membership(left, is_negated=True)
        if self.take_word("LIKE"):
            return self.compared(left, "NOT LIKE")
        raise self.error("NOT stands only before IN and LIKE", hint="NOT ILIKE can be written as !~* with a pattern")

    def membership(self, left: Attribute | Length, *, is_negated: bool) -> Membership:
        """List = "(" literal { "," literal } ")"

        Ids may be listed too; the public client does so.
        """
        kind = self.comparable(left)
        if kind not in (Kind.TEXT, Kind.NUMBER, Kind.ID):
            raise self.error(f"IN does not fit {left}, which is {kind.value}")
        if not self.at(Sort.OPEN):
            raise self.error(f"expected (, found {self.token}", hint="a list is written ('a', 'b')")
        self.index += 1
        values = [self.literal(left)]
        while self.at(Sort.COMMA):
            self.index += 1
            values.append(self.literal(left))
        if not self.at(Sort.CLOSE):
            raise self.error(f"expected , or ), found {self.token}")
        self.index += 1
        return Membership(left, tuple(values), is_negated=is_negated)

    def comparison(self, left: Attribute | Length) -> Term:
        """Comparison = ( operator | "LIKE" | "ILIKE" ) right"""
        token = self.token
        if token.sort is Sort.OPERATOR:
            self.index += 1
            operator = _SPELLINGS.get(token.text, token.text)
            return self.holds(left) if operator == "?" else self.compared(left, operator)
        for word in ("LIKE", "ILIKE"):
            if self.take_word(word):
                return self.compared(left, word)
        raise self.error(f"expected an operator after {left}, found {token}", hint=_upper_case_hint(token))

    def holds(self, left: Attribute | Length) -> Holds:
        """Holds = attr "?" text"""
        if isinstance(left, Length) or not left.kind.is_collection:
            raise self.error(f"? asks a list or a map, {left} is neither")
        if not self.at(Sort.TEXT):
            raise self.error(f"expected a text after ?, found {self.token}")
        token = self.token
        self.index += 1
        item = literals.id_text(token.text, self.text, token.position) if left.kind is Kind.IDS else token.text
        return Holds(left, item)

    def compared(self, left: Attribute | Length, operator: str) -> Comparison:
        """Right = literal | attr"""
        place = self.tokens[self.index - 1].position
        kind = self.comparable(left)
        if operator not in _OPERATORS[kind]:
            allowed = " ".join(sorted(_OPERATORS[kind]))
            raise self.error(
                f"{operator} does not fit {left}, which is {kind.value}", at=place, hint=f"use one of {allowed}"
            )
        if self.at(Sort.WORD) and self.token.text not in ("true", "false"):
            return Comparison(left, cast("Operator", operator), self.other(kind, operator))
        position = self.token.position
        value = self.literal(left)
        if operator in REGEX:
            literals.check_pattern(str(value), self.text, position)
        return Comparison(left, cast("Operator", operator), value)

    def other(self, kind: Kind, operator: str) -> Attribute:
        """Read the attribute on the right, of the same type as the left one."""
        if operator not in _ORDER:
            raise self.error(f"{operator} wants a text on its right, found {self.token}")
        attribute = self.attribute()
        if attribute.kind is not kind:
            raise self.error(
                f"{attribute} is {attribute.kind.value}, the left side is {kind.value}", at=attribute.position
            )
        return attribute

    def comparable(self, left: Attribute | Length) -> Kind:
        """Return the type of the left side, which must be a single value."""
        if isinstance(left, Length):
            return Kind.NUMBER
        if left.kind.is_map:
            raise self.error(f"{left} is a map", at=left.position, hint=f"name an entry, as in {left}.key = 'value'")
        if left.kind is Kind.IDS:
            raise self.error(f"{left} is a list", at=left.position, hint=f"write {left} ? 'id' or LEN({left}) > 0")
        return left.kind

    def literal(self, left: Attribute | Length) -> Value:
        """Literal = text | digits | "true" | "false"

        The left side's type says which of them fits.
        """
        token = self.token
        kind = Kind.NUMBER if isinstance(left, Length) else left.kind
        if kind is Kind.FLAG and token.text in ("true", "false") and token.sort is Sort.WORD:
            self.index += 1
            return token.text == "true"
        if kind is Kind.NUMBER and token.sort is Sort.NUMBER:
            self.index += 1
            return int(token.text)
        if kind in (Kind.TEXT, Kind.ID, Kind.TIME) and token.sort is Sort.TEXT:
            self.index += 1
            return self.quoted(left, kind, token)
        raise self.error(f"{left} is {kind.value}, found {token}", hint=_LITERAL_HINTS[kind])

    def quoted(self, left: Attribute | Length, kind: Kind, token: Token) -> Value:
        """Return the value of a quoted literal."""
        if kind is Kind.TIME:
            return literals.time(token.text, self.text, token.position)
        if kind is Kind.ID:
            if isinstance(left, Attribute) and left.name in ACCEPTS_SLUG:
                return literals.id_or_slug(token.text)
            return literals.id_text(token.text, self.text, token.position)
        return token.text

    def at(self, sort: Sort) -> bool:
        """Whether the current token is of the sort."""
        return self.token.sort is sort

    def take_word(self, word: str) -> bool:
        """Step over the keyword if it is next."""
        if self.at(Sort.WORD) and self.token.text == word:
            self.index += 1
            return True
        return False

    def error(self, reason: str, *, at: int | None = None, hint: str = "") -> BadQuery:
        """Return the error for the current token, or for the given place."""
        position = self.token.position if at is None else at
        return BadQuery(reason, text=self.text, position=position, hint=hint)


class _Naming:
    """Finds out what a dotted name means for the entity at hand."""

    def __init__(self, parser: _Parser, token: Token) -> None:
        self.parser = parser
        self.token = token

    def attribute(self, *, whole: bool) -> Attribute:
        """Return the attribute that the token names."""
        known, name, relation = self.parser.known, self.token.text, ""
        head, _, rest = name.partition(".")
        if rest and head == known.entity:
            name = rest
        elif rest and head in known.relations:
            relation, name = head, rest
            known = fields.of(known.relations[head])
        return self.within(known, relation, name, whole=whole)

    def within(self, known: Fields, relation: str, name: str, *, whole: bool) -> Attribute:
        """Return the attribute or map entry ``name`` of the entity that the relation leads to."""
        head, dot, key = name.partition(".")
        head = fields.ALIASES.get((known.entity, head), head)
        kind = known.attributes.get(head)
        if kind is None:
            raise self.unknown(known, head, has_more=bool(dot))
        if dot:
            if not kind.is_map:
                raise self.error(f"{head} is {kind.value} and has no entries")
            self.check_key(head, key)
            return Attribute(head, kind.entry, relation, key, self.token.position)
        if kind.is_collection and not whole:
            raise self.error(f"{head} is {kind.value}", hint="compare single values")
        return Attribute(head, kind, relation, position=self.token.position)

    def check_key(self, name: str, key: str) -> None:
        """Refuse a key that no stored map can have."""
        if len(key) > MAX_KEY_LENGTH:
            raise self.error(f"a key of {name} has more than {MAX_KEY_LENGTH} characters")
        if name == "ApplyGates" and not _GATE_KEY.fullmatch(key):
            raise self.error("a gate is written ApplyGates.trigger/function")

    def unknown(self, known: Fields, name: str, *, has_more: bool) -> BadQuery:
        """Say that there is no such attribute, and which one comes near."""
        names = list(known.attributes) + (list(known.relations) if has_more else [])
        hint = fields.suggestion(name, names) or f"{known.entity} has {', '.join(sorted(known.attributes))}"
        return self.error(f"{known.entity} has no attribute {name}", hint=hint)

    def error(self, reason: str, *, hint: str = "") -> BadQuery:
        """Return the error for the name."""
        return self.parser.error(reason, at=self.token.position, hint=hint)


_LITERAL_HINTS = {
    Kind.TEXT: "write 'text' in single quotes",
    Kind.ID: "write the id in single quotes",
    Kind.TIME: "write '2025-01-01' or '2025-01-01T00:00:00Z' in single quotes",
    Kind.NUMBER: "write digits without quotes",
    Kind.FLAG: "write true or false without quotes",
}


def _upper_case_hint(token: Token) -> str:
    """Return the hint for a keyword in lower case, or the empty string."""
    if token.text.upper() in _KEYWORDS and token.text not in _KEYWORDS:
        return f"keywords are upper-case: {token.text.upper()}"
    return ""
