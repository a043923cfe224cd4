"""Where an environment goes when the place it runs in is lost: a second runtime on this machine, or another cluster."""

from __future__ import annotations

import sqlite3
import time
import urllib.request
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlencode

import psutil

from confighub.errors import ConfigHubError, NotFound, RetryLater
from confighub.operations.deploy import read_units
from confighub.operations.disaster import Skipped
from traderx import topology, velero
from traderx.clusters import ClusterApi, clusters_of
from traderx.databases import copy_database, database_of, file_of, is_gone, kind_of, missing_in, put_back
from traderx.places import Place, set_up, tear_down
from traderx.site import Site
from traderx.status import Status

VICTIM = "people-service"
"""The service that a drill ends: no order waits in it, and others go on without it for a moment."""
_UNIT = "confighub.com/unit-id"
"""The label by which the worker marks an object as a unit's."""
_OUTSIDE = (
    "/apis/scheduling.k8s.io/v1/priorityclasses",
    "/apis/cert-manager.io/v1/clusterissuers",
    "/apis/velero.io/v1/namespaces/velero/schedules",
)
"""Where the objects are of addons that live outside their environment's namespace."""
_BACK_TIMEOUT_S = 120.0
_PAUSE_S = 0.05


class Elsewhere(Protocol):
    """A place for an environment that is lost. Its words are for the report."""

    @property
    def target(self) -> str:
        """The slug of the target that the place has in the hub."""
        ...

    def look_at_first(self, ingress: str) -> str:
        """Return what was seen of the place that the environment is in, whose ingress does not answer."""
        ...

    def make_ready(self) -> str:
        """Return what was seen once the place can take the environment. Raises: Skipped, NotFound, ConfigHubError."""
        ...

    def restore_data(self, copy: Path) -> str:
        """Put the copy of the database there, before anything opens it."""
        ...

    def restore_volumes(self) -> str:
        """Restore what Velero kept of the environment."""
        ...

    def damage_data(self, copy: Path) -> float:
        """Damage the database there, put the copy back while services use it, and return how long that took."""
        ...

    def end_a_service(self, status: Status) -> float:
        """End one process or pod of a service there and return after how many seconds it was back."""
        ...

    def what_would_go(self, folder: Path) -> str:
        """Return what would go with the place and is nowhere else, empty for nothing; its database is copied there."""
        ...

    def take_away(self) -> str:
        """Leave the place as it was before."""
        ...


