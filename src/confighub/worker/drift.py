"""Where live objects differ from what a unit says.

Only what the unit sets is compared, and what is there beside it in the same maps; what the far side
keeps for itself (status, generations, its own annotations) is no difference.
"""

from __future__ import annotations

from typing import Any

from confighub.worker.documents import Manifest, describe

_KEPT_BY_THE_OTHER_SIDE = frozenset(
    {"generation", "creationTimestamp", "deletionTimestamp", "uid", "resourceVersion", "managedFields"}
)
_OWN_ANNOTATIONS = "laptop.confighub/"


def between(wanted: list[Manifest], live: list[Manifest]) -> list[str]:
    """Return one line a difference, such as ``Deployment web: spec.replicas is 10 and not 3``, in document order."""
    found = {_identity(item): item for item in live}
    lines: list[str] = []
    for document in wanted:
        item = found.pop(_identity(document), None)
        if item is None:
            lines.append(f"{describe(document)} is gone")
            continue
        lines += [f"{describe(document)}: {line}" for line in _differences(plain(document), plain(item), "")]
    return lines + [f"{describe(item)} is not in the unit" for item in found.values()]


def _identity(item: Manifest) -> tuple[str, str, str, str]:
    metadata = item.get("metadata", {})
    group = str(item.get("apiVersion", "")).rpartition("/")[0]
    namespace = str(metadata.get("namespace") or "default")
    return group, str(item.get("kind", "")), namespace, str(metadata.get("name", ""))


def plain(item: Manifest) -> Manifest:
    """Return the object without what the far side keeps for itself."""
    metadata = {key: value for key, value in item.get("metadata", {}).items() if key not in _KEPT_BY_THE_OTHER_SIDE}
    annotations = metadata.get("annotations") or {}
    metadata["annotations"] = {key: value for key, value in annotations.items() if not key.startswith(_OWN_ANNOTATIONS)}
    metadata = {key: value for key, value in metadata.items() if value not in ({}, None)}
    return {**{key: value for key, value in item.items() if key != "status"}, "metadata": metadata}


def _differences(wanted: Any, live: Any, place: str) -> list[str]:
    if isinstance(wanted, dict) and isinstance(live, dict):
        keys = [*wanted, *(key for key in live if key not in wanted)]
        return [
            line
            for key in keys
            for line in _differences(wanted.get(key), live.get(key), f"{place}.{key}" if place else str(key))
        ]
    if isinstance(wanted, list) and isinstance(live, list) and len(wanted) == len(live):
        pairs = zip(wanted, live, strict=True)
        return [line for at, (one, other) in enumerate(pairs) for line in _differences(one, other, f"{place}.{at}")]
    return [] if wanted == live else [f"{place} is {_shown(live)} and not {_shown(wanted)}"]


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return f"{len(value)} entries"
    return "unset" if value is None else str(value)
