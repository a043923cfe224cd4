"""Where-expressions evaluated on records in memory, with SQL's rules for what is missing.

A record is given in its extended form: the entity under its own name, each related record
under the relation's name, as ``{"Unit": unit, "Space": space}``; values are records of
``confighub.records`` or dicts keyed as on the wire. A related record that is absent counts
as one whose attributes are all null. A relation with null is never true, also for ``!=``.
Neighbour: ``sql`` says the same to a database; a property test holds the two together.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any

import msgspec

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
)
from confighub.query.fields import ACCEPTS_SLUG, Kind

Record = Mapping[str, Any]

_TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
    "LIKE": lambda text, like: _search(literals.like_pattern(like), text),
    "ILIKE": lambda text, like: _search(literals.like_pattern(literals.folded(like)), literals.folded(text)),
    "NOT LIKE": lambda text, like: not _search(literals.like_pattern(like), text),
    "~": lambda text, pattern: _search(pattern, text),
    "~*": lambda text, pattern: _search(literals.any_case(pattern), text),
    "!~": lambda text, pattern: not _search(pattern, text),
    "!~*": lambda text, pattern: not _search(literals.any_case(pattern), text),
}


def matches(expression: Expression, record: Record) -> bool:
    """Whether every term of the expression holds for the extended record."""
    return all(_holds(term, expression.entity, record) for term in expression.terms)


def contains(entity: str, text: str, record: Record) -> bool:
    """Whether a text attribute, or a key or text value of a map, has the text in it; ASCII case is ignored."""
    wanted = literals.folded(text)
    return any(wanted in literals.folded(candidate) for candidate in _texts(entity, record))


def _texts(entity: str, record: Record) -> list[str]:
    found: list[str] = []
    for name, kind in fields.of(entity).attributes.items():
        value = _member(record.get(entity), name)
        if kind is Kind.TEXT and value is not None:
            found.append(str(value))
        elif kind.is_map and value:
            found.extend(value)
            found.extend(entry for entry in value.values() if isinstance(entry, str))
    return found


def _holds(term: Term, entity: str, record: Record) -> bool:
    if isinstance(term, Presence):
        return (_value(term.left, entity, record) is None) == term.is_null
    if isinstance(term, Holds):
        return term.item in (_value(term.left, entity, record) or ())
    if isinstance(term.left, Attribute) and term.left.name in ACCEPTS_SLUG:
        return _refers(term, entity, record)
    left = _operand(term.left, entity, record)
    if left is None:
        return False
    if isinstance(term, Membership):
        return (left in term.values) != term.is_negated
    right = _operand(term.right, entity, record) if isinstance(term.right, Attribute) else term.right
    return right is not None and _TESTS[term.operator](left, right)


def _refers(term: Comparison | Membership, entity: str, record: Record) -> bool:
    """Compare a reference by id or by the slug of the record that it leads to."""
    assert isinstance(term.left, Attribute)
    here = _value(term.left, entity, record)
    if here is None:
        return False
    if isinstance(term, Comparison) and isinstance(term.right, Attribute):
        other = _value(term.right, entity, record)
        return other is not None and _TESTS[term.operator](here, other)
    wanted = term.values if isinstance(term, Membership) else (term.right,)
    is_negated = term.is_negated if isinstance(term, Membership) else term.operator == "!="
    slug = _member(record.get(term.left.name.removesuffix("ID")), "Slug")
    return (here in wanted or (slug is not None and slug in wanted)) != is_negated


def _operand(side: Attribute | Length, entity: str, record: Record) -> Any:
    if isinstance(side, Length):
        return len(_value(side.of, entity, record) or ())
    return _value(side, entity, record)


def _value(attribute: Attribute, entity: str, record: Record) -> Any:
    """Return the attribute's value, None when it or the related record is missing."""
    value = _member(record.get(attribute.relation or entity), attribute.name)
    if attribute.key:
        return (value or {}).get(attribute.key)
    if attribute.kind is Kind.TIME and isinstance(value, str):
        return literals.moment(value)
    if attribute.kind is Kind.TIME and isinstance(value, datetime) and value.tzinfo is None:
        return None
    return value


def _member(holder: Any, name: str) -> Any:
    """Return what the record or dict holds under the wire's name."""
    if holder is None:
        return None
    if isinstance(holder, Mapping):
        return holder.get(name)
    record_type: Any = type(holder)
    attribute = _attributes(record_type).get(name)
    return None if attribute is None else getattr(holder, attribute)


@cache
def _attributes(record_type: Any) -> dict[str, str]:
    """Return the Python attribute by wire name."""
    return {f.encode_name: f.name for f in msgspec.structs.fields(record_type)}


def _search(pattern: str, text: str) -> bool:
    return literals.compiled(pattern).search(text) is not None
