"""Whose an object is: the marks that the worker puts on all it writes, which together are a unit's inventory.

The mark is written with the object itself, so a worker that dies at any moment leaves nothing that no
inventory lists. An object counts as the unit's only when this field manager has applied it: controllers copy
labels to objects of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from confighub.worker.bridge import Operation
from confighub.worker.documents import Manifest
from confighub.worker.kubernetes.api import MANAGER

UNIT = "confighub.com/unit-id"
"""The label that names the unit; watches select by it."""

SPACE, SLUG, REVISION, WORKER = (f"confighub.com/{name}" for name in ("space-id", "unit", "revision", "worker-id"))
MARKS = "confighub.com/"
"""What all labels and annotations of ours begin with."""

FOREIGN = "confighub.com/foreign"
"""The annotation of live state that lists fields which others have added, one a line; it is on no real object."""

STRANGERS = "confighub.com/strangers"
"""The annotation of a live Namespace that lists what is in it and of no unit, one a line; it is on no real object."""

AUTOSCALED = "confighub.com/autoscaled"
"""The annotation of a live workload, "true" where an autoscaler decides over its replicas; it is on no real object."""

FORCE = "confighub.com/force-conflicts"
"""An annotation that a unit's author may set to "true": take over what another field manager owns."""

_SERVER_SIDE = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink")

Identity = tuple[str, str, str, str]
"""Group, kind, namespace (empty for cluster-wide objects), name."""


@dataclass(frozen=True)
class Owner:
    """Which unit an object belongs to, and as of which revision."""

    unit_id: str
    space_id: str
    slug: str
    revision: int
    worker_id: str


def identity(item: Manifest) -> Identity:
    """Return what tells the object from all others of its cluster, over the versions of its kind."""
    metadata = item.get("metadata") or {}
    group = str(item.get("apiVersion", "")).rpartition("/")[0]
    return group, str(item.get("kind", "")), str(metadata.get("namespace") or ""), str(metadata.get("name", ""))


def marked(manifest: Manifest, operation: Operation, *, namespace: str, worker_id: str) -> Manifest:
    """Return the manifest as it is sent: with our marks, in its namespace, without what only the server sets."""
    given = manifest.get("metadata") or {}
    metadata = {key: value for key, value in given.items() if key not in _SERVER_SIDE and value is not None}
    if namespace:
        metadata["namespace"] = namespace
    metadata["labels"] = {**(metadata.get("labels") or {}), UNIT: operation.unit_id}
    metadata["annotations"] = {
        **(metadata.get("annotations") or {}),
        SPACE: operation.space_id,
        SLUG: operation.unit_slug,
        REVISION: str(operation.revision_num),
        WORKER: worker_id,
    }
    return {**{key: value for key, value in manifest.items() if key != "status"}, "metadata": metadata}


def owner(item: Manifest) -> Owner | None:
    """Return the unit that the object belongs to, None when it is not one of ours.

    The object needs its ``managedFields``.
    """
    metadata = item.get("metadata") or {}
    unit_id = (metadata.get("labels") or {}).get(UNIT)
    if not unit_id or not is_applied(item):
        return None
    marks = metadata.get("annotations") or {}
    number = str(marks.get(REVISION, "0"))
    return Owner(
        unit_id=str(unit_id),
        space_id=str(marks.get(SPACE, "")),
        slug=str(marks.get(SLUG, "")),
        revision=int(number) if number.isdigit() else 0,
        worker_id=str(marks.get(WORKER, "")),
    )


def is_applied(item: Manifest) -> bool:
    """True when this worker's field manager has applied the object."""
    entries = (item.get("metadata") or {}).get("managedFields") or []
    return any(entry.get("manager") == MANAGER and entry.get("operation") == "Apply" for entry in entries)


def unmarked(item: Manifest) -> Manifest:
    """Return the object without our marks and without who manages what."""
    metadata: dict[str, Any] = {
        key: value for key, value in (item.get("metadata") or {}).items() if key != "managedFields"
    }
    for where in ("labels", "annotations"):
        kept = {key: value for key, value in (metadata.get(where) or {}).items() if not key.startswith(MARKS)}
        metadata.pop(where, None)
        if kept:
            metadata[where] = kept
    return {**item, "metadata": metadata}
