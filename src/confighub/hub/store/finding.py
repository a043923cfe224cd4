"""Where the attributes that a where-expression names are stored: the resolver for ``query.sql``.

An attribute of a related record is reached by a correlated sub-query over the key of the
related table, so a list needs no joins and a missing record gives nulls. A term about a label
looks at the labels of one row; ``leading`` picks the rarest of them, whose index then finds the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, FromClause, Select, and_, func, literal, or_, select, true

from confighub.hub.kinds import KINDS, Kind
from confighub.hub.store.entities import labels
from confighub.hub.store.history import applications, approvals, gate_results
from confighub.hub.store.work_queue import unit_events
from confighub.query import fields, parser, sql
from confighub.query.expression import Attribute, Comparison, Expression, Membership, Term
from confighub.records.base import ZERO_TIME

Test = Callable[[ColumnElement[Any]], ColumnElement[bool]]


class KnownSet(NamedTuple):
    """A set that a term may name: members are pinned to its id or match its ``where``."""

    set_id: str
    slug: str
    where: str


class Stored:
    """The stored form of one kind of entity; satisfies ``query.sql.Resolver``.

    ``sets`` are those that the caller may see; they matter to terms about ``SetID`` only.
    """

    def __init__(self, kind: Kind, rows: FromClause | None = None, *, sets: Sequence[KnownSet] = ()) -> None:
        self.kind = kind
        self.rows = kind.table if rows is None else rows
        self.sets = sets

    def column(self, attribute: Attribute) -> ColumnElement[Any]:
        """Return the column of a single value, or the value of one map entry."""
        if attribute.relation:
            related, key = self._related(attribute.relation)
            inner = related.column(_own(attribute))
            return select(inner).where(key).correlate(self.rows).scalar_subquery()
        if attribute.key:
            return self._entry_value(attribute)
        return self._single(attribute.name)

    def entry(self, attribute: Attribute, test: Test) -> ColumnElement[bool]:
        """Return whether the map has the key with a value that passes the test."""
        if attribute.relation:
            return self._has_related(attribute.relation, lambda related: related.entry(_own(attribute), test))
        if attribute.name == "ApplyGates":
            return self._gate(attribute.key, test)
        own = labels.c.entity_id == self.id, labels.c.key == attribute.key
        return select(literal(1)).where(*own, test(labels.c.value)).correlate(self.rows).exists()

    def size(self, attribute: Attribute) -> ColumnElement[int]:
        """Return the number of entries of a list or map."""
        if attribute.relation:
            related, key = self._related(attribute.relation)
            counted = select(related.size(_own(attribute))).where(key).correlate(self.rows).scalar_subquery()
            return func.coalesce(counted, 0)
        return self._count(attribute.name)

    def holds(self, attribute: Attribute, item: str) -> ColumnElement[bool]:
        """Return whether the list contains the id, or the map has the key."""
        if attribute.relation:
            return self._has_related(attribute.relation, lambda related: related.holds(_own(attribute), item))
        if attribute.name == "ApprovedBy":
            return self._of_head(approvals).where(approvals.c.user_id == item).exists()
        if attribute.name == "ApplyGates":
            return self._gate(item, lambda closed: closed.is_(True))
        return self.id.in_(select(labels.c.entity_id).where(labels.c.key == item))

    def anywhere(self, attribute: Attribute, test: Test) -> ColumnElement[bool]:
        """Return whether a key or a text value of the map passes the test."""
        if attribute.name == "ApplyGates":
            closed = gate_results.c.closed.is_(True)
            return self._of_head(gate_results).where(closed, test(gate_results.c.gate)).exists()
        found = select(labels.c.entity_id).where(or_(test(labels.c.key), test(labels.c.value)))
        return self.id.in_(found.where(labels.c.entity == self.kind.name))

    def refers(self, attribute: Attribute, references: tuple[str, ...]) -> ColumnElement[bool]:
        """Return whether the unit is a member of one of the sets, by id or slug.

        A unit without ``SetID`` that no set's ``where`` matches gives null.
        """
        if attribute.relation:
            return self._has_related(attribute.relation, lambda related: related.refers(_own(attribute), references))
        named = [known for known in self.sets if known.set_id in references or known.slug in references]
        pinned = self.rows.c.set_id.in_([known.set_id for known in named])
        # A set's own expression may not lead to sets again: such a term sees pinned members only.
        members = Stored(self.kind, self.rows, sets=[known._replace(where="") for known in self.sets])
        dynamic = [sql.condition(parser.parse(known.where), members) for known in named if known.where]
        return or_(pinned, *dynamic)

    @property
    def id(self) -> ColumnElement[str]:
        """The entity's own id."""
        return self.rows.c[self.kind.id_attribute]

    def _single(self, name: str) -> ColumnElement[Any]:
        special = _SPECIAL.get((self.kind.name, name))
        if special is not None:
            return special(self.rows)
        return self.rows.c[self.kind.by_wire_name[name]]

    def _entry_value(self, attribute: Attribute) -> ColumnElement[Any]:
        if attribute.name == "ApplyGates":
            chosen = self._of_head(gate_results).where(gate_results.c.gate == attribute.key)
            return chosen.with_only_columns(gate_results.c.closed).correlate(self.rows).scalar_subquery()
        chosen = select(labels.c.value).where(labels.c.entity_id == self.id, labels.c.key == attribute.key)
        return chosen.correlate(self.rows).scalar_subquery()

    def _count(self, name: str) -> ColumnElement[int]:
        if name == "ApprovedBy":
            counted = self._of_head(approvals)
        elif name == "ApplyGates":
            counted = self._of_head(gate_results).where(gate_results.c.closed.is_(True))
        else:
            counted = select(labels.c.key).where(labels.c.entity_id == self.id)
        return counted.with_only_columns(func.count()).correlate(self.rows).scalar_subquery()

    def _gate(self, gate: str, test: Test) -> ColumnElement[bool]:
        found = select(gate_results.c.unit_id).where(gate_results.c.gate == gate, test(gate_results.c.closed))
        same = gate_results.c.revision_num == self._revision_num
        return self.rows.c.unit_id.in_(found.where(same).correlate(self.rows))

    def _of_head(self, side: Any) -> Select[Any]:
        """Select the rows of a side table for a unit's head, or for the revision at hand."""
        return select(side).where(side.c.unit_id == self.rows.c.unit_id, side.c.revision_num == self._revision_num)

    @property
    def _revision_num(self) -> ColumnElement[int]:
        return self.rows.c["head_revision_num" if self.kind.name == "Unit" else "revision_num"]

    def _reference(self, relation: str) -> ColumnElement[Any]:
        return self.rows.c[_REFERENCE[self.kind.name, relation]]

    def _has_related(self, relation: str, test: Callable[[Stored], ColumnElement[bool]]) -> ColumnElement[bool]:
        """Return whether the related record passes; by its id where there is one, so that an index can lead."""
        related, key = self._related(relation)
        if relation in _REVISION_NUM or relation == "LatestUnitEvent":
            return select(literal(1)).where(key, test(related)).correlate(self.rows).exists()
        return self._reference(relation).in_(select(related.id).where(test(related)))

    def _related(self, relation: str) -> tuple[Stored, ColumnElement[bool]]:
        """Return the related kind under an alias, and the condition that picks its record for a row."""
        if relation == "LatestUnitEvent":
            return _latest_event(self.rows)
        kind = KINDS[fields.of(self.kind.name).relations[relation]]
        related = Stored(kind, kind.table.alias())
        if relation in _REVISION_NUM:
            number = self.rows.c[_REVISION_NUM[relation]]
            key = related.rows.c.mutation_num if relation == "HeadMutation" else related.rows.c.revision_num
            return related, and_(related.rows.c.unit_id == self.rows.c.unit_id, key == number)
        condition = related.id == self._reference(relation)
        if "deleted_at" in related.rows.c:
            condition = and_(condition, related.rows.c.deleted_at.is_(None))
        return related, condition


