"""Bodies of requests read into records and patches, forgiving what the public client sends.

That client sends the nil id and the zero time for what is not set, null for what may be empty,
and the literal ``null`` for a patch of nothing. All of these mean absent.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec

from confighub.errors import BadRequest
from confighub.records.base import NIL_ID, without_nulls

_ZERO_TIME = "0001-01-01T00:00:00Z"

_NO_IDS = frozenset({"ExternalID", "CursorID"})
"""Names that end as ids do: one of another system, and a number."""

Object = dict[str, Any]


def record(body: bytes, shape: type[Any]) -> Any:
    """Return the body as a record of the shape; keys that it does not know are left out.

    Raises: BadRequest, naming the place, for broken JSON, a wrong type or a text that is no id.
    """
    found = {key: without_nulls(value) for key, value in _object(body).items() if not _is_absent(value)}
    _check_ids(found)
    try:
        return msgspec.convert(found, shape)
    except msgspec.ValidationError as bad:
        raise BadRequest(f"the body does not fit {shape.__name__}: {_lower_first(str(bad))}") from bad


def changes(body: bytes) -> Object:
    """Return the body as a merge patch: null removes, absent keys stay. An empty body patches nothing.

    The nil id means none, as null does; the zero time is left out.
    Raises: BadRequest for broken JSON, or a body that is no object.
    """
    if not body.strip():
        return {}
    patch = {key: None if value == NIL_ID else value for key, value in _object(body).items() if value != _ZERO_TIME}
    _check_ids(patch)
    return patch


def json_object(body: bytes) -> Object:
    """Return the body as a JSON object as it stands.

    Raises: BadRequest for broken JSON, or a body that is no object.
    """
    return _object(body)


def _object(body: bytes) -> Object:
    if not body.strip():
        raise BadRequest("the body is missing", hint="send a JSON object")
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as bad:
        raise BadRequest(f"the body is not JSON: {_lower_first(str(bad))}") from bad
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise BadRequest("the body is not a JSON object")
    return found


def _is_absent(value: Any) -> bool:
    return value is None or value in (NIL_ID, _ZERO_TIME)


def _check_ids(found: Object) -> None:
    """Refuse a text that is no UUID where an id belongs; the spelling becomes the one with lower case."""
    for key, value in list(found.items()):
        if not key.endswith("ID") or key in _NO_IDS or not isinstance(value, str):
            continue
        if not value:
            del found[key]
            continue
        try:
            found[key] = str(UUID(value))
        except ValueError as bad:
            raise BadRequest(f"{key} is not an id: {value!r}", hint="ids are UUIDs") from bad


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
