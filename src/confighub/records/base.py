"""What every record on the wire has in common: its naming rule and its zero values.

Neighbours: each other module here holds one family of nouns. Nothing in this
package reads or writes; records are plain values with PascalCase keys on the wire.
Source: the public ConfigHub models; the names are facts of that API.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

NIL_ID = "00000000-0000-0000-0000-000000000000"
"""What the public client sends, and shows, for an id that is not set."""

ZERO_TIME = datetime(1, 1, 1, tzinfo=UTC)
"""What the public client sends, and shows, for a time that is not set."""

_UPPER = {"id": "ID", "ids": "IDs", "ip": "IP", "ttl": "TTL", "uri": "URI", "yaml": "YAML"}


def wire_name(attribute: str) -> str:
    """Turn an attribute into its key on the wire, as in ``upstream_unit_id`` → ``UpstreamUnitID``."""
    words = attribute.rstrip("_").split("_")
    return "".join(_UPPER.get(word) or word.capitalize() for word in words)


class Record(msgspec.Struct, kw_only=True, rename=wire_name):
    """A value with PascalCase keys; unknown keys are ignored when it is read."""


class Entity(Record):
    """A stored noun: everything that users name, label and list."""

    organization_id: str | None = None
    slug: str = ""
    display_name: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    entity_type: str = ""
    version: int = 0
    cursor_id: int = 0
    created_at: datetime | None = None
    updated_at: datetime | None = None


class SpaceEntity(Entity):
    """A noun that lives in a space."""

    space_id: str | None = None


def to_wire(record: Any) -> bytes:
    """Return the record, or a list of them, as JSON: bytes as base64, times as RFC 3339."""
    return _ENCODER.encode(record)


def to_builtins(record: Any) -> Any:
    """Return the record as dicts, lists and strings, keyed as on the wire."""
    return msgspec.to_builtins(record)


def without_nulls(value: Any) -> Any:
    """Return decoded JSON without the keys whose value is null: that is how Go programs write empty lists and maps."""
    if isinstance(value, dict):
        return {key: without_nulls(one) for key, one in value.items() if one is not None}
    if isinstance(value, list):
        return [without_nulls(one) for one in value]
    return value


_ENCODER = msgspec.json.Encoder()
