"""The manifest that runs a worker in a cluster: namespaces, account, rights, Deployment, and its Secret apart."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from confighub.cli import worker_rights
from confighub.cli.changing import store_new
from confighub.cli.kinds import Kind
from confighub.cli.output import as_yaml, note
from confighub.cli.showing import the_record
from confighub.client.collection import UNIT, WORKER
from confighub.client.units import text_of
from confighub.errors import BadRequest

if TYPE_CHECKING:
    from confighub.cli.call import Call
    from confighub.client.transport import Wire

_WORKER = Kind(WORKER, lambda hub: hub.workers, columns=(), select="", said="bridgeworker")
_UNIT = Kind(UNIT, lambda hub: hub.units, columns=(), select="")
_USER = 1000
"""Who the image's processes run as."""


@dataclass(frozen=True)
class Installation:
    """One worker in a cluster. ``environment`` holds further variables, and wins over our own."""

    name: str
    namespace: str
    worker: str
    worker_id: str
    url: str
    image: str
    provider: str = "kubernetes"
    environment: tuple[tuple[str, str], ...] = ()
    host_network: bool = False

    @property
    def labels(self) -> dict[str, str]:
        """What all objects of the installation carry."""
        return {"app": self.name, "app.kubernetes.io/managed-by": "confighub"}


def default_image() -> str:
    """Return the image of this version; deploy/build makes it under that name."""
    from importlib.metadata import version

    return f"traderx-confighub:v{version('traderx-confighub')}"


def install_worker(call: Call) -> None:
    """Print the manifest, or store it as a unit.

    Its rights are those that the units of the worker's space need as they are now: run it again, and apply it
    again, when a unit brings another kind or namespace. The Secret is left out unless it is asked for, and is never
    stored in a unit. Raises: BadRequest when neither --export nor --unit says what to do.
    """
    worker = the_record(call, _WORKER, call.arg("name") or "worker")["BridgeWorker"]
    if call.yes("export-secret-only"):
        call.out.write(as_yaml(secret(call, worker)))
        return
    objects = manifest(_installation(call, worker), _documents(call, worker))
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


def manifest(wanted: Installation, documents: Sequence[Wire]) -> list[Wire]:
    """Return the objects that run the worker, in the order in which they are applied, without its Secret.

    ``documents`` are those that it is to apply; the Deployment comes last.
    """
    own = wanted.namespace
    places = worker_rights.namespaces(documents, own=own)
    where = {"name": wanted.name, "namespace": own, "labels": wanted.labels}
    objects: list[Wire] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in sorted({own, *places})
    ]
    objects.append({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": where})
    rules = worker_rights.across(documents)
    if rules:
        objects += _granted(wanted, "Cluster", {"name": wanted.name, "labels": wanted.labels}, rules)
    for place in places:
        metadata = {"name": wanted.name, "namespace": place, "labels": wanted.labels}
        objects += _granted(wanted, "", metadata, worker_rights.inside(documents, place, own=own))
    objects.append(_deployment(wanted, where, places))
    return objects


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


def _installation(call: Call, worker: Wire) -> Installation:
    given = tuple((key, value) for key, _, value in (pair.partition("=") for pair in call.many("env")))
    url = dict(given).get("CONFIGHUB_URL") or call.hub.transport.url
    if urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1") and not call.yes("host-network"):
        note(f"{url} is this machine, which a pod does not reach: name the hub with --env CONFIGHUB_URL=URL")
    return Installation(
        name=call.text("deployment-name") or str(worker["Slug"]),
        namespace=call.text("namespace"),
        worker=str(worker["Slug"]),
        worker_id=str(worker["BridgeWorkerID"]),
        url=url,
        image=call.text("image") or default_image(),
        provider=call.text("worker-type"),
        environment=given,
        host_network=call.yes("host-network"),
    )


def _documents(call: Call, worker: Wire) -> list[Wire]:
    """Return what the units of the worker's space hold."""
    import yaml

    found: list[Wire] = []
    for record in call.hub.units.list(space_id=str(worker["SpaceID"]), include=""):
        text = text_of(record["Unit"])
        found += [one for one in yaml.safe_load_all(text) if isinstance(one, dict)]
    return found


def _granted(wanted: Installation, prefix: str, metadata: Wire, rules: list[Wire]) -> list[Wire]:
    version = f"{worker_rights.RBAC}/v1"
    account = {"kind": "ServiceAccount", "name": wanted.name, "namespace": wanted.namespace}
    role = {"apiGroup": worker_rights.RBAC, "kind": f"{prefix}Role", "name": wanted.name}
    return [
        {"apiVersion": version, "kind": f"{prefix}Role", "metadata": metadata, "rules": rules},
        {
            "apiVersion": version,
            "kind": f"{prefix}RoleBinding",
            "metadata": metadata,
            "subjects": [account],
            "roleRef": role,
        },
    ]


def _deployment(wanted: Installation, where: Wire, places: Sequence[str]) -> Wire:
    pod: Wire = {
        "serviceAccountName": wanted.name,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(wanted, places)],
        "volumes": [{"name": "state", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}],
    }
    if wanted.host_network:
        pod["hostNetwork"] = True
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": where,
        "spec": {
            "replicas": 1,
            # two at once would both answer for the same worker
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": {"app": wanted.name}},
            "template": {"metadata": {"labels": wanted.labels}, "spec": pod},
        },
    }


def _container(wanted: Installation, places: Sequence[str]) -> Wire:
    variables = {
        "CONFIGHUB_URL": wanted.url,
        "CONFIGHUB_WORKER_ID": wanted.worker_id,
        "CONFIGHUB_HOME": "/var/lib/confighub",
        # its account may not look into others
        "CONFIGHUB_NAMESPACES": ",".join(places),
        **dict(wanted.environment),
    }
    environment: list[Wire] = [{"name": key, "value": value} for key, value in variables.items()]
    key = {"name": f"{wanted.name}-secret", "key": "CONFIGHUB_WORKER_SECRET"}
    environment.append({"name": "CONFIGHUB_WORKER_SECRET", "valueFrom": {"secretKeyRef": key}})
    return {
        "name": "worker",
        "image": wanted.image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["cub", "worker", "run", wanted.worker, "--provider", wanted.provider],
        "env": environment,
        "resources": {"requests": {"cpu": "50m", "memory": "96Mi"}, "limits": {"cpu": "1", "memory": "256Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "state", "mountPath": "/var/lib/confighub"},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 the pod's own
        ],
    }