def leading(tx: Connection, kind: Kind, expression: Expression) -> ColumnElement[bool]:
    """Return a condition that the expression implies and whose index finds few rows; true when there is none.

    The database keeps no statistics of single values, so the candidates are counted, up to a limit.
    """
    candidates = [found for term in expression.terms if (found := _label_term(term)) is not None]
    if not candidates:
        return true()
    chosen = candidates[0]
    if len(candidates) > 1:
        chosen = min(candidates, key=lambda one: _count_up_to(tx, one, PROBE_LIMIT))
    return kind.id_column.in_(chosen)


PROBE_LIMIT = 2000
"""Labels counted before a term counts as common; a probe then costs well below a millisecond."""


def _label_term(term: Term) -> Select[tuple[str]] | None:
    """Return the ids of the rows with the label that the term asks for; None for other terms."""
    left = term.left
    if not isinstance(left, Attribute) or left.name != "Labels" or not left.key or left.relation:
        return None
    found = select(labels.c.entity_id).where(labels.c.key == left.key)
    if isinstance(term, Membership) and not term.is_negated:
        return found.where(labels.c.value.in_(term.values))
    if isinstance(term, Comparison) and term.operator == "=" and not isinstance(term.right, Attribute):
        return found.where(labels.c.value == term.right)
    return None


