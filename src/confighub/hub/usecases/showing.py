"""What goes onto the wire of a record: everything, or what ``select`` names.

Ids of the entity and its parents, ``Slug``, the attributes that ``where`` asks about, and what the
public client crashes without are always there. A dotted name, such as ``Space.Slug``, trims a
related record; a name that means nothing is passed over, as the public client sends some.
Source: the query parameters of the public API, and what its client was seen to need.
"""

from __future__ import annotations

from typing import Any

import msgspec

from confighub.hub.kinds import KINDS, Kind
from confighub.query import fields, parser

_ALWAYS = {
    "Unit": frozenset({"MutationSources"}),
    "Revision": frozenset({"MutationSources"}),
    "Mutation": frozenset({"ProvidedResource", "FunctionInvocation"}),
}
"""What makes the public client crash when it is missing, selected or not."""

_PARENTS = frozenset({"OrganizationID", "SpaceID", "UnitID", "Slug", "CursorID"})

_NUMBERS = {"Revision": frozenset({"revision_num"}), "Unit": frozenset({"head_revision_num"})}
"""What side tables are keyed by."""

Pairs = tuple[tuple[str, str], ...]
"""Names on the wire with their attributes."""


def kept_names(kind: Kind, selected: frozenset[str], where: str) -> frozenset[str]:
    """Return the names on the wire that are shown of the entity itself."""
    used = {attribute.name for attribute in parser.parse(where, kind.name).attributes()}
    return selected | _always(kind.name) | used


def read_attributes(kind: Kind, selected: frozenset[str], where: str, includes: tuple[str, ...]) -> frozenset[str]:
    """Return the attributes that must be read to show what is selected and to expand the includes."""
    names = kept_names(kind, selected, where) | frozenset(includes)
    found = {kind.by_wire_name[name] for name in names if name in kind.by_wire_name}
    return frozenset(found) | _NUMBERS.get(kind.name, frozenset())


class Trim:
    """Shows one record after the other, the same way."""

    def __init__(self, kind: Kind, selected: frozenset[str], where: str = "") -> None:
        self._kind = kind
        self._own = _pairs(kind, kept_names(kind, selected, where))
        self._relations: dict[str, Pairs] = {}
        for relation in fields.of(kind.name).includes.values():
            prefix = f"{relation.name}."
            dotted = frozenset(name.removeprefix(prefix) for name in selected if name.startswith(prefix))
            if dotted:
                self._relations[relation.name] = _pairs(KINDS[relation.entity], dotted | _always(relation.entity))

    def __call__(self, found: Any) -> dict[str, Any]:
        """Return the record as a tree of names on the wire; values stay values, for the encoder."""
        if self._kind.extended is None:
            return _tree(found, self._own)
        tree: dict[str, Any] = {}
        for name, attribute in self._kind.holder.items():
            value = getattr(found, attribute)
            if name == self._kind.name:
                tree[name] = _tree(value, self._own)
            elif value is None and self._kind.name != "Space":
                continue
            elif name in self._relations and isinstance(value, msgspec.Struct):
                tree[name] = _tree(value, self._relations[name])
            elif value or self._kind.name == "Space":
                tree[name] = value
        return tree


def _always(entity: str) -> frozenset[str]:
    return _PARENTS | {f"{entity}ID"} | _ALWAYS.get(entity, frozenset())


def _pairs(kind: Kind, names: frozenset[str]) -> Pairs:
    return tuple((name, attribute) for name, attribute in kind.by_wire_name.items() if name in names)


def _tree(one: Any, pairs: Pairs) -> dict[str, Any]:
    return {name: getattr(one, attribute) for name, attribute in pairs}
