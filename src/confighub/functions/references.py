"""What the resources of a space name of each other: names, ports, hosts; for the checks that look beyond one unit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from confighub.data import path as paths
from confighub.data.document import parse
from confighub.data.path import MISSING, get, split
from confighub.errors import NotAResource, NotYaml
from confighub.functions import known_paths, visit
from confighub.functions.known_paths import CONTAINERS, WORKLOADS, pod_spec
from confighub.functions.work import Work
from confighub.records.mutations import ResourceInfo

_CHECKED = ("v1/ConfigMap", "v1/Secret", "v1/Service", "v1/ServiceAccount")
_ALWAYS_THERE = {("v1/ServiceAccount", "default"), ("v1/ConfigMap", "kube-root-ca.crt")}
_URL_HOST = re.compile(r"[a-z][a-z0-9+.-]*://(?:[^/@\s]*@)?([a-z][a-z0-9-]*)(?::([0-9]+))?(?:[/?#]|\Z)")
_LOCAL = frozenset({"localhost"})


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of the space with its data."""

    info: ResourceInfo
    data: Any

    @property
    def namespace(self) -> str:
        """The namespace, empty when none is set."""
        return self.info.resource_name.partition("/")[0]


@dataclass(slots=True)
class Space:
    """Every resource that the unit and its siblings hold, by type and name."""

    resources: list[Resource] = field(default_factory=list)

    def has(self, kind: str, name: str) -> bool:
        """Say whether a resource is there; namespaces are not compared, a space is one environment."""
        return (kind, name) in _ALWAYS_THERE or self.find(kind, name) is not None

    def find(self, kind: str, name: str) -> Resource | None:
        """Return a resource by type and name."""
        for one in self.resources:
            if one.info.resource_type == kind and one.info.resource_name_without_scope == name:
                return one
        return None

    def workloads(self) -> Iterator[tuple[Resource, dict[str, Any]]]:
        """Yield each workload with its pod template: ``metadata`` and ``spec``."""
        for one in self.resources:
            if one.info.resource_type in WORKLOADS:
                steps = split(pod_spec(one.info.resource_type))
                template = one.data if len(steps) == 1 else get(one.data, steps[:-1])
                if isinstance(template, dict) and isinstance(template.get("spec"), dict):
                    yield one, template


def own_resources(work: Work) -> list[Resource]:
    """Return the unit's own resources."""
    found = []
    for position, holder in enumerate(work.documents):
        try:
            found.append(Resource(work.identity(position), holder.data))
        except NotAResource:
            continue
    return found


def space_of(work: Work) -> Space:
    """Return the unit's resources and those of its siblings; what cannot be read there is passed over."""
    space = Space(own_resources(work))
    for text in work.context.siblings:
        try:
            documents = parse(text).documents
        except NotYaml:
            continue
        for placed in documents:
            try:
                space.resources.append(Resource(work.provider.identity(placed.document), placed.document.data))
            except NotAResource:
                continue
    return space


def missing_names(work: Work, space: Space) -> tuple[list[str], list[str]]:
    """Return what is named and not there, and which secrets nobody can tell of, each one line."""
    missing: list[str] = []
    unknown: list[str] = []
    for kind in _CHECKED:
        table = known_paths.table(work.provider.toolchain, f"resource-name/{kind}")

        def note(spot: visit.Spot, kind: str = kind) -> None:
            name = spot.place.value
            if not isinstance(name, str) or _is_optional(work.data(spot.position), spot.place.steps):
                return
            line = f"{_of(spot.info)}: {spot.path} names {kind} {name}"
            if kind == "v1/Secret" and not space.has(kind, name):
                known = work.context.known_secrets
                if known is None:
                    unknown.append(f"{line}, unknown whether it is there")
                elif not _is_known(known, spot.info, name):
                    missing.append(f"{line}, which the target does not have")
            elif not space.has(kind, name):
                missing.append(f"{line}, which is not in the space")

        # roles name what they allow, not what must be there
        rest = {owner: known for owner, known in table.items() if not owner.startswith(known_paths.RBAC)}
        visit.visit(work, known_paths.Table(rest), note)
    return missing, unknown


def _is_known(known: tuple[str, ...], info: ResourceInfo, name: str) -> bool:
    namespace = info.resource_name.partition("/")[0]
    return f"{namespace}/{name}" in known or f"/{name}" in known


def _is_optional(data: Any, steps: paths.Steps) -> bool:
    return get(data, (*steps[:-1], "optional")) is True


def _of(info: ResourceInfo) -> str:
    return f"{info.resource_type} {info.resource_name}"


