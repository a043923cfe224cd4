"""Nouns as the command line knows them: their columns, their details, their names in sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from confighub.cli import output

if TYPE_CHECKING:
    from confighub.client.collection import Collection, Noun
    from confighub.client.hub import HubClient
    from confighub.client.transport import Wire

Show = Callable[[object], str]


def plain(value: object) -> str:
    """Return a value as a cell; empty for None."""
    return "" if value is None else str(value)


class Column(NamedTuple):
    """One column: its title, the path of its value in the extended record, and how to show that.

    Without a path the whole record is shown.
    """

    title: str
    path: str
    show: Show = plain

    def cell(self, record: Wire) -> str:
        """Return the cell for one record; empty where the path ends early."""
        return self.show(at(record, self.path) if self.path else record)


class Kind(NamedTuple):
    """A noun as the command line knows it."""

    noun: Noun
    of: Callable[[HubClient], Collection]
    columns: Sequence[Column]
    select: str
    details: Sequence[Column] = ()
    id_flag: str = ""
    said: str = ""
    in_space: bool = True
    query: Mapping[str, str] = MappingProxyType({})
    named_by: str = "Slug"
    """The field that ``--names`` prints."""
    is_got_extended: bool = False
    """Whether ``get --json`` prints the record with its relations, as the public client does for some nouns."""

    @property
    def flag_name(self) -> str:
        """The id flag, such as ``tag`` for ``--tag a,b``."""
        return self.id_flag or self.noun.word

    @property
    def spoken(self) -> str:
        """The noun in the sentences of success."""
        return self.said or self.noun.word

    def plain(self, record: Wire) -> Wire:
        """Return the record without its relations, whether it came extended or not."""
        inner = record.get(self.noun.entity)
        return inner if isinstance(inner, dict) else record


def at(record: object, path: str) -> object:
    """Return the value at a dotted path, None where it ends early; ``Labels.a.b`` asks for the key ``a.b``."""
    for position, key in enumerate(parts := path.split(".")):
        if not isinstance(record, dict):
            return None
        if key in ("Labels", "Annotations") and position + 1 < len(parts):
            held = record.get(key)
            return held.get(".".join(parts[position + 1 :])) if isinstance(held, dict) else None
        record = record.get(key)
    return record


def common_details(noun: Noun) -> tuple[Column, ...]:
    """The rows that every noun has."""
    entity = noun.entity
    return (
        Column("ID", f"{entity}.{noun.id_key}"),
        Column("Name", f"{entity}.Slug"),
        Column("Space", "Space.Slug"),
        Column("Created At", f"{entity}.CreatedAt", output.moment_utc),
        Column("Updated At", f"{entity}.UpdatedAt", output.moment_utc),
        Column("Labels", f"{entity}.Labels", output.labels),
        Column("Annotations", f"{entity}.Annotations", output.labels),
        Column("Organization ID", f"{entity}.OrganizationID"),
    )
