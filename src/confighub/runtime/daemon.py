"""The daemon of one project: its environments, what they share, and who watches them."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sys
from pathlib import Path
from typing import IO

import msgspec

from confighub.errors import Conflict, NotFound
from confighub.runtime import background, logs, metrics
from confighub.runtime.addresses import Addresses
from confighub.runtime.environment import Environment, Project
from confighub.runtime.manifests import Manifest
from confighub.runtime.messages import Change
from confighub.runtime.metrics import Requests
from confighub.runtime.proxy import Carrier
from confighub.runtime.state import Settings, Store, StoredEnvironment, StoredUnit
from confighub.runtime.supervisor import Supervisor
from confighub.runtime.usage import Running

STOP_GRACE_S = 5.0
_LOG_CHECK_S = 2.0
# Changes come in bursts (a replica's containers, a rollout's steps); watchers get one picture of each.
_SETTLE_S = 0.03


class Daemon:
    """Everything that runs for one data folder. Start it inside a running event loop."""

    def __init__(self, data_dir: Path, *, has_block: bool = sys.platform == "linux") -> None:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.data_dir = data_dir
        self._lock = _lock(data_dir)
        self._store = Store(data_dir)
        self._supervisor = Supervisor(data_dir)
        self.requests = Requests()
        self._project = Project(
            store=self._store,
            supervisor=self._supervisor,
            addresses=Addresses(data_dir, has_block=has_block),
            carrier=Carrier(),
            requests=self.requests,
            environment_of=self._environment_of,
        )
        self._environments: dict[str, Environment] = {}
        self._watchers: set[asyncio.Event] = set()
        self.is_stopping = False
        self._is_settling = False
        self._housekeeping: asyncio.Task[None] | None = None

    def start(self) -> None:
        """End what an earlier daemon left and bring up everything that is on disk."""
        self._supervisor.end_leftovers()
        for name, stored in self._store.load().items():
            self._add(name, stored)
        for environment in self._environments.values():
            environment.start()
        self._housekeeping = background.start(self._keep_logs_small(), name="housekeeping")

    def publish_metrics(self, url: str) -> None:
        """Tell, in the live state of every Ingress, that the metrics can be read there."""
        self.requests.url = url
        self._tell()

    def end_watches(self) -> None:
        """Let those who watch go, because the daemon is about to stop."""
        self.is_stopping = True
        self._tell()

    async def stop(self) -> None:
        """End every process; what is wanted stays on disk."""
        if self._housekeeping:
            self._housekeeping.cancel()
        await asyncio.gather(*(environment.kill(STOP_GRACE_S) for environment in self._environments.values()))
        await self._project.carrier.close()
        self._project.addresses.close()
        self._lock.close()

    def environments(self) -> dict[str, Environment]:
        """Return the environments by name."""
        return self._environments

    def environment(self, name: str) -> Environment:
        """Return an environment. Raises NotFound."""
        try:
            return self._environments[name]
        except KeyError:
            raise NotFound(f"there is no environment {name}") from None

    def apply(self, environment: str, unit: StoredUnit, documents: list[Manifest], settings: Settings) -> None:
        """Apply a unit to an environment, which begins with its first unit. Raises BadRequest."""
        if environment not in self._environments:
            self._store.folder(environment)
            self._add(environment, StoredEnvironment(settings=settings))
        self._environments[environment].apply(unit, documents, settings)

    def metrics(self, only: str = "") -> str:
        """Return ingress requests and replica states as Prometheus text, of one environment when it is named."""
        ready: dict[metrics.Labels, float] = {}
        restarts: dict[metrics.Labels, float] = {}
        for name, environment in self._environments.items():
            for replica in environment.replicas() if only in ("", name) else []:
                labels = (("environment", name), ("deployment", replica.identity.workload))
                ready[labels] = ready.get(labels, 0) + replica.ready
                restarts[labels] = restarts.get(labels, 0) + sum(item.restarts for item in replica.containers)
        return (
            self.requests.text(only)
            + metrics.gauges("confighub_replicas_ready", "Replicas that get work.", ready.items())
            + metrics.gauges("confighub_replica_restarts", "Restarts of the replicas there are.", restarts.items())
        )

    def running(self, only: str = "") -> list[Running]:
        """Return every container there is, of one environment when it is named."""
        return [
            Running(
                environment=name,
                namespace=replica.identity.namespace,
                workload=replica.identity.workload,
                replica_set=f"{replica.identity.workload}-{replica.identity.template_hash}",
                pod=replica.name,
                container=item.spec.name,
                pid=item.process.pid if item.process and not item.process.ended.is_set() else None,
                restarts=item.restarts,
                ooms=item.ooms,
            )
            for name, environment in self._environments.items()
            if only in ("", name)
            for replica in environment.replicas()
            for item in replica.containers
        ]

    def subscribe(self) -> asyncio.Event:
        """Return an event that is set after every change, until it is given to ``unsubscribe``."""
        event = asyncio.Event()
        self._watchers.add(event)
        return event

    def unsubscribe(self, event: asyncio.Event) -> None:
        """Stop setting the event."""
        self._watchers.discard(event)

    def picture(self, *, environment: str, owner: str) -> list[Change]:
        """Return every unit's objects as they are now, of one environment and one owner when given."""
        return [
            Change(environment=name, unit=unit, objects=msgspec.Raw(msgspec.json.encode(found.live(unit.unit_id))))
            for name, found in self._environments.items()
            if environment in ("", name)
            for unit in found.units()
            if owner in ("", unit.owner)
        ]

    def _add(self, name: str, stored: StoredEnvironment) -> None:
        self._environments[name] = Environment(name, stored, project=self._project, on_change=self._changed)

    def _environment_of(self, namespace: str) -> str | None:
        found = (name for name, item in self._environments.items() if item.has_namespace(namespace))
        return next(found, None)

    def _changed(self) -> None:
        if not self._is_settling:
            self._is_settling = True
            asyncio.get_running_loop().call_later(_SETTLE_S, self._tell)

    def _tell(self) -> None:
        self._is_settling = False
        for event in self._watchers:
            event.set()

    async def _keep_logs_small(self) -> None:
        while True:
            await asyncio.sleep(_LOG_CHECK_S)
            for name, environment in self._environments.items():
                in_use = {container.log for replica in environment.replicas() for container in replica.containers}
                for path in in_use:
                    logs.cut(path)
                folder = logs.folder_of(self._store.folder(name))
                for workload in {path.parent.name for path in in_use}:
                    logs.prune(folder, workload, in_use)


def _lock(data_dir: Path) -> IO[str]:
    """Hold the data folder. Raises Conflict that names who holds it."""
    lock = (data_dir / "runtime.lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.seek(0)
        owner = lock.read().strip()
        lock.close()
        raise Conflict(f"a runtime already runs on {data_dir} as pid {owner}") from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock
