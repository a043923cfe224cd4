"""The seed's live state, read from what a worker reported: status, replicas, conditions, addresses.

The worker's blob is opaque to the rest of the hub. It is read here as Kubernetes-shaped
objects: a JSON list, a ``List``, or YAML documents. One rule a kind says what ready means;
a kind without rule is ready when it exists, and what is not supported where it was applied is so too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import yaml

from confighub.records.base import Record

Object = dict[str, Any]

PENDING, PROGRESSING, RUNNING, DEGRADED, ABSENT = "Pending", "Progressing", "Running", "Degraded", "NotLive"

ACTIVE = "Active"
"""What a namespace is, as Kubernetes says, where something else runs."""

_ORDER = (DEGRADED, PENDING, PROGRESSING, RUNNING, ACTIVE)
"""The statuses, from the least to the most: the unit shows the least of its objects."""


class Condition(Record):
    """One condition of an object, ``object_`` naming it as ``Deployment/web``."""

    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
    object_: str = ""


class Address(Record):
    """Where one port of a Service or Ingress answers."""

    kind: str = ""
    name: str = ""
    host: str = ""
    port: int = 0


class LiveStatus(Record):
    """A unit's live state: the sum of its workloads, the conditions of its objects in document order.

    ``status`` is Running when every object is ready, Active when all of them are namespaces, NotLive when
    there is none.
    """

    status: str = ABSENT
    replicas: int = 0
    ready_replicas: int = 0
    updated_replicas: int = 0
    conditions: list[Condition] = []
    revision_num: int = 0
    addresses: list[Address] = []
    message: str = ""


def live_status(blob: bytes, *, revision_num: int = 0) -> LiveStatus:
    """Return what the blob shows; a blob that cannot be read is Degraded, with the reason as message."""
    try:
        objects = read_objects(blob)
    except (ValueError, yaml.YAMLError) as error:
        return LiveStatus(status=DEGRADED, revision_num=revision_num, message=f"unreadable live state: {error}")
    if not objects:
        return LiveStatus(revision_num=revision_num)
    found = [_unsupported(one) or _READY.get(str(one.get("kind")), _exists)(one) for one in objects]
    worst = min(found, key=lambda pair: (_ORDER.index(pair[0]), not pair[1]))
    return LiveStatus(
        status=worst[0],
        replicas=sum(_desired(one) for one in objects),
        ready_replicas=sum(_count(one, "readyReplicas") for one in objects),
        updated_replicas=sum(_count(one, "updatedReplicas") for one in objects),
        conditions=[condition for one in objects for condition in _conditions(one)],
        revision_num=revision_num,
        addresses=[address for one in objects for address in _addresses(one)],
        message=worst[1],
    )


def read_objects(blob: bytes) -> list[Object]:
    """Return the objects in document order; empty documents are left out.

    Raises: ValueError or yaml.YAMLError when the blob is neither JSON nor YAML of objects.
    """
    if not blob.strip():
        return []
    try:
        documents = [msgspec.json.decode(blob)]
    except msgspec.DecodeError:
        documents = list(yaml.load_all(blob, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    found: list[Object] = []
    for document in documents:
        if document is None:
            continue
        if isinstance(document, dict) and isinstance(document.get("items"), list):
            document = document["items"]
        for one in document if isinstance(document, list) else [document]:
            if not isinstance(one, dict):
                raise ValueError("expected objects")
            found.append(one)
    return found


Ready = tuple[str, str]
"""The status of one object and why."""


def _exists(_: Object) -> Ready:
    return RUNNING, ""


def _unsupported(one: Object) -> Ready | None:
    """Running is as much as an object can be that has no effect where it was applied; the message says so."""
    said = next((c.message for c in _conditions(one) if c.reason == "NotSupportedHere" and c.status == "False"), None)
    return None if said is None else (RUNNING, f"{_name(one)}: {said}")


def _namespace(one: Object) -> Ready:
    phase = _status(one).get("phase", "")
    return (ACTIVE, "") if phase == ACTIVE else (PENDING, f"namespace is {phase or 'not active'}")


def _workload(one: Object) -> Ready:
    status, name = _status(one), _name(one)
    failure = next((c for c in _conditions(one) if c.type == "Progressing" and c.status == "False"), None)
    if failure is not None:
        return DEGRADED, f"{name}: {failure.message or failure.reason}"
    generation = one.get("metadata", {}).get("generation", 0)
    if status.get("observedGeneration", 0) < generation:
        return PROGRESSING, f"{name}: the new version is not seen yet"
    wanted = _desired(one)
    for key, word in (("updatedReplicas", "updated"), ("readyReplicas", "ready")):
        if _count(one, key) < wanted:
            reason = next((c.message for c in _conditions(one) if c.status == "False" and c.message), "")
            return PROGRESSING, f"{name}: {_count(one, key)} of {wanted} {word}" + (f", {reason}" if reason else "")
    if status.get("replicas", wanted) > wanted:
        return PROGRESSING, f"{name}: old replicas are still there"
    return RUNNING, ""


def _ingress(one: Object) -> Ready:
    if _status(one).get("loadBalancer", {}).get("ingress"):
        return RUNNING, ""
    unserved = next((c.message for c in _conditions(one) if c.reason == "NoController" and c.status == "True"), "")
    if unserved:
        # On a cluster without a controller the API server's acceptance is all there will be; the message says so.
        return RUNNING, f"{_name(one)}: {unserved}"
    return PENDING, f"{_name(one)}: no controller has accepted it"


_READY: dict[str, Callable[[Object], Ready]] = {
    "Namespace": _namespace,
    "Deployment": _workload,
    "StatefulSet": _workload,
    "ReplicaSet": _workload,
    "Ingress": _ingress,
}
_WORKLOADS = frozenset({"Deployment", "StatefulSet", "ReplicaSet"})


def _status(one: Object) -> Object:
    status = one.get("status")
    return status if isinstance(status, dict) else {}


def _name(one: Object) -> str:
    return f"{one.get('kind', '')}/{one.get('metadata', {}).get('name', '')}"


def _desired(one: Object) -> int:
    if one.get("kind") not in _WORKLOADS or _unsupported(one):
        return 0
    # Kubernetes runs one replica when the field is left out.
    return int(one.get("spec", {}).get("replicas", 1))


def _count(one: Object, key: str) -> int:
    return int(_status(one).get(key) or 0) if one.get("kind") in _WORKLOADS else 0


def _conditions(one: Object) -> list[Condition]:
    return [
        Condition(
            type=str(condition.get("type", "")),
            status=str(condition.get("status", "")),
            reason=str(condition.get("reason", "")),
            message=str(condition.get("message", "")),
            object_=_name(one),
        )
        for condition in _status(one).get("conditions") or []
    ]


def _addresses(one: Object) -> list[Address]:
    found: list[Address] = []
    for balancer in _status(one).get("loadBalancer", {}).get("ingress") or []:
        host = str(balancer.get("ip") or balancer.get("hostname") or "")
        ports = balancer.get("ports") or [
            {"port": port.get("port", 0)} for port in one.get("spec", {}).get("ports", [])
        ]
        for port in ports:
            number = int(port.get("port", 0)) if isinstance(port, dict) else int(port)
            name = str(one.get("metadata", {}).get("name", ""))
            found.append(Address(kind=str(one.get("kind", "")), name=name, host=host, port=number))
    return found
