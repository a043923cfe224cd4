"""In which order kinds are applied: what others need first, what sends traffic last.

Source: the install order that Helm and kustomize share.
"""

from __future__ import annotations

from confighub.worker.documents import Manifest

KINDS = (
    "Namespace",
    "CustomResourceDefinition",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "NetworkPolicy",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicaSet",
    "Deployment",
    "StatefulSet",
    "HorizontalPodAutoscaler",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
)
"""Kinds in the order of applying; unknown ones come after all, since they mostly build on these."""

_PLACE = {kind: place for place, kind in enumerate(KINDS)}


def in_apply_order(documents: list[Manifest]) -> list[Manifest]:
    """Return the documents as they should be applied; equal kinds keep their order."""
    return sorted(documents, key=lambda document: _PLACE.get(str(document.get("kind")), len(KINDS)))


def in_destroy_order(documents: list[Manifest]) -> list[Manifest]:
    """Return the documents as they should be removed: the other way round."""
    return in_apply_order(documents)[::-1]
