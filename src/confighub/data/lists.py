"""Which items of two lists are the same thing: Kubernetes list keys, then names, then places.

A list is *keyed* when all its items are maps that carry the fields of one key of the table, each combination once.
Source: the merge keys of the Kubernetes API (``x-kubernetes-list-map-keys`` and patch merge keys).
"""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import Any

_DEFAULTS: dict[str, Any] = {"protocol": "TCP"}
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
    values = tuple(item.get(name, _DEFAULTS.get(name)) for name in fields)
    return None if any(isinstance(value, (dict, list)) for value in values) else values


def key_fields(field: str, *sides: list[Any]) -> tuple[str, ...] | None:
    """Return the key that identifies every item of all the given lists, or None when there is none."""
    for fields in (*_KEYS.get(field, ()), *_GENERAL):
        if all(_is_keyed_by(side, fields) for side in sides) and any(sides):
            return fields
    return None


def _is_keyed_by(items: list[Any], fields: tuple[str, ...]) -> bool:
    keys = [key_of(item, fields) for item in items]
    return None not in keys and len(set(keys)) == len(keys)


def match(field: str, old: list[Any], new: list[Any]) -> dict[int, int]:
    """Return which item of the new list each old one has become, by position; missing means that it is gone.

    ``field`` is the map key that holds the lists. Keyed lists match by key, then what is left by another name it kept,
    then a lone change in the same place. Other lists match by equal content in order, then by place.
    """
    fields = key_fields(field, old, new)
    if fields is None:
        return _match_by_content(old, new)
    places = {key_of(item, fields): at for at, item in enumerate(new)}
    found = {at: places[key] for at, item in enumerate(old) if (key := key_of(item, fields)) in places}
    for name in _SECONDARY:
        if name not in fields[:1]:
            _match_rest(old, new, (name,), found)
    return found


def _match_rest(old: list[Any], new: list[Any], fields: tuple[str, ...], found: dict[int, int]) -> None:
    taken = set(found.values())
    free = [at for at in range(len(new)) if at not in taken]
    left = [at for at in range(len(old)) if at not in found]
    if not free or not left:
        return
    ours = [key_of(old[at], fields) for at in left]
    theirs = [key_of(new[at], fields) for at in free]
    for at, key in zip(left, ours, strict=True):
        if key is not None and ours.count(key) == 1 and theirs.count(key) == 1:
            found[at] = free[theirs.index(key)]


def _match_by_content(old: list[Any], new: list[Any]) -> dict[int, int]:
    if len(old) == len(new):
        return {at: at for at in range(len(old))}
    before, after = [repr(item) for item in old], [repr(item) for item in new]
    found: dict[int, int] = {}
    for block in SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks():
        found.update({block.a + step: block.b + step for step in range(block.size)})
    return found
