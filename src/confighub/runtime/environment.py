"""One environment: its objects, and the replicas, Services and ingress that they have become."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from confighub.errors import BadRequest, NotFound
from confighub.runtime import background, hosts, live, manifests, rollout, routes, variables
from confighub.runtime.addresses import Addresses, Endpoint
from confighub.runtime.catalogue import Catalogue
from confighub.runtime.conditions import Clock
from confighub.runtime.containers import Site
from confighub.runtime.ingress import Gateway
from confighub.runtime.manifests import Manifest
from confighub.runtime.metrics import Requests
from confighub.runtime.proxy import Carrier
from confighub.runtime.replicas import Replica
from confighub.runtime.rollout import Rollout, Wanted
from confighub.runtime.routes import Destination
from confighub.runtime.services import Service, ServicePool
from confighub.runtime.state import ObjectKey, Settings, Store, StoredEnvironment, StoredObject, StoredUnit, key_of
from confighub.runtime.supervisor import Supervisor


@dataclass(frozen=True)
class Project:
    """What all environments of a daemon share. ``environment_of`` finds the one that has a namespace."""

    store: Store
    supervisor: Supervisor
    addresses: Addresses
    carrier: Carrier
    requests: Requests
    environment_of: Callable[[str], str | None]


class Environment:
    """Objects by key, each kept running as its document says."""

    def __init__(
        self, name: str, stored: StoredEnvironment, *, project: Project, on_change: Callable[[], None]
    ) -> None:
        self.name = name
        self._project, self._on_change = project, on_change
        self._settings, self._units = stored.settings, stored.units
        self._objects = {item.key: item for item in stored.objects}
        self._rollouts: dict[ObjectKey, Rollout] = {}
        self._leaving: list[tuple[StoredObject, Rollout]] = []
        self._services: dict[ObjectKey, Service] = {}
        self._clocks: dict[ObjectKey, Clock] = {}
        self._catalogue = Catalogue(self._settings.catalogue)
        folder = project.store.folder(name)
        self._site = Site(
            environment=name,
            folder=folder,
            supervisor=project.supervisor,
            addresses=project.addresses,
            images=lambda: self._catalogue,
            sources=self._sources,
            probe_delay_scale=lambda: self._settings.probe_delay_scale,
        )
        self._gateway = Gateway(
            name,
            ports=lambda: project.addresses.ingress(name),
            folder=folder,
            authority=project.store.root,
            find_pool=self._find_pool,
            carrier=project.carrier,
            requests=project.requests,
            on_change=on_change,
        )

    def start(self) -> None:
        """Bring up everything that is wanted."""
        for key in self._objects:
            self._realise(key)
        self._realise_ingress()

    async def kill(self, grace_s: float) -> None:
        """End every process and close every port; what is wanted stays on disk."""
        running = [*self._rollouts.values(), *(leaving for _, leaving in self._leaving)]
        await asyncio.gather(
            self._gateway.close(),
            *(service.close() for service in self._services.values()),
            *(item.kill(grace_s) for item in running),
        )

    def apply(self, unit: StoredUnit, documents: list[Manifest], settings: Settings) -> None:
        """Make the unit's objects what the documents say and remove those it no longer has.

        Objects of another unit become this unit's. Returns after it is on disk.
        Raises BadRequest, and changes nothing, for a document that cannot be read or that comes twice.
        """
        wanted = _checked(documents)
        self._settings = settings
        if settings.catalogue != self._catalogue.path:
            self._catalogue = Catalogue(settings.catalogue)
        self._units[unit.unit_id] = unit
        dropped = [key for key, item in self._objects.items() if item.unit_id == unit.unit_id and key not in wanted]
        for key, manifest in wanted.items():
            self._put(key, manifest, unit_id=unit.unit_id)
        self._drop(dropped)
        self._save()
        for key in wanted:
            self._realise(key)
        self._realise_ingress()
        self._on_change()

    def remove(self, unit_id: str) -> None:
        """Remove a unit and its objects; their processes are ended after this returns."""
        self._units.pop(unit_id, None)
        self._drop([key for key, item in self._objects.items() if item.unit_id == unit_id])
        self._save()
        self._realise_ingress()
        self._on_change()

    def patch(self, key: ObjectKey, changes: Manifest) -> Manifest:
        """Change one object past the hub by a merge patch (RFC 7396); the answer is its live form.

        What its unit applied stays known, so a refresh finds the drift.
        """
        item = self._objects.get(key)
        if item is None:
            raise NotFound(f"environment {self.name} has no {key.kind} {key.namespace}/{key.name}")
        manifest = _merged(item.manifest, changes)
        if key_of(manifest) != key:
            raise BadRequest("a patch cannot rename an object")
        _checked([manifest])
        self._set_manifest(item, manifest)
        self._save()
        self._realise(key)
        self._realise_ingress()
        self._on_change()
        return self._live(item)

    def units(self) -> list[StoredUnit]:
        """Return the units that have something here."""
        return list(self._units.values())

    def has_unit(self, unit_id: str) -> bool:
        """True while the unit has objects here, or processes that are still ending."""
        return unit_id in self._units or any(item.unit_id == unit_id for item, _ in self._leaving)

    def live(self, unit_id: str | None = None) -> list[Manifest]:
        """Return a unit's objects, or all, as they are now, in the order of their documents."""
        found = [self._live(item) for item in self._objects.values() if unit_id in (None, item.unit_id)]
        for item, leaving in self._leaving:
            if unit_id in (None, item.unit_id):
                found.append(live.deployment(item, leaving, self._clock(item.key)))
        return found

    def applied(self, unit_id: str) -> list[Manifest]:
        """Return the unit's documents as it applied them."""
        return [item.applied for item in self._objects.values() if item.unit_id == unit_id]

    def replicas(self) -> list[Replica]:
        """Return every replica, those on their way out too."""
        running = [*self._rollouts.values(), *(leaving for _, leaving in self._leaving)]
        return [replica for item in running for replica in item.replicas]

    def has_namespace(self, namespace: str) -> bool:
        """True when an object lives in that namespace or is it."""
        return any(
            key.namespace == namespace or (key.kind == "Namespace" and key.name == namespace) for key in self._objects
        )

    def ingress_ports(self) -> tuple[int, int]:
        """Return the HTTP and HTTPS ports."""
        return self._gateway.ports()

    def _put(self, key: ObjectKey, manifest: Manifest, *, unit_id: str) -> None:
        item = self._objects.get(key)
        if item is None:
            created_at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            self._objects[key] = StoredObject(
                unit_id=unit_id, manifest=manifest, applied=manifest, created_at=created_at
            )
            return
        item.unit_id, item.applied = unit_id, manifest
        self._set_manifest(item, manifest)

    def _set_manifest(self, item: StoredObject, manifest: Manifest) -> None:
        if _body(item.manifest) != _body(manifest):
            item.generation += 1
        item.manifest = manifest

    def _drop(self, keys: list[ObjectKey]) -> None:
        for key in keys:
            item = self._objects.pop(key)
            if leaving := self._rollouts.pop(key, None):
                self._leaving.append((item, leaving))
                leaving.remove()
            if service := self._services.pop(key, None):
                background.start(service.close(), name=f"close service {key.name}")

    def _save(self) -> None:
        stored = StoredEnvironment(settings=self._settings, units=self._units, objects=list(self._objects.values()))
        self._project.store.save(self.name, stored)

    def _realise(self, key: ObjectKey) -> None:
        """Bring what an object stands for to what its document says."""
        item = self._objects[key]
        kind = manifests.kind_of(item.manifest)
        if kind is manifests.Deployment:
            self._realise_deployment(key, item)
        elif kind is manifests.Service:
            if key not in self._services:
                self._services[key] = Service(
                    self.name,
                    key.namespace,
                    key.name,
                    addresses=self._project.addresses,
                    all_replicas=self.replicas,
                    on_change=self._on_change,
                )
            self._services[key].want(manifests.read(item.manifest, manifests.Service).spec)

    def _realise_deployment(self, key: ObjectKey, item: StoredObject) -> None:
        if key not in self._rollouts:
            self._rollouts[key] = Rollout(
                key.name,
                key.namespace,
                site=self._site,
                on_change=self._changed,
                on_complete=lambda template: self._note_serving(key, template),
            )
        spec = manifests.read(item.manifest, manifests.Deployment).spec
        wanted = Wanted(spec=spec, template=item.manifest["spec"]["template"], generation=item.generation)
        self._rollouts[key].want(wanted, serving=item.serving)

    def _realise_ingress(self) -> None:
        items = (item for item in self._objects.values() if manifests.kind_of(item.manifest) is manifests.Ingress)
        documents = [manifests.read(item.manifest, manifests.Ingress) for item in items]
        self._gateway.want(documents, self._settings)

    def _changed(self) -> None:
        self._leaving = [(item, leaving) for item, leaving in self._leaving if not leaving.gone.is_set()]
        self._on_change()

    def _note_serving(self, key: ObjectKey, template: Manifest) -> None:
        item = self._objects.get(key)
        if item and item.serving != template:
            item.serving = template
            self._save()

    def _live(self, item: StoredObject) -> Manifest:
        key, clock = item.key, self._clock(item.key)
        if key in self._rollouts:
            return live.deployment(item, self._rollouts[key], clock)
        if key in self._services:
            return live.service(item, self._services[key], clock)
        if manifests.kind_of(item.manifest) is manifests.Ingress:
            return live.ingress(item, self._gateway, clock)
        return live.plain(item, clock)

    def _clock(self, key: ObjectKey) -> Clock:
        return self._clocks.setdefault(key, Clock())

    def _sources(self, namespace: str) -> variables.Sources:
        maps = {
            key.name: manifests.read(item.manifest, manifests.ConfigMap).data or {}
            for key, item in self._objects.items()
            if key.namespace == namespace and manifests.kind_of(item.manifest) is manifests.ConfigMap
        }
        return variables.Sources(maps, self._settings.secrets_dir, self._lookup(namespace))

    def _lookup(self, own: str) -> hosts.Lookup:
        def find(name: str, namespace: str, port: int) -> Endpoint | None:
            addresses = self._project.addresses
            if namespace in ("", own):
                return addresses.service(self.name, f"{own}/{name}", port)
            environment = self.name if self.has_namespace(namespace) else self._project.environment_of(namespace)
            return addresses.service(environment, f"{namespace}/{name}", port) if environment else None

        return find

    def _find_pool(self, destination: Destination) -> ServicePool | None:
        service = self._services.get(ObjectKey("", "Service", destination.namespace, destination.service))
        return service.pool(destination.port) if service else None


def _checked(documents: Iterable[Manifest]) -> dict[ObjectKey, Manifest]:
    """Return the documents by key, without status. Raises BadRequest for what would fail later."""
    found: dict[ObjectKey, Manifest] = {}
    for document in documents:
        manifest = {name: value for name, value in document.items() if name != "status"}
        key = key_of(manifest)
        if key in found:
            raise BadRequest(f"{manifests.describe(manifest)} comes twice in the unit")
        typed = manifests.read(manifest, manifests.kind_of(manifest))
        if isinstance(typed, manifests.Deployment):
            rollout.limits(typed.spec)
        if isinstance(typed, manifests.Ingress):
            routes.check(typed)
        found[key] = manifest
    return found


def _body(manifest: Manifest) -> Manifest:
    """Return what makes a new generation: everything but names and labels."""
    return {name: value for name, value in manifest.items() if name != "metadata"}


def _merged(target: Manifest, changes: Manifest) -> Manifest:
    """Apply a JSON merge patch. Source: RFC 7396."""
    result = dict(target)
    for name, value in changes.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            inner = result.get(name)
            result[name] = _merged(inner if isinstance(inner, dict) else {}, value)
        else:
            result[name] = value
    return result
