"""Where a Service answers, for the environment variables of those that link to it.

The Service names the variables, and a container asks by one of them that is still a placeholder:

    metadata:                                env:
      annotations:                           - name: PGHOST
        confighub.com/host-for: PGHOST         value: confighubplaceholder
        confighub.com/port-for: PGPORT

The host is the Service's name, so both live in one namespace. A port is offered by a Service that has one: which of
several is meant would be told by their order alone. This is ours: the public library knows references alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from confighub.data.document import parse
from confighub.data.path import MISSING, get, split
from confighub.data.resource import identity
from confighub.errors import NotAResource, NotYaml
from confighub.records.mutations import ResourceInfo

HOST_FOR = "confighub.com/host-for"
PORT_FOR = "confighub.com/port-for"
_SERVICE = "v1/Service"


@dataclass(frozen=True)
class Endpoint:
    """One place: of a Service what it offers to the variable, of a container where the variable's value stands."""

    resource: ResourceInfo
    path: str
    variable: str
    value: str


def offered(text: str) -> list[Endpoint]:
    """Return hosts and ports of the Services that name a variable for them, in the order of the text."""
    found: list[Endpoint] = []
    for info, data in _resources(text) if HOST_FOR in text or PORT_FOR in text else ():
        notes = get(data, ("metadata", "annotations"))
        if info.resource_type != _SERVICE or not isinstance(notes, dict):
            continue
        if host_for := notes.get(HOST_FOR):
            found.append(Endpoint(info, "metadata.name", str(host_for), info.resource_name_without_scope))
        ports = get(data, ("spec", "ports"))
        only = ports[0] if isinstance(ports, list) and len(ports) == 1 else None
        if (port_for := notes.get(PORT_FOR)) and isinstance(only, dict) and "port" in only:
            found.append(Endpoint(info, "spec.ports.0.port", str(port_for), str(only["port"])))
    return found


def asked(text: str, placeholder: str) -> list[Endpoint]:
    """Return the environment variables of containers whose value is the placeholder, in the order of the text."""
    from confighub.functions.known_paths import CONTAINERS, WORKLOADS, pod_spec

    found: list[Endpoint] = []
    for info, data in _resources(text):
        if info.resource_type not in WORKLOADS:
            continue
        root = pod_spec(info.resource_type)
        for group in CONTAINERS:
            for at, container in _maps(get(data, (*split(root), group))):
                for place, entry in _maps(container.get("env")):
                    if entry.get("value") == placeholder:
                        path = f"{root}.{group}.{at}.env.{place}.value"
                        found.append(Endpoint(info, path, str(entry.get("name")), placeholder))
    return found


def _resources(text: str) -> Iterator[tuple[ResourceInfo, Any]]:
    try:
        documents = parse(text).documents
    except NotYaml:
        return
    for placed in documents:
        try:
            yield identity(placed.document), placed.document.data
        except NotAResource:
            continue


def _maps(found: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    if found is MISSING or not isinstance(found, list):
        return
    yield from ((at, one) for at, one in enumerate(found) if isinstance(one, dict))
