"""One replica of a Deployment: its containers at one address, in use until it is drained."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from confighub.runtime import background, logs, manifests, variables
from confighub.runtime.addresses import Endpoint
from confighub.runtime.containers import ContainerRun, Home, Site
from confighub.runtime.users import Users

# A request in flight gets this long before its replica is told to stop; the program's own grace comes after.
DRAIN_LIMIT_S = 5.0


@dataclass(frozen=True)
class Identity:
    """Which replica of what: ``template_hash`` names the pod template it was made from."""

    workload: str
    namespace: str
    template_hash: str


class Replica:
    """Containers that start, become ready and stop together.

    ``ready`` means that all are; ``stopping`` that it gets no new work; ``stopped`` that all is gone.
    """

    def __init__(
        self, identity: Identity, template: manifests.PodTemplate, *, site: Site, on_change: Callable[[], None]
    ) -> None:
        self.identity = identity
        self.labels: Mapping[str, str] = template.metadata.labels or {}
        self.users = Users()
        self.stopping = False
        self.stopped = asyncio.Event()
        self.ready_since: float | None = None
        self._template, self._site, self._tell = template, site, on_change
        self._slot = site.addresses.take_replica(site.environment)
        self.name = f"{identity.workload}-{identity.template_hash}-{self._slot}"
        self._places = self._find_places(template)
        self.host = next(iter(self._places.values())).host if self._places else self._own_host()
        self.containers = [self._container(spec) for spec in template.spec.containers]

    @property
    def ready(self) -> bool:
        """True when it may get work."""
        return self.ready_since is not None and not self.stopping

    def start(self) -> None:
        """Start every container."""
        for container in self.containers:
            container.start()

    def try_again(self) -> None:
        """Start programs that keep ending without further pause."""
        for container in self.containers:
            container.try_again()

    def stop(self) -> None:
        """Take it out of service now, and end it once nobody uses it any more."""
        if not self.stopping:
            self.stopping = True
            self._tell()
            background.start(self._stop(), name=f"stop {self.name}")

    async def kill(self, grace_s: float) -> None:
        """End it without waiting for its users."""
        self.stopping = True
        await asyncio.gather(*(container.stop(grace_s) for container in self.containers))
        self._give_up_address()

    def endpoint(self, port: int | str) -> Endpoint | None:
        """Return where a port answers, by number or by the name that a container gives it."""
        for spec in self._template.spec.containers:
            for declared in spec.ports or []:
                if port in (declared.container_port, declared.name):
                    return self._places[declared.container_port]
        return Endpoint(self.host, port) if isinstance(port, int) else None

    def endpoints(self) -> list[Endpoint]:
        """Return every declared port's place."""
        return list(self._places.values())

    async def _stop(self) -> None:
        grace_s = float(self._template.spec.termination_grace_period_seconds)
        await self.users.drain(min(DRAIN_LIMIT_S, grace_s))
        await asyncio.gather(*(container.stop(grace_s) for container in self.containers))
        self._give_up_address()
        self._tell()

    def _give_up_address(self) -> None:
        if not self.stopped.is_set():
            self.stopped.set()
            self._site.addresses.give_back(self._site.environment, self._slot)

    def _find_places(self, template: manifests.PodTemplate) -> dict[int, Endpoint]:
        site = self._site
        return {
            port.container_port: site.addresses.replica(site.environment, self._slot, port.container_port)
            for spec in template.spec.containers
            for port in spec.ports or []
        }

    def _own_host(self) -> str:
        return self._site.addresses.replica(self._site.environment, self._slot, 0).host

    def _container(self, spec: manifests.Container) -> ContainerRun:
        identity, site = self.identity, self._site
        several = len(self._template.spec.containers) > 1
        file = f"{self.name}.{spec.name}.log" if several else f"{self.name}.log"
        home = Home(
            replica=variables.Replica(self.name, identity.namespace, self.host, self.labels),
            places=self._places,
            log=logs.folder_of(site.folder) / identity.workload / file,
            grace_s=float(self._template.spec.termination_grace_period_seconds),
        )
        return ContainerRun(spec, home=home, site=site, on_change=self._changed)

    def _changed(self) -> None:
        all_ready = all(container.ready for container in self.containers)
        if not all_ready:
            self.ready_since = None
        elif self.ready_since is None:
            self.ready_since = time.monotonic()
        self._tell()
