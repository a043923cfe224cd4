"""A Service: an address of its own whose ports lead to the ready replicas that its selector names.

Connections are dealt in turn; with ClientIP affinity a client stays with its replica while that is
ready. The sockets are ours, so an address answers (by closing) even before the first replica is there.
"""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import Callable, Collection, Iterable

from confighub.runtime import background, listeners, manifests
from confighub.runtime.addresses import Addresses, Endpoint
from confighub.runtime.conditions import Condition
from confighub.runtime.forwarding import Connection, Target
from confighub.runtime.replicas import Replica

_RETRY_S = 1.0


class ServicePool:
    """The replicas behind one port of a Service."""

    def __init__(self, service: Service, port: manifests.ServicePort) -> None:
        self._service, self._port = service, port
        self._turn = 0

    def targets(self) -> list[Target]:
        """Return every ready replica that has the target port."""
        wanted = self._port.target_port if self._port.target_port is not None else self._port.port
        found = ((replica, replica.endpoint(wanted)) for replica in self._service.replicas() if replica.ready)
        return [Target(replica, endpoint) for replica, endpoint in found if endpoint]

    def pick(self, client: str, avoid: Collection[Endpoint] = ()) -> Target | None:
        """Return the client's replica, or the next one in turn."""
        targets = [target for target in self.targets() if target.endpoint not in avoid]
        if not targets:
            return None
        if (mine := self._service.stays_with(client)) and not avoid:
            for target in targets:
                if target.replica.name == mine:
                    return target
        self._turn += 1
        chosen = targets[self._turn % len(targets)]
        self._service.remember(client, chosen.replica)
        return chosen

    def serves(self, replica: Replica) -> bool:
        """True while the replica is ready and selected."""
        return replica.ready and self._service.selects(replica)


class Service:
    """One Service with its open ports. ``all_replicas`` answers with the environment's replicas."""

    def __init__(
        self,
        environment: str,
        namespace: str,
        name: str,
        *,
        addresses: Addresses,
        all_replicas: Callable[[], Iterable[Replica]],
        on_change: Callable[[], None],
    ) -> None:
        self.namespace, self.name = namespace, name
        self.spec = manifests.ServiceSpec()
        self._environment, self._addresses = environment, addresses
        self._all_replicas, self._on_change = all_replicas, on_change
        self._pools: dict[int, ServicePool] = {}
        self._servers: dict[int, asyncio.Server] = {}
        self._errors: dict[int, str] = {}
        self._affinity: dict[str, tuple[str, float]] = {}
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def want(self, spec: manifests.ServiceSpec) -> None:
        """Set ports and selector; open connections of replicas no longer selected move at their next request."""
        self.spec = spec
        self._pools = {port.port: ServicePool(self, port) for port in self.ports()}
        self._changed.set()
        if self._task is None:
            self._task = background.start(self._keep_open(), name=f"service {self.name}")

    async def close(self) -> None:
        """Close the ports. Connections that are open end with their replicas or clients."""
        if self._task:
            self._task.cancel()
        for server in self._servers.values():
            server.close()
        self._servers.clear()

    def ports(self) -> list[manifests.ServicePort]:
        """Return the TCP ports; others have no meaning here."""
        return [port for port in self.spec.ports or [] if port.protocol == "TCP"]

    def address(self, port: int) -> Endpoint:
        """Return where a port answers on this machine."""
        return self._addresses.service(self._environment, f"{self.namespace}/{self.name}", port)

    def pool(self, port: manifests.BackendPort) -> ServicePool | None:
        """Return the replicas behind a port given by number or name."""
        for declared in self.ports():
            if declared.port == port.number or (port.name and declared.name == port.name):
                return self._pools[declared.port]
        return None

    def replicas(self) -> list[Replica]:
        """Return the replicas that the selector names; no selector names none."""
        return [replica for replica in self._all_replicas() if self.selects(replica)]

    def selects(self, replica: Replica) -> bool:
        """True when every label of the selector is the replica's."""
        selector = self.spec.selector
        if not selector or replica.identity.namespace != self.namespace:
            return False
        return all(replica.labels.get(name) == value for name, value in selector.items())

    def stays_with(self, client: str) -> str:
        """Return the name of the replica that the client had last, empty without affinity."""
        if self.spec.session_affinity != "ClientIP":
            return ""
        name, expires_at = self._affinity.get(client, ("", 0.0))
        return name if time.monotonic() < expires_at else ""

    def remember(self, client: str, replica: Replica) -> None:
        """Keep the client with the replica from now on, when the Service has affinity."""
        if self.spec.session_affinity != "ClientIP":
            return
        config = self.spec.session_affinity_config
        client_ip = (config and config.client_ip) or manifests.ClientIpConfig()
        now = time.monotonic()
        self._affinity = {ip: kept for ip, kept in self._affinity.items() if kept[1] > now}
        self._affinity[client] = (replica.name, now + client_ip.timeout_seconds)

    def is_open(self) -> bool:
        """True when every port answers."""
        return {port.port for port in self.ports()} == set(self._servers)

    def conditions(self) -> list[Condition]:
        """Return Listening, and Endpoints: False when replicas are meant to be there and none is ready."""
        is_open = self.is_open()
        held = "; ".join(self._errors.values())
        listening = Condition(
            type="Listening",
            status="True" if is_open else "False",
            reason="PortsOpen" if is_open else ("PortInUse" if held else "Opening"),
            message=held,
        )
        selected = self.replicas()
        ready = sum(replica.ready for replica in selected)
        if not selected:
            endpoints = Condition(type="Endpoints", status="Unknown", reason="NothingSelected", message="")
        else:
            endpoints = Condition(
                type="Endpoints",
                status="True" if ready else "False",
                reason="EndpointsReady" if ready else "NoEndpointReady",
                message=f"{ready} of {len(selected)} replicas ready",
            )
        return [listening, endpoints]

    async def _keep_open(self) -> None:
        """Open what is wanted and close the rest, again at every change and while a port is held."""
        while True:
            self._changed.clear()
            wanted = {port.port for port in self.ports()}
            for port in [port for port in self._servers if port not in wanted]:
                self._servers.pop(port).close()
            self._errors = {port: error for port, error in self._errors.items() if port in wanted}
            for port in sorted(wanted - set(self._servers)):
                await self._open(port)
            self._on_change()
            try:
                async with asyncio.timeout(_RETRY_S if self._errors else None):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _open(self, port: int) -> None:
        place = self.address(port)
        try:
            self._servers[port] = await asyncio.get_running_loop().create_server(
                lambda: Connection(self._pools[port]), place.host, place.port
            )
            self._errors.pop(port, None)
        except OSError as error:
            why = error.strerror or str(error)
            if error.errno == errno.EADDRINUSE:
                why = f"in use by {listeners.holder(place.host, place.port)}"
            self._errors[port] = f"{place} is {why}" if why.startswith("in use") else f"{place}: {why}"
