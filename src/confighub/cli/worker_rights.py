"""The rights that a worker needs in a cluster: what its units hold, where they hold it, and nothing else.

Whoever may make a Role has to have the rights that it gives, so those are among them.
Source: Kubernetes RBAC; how a kind's name becomes its resource's is the API machinery's own rule.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from confighub.client.transport import Wire

LOOK = ("get", "list", "watch")
CHANGE = (*LOOK, "create", "patch", "delete")
RBAC = "rbac.authorization.k8s.io"

CLUSTER_WIDE = frozenset(
    {
        "APIService",
        "CSIDriver",
        "ClusterIssuer",
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "GatewayClass",
        "IngressClass",
        "MutatingWebhookConfiguration",
        "Namespace",
        "Node",
        "PersistentVolume",
        "PriorityClass",
        "RuntimeClass",
        "StorageClass",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
    }
)
"""Kinds that live outside namespaces."""

_REASONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("", ("pods", "events")),
    ("apps", ("replicasets",)),
    ("autoscaling", ("horizontalpodautoscalers",)),
    ("discovery.k8s.io", ("endpointslices",)),
)
"""What says why something is not ready, what is behind a Service, and who else decides over replicas."""


def resource_of(kind: str) -> str:
    """Return the resource of a kind, as in ``networkpolicies``."""
    name = kind.lower()
    if name == "endpoints":
        return name
    if name.endswith("y") and name[-2:-1] not in tuple("aeiou"):
        return f"{name[:-1]}ies"
    return f"{name}es" if name.endswith(("s", "x", "ch", "sh")) else f"{name}s"


def namespaces(documents: Iterable[Wire], *, own: str) -> list[str]:
    """Return the namespaces in which the documents live, sorted; ``own`` is that of those that name none."""
    found = {str(_metadata(one).get("namespace") or own) for one in documents if one.get("kind") not in CLUSTER_WIDE}
    return sorted(found)


def inside(documents: Iterable[Wire], namespace: str, *, own: str) -> list[Wire]:
    """Return the rules of the Role for one namespace, by API group.

    A binding gives what its Role says, so that has to be among the documents too.
    """
    held: defaultdict[str, set[str]] = defaultdict(set)
    granted: list[Wire] = []
    for one in documents:
        place = str(_metadata(one).get("namespace") or own)
        if one.get("kind") in CLUSTER_WIDE or place != namespace:
            continue
        held[_group(one)].add(resource_of(str(one.get("kind"))))
        if one.get("kind") == "Role":
            granted += one.get("rules") or []
    rules = [_rule(group, sorted(resources), CHANGE) for group, resources in sorted(held.items())]
    rules += [_rule(group, resources, LOOK) for group, resources in _REASONS]
    return rules + _unique(granted)


def across(documents: Iterable[Wire]) -> list[Wire]:
    """Return the rules for what lives outside namespaces: made when missing, changed and removed by name only."""
    named: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    granted: list[Wire] = []
    rules: list[Wire] = []
    for one in documents:
        if one.get("kind") == "Ingress" and not rules:
            # whether a controller serves it
            rules.append(_rule("networking.k8s.io", ["ingressclasses"], LOOK))
        if one.get("kind") in CLUSTER_WIDE:
            named[_group(one), resource_of(str(one.get("kind")))].add(str(_metadata(one).get("name")))
        if one.get("kind") == "ClusterRole":
            granted += one.get("rules") or []
    for (group, resource), names in sorted(named.items()):
        rules.append(_rule(group, [resource], (*LOOK, "create")))
        rules.append({**_rule(group, [resource], ("patch", "delete")), "resourceNames": sorted(names)})
    return rules + _unique(granted)


def _rule(group: str, resources: Sequence[str], verbs: Sequence[str]) -> Wire:
    return {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}


def _unique(rules: Iterable[Wire]) -> list[Wire]:
    found: list[Wire] = []
    for rule in rules:
        if rule not in found:
            found.append(rule)
    return found


def _metadata(document: Wire) -> dict[str, Any]:
    metadata = document.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _group(document: Wire) -> str:
    return str(document.get("apiVersion", "")).rpartition("/")[0]
