"""Which items of two lists are the same thing: Kubernetes list keys, then names, then places.

A list is *keyed* when all its items are maps that carry the fields of one key of the table, each combination once.
Source: the merge keys of the Kubernetes API (``x-kubernetes-list-map-keys`` and patch merge keys).
"""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import Any

DEFAULTS: dict[str, Any] = {"protocol": "TCP"}
"""What a key field means when it is left out."""

_KEYS: dict[str, tuple[tuple[str, ...], ...]] = {
    "ports": (("containerPort", "protocol"), ("port", "protocol"), ("name",)),
    "volumeMounts": (("mountPath",),),
    "volumeDevices": (("devicePath",),),
    "topologySpreadConstraints": (("topologyKey", "whenUnsatisfiable"),),
    "hostAliases": (("ip",),),
    "conditions": (("type",),),
    "subjects": (("kind", "namespace", "name"), ("kind", "name")),
    "paths": (("path", "pathType"), ("path",)),
    "rules": (("host",), ("name",)),
    "tls": (("secretName",),),
    "ownerReferences": (("uid",),),
    "items": (("key",), ("name",)),
    "metrics": (("type", "name"),),
}
_GENERAL: tuple[tuple[str, ...], ...] = (("name",), ("key",), ("id",), ("host",), ("path",))
_SECONDARY = ("name", "containerPort", "port", "mountPath", "key", "host", "path")


def key_of(item: Any, fields: tuple[str, ...]) -> tuple[Any, ...] | None:
    """Return what identifies an item by these fields, or None when it lacks the first of them."""
    if not isinstance(item, dict) or fields[0] not in item:
        return None
    values = tuple(item.get(name, DEFAULTS.get(name)) for name in fields)
    return None if any(isinstance(value, (dict, list)) for value in values) else values


def key_fields(field: str, *sides: list[Any]) -> tuple[str, ...] | None:
    """Return the key that identifies every item of all the given lists, or None when there is none."""
    if not any(sides):
        return None
    for fields in (*_KEYS.get(field, ()), *_GENERAL):
        if all(identities(side, fields) is not None for side in sides):
            return fields
    return None


def identities(items: Any, fields: tuple[str, ...]) -> list[Any] | None:
    """Return what identifies each item by these fields, or None when they do not tell all items apart."""
    first, *others = fields
    try:
        found = [item[first] for item in items]
        if others:
            found = [
                (value, *(item.get(name, DEFAULTS.get(name)) for name in others))
                for value, item in zip(found, items, strict=True)
            ]
        is_key = len(set(found)) == len(found)
    except (KeyError, TypeError):  # a field is missing, an item is no map, or a value is no scalar
        return None
    return found if is_key else None


def match(field: str, old: list[Any], new: list[Any]) -> dict[int, int]:
    """Return which item of the new list each old one has become, by position; missing means that it is gone.

    ``field`` is the map key that holds the lists. Keyed lists match by key, then what is left by another name it kept,
    then a lone change in the same place. Other lists match by equal content in order, then by place.
    """
    keyed = _match_by_key(field, old, new)
    return _match_by_content(old, new) if keyed is None else keyed


def find(field: str, item: Any, items: list[Any]) -> int | None:
    """Return where an item stands in a keyed list, -1 when it is not there; None when the list is not keyed."""
    found = _match_by_key(field, [item], items)
    return None if found is None else found.get(0, -1)


def _match_by_key(field: str, old: list[Any], new: list[Any]) -> dict[int, int] | None:
    if not old and not new:
        return None
    for fields in candidates(field):
        before = identities(old, fields)
        after = identities(new, fields) if before is not None else None
        if before is not None and after is not None:
            return _match_keyed(old, before, new, after, fields[0])
    return None


def candidates(field: str) -> tuple[tuple[str, ...], ...]:
    """Return the keys that may identify the items of a list under this map key, the likeliest first."""
    return _CANDIDATES.get(field, _GENERAL)


_CANDIDATES = {field: (*keys, *_GENERAL) for field, keys in _KEYS.items()}


def has_other_name(item: Any, first: str) -> bool:
    """Say whether an item might be found by another name than its key."""
    return any(item.get(name) for name in _SECONDARY if name != first)


def _match_keyed(old: list[Any], before: list[Any], new: list[Any], after: list[Any], first: str) -> dict[int, int]:
    if before == after:
        return {at: at for at in range(len(old))}
    places = {key: at for at, key in enumerate(after)}
    found = {at: places[key] for at, key in enumerate(before) if key in places}
    for name in _SECONDARY:
        if len(found) == len(old) or len(found) == len(new):
            break
        if name != first:
            _match_rest(old, new, name, found)
    return found


def _match_rest(old: list[Any], new: list[Any], field: str, found: dict[int, int]) -> None:
    """Match what is left by another name that it kept."""
    left = [at for at in range(len(old)) if at not in found]
    ours = [old[at].get(field) for at in left]
    if not any(ours):
        return
    taken = set(found.values())
    free = [at for at in range(len(new)) if at not in taken]
    theirs = [new[at].get(field) for at in free]
    for at, key in zip(left, ours, strict=True):
        if isinstance(key, (str, int)) and ours.count(key) == 1 and theirs.count(key) == 1:
            found[at] = free[theirs.index(key)]


def _match_by_content(old: list[Any], new: list[Any]) -> dict[int, int]:
    if len(old) == len(new):
        return {at: at for at in range(len(old))}
    before, after = [repr(item) for item in old], [repr(item) for item in new]
    found: dict[int, int] = {}
    for block in SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks():
        found.update({block.a + step: block.b + step for step in range(block.size)})
    return found