@dataclass
class OnThisMachine:
    """A second runtime: other processes at other addresses, with a database of their own."""

    site: Site
    place: Place

    @property
    def target(self) -> str:
        """The slug of the target."""
        return self.place.slug

    def look_at_first(self, ingress: str) -> str:
        """See that nothing answers."""
        return f"{ingress or 'nothing'} does not answer: the place is lost"

    def make_ready(self) -> str:
        """Start the runtime and make its target; a PostgreSQL is shared with the first place."""
        url = database_of(self.site.project, self.place.environment)
        set_up(self.site, self.place, database_url=url if kind_of(url) == "postgresql" else "")
        return f"a second runtime in {self.place.folder}"

    def restore_data(self, copy: Path) -> str:
        """Put the copy where the services will look for their database."""
        if copy.suffix != ".sqlite":
            raise Skipped("the database is a PostgreSQL, which both places share; pg_dump keeps it")
        put_back(copy, self.place.database_url)
        return f"{copy.name}: {file_of(self.place.database_url).stat().st_size} bytes"

    def restore_volumes(self) -> str:
        """There are no volumes."""
        raise Skipped("no Velero here: processes of this machine have no volumes")

    def damage_data(self, copy: Path) -> float:
        """Delete every trade and position, and put the copy back."""
        file = file_of(self.place.database_url)
        if copy.suffix != ".sqlite" or not file.exists():
            raise Skipped("no SQLite database there")
        with closing(sqlite3.connect(file, timeout=30)) as connection, connection:
            connection.execute("DELETE FROM trades")
            connection.execute("UPDATE positions SET quantity = quantity + 1")
        began = time.monotonic()
        put_back(copy, self.place.database_url)
        return time.monotonic() - began

    def end_a_service(self, status: Status) -> float:
        """Kill one process, and wait until as many run as before and the service answers."""
        pid = self.site.stack.processes.known()[self.place.process].pid
        before = _running(pid)
        if not before or VICTIM not in status.services:
            raise Skipped(f"{VICTIM} does not run there")
        before[0].kill()
        began = time.monotonic()
        gone = {before[0].pid}
        while True:
            now = {one.pid for one in _running(pid)} - gone
            if len(now) >= len(before) and _answers(f"{status.services[VICTIM]}/health/ready"):
                return time.monotonic() - began
            _late(began, VICTIM, self.place.environment)

    def what_would_go(self, folder: Path) -> str:
        """Copy the database there into the folder, and count what the first one lacks; nothing for a shared one."""
        if is_gone(self.place.database_url):
            return ""
        try:
            return self._kept_and_missing(folder)
        except ConfigHubError as error:
            # whoever must leave a place whose database is damaged can still say so
            return f"the database of {self.target} could not be kept or compared: {error.message}"

    def _kept_and_missing(self, folder: Path) -> str:
        copy = copy_database(self.place.database_url, folder)
        first = database_of(self.site.project, self.place.environment)
        if kind_of(first) != "sqlite":
            return ""
        if is_gone(first):
            return (
                f"the trades of {self.target} are not at the first place, which has no database (kept as {copy.file})"
            )
        missing = missing_in(file_of(first), copy.file)
        if not missing.trades:
            return ""
        said = f"{missing.trades} trades of {self.target} are not at the first place"
        return f"{said} (its database is kept as {copy.file})"

    def take_away(self) -> str:
        """End everything there and remove it."""
        tear_down(self.site, self.place)
        return "the second runtime and its database are gone"


@dataclass
class OnCluster:
    """Another cluster that the environment's worker reaches."""

    site: Site
    environment: str
    context: str
    target: str
    timeout_s: float
    was_empty: bool = False

    @property
    def api(self) -> ClusterApi:
        """Calls to the cluster's API server."""
        for cluster in clusters_of(self.site.project, self.environment):
            if cluster.context == self.context:
                return ClusterApi(cluster)
        raise NotFound(
            f"the worker of {self.environment} does not reach {self.context}",
            hint=f"bin/setup-worker {self.environment} --kubeconfig FILE --context {self.context}",
        )

    def look_at_first(self, ingress: str) -> str:
        """Ask the other clusters of the environment for their nodes, as ``kubectl get nodes`` does."""
        said = []
        for cluster in clusters_of(self.site.project, self.environment):
            if cluster.context != self.context:
                try:
                    nodes = (ClusterApi(cluster).get("/api/v1/nodes") or {}).get("items") or []
                    said.append(f"{cluster.context} answers with {len(nodes)} nodes")
                except ConfigHubError as error:
                    said.append(f"{cluster.context} is down: {error.message}")
        return "; ".join(said) or f"{ingress or 'nothing'} does not answer"

    def make_ready(self) -> str:
        """See that every node is Ready, but for those that are cordoned, which take no pods."""
        self.was_empty = self.api.get(f"/api/v1/namespaces/{topology.namespace(self.environment)}") is None
        listed = (self.api.get("/api/v1/nodes") or {}).get("items") or []
        nodes = [one for one in listed if not (one.get("spec") or {}).get("unschedulable")]
        late = [one["metadata"]["name"] for one in nodes if not _is_ready(one)]
        if late or not nodes:
            raise ConfigHubError(f"nodes of {self.context} are not Ready: {', '.join(late) or 'it has none'}")
        apart = f"; {len(listed) - len(nodes)} cordoned" if len(listed) > len(nodes) else ""
        return f"all {len(nodes)} nodes of {self.context} are Ready{apart}"

    def restore_data(self, copy: Path) -> str:
        """A cluster's database is in its volumes."""
        raise Skipped(f"the database is in the cluster's volumes, not in {copy.name}")

    def restore_volumes(self) -> str:
        """Restore the newest good backup of the schedule and describe both."""
        api = self.api
        velero.refuse_missing(api)
        name = f"traderx-{self.environment}-backup"
        said = velero.describe_backup(api, name)
        return f"{said}; restored as {velero.restore(api, name, timeout_s=self.timeout_s)}"

    def damage_data(self, copy: Path) -> float:
        """A cluster's database is not reached from here."""
        raise Skipped(f"the database of {self.context} is not reached from here, so {copy.name} is not put back")

    def end_a_service(self, status: Status) -> float:
        """Delete one pod, and wait until as many are ready as before."""
        api, place = self.api, topology.namespace(status.environment)
        path = f"/api/v1/namespaces/{place}/pods"
        before = _pods(api, path)
        if not before:
            raise Skipped(f"{VICTIM} has no pod in {place}")
        code, _ = api.call("DELETE", f"{path}/{before[0]}")
        if code >= 300:
            raise ConfigHubError(f"deleting pod {before[0]} was answered with {code}")
        began = time.monotonic()
        while True:
            now = [name for name in _pods(api, path) if name != before[0]]
            if len(now) >= len(before):
                return time.monotonic() - began
            _late(began, VICTIM, self.environment)

    def what_would_go(self, folder: Path) -> str:
        """Name the claims of volumes in the namespace that take_away would remove; nothing of them is copied."""
        if not self.was_empty:
            return ""
        place = topology.namespace(self.environment)
        listed = self.api.get(f"/api/v1/namespaces/{place}/persistentvolumeclaims") or {}
        names = sorted(str(one["metadata"]["name"]) for one in listed.get("items") or [])
        if not names:
            return ""
        return f"the volumes {', '.join(names)} of {place} on {self.context} are not copied to {folder}"

    def take_away(self) -> str:
        """Remove the environment's namespace there, so that nothing goes on running beside the first place."""
        place = topology.namespace(self.environment)
        if not self.was_empty:
            return f"{self.context} had the namespace {place} before, so it stays"
        code, _ = self.api.call("DELETE", f"/api/v1/namespaces/{place}")
        if code >= 300 and code != 404:
            raise ConfigHubError(f"removing the namespace {place} of {self.context} was answered with {code}")
        self._take_away_outside()
        return f"namespace {place} of {self.context} is removed, and what is the environment's outside it"

    def _take_away_outside(self) -> None:
        """Remove the objects of the environment's units that are in no namespace, or in another's."""
        space_id = self.site.space_id(self.environment)
        ids = ",".join(unit.unit_id for unit in read_units(self.site.hub, space_id))
        chosen = urlencode({"labelSelector": f"{_UNIT} in ({ids})"})
        for path in _OUTSIDE:
            # a kind that the cluster lacks is answered with 404
            code, _ = self.api.call("DELETE", f"{path}?{chosen}")
            if code >= 300 and code != 404:
                raise ConfigHubError(f"removing {path} of {self.context} was answered with {code}")


def _running(runtime_pid: int) -> list[psutil.Process]:
    """Return the processes of the victim below that runtime."""
    found = []
    for one in psutil.Process(runtime_pid).children(recursive=True):
        try:
            if one.cmdline()[-2:] == ["service", VICTIM]:
                found.append(one)
        except psutil.Error:
            continue
    return found


def _pods(api: ClusterApi, path: str) -> list[str]:
    """Return the victim's pods that are ready and stay."""
    items = (api.get(path, labelSelector=f"app={VICTIM}") or {}).get("items") or []
    return [one["metadata"]["name"] for one in items if _is_ready(one) and "deletionTimestamp" not in one["metadata"]]


def _is_ready(one: dict[str, object]) -> bool:
    status = one.get("status")
    conditions = status.get("conditions") if isinstance(status, dict) else None
    return any(it["type"] == "Ready" and it["status"] == "True" for it in conditions or [])


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 an address from live state
            return bool(answer.status == 200)
    except OSError:
        return False


def _late(began: float, what: str, environment: str) -> None:
    if time.monotonic() - began > _BACK_TIMEOUT_S:
        raise RetryLater(
            f"{what} is not back after {_BACK_TIMEOUT_S:g} s", hint=f"bin/traderx why {what} {environment}"
        )
    time.sleep(_PAUSE_S)
