"""A Deployment's replicas, brought step by step to what is wanted.

New replicas come up within maxSurge, old ones go only as far as maxUnavailable allows, so an update that
never becomes ready leaves the old replicas serving.
Source: the Kubernetes deployment controller, in particular its order of scaling down.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from confighub.errors import BadRequest
from confighub.runtime import manifests
from confighub.runtime.conditions import Condition
from confighub.runtime.containers import Site
from confighub.runtime.manifests import Manifest
from confighub.runtime.replicas import Identity, Replica

_LOG_LINES = 5
HOPELESS = frozenset({"ErrImagePull", "CrashLoopBackOff", "PortInUse", "RunContainerError"})
"""Reasons that waiting does not cure; the others may end when another unit is applied."""


@dataclass(frozen=True)
class Wanted:
    """A Deployment as it should be; ``template`` is its pod template as JSON values."""

    spec: manifests.DeploymentSpec
    template: Manifest
    generation: int


@dataclass(frozen=True)
class Counts:
    """How many replicas there are, of the current template and in all, and what they are worth."""

    wanted: int
    total: int
    updated: int
    ready: int
    available: int
    updated_available: int

    @property
    def is_complete(self) -> bool:
        """True when exactly the wanted replicas are there and all are available."""
        return self.updated_available == self.updated == self.wanted == self.total


class Rollout:
    """The replicas of one Deployment. ``removed_at`` is empty until it should have none at all.

    ``on_change`` is called whenever anything that live state shows may have changed, ``on_complete`` with
    the pod template once an update is through.
    """

    def __init__(
        self,
        name: str,
        namespace: str,
        *,
        site: Site,
        on_change: Callable[[], None],
        on_complete: Callable[[Manifest], None],
    ) -> None:
        self.name, self.namespace = name, namespace
        self.replicas: list[Replica] = []
        self.observed_generation = 0
        self.removed_at = ""
        self._site, self._on_change, self._on_complete = site, on_change, on_complete
        self._wanted: Wanted | None = None
        self._current = ""
        self._is_scheduled = False
        self._progress: tuple[int, int, int] = (0, 0, 0)
        self._progressed_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.gone = asyncio.Event()

    def want(self, wanted: Wanted, *, serving: Manifest | None = None) -> None:
        """Set what there should be; ``serving`` is brought up too when nothing runs yet."""
        was = self._wanted
        self._wanted, self._current = wanted, template_hash(wanted.template)
        if was is None and serving is not None and template_hash(serving) != self._current:
            for _ in range(wanted.spec.replicas):
                self._add(serving)
        if was is None or was.generation != wanted.generation:
            self._progressed_at = time.monotonic()
        for replica in self._of_current_template(self._alive()):
            replica.try_again()
        self._schedule()

    def remove(self) -> None:
        """Stop every replica; ``gone`` is set when the last one has stopped."""
        self._wanted = None
        self.removed_at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        for replica in self.replicas:
            replica.stop()
        self._schedule()

    async def kill(self, grace_s: float) -> None:
        """Stop every replica at once, because the daemon ends."""
        self._wanted = None
        await asyncio.gather(*(replica.kill(grace_s) for replica in self.replicas))

    def counts(self) -> Counts:
        """Count the replicas that are not on their way out."""
        alive = self._alive()
        new = self._of_current_template(alive)
        return Counts(
            wanted=self._wanted.spec.replicas if self._wanted else 0,
            total=len(alive),
            updated=len(new),
            ready=sum(replica.ready for replica in alive),
            available=sum(self._is_available(replica) for replica in alive),
            updated_available=sum(self._is_available(replica) for replica in new),
        )

    def conditions(self) -> list[Condition]:
        """Return Available and Progressing."""
        counts, wanted = self.counts(), self._wanted
        if wanted is None:
            return [Condition(type="Progressing", status="True", reason="Terminating", message="being removed")]
        least = max(0, wanted.spec.replicas - limits(wanted.spec)[1])
        has_least = counts.available >= least
        said = f"{counts.available} of {wanted.spec.replicas} replicas available"
        if not has_least and (why := self.trouble()[1]):
            said = f"{said}: {why}"
        available = Condition(
            type="Available",
            status="True" if has_least else "False",
            reason="MinimumReplicasAvailable" if has_least else "MinimumReplicasUnavailable",
            message=said,
        )
        return [available, self._progressing(counts, wanted)]

    def trouble(self) -> tuple[str, str]:
        """Return reason and message of what keeps a replica of the current template from being ready."""
        for replica in self._of_current_template(self._alive()):
            for container in replica.containers:
                if container.ready:
                    continue
                said = "; ".join(filter(None, (container.message, container.last_end)))
                if container.restarts and (lines := container.last_lines(_LOG_LINES)):
                    said = "\n".join([said, *lines])
                if said or container.reason:
                    return container.reason, f"{replica.name}: {said}"
        return "", ""

    def _progressing(self, counts: Counts, wanted: Wanted) -> Condition:
        kind = "Progressing"
        if counts.is_complete and self.observed_generation == wanted.generation:
            return Condition(
                type=kind, status="True", reason="NewReplicaSetAvailable", message="every replica is ready"
            )
        reason, message = self.trouble()
        if reason in HOPELESS:
            return Condition(type=kind, status="False", reason=reason, message=message)
        if time.monotonic() - self._progressed_at > wanted.spec.progress_deadline_seconds:
            return Condition(type=kind, status="False", reason="ProgressDeadlineExceeded", message=message)
        text = message or f"{counts.updated_available} of {counts.wanted} new replicas available"
        return Condition(type=kind, status="True", reason=reason or "ReplicaSetUpdated", message=text)

    def _schedule(self) -> None:
        if not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._step)

    def _changed(self) -> None:
        self._schedule()

    def _step(self) -> None:
        """Do what can be done now; every change of a replica leads here again."""
        self._is_scheduled = False
        self.replicas = [replica for replica in self.replicas if not replica.stopped.is_set()]
        wanted = self._wanted
        if wanted is None:
            if not self.replicas:
                self.gone.set()
        else:
            self.observed_generation = wanted.generation
            if wanted.spec.strategy.type == "Recreate":
                self._recreate(wanted)
            else:
                self._roll(wanted)
            self._note_progress(wanted)
        self._on_change()

    def _recreate(self, wanted: Wanted) -> None:
        old = [replica for replica in self.replicas if not self._is_current(replica)]
        for replica in old:
            replica.stop()
        if not old:
            self._scale_new(wanted, wanted.spec.replicas)

    def _roll(self, wanted: Wanted) -> None:
        surge, unavailable = limits(wanted.spec)
        old = [replica for replica in self._alive() if not self._is_current(replica)]
        self._scale_new(wanted, wanted.spec.replicas + surge - len(old))
        if not old:
            return
        least = wanted.spec.replicas - unavailable
        alive = self._alive()
        new = self._of_current_template(alive)
        new_unavailable = sum(not self._is_available(replica) for replica in new)
        unhealthy = [replica for replica in old if not self._is_available(replica)]
        _stop_some(unhealthy, len(alive) - least - new_unavailable)
        healthy = [replica for replica in old if self._is_available(replica)]
        _stop_some(healthy, sum(self._is_available(replica) for replica in alive) - least)

    def _scale_new(self, wanted: Wanted, room: int) -> None:
        """Bring the current template's replicas to the wanted number, not above the room there is."""
        new = self._of_current_template(self._alive())
        for _ in range(min(wanted.spec.replicas, room) - len(new)):
            self._add(wanted.template)
        # The ones that serve least go first, then the youngest.
        by_worth = sorted(new, key=lambda replica: replica.ready_since or math.inf, reverse=True)
        _stop_some(by_worth, len(new) - wanted.spec.replicas)

    def _add(self, template: Manifest) -> None:
        identity = Identity(self.name, self.namespace, template_hash(template))
        typed = msgspec.convert(template, manifests.PodTemplate)
        replica = Replica(identity, typed, site=self._site, on_change=self._changed)
        self.replicas.append(replica)
        replica.start()

    def _note_progress(self, wanted: Wanted) -> None:
        counts = self.counts()
        progress = (counts.updated, counts.updated_available, -counts.total)
        if progress != self._progress:
            self._progress, self._progressed_at = progress, time.monotonic()
        if counts.is_complete:
            self._on_complete(wanted.template)
        self._wake_later(wanted, is_complete=counts.is_complete)

    def _wake_later(self, wanted: Wanted, *, is_complete: bool) -> None:
        """Look again when only time has to pass: for minReadySeconds or the progress deadline."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if is_complete:
            return
        now = time.monotonic()
        waits = [self._progressed_at + wanted.spec.progress_deadline_seconds - now]
        if wanted.spec.min_ready_seconds:
            since = [replica.ready_since for replica in self._alive() if replica.ready_since is not None]
            waits += [start + wanted.spec.min_ready_seconds - now for start in since]
        due = [wait for wait in waits if wait > 0]
        if due:
            self._timer = asyncio.get_running_loop().call_later(min(due) + 0.01, self._schedule)

    def _alive(self) -> list[Replica]:
        return [replica for replica in self.replicas if not replica.stopping]

    def _of_current_template(self, replicas: list[Replica]) -> list[Replica]:
        return [replica for replica in replicas if self._is_current(replica)]

    def _is_current(self, replica: Replica) -> bool:
        return replica.identity.template_hash == self._current

    def _is_available(self, replica: Replica) -> bool:
        if not replica.ready or replica.ready_since is None:
            return False
        least = self._wanted.spec.min_ready_seconds if self._wanted else 0
        return time.monotonic() - replica.ready_since >= least


def template_hash(template: Manifest) -> str:
    """Return a short name for a pod template; equal templates have equal names whatever their key order."""
    return hashlib.sha256(msgspec.json.encode(template, order="deterministic")).hexdigest()[:8]


def limits(spec: manifests.DeploymentSpec) -> tuple[int, int]:
    """Return maxSurge and maxUnavailable in replicas; percentages round up and down, both zero means one down.

    Raises BadRequest for a value that is neither a number nor a percentage.
    """
    rolling = spec.strategy.rolling_update or manifests.RollingUpdate()
    surge = _share(rolling.max_surge, spec.replicas, math.ceil)
    unavailable = _share(rolling.max_unavailable, spec.replicas, math.floor)
    return surge, unavailable if surge or unavailable else 1


def _share(value: int | str, of: int, rounded: Callable[[float], int]) -> int:
    if isinstance(value, int):
        return value
    if not re.fullmatch(r"\d+%", value):
        raise BadRequest(f"not a number or a percentage: {value!r}")
    return rounded(int(value[:-1]) * of / 100)


def _stop_some(replicas: list[Replica], count: int) -> None:
    for replica in replicas[: max(0, count)]:
        replica.stop()
