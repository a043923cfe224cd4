"""A where-expression as a value: terms that must all hold.

Plain frozen dataclasses; the parser makes them, ``evaluate`` and ``sql`` give them meaning.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from confighub.query.fields import Kind

Value = str | int | bool | datetime
Operator = Literal["=", "!=", "<", ">", "<=", ">=", "LIKE", "ILIKE", "NOT LIKE", "~", "~*", "!~", "!~*"]

REGEX: frozenset[str] = frozenset({"~", "~*", "!~", "!~*"})
"""Operators whose right side is an RE2 pattern."""


@dataclass(frozen=True)
class Attribute:
    """One attribute, or one entry of a map, of the record itself or of a related one.

    ``relation`` is empty for the record itself; ``key`` is empty unless one entry of a map is
    meant, and ``kind`` is then the type of that entry.
    """

    name: str
    kind: Kind
    relation: str = ""
    key: str = ""
    position: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return ".".join(part for part in (self.relation, self.name, self.key) if part)


@dataclass(frozen=True)
class Length:
    """The number of entries of a list or map."""

    of: Attribute

    def __str__(self) -> str:
        return f"LEN({self.of})"


@dataclass(frozen=True)
class Comparison:
    """``left operator right``; a right side that is an Attribute is compared row by row."""

    left: Attribute | Length
    operator: Operator
    right: Attribute | Value


@dataclass(frozen=True)
class Membership:
    """``left [NOT] IN (values)``."""

    left: Attribute | Length
    values: tuple[Value, ...]
    is_negated: bool = False


@dataclass(frozen=True)
class Holds:
    """``left ? item``: a list contains the id, a map has the key."""

    left: Attribute
    item: str


@dataclass(frozen=True)
class Presence:
    """``left IS [NOT] NULL``; ``is_null`` says which."""

    left: Attribute
    is_null: bool


Term = Comparison | Membership | Holds | Presence


@dataclass(frozen=True)
class Expression:
    """Terms about one entity, joined by AND; no terms match every record."""

    entity: str
    terms: tuple[Term, ...] = ()

    def and_(self, other: Expression) -> Expression:
        """Return an expression that holds where both hold; both are about the same entity."""
        assert self.entity == other.entity
        return Expression(self.entity, self.terms + other.terms)

    def only_patterns(self) -> Expression:
        """Return the terms with an RE2 pattern, for databases that cannot evaluate them."""
        return Expression(self.entity, tuple(term for term in self.terms if has_pattern(term)))

    @property
    def relations(self) -> frozenset[str]:
        """The names of the related records that the terms look into."""
        return frozenset(attribute.relation for attribute in self.attributes() if attribute.relation)

    def attributes(self) -> list[Attribute]:
        """Return every attribute that the terms name, in order, repeated as written."""
        found: list[Attribute] = []
        for term in self.terms:
            found.append(term.left.of if isinstance(term.left, Length) else term.left)
            if isinstance(term, Comparison) and isinstance(term.right, Attribute):
                found.append(term.right)
        return found


def has_pattern(term: Term) -> bool:
    """Whether the term's right side is an RE2 pattern."""
    return isinstance(term, Comparison) and term.operator in REGEX
