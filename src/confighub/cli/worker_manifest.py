"""The manifest that runs a worker in a cluster: namespace, account, role, secret, Deployment."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from confighub.cli.changing import store_new
from confighub.cli.kinds import Kind
from confighub.cli.output import as_yaml
from confighub.cli.showing import the_record
from confighub.client.collection import UNIT, WORKER
from confighub.errors import BadRequest

if TYPE_CHECKING:
    from confighub.cli.call import Call
    from confighub.client.transport import Wire

_IMAGE = "ghcr.io/confighub/traderx-confighub:latest"
_WORKER = Kind(WORKER, lambda hub: hub.workers, columns=(), select="", said="bridgeworker")
_UNIT = Kind(UNIT, lambda hub: hub.units, columns=(), select="")


def install_worker(call: Call) -> None:
    """Print the manifest, or store it as a unit.

    The Secret is left out unless it is asked for, and is never stored in a unit.
    Raises: BadRequest when neither --export nor --unit says what to do.
    """
    worker = the_record(call, _WORKER, call.arg("name") or "worker")["BridgeWorker"]
    if call.yes("export-secret-only"):
        call.out.write(as_yaml(secret(call, worker)))
        return
    objects = manifest(call, worker)
    if call.text("unit"):
        text = "---\n".join(as_yaml(one) for one in objects)
        record: Wire = {"Slug": call.text("unit"), "ToolchainType": "Kubernetes/YAML"}
        record["Data"] = b64encode(text.encode()).decode()
        if call.text("target"):
            found = call.hub.targets.find(call.text("target"), space_id=call.space_id)["Target"]
            record["TargetID"] = found["TargetID"]
        store_new(call, _UNIT, record)
        return
    if not call.yes("export"):
        raise BadRequest("what is to be done with the manifest?", hint="--export to print it, --unit UNIT to store it")
    if call.yes("include-secret"):
        objects.insert(-1, secret(call, worker))
    call.out.write("---\n".join(as_yaml(one) for one in objects))


def manifest(call: Call, worker: Wire) -> list[Wire]:
    """Return the objects that run the worker, in the order in which they are applied, without its Secret."""
    name = call.text("deployment-name") or str(worker["Slug"])
    namespace = call.text("namespace")
    labels = {"app": name, "app.kubernetes.io/managed-by": "confighub"}
    environment: list[Wire] = [
        {"name": "CONFIGHUB_URL", "value": call.hub.transport.url},
        {"name": "CONFIGHUB_WORKER_ID", "value": str(worker["BridgeWorkerID"])},
        {
            "name": "CONFIGHUB_WORKER_SECRET",
            "valueFrom": {"secretKeyRef": {"name": f"{name}-secret", "key": "CONFIGHUB_WORKER_SECRET"}},
        },
    ]
    environment += [
        {"name": key, "value": value} for key, _, value in (pair.partition("=") for pair in call.many("env"))
    ]
    container: Wire = {
        "name": "worker",
        "image": call.text("image") or _IMAGE,
        "args": ["cub", "worker", "run", str(worker["Slug"]), "--provider", call.text("worker-type")],
        "env": environment,
        "resources": {"requests": {"cpu": "50m", "memory": "96Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    pod: Wire = {
        "serviceAccountName": name,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 1000},
        "containers": [container],
    }
    if call.yes("host-network"):
        pod["hostNetwork"] = True
    where = {"name": name, "namespace": namespace, "labels": labels}
    account = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": where},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name, "labels": labels},
            "subjects": [account],
            "roleRef": role,
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": where,
            "spec": {
                "replicas": 1,
                "strategy": {"type": "Recreate"},
                "selector": {"matchLabels": {"app": name}},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        },
    ]


def secret(call: Call, worker: Wire) -> Wire:
    """Return the Secret that lets the worker in."""
    name = call.text("deployment-name") or str(worker["Slug"])
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": f"{name}-secret", "namespace": call.text("namespace")},
        "type": "Opaque",
        "stringData": {"CONFIGHUB_WORKER_SECRET": str(worker["Secret"])},
    }
