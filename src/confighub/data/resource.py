"""What a document is called: its type ``apps/v1/Deployment`` and its name ``namespace/name``.

Source: spec functions/README.md, Resources.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from confighub.data.document import Document
from confighub.data.path import Steps
from confighub.data.tree import MAP, NONE, SEQ, find_child, node_type
from confighub.errors import NotAResource
from confighub.records.mutations import ResourceInfo

CATEGORY = "Resource"

_WORKLOADS = ("apps/v1/Deployment", "apps/v1/ReplicaSet", "apps/v1/DaemonSet", "apps/v1/StatefulSet")
_RBAC = "rbac.authorization.k8s.io/v1/"
_FAMILIES = (
    frozenset({*_WORKLOADS, "batch/v1/Job", "batch/v1/CronJob"}),
    frozenset({"v1/ConfigMap", "v1/Secret"}),
    frozenset({f"{_RBAC}Role", f"{_RBAC}ClusterRole"}),
    frozenset({f"{_RBAC}RoleBinding", f"{_RBAC}ClusterRoleBinding"}),
)
"""Types that one resource may turn into another of and still be the same one."""

_VERSION = re.compile(r"v[0-9]+")


def identity(document: Document) -> ResourceInfo:
    """Return the document's type and name.

    Raises: NotAResource, naming the missing field.
    """
    info: ResourceInfo | None = document.memo.get("identity")
    if info is None:
        info = document.memo["identity"] = identity_of(_head(document))
    return info


def _head(document: Document) -> Any:
    """Return the data as far as it names the resource."""
    if document.is_read:
        return document.data
    tree = document.tree
    if not node_type(tree, tree.root) & MAP:
        return document.data
    metadata = find_child(tree, tree.root, b"metadata")
    is_map = metadata != NONE and node_type(tree, metadata) & MAP
    return {
        "apiVersion": _scalar(document, find_child(tree, tree.root, b"apiVersion")),
        "kind": _scalar(document, find_child(tree, tree.root, b"kind")),
        "metadata": {key: _scalar(document, find_child(tree, metadata, key.encode())) for key in _NAMES}
        if is_map
        else None,
    }


_NAMES = ("name", "namespace")


def _scalar(document: Document, node: int) -> Any:
    is_scalar = node != NONE and not node_type(document.tree, node) & (MAP | SEQ)
    return document.scalar(node) if is_scalar else None


def identity_by(at: Callable[[Steps], Any]) -> ResourceInfo:
    """Return the type and name by what ``at`` reads at the places of NAMING; see identity."""
    version, kind, name, namespace = (at(steps) for steps in NAMING)
    return identity_of({"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": namespace}})


NAMING: tuple[Steps, ...] = (("apiVersion",), ("kind",), ("metadata", "name"), ("metadata", "namespace"))
"""The places that make up a resource's type and name."""


def identity_of(data: Any) -> ResourceInfo:
    """Return the type and name of plain data; see identity."""
    kind = resource_type(data)
    metadata = data.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(name, str) or not name:
        raise NotAResource(f"metadata.name not found in a document of type {kind}")
    namespace = metadata.get("namespace")
    scope = namespace if isinstance(namespace, str) else ""
    return ResourceInfo(
        resource_name=f"{scope}/{name}",
        resource_name_without_scope=name,
        resource_type=kind,
        resource_category=CATEGORY,
    )


def resource_type(data: Any) -> str:
    """Return the type of plain data, such as ``v1/Service``.

    Raises: NotAResource, naming the missing field.
    """
    if not isinstance(data, dict):
        raise NotAResource("apiVersion not found: the document is no map")
    version, kind = data.get("apiVersion"), data.get("kind")
    if not isinstance(version, str) or not version:
        raise NotAResource("apiVersion not found in a document")
    if not isinstance(kind, str) or not kind:
        raise NotAResource("kind not found in a document")
    return f"{version}/{kind}"


def without_scope(name: str) -> str:
    """Return the name behind the slash; a name without one is its own."""
    return name.partition("/")[2] if "/" in name else name


def are_similar(one: str, other: str) -> bool:
    """Say whether a resource may change from one type to the other and stay the same resource."""
    if one == other or any(one in family and other in family for family in _FAMILIES):
        return True
    return one.rpartition("/")[2] == other.rpartition("/")[2]