def missing_ports(resources: list[Resource], space: Space) -> list[str]:
    """Return the ports of Ingresses, Services and probes that lead nowhere, each one line."""
    found: list[str] = []
    for one in resources:
        kind = one.info.resource_type
        if kind == "networking.k8s.io/v1/Ingress":
            found += _ingress_ports(one, space)
        elif kind == "v1/Service":
            found += _service_ports(one, space)
    for one, template in space.workloads():
        if one in resources:
            found += _probe_ports(one, template)
    return found


def _ingress_ports(ingress: Resource, space: Space) -> list[str]:
    found = []
    for place in paths.places(ingress.data, paths.pattern("spec.rules.*.http.paths.*.backend.service")):
        backend = place.value if isinstance(place.value, dict) else {}
        service = space.find("v1/Service", str(backend.get("name")))
        port = backend.get("port") if isinstance(backend.get("port"), dict) else {}
        wanted = port.get("number", port.get("name")) if isinstance(port, dict) else None
        if service is not None and wanted is not None and wanted not in _ports_of(service):
            found.append(f"{_of(ingress.info)}: {paths.join(place.steps)} names port {wanted}, which the Service lacks")
    return found


def _ports_of(service: Resource) -> set[Any]:
    ports = get(service.data, ("spec", "ports"))
    found: set[Any] = set()
    for port in ports if isinstance(ports, list) else ():
        if isinstance(port, dict):
            found |= {port.get("port"), port.get("name")}
    return found


def _service_ports(service: Resource, space: Space) -> list[str]:
    selector = get(service.data, ("spec", "selector"))
    ports = get(service.data, ("spec", "ports"))
    if not isinstance(selector, dict) or not selector or not isinstance(ports, list):
        return []
    targets = [template for _, template in space.workloads() if _is_selected(template, selector)]
    if not targets:
        return [f"{_of(service.info)}: spec.selector selects no workload of the space"]
    open_ports = set().union(*(_container_ports(template) for template in targets))
    found = []
    for at, port in enumerate(ports):
        wanted = port.get("targetPort", port.get("port")) if isinstance(port, dict) else None
        if wanted is not None and open_ports and wanted not in open_ports:
            found.append(f"{_of(service.info)}: spec.ports.{at} leads to port {wanted}, which no container opens")
    return found


def _is_selected(template: dict[str, Any], selector: dict[str, Any]) -> bool:
    labels = get(template, ("metadata", "labels"))
    return isinstance(labels, dict) and all(labels.get(key) == value for key, value in selector.items())


def _containers(template: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for group in CONTAINERS:
        items = template["spec"].get(group)
        for item in items if isinstance(items, list) else ():
            if isinstance(item, dict):
                yield item


def _container_ports(template: dict[str, Any]) -> set[Any]:
    found: set[Any] = set()
    for container in _containers(template):
        ports = container.get("ports")
        for port in ports if isinstance(ports, list) else ():
            if isinstance(port, dict):
                found |= {port.get("containerPort"), port.get("name")} - {None}
    return found


def _probe_ports(workload: Resource, template: dict[str, Any]) -> list[str]:
    found = []
    for container in _containers(template):
        names = {port.get("name") for port in container.get("ports") or () if isinstance(port, dict)}
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            for check in ("httpGet", "tcpSocket"):
                wanted = get(container, (probe, check, "port"))
                if isinstance(wanted, str) and wanted not in names:
                    place = f"container {container.get('name')}, {probe}"
                    found.append(f"{_of(workload.info)}: {place} names port {wanted}, which it does not open")
    return found


def missing_hosts(resources: list[Resource], space: Space) -> list[str]:
    """Return the one-label host names in environment values that are no Service of the space, each one line."""
    found = []
    own = {id(one) for one in resources}
    for one, template in space.workloads():
        if id(one) not in own:
            continue
        for container in _containers(template):
            for entry in container.get("env") or ():
                value = entry.get("value") if isinstance(entry, dict) else None
                match = _URL_HOST.match(value) if isinstance(value, str) else None
                if match and match.group(1) not in _LOCAL and not space.has("v1/Service", match.group(1)):
                    name = f"env {entry.get('name')} of container {container.get('name')}"
                    found.append(f"{_of(one.info)}: {name} names Service {match.group(1)}, which is not in the space")
    return found


def selected_by_policies(space: Space) -> list[tuple[Resource, list[Resource]]]:
    """Return each workload with the NetworkPolicies that select its pods."""
    policies = [one for one in space.resources if one.info.resource_type == "networking.k8s.io/v1/NetworkPolicy"]
    found = []
    for workload, template in space.workloads():
        chosen = []
        for policy in policies:
            selector = get(policy.data, ("spec", "podSelector", "matchLabels"))
            if policy.namespace in ("", workload.namespace) and _is_selected(
                template, selector if selector is not MISSING and isinstance(selector, dict) else {}
            ):
                chosen.append(policy)
        found.append((workload, chosen))
    return found
