"""Where-expressions as SQLAlchemy conditions.

How attributes are stored is the resolver's business; this module knows operators only.
Text columns must compare by code point (SQLite does; elsewhere ``COLLATE "C"``).
SQLite's REGEXP becomes RE2 by ``register``; where a database has no RE2, ask for a condition
without patterns and check ``Expression.only_patterns()`` in memory afterwards.
Neighbour: ``evaluate`` says the same in memory; a property test holds the two together.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from sqlite3 import Connection
from typing import Any, Protocol

from sqlalchemy import ColumnElement, and_, false, literal, not_, or_, true
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import Boolean

from confighub.query import fields, literals
from confighub.query.expression import (
    Attribute,
    Comparison,
    Expression,
    Holds,
    Length,
    Membership,
    Presence,
    Term,
    Value,
    has_pattern,
)
from confighub.query.fields import ACCEPTS_SLUG, Kind

Test = Callable[[ColumnElement[Any]], ColumnElement[bool]]


class Resolver(Protocol):
    """Where the attributes of one entity are stored; every method gets attributes of that entity only.

    ``attribute.relation`` is empty or the name of a related record, which the resolver reaches by
    a join or a correlated sub-query; a missing related record gives nulls.
    """

    def column(self, attribute: Attribute) -> ColumnElement[Any]:
        """Return the column of a single value, or the value of one map entry (null when it is missing)."""

    def entry(self, attribute: Attribute, test: Test) -> ColumnElement[bool]:
        """Return whether the map has ``attribute.key`` with a value that passes the test.

        Asked for tests against literals, so that an index on key and value can be used;
        ``and_(self.column(attribute).is_not(None), test(self.column(attribute)))`` is always right.
        """

    def size(self, attribute: Attribute) -> ColumnElement[int]:
        """Return the number of entries of a list or map, 0 when there is none."""

    def holds(self, attribute: Attribute, item: str) -> ColumnElement[bool]:
        """Return whether the list contains the id, or the map has the key."""

    def anywhere(self, attribute: Attribute, test: Test) -> ColumnElement[bool]:
        """Return whether a key or a text value of the map passes the test."""

    def refers(self, attribute: Attribute, references: tuple[str, ...]) -> ColumnElement[bool]:
        """Return whether the reference leads to one of the ids or slugs; null when there is no reference."""


def condition(expression: Expression, resolver: Resolver, *, has_re2: bool = True) -> ColumnElement[bool]:
    """Return the condition that holds for the rows that match the expression.

    Without ``has_re2`` the terms with patterns are left out, so more rows match.
    """
    terms = [_term(term, resolver) for term in expression.terms if has_re2 or not has_pattern(term)]
    return and_(true(), *terms)


def contains(entity: str, text: str, resolver: Resolver) -> ColumnElement[bool]:
    """Return the condition that a text attribute, or a key or text value of a map, has the text in it."""

    def test(column: ColumnElement[Any]) -> ColumnElement[bool]:
        return column.icontains(text, autoescape=True)

    found: list[ColumnElement[bool]] = []
    for name, kind in fields.of(entity).attributes.items():
        attribute = Attribute(name, kind)
        if kind is Kind.TEXT:
            found.append(test(resolver.column(attribute)))
        elif kind.is_map:
            found.append(resolver.anywhere(attribute, test))
    return or_(false(), *found)


def register(connection: Connection) -> None:
    """Make REGEXP an RE2 search on the SQLite connection."""
    connection.create_function("regexp", 2, _search, deterministic=True)


def _search(pattern: str, text: str | None) -> bool | None:
    return None if text is None else literals.compiled(pattern).search(text) is not None


def _term(term: Term, resolver: Resolver) -> ColumnElement[bool]:
    if isinstance(term, Presence):
        column = resolver.column(term.left)
        return column.is_(None) if term.is_null else column.is_not(None)
    if isinstance(term, Holds):
        return resolver.holds(term.left, term.item)
    if isinstance(term, Comparison) and isinstance(term.right, Attribute):
        return _compare(_operand(term.left, resolver), term.operator, resolver.column(term.right))
    if isinstance(term.left, Attribute) and term.left.name in ACCEPTS_SLUG:
        return _reference(term.left, term, resolver)

    def test(column: ColumnElement[Any]) -> ColumnElement[bool]:
        if isinstance(term, Membership):
            return column.not_in(term.values) if term.is_negated else column.in_(term.values)
        assert not isinstance(term.right, Attribute)
        return _compare(column, term.operator, term.right)

    if isinstance(term.left, Attribute) and term.left.key:
        return resolver.entry(term.left, test)
    return test(_operand(term.left, resolver))


def _reference(attribute: Attribute, term: Comparison | Membership, resolver: Resolver) -> ColumnElement[bool]:
    if isinstance(term, Membership):
        values, is_negated = term.values, term.is_negated
    else:
        assert not isinstance(term.right, Attribute)
        values, is_negated = (term.right,), term.operator == "!="
    found = resolver.refers(attribute, tuple(str(value) for value in values))
    return not_(found) if is_negated else found


def _operand(side: Attribute | Length, resolver: Resolver) -> ColumnElement[Any]:
    return resolver.size(side.of) if isinstance(side, Length) else resolver.column(side)


_ORDER: dict[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


def _compare(column: ColumnElement[Any], sign: str, right: Value | ColumnElement[Any]) -> ColumnElement[bool]:
    if sign in _ORDER:
        # A bound flag keeps "= true" from being rendered as IS, which has no index.
        value = literal(right) if isinstance(right, bool) else right
        return _ORDER[sign](column, value)
    text = str(right)
    if sign == "LIKE":
        return Like(column, text)
    if sign == "NOT LIKE":
        return not_(Like(column, text))
    if sign == "ILIKE":
        return column.ilike(text)
    found = column.regexp_match(literals.any_case(text) if sign.endswith("*") else text)
    return not_(found) if sign.startswith("!") else found


class Like(FunctionElement[bool]):
    """LIKE that heeds case: GLOB on SQLite, whose LIKE does not, and LIKE elsewhere."""

    type = Boolean()
    inherit_cache = True

    def __init__(self, column: ColumnElement[Any], text: str) -> None:
        super().__init__(column, literal(text), literal(_glob(text)))


@compiles(Like)
def _like(element: Like, compiler: SQLCompiler, **kw: Any) -> str:
    column, text, _ = element.clauses
    return f"({compiler.process(column, **kw)} LIKE {compiler.process(text, **kw)})"


@compiles(Like, "sqlite")
def _like_sqlite(element: Like, compiler: SQLCompiler, **kw: Any) -> str:
    column, _, glob = element.clauses
    return f"({compiler.process(column, **kw)} GLOB {compiler.process(glob, **kw)})"


def _glob(text: str) -> str:
    """Return the GLOB text of a LIKE text; GLOB's own signs are put into brackets."""
    signs = {"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"}
    return "".join(signs.get(c, c) for c in text)