def _count_up_to(tx: Connection, found: Select[tuple[str]], limit: int) -> int:
    return tx.execute(select(func.count()).select_from(found.limit(limit).subquery())).scalar_one()


_REVISION_NUM = {
    "HeadRevision": "head_revision_num",
    "LiveRevision": "live_revision_num",
    "LastAppliedRevision": "last_applied_revision_num",
    "HeadMutation": "head_mutation_num",
}


def _references() -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for kind in KINDS.values():
        for include, relation in fields.of(kind.name).includes.items():
            if include in kind.by_wire_name:
                found[kind.name, relation.name] = kind.by_wire_name[include]
    return found


_REFERENCE = _references()
"""The attribute that leads to a relation, such as ``upstream_unit_id`` for a unit's ``UpstreamUnit``."""


def _own(attribute: Attribute) -> Attribute:
    return Attribute(attribute.name, attribute.kind, key=attribute.key)


def _latest_event(rows: FromClause) -> tuple[Stored, ColumnElement[bool]]:
    event = Stored(KINDS["UnitEvent"], unit_events.alias())
    newest = select(func.max(unit_events.c.cursor_id)).where(unit_events.c.unit_id == rows.c.unit_id)
    return event, event.rows.c.cursor_id == newest.correlate(rows).scalar_subquery()


def _last_action(rows: FromClause) -> ColumnElement[Any]:
    newest = select(func.max(unit_events.c.created_at)).where(unit_events.c.unit_id == rows.c.unit_id)
    return newest.correlate(rows).scalar_subquery()


def _live_at(rows: FromClause) -> ColumnElement[Any]:
    newest = select(func.max(applications.c.live_at)).where(
        applications.c.unit_id == rows.c.unit_id, applications.c.revision_num == rows.c.revision_num
    )
    return func.coalesce(newest.correlate(rows).scalar_subquery(), literal(ZERO_TIME, applications.c.live_at.type))


_SPECIAL: dict[tuple[str, str], Callable[[FromClause], ColumnElement[Any]]] = {
    ("Unit", "LastActionAt"): _last_action,
    ("Revision", "LiveAt"): _live_at,
    ("Revision", "UpdatedAt"): lambda rows: rows.c.created_at,
    ("Mutation", "UpdatedAt"): lambda rows: rows.c.created_at,
    ("Mutation", "FunctionName"): lambda rows: rows.c.function_name,
}
