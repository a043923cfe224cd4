"""What the programs of an environment use, under the names that a cluster has for it.

One series a container: environment, namespace, pod and container, as cAdvisor labels them; owners, restarts and how a
program ended as kube-state-metrics does. So the same queries read a laptop and a cluster. Memory is resident memory
of the program and all it has started; its peak is the kernel's own mark (VmHWM), which misses no moment.
Source: cAdvisor's Prometheus metrics; kube-state-metrics, pod and replicaset metrics; proc(5).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from confighub.runtime.metrics import Labels, series

_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB", re.MULTILINE)
_OOM_KILLS = re.compile(r"^oom_kill (\d+)", re.MULTILINE)
_VMSTAT = Path("/proc/vmstat")


@dataclass(frozen=True)
class Running:
    """One container as the daemon knows it; ``pid`` is None while no program runs. ``ooms`` are the kernel's kills."""

    environment: str
    namespace: str
    workload: str
    replica_set: str
    pod: str
    container: str
    pid: int | None
    restarts: int
    ooms: int

    @property
    def labels(self) -> Labels:
        """What tells its series from others."""
        return (
            ("environment", self.environment),
            ("namespace", self.namespace),
            ("pod", self.pod),
            ("container", self.container),
        )


@dataclass(frozen=True)
class Measured:
    """One program and all it has started: CPU seconds so far, memory now and at its peak, seconds since 1970."""

    cpu_s: float
    memory_bytes: int
    peak_bytes: int
    started_at: float


def text(found: Sequence[Running]) -> str:
    """Return the usage of the containers as Prometheus text. Reads /proc, so keep it out of an event loop."""
    below = _below()
    measured = [(one, used) for one in found if one.pid and (used := measure(one.pid, below)) is not None]
    parts = [
        series(name, kind, about, ((one.labels, value(used)) for one, used in measured))
        for name, kind, about, value in _MEASURES
    ]
    parts += [
        series(
            "container_oom_events_total",
            "counter",
            "Programs that the kernel killed for want of memory.",
            ((one.labels, one.ooms) for one in found),
        ),
        series(
            "kube_pod_container_status_restarts_total",
            "counter",
            "Programs that were started again.",
            ((one.labels, one.restarts) for one in found),
        ),
        _owners(
            "kube_pod_owner",
            "pod",
            "ReplicaSet",
            {(one.environment, one.namespace, one.pod): one.replica_set for one in found},
        ),
        _owners(
            "kube_replicaset_owner",
            "replicaset",
            "Deployment",
            {(one.environment, one.namespace, one.replica_set): one.workload for one in found},
        ),
    ]
    return "".join(parts)


def measure(pid: int, below: Mapping[int, Iterable[int]]) -> Measured | None:
    """Return what a program uses, with what it has started; None when it has ended.

    ``below`` lists the children of every process.
    """
    try:
        first = psutil.Process(pid)
        times, memory, started_at = first.cpu_times(), first.memory_info().rss, first.create_time()
    except psutil.Error:
        return None
    cpu_s = times.user + times.system + _ended_children(times)
    peak = max(_peak_bytes(pid), memory)
    for child in _descendants(pid, below):
        try:
            one = psutil.Process(child)
            times, own = one.cpu_times(), one.memory_info().rss
        except psutil.Error:
            continue
        cpu_s += times.user + times.system + _ended_children(times)
        memory += own
        # each at its own peak: together they never used more
        peak += max(_peak_bytes(child), own)
    return Measured(cpu_s, memory, peak, started_at)


def oom_kills() -> int:
    """Return how many programs the kernel has killed for want of memory since it started; 0 where it does not say."""
    try:
        found = _OOM_KILLS.search(_VMSTAT.read_text(encoding="ascii"))
    except OSError:
        return 0
    return int(found[1]) if found else 0


_MEASURES: tuple[tuple[str, str, str, Callable[[Measured], float]], ...] = (
    ("container_cpu_usage_seconds_total", "counter", "CPU time used so far.", lambda used: used.cpu_s),
    ("container_memory_working_set_bytes", "gauge", "Resident memory.", lambda used: used.memory_bytes),
    (
        "container_memory_max_usage_bytes",
        "gauge",
        "Most resident memory since the start.",
        lambda used: used.peak_bytes,
    ),
    ("container_start_time_seconds", "gauge", "When the program was started.", lambda used: used.started_at),
)


def _owners(name: str, what: str, kind: str, owned: Mapping[tuple[str, str, str], str]) -> str:
    samples: list[tuple[Labels, float]] = [
        (
            (
                ("environment", environment),
                ("namespace", namespace),
                (what, own),
                ("owner_kind", kind),
                ("owner_name", owner),
            ),
            1,
        )
        for (environment, namespace, own), owner in owned.items()
    ]
    return series(name, "gauge", f"The {kind} that a {what} belongs to.", samples)


def _below() -> dict[int, list[int]]:
    """Return the children of every process; none where /proc does not tell them."""
    found: dict[int, list[int]] = {}
    for pid in psutil.pids():
        try:
            # psutil opens several files for this; one field of one file says it
            stat = Path(f"/proc/{pid}/stat").read_bytes()
        except OSError:
            continue
        found.setdefault(int(stat.rpartition(b")")[2].split()[1]), []).append(pid)
    return found


def _descendants(pid: int, below: Mapping[int, Iterable[int]]) -> list[int]:
    found: list[int] = []
    waiting = list(below.get(pid, ()))
    while waiting:
        child = waiting.pop()
        found.append(child)
        waiting += below.get(child, ())
    return found


def _ended_children(times: object) -> float:
    return float(getattr(times, "children_user", 0.0)) + float(getattr(times, "children_system", 0.0))


def _peak_bytes(pid: int) -> int:
    try:
        found = _PEAK.search(Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0
