"""Objects sent to an API server by a test itself, beside what the system under test sends."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from confighub.cli.worker_rights import CLUSTER_WIDE, resource_of
from tests.kubernetes.control_plane import Kube

Object = dict[str, Any]
DEPLOYMENTS = "/apis/apps/v1/namespaces/{}/deployments"


def path_of(one: Object) -> str:
    """Return where the API server keeps the object."""
    version = one["apiVersion"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    place = "" if one["kind"] in CLUSTER_WIDE else f"/namespaces/{one['metadata'].get('namespace', 'default')}"
    return f"{root}{place}/{resource_of(one['kind'])}/{one['metadata']['name']}"


def send(kube: Kube, objects: Iterable[Object], **query: str) -> list[str]:
    """Apply the objects as an administrator and return what the server refused."""
    refused = []
    for one in objects:
        answer = kube.call(
            "PATCH",
            path_of(one),
            one,
            content="application/apply-patch+yaml",
            fieldManager="administrator",
            fieldValidation="Strict",
            **query,
        )
        if answer.status_code >= 300:
            refused.append(f"{one['kind']} {one['metadata']['name']}: {answer.text}")
    return refused


def with_token(kubeconfig: Path, kube: Kube, account: str, namespace: str, *, context: str) -> Path:
    """Write a kubeconfig that gets in as a service account, and return its path."""
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
    answer = kube.call("POST", path, request)
    assert answer.status_code == 201, answer.text
    content = renamed(kubeconfig, context)
    content["users"] = [{"name": context, "user": {"token": answer.json()["status"]["token"]}}]
    return written(kubeconfig.parent / f"{context}.kubeconfig", content)


def renamed(kubeconfig: Path, context: str) -> Object:
    """Return a kubeconfig's content with all its names changed to one."""
    content = yaml.safe_load(kubeconfig.read_text())
    for kind in ("clusters", "users", "contexts"):
        content[kind][0]["name"] = context
    content["contexts"][0]["context"] |= {"cluster": context, "user": context}
    content["current-context"] = context
    return dict(content)


def written(path: Path, content: Object) -> Path:
    """Write the kubeconfig and return its path."""
    path.write_text(json.dumps(content))
    path.chmod(0o600)
    return path
