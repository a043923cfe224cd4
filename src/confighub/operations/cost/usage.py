"""What containers really use, read from a Prometheus by the same queries for a cluster and for the laptop.

Pods belong to workloads by their owners, never by the look of their names. A range is read in at most POINTS steps,
so that a long window costs Prometheus no more than a short one.
Source: Prometheus HTTP API v1; cAdvisor and kube-state-metrics for the names.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from confighub.operations.prometheus import Prometheus

POINTS = 300
"""So many steps a range has at most."""
QUANTILE = 0.95
_SCRAPE_S = 60.0
_RATE_SCRAPES = 4
"""A rate is taken over so many scrapes, so that one or two that were missed do not leave a hole."""
_SEEN_AFTER_SCRAPES = 3
_BY = "by (namespace, pod, container)"
_LATE = "5m"

Labels = Mapping[str, str]
Point = tuple[float, float]
Key = tuple[str, str, str]
"""Namespace, pod, container."""


@dataclass(frozen=True)
class Window:
    """What is looked at: so many seconds up to ``end`` (since 1970), in steps of ``step_s``."""

    end: float
    seconds: float
    step_s: float

    @property
    def start(self) -> float:
        """The beginning, in seconds since 1970."""
        return self.end - self.seconds


@dataclass
class Usage:
    """What one container of a workload used in the window, over all its replicas.

    ``cpu_cores`` is the 95th percentile of the busiest replica, None without data; ``peak_bytes`` the most memory that
    any replica held; ``covered_s`` how much of the window has data. ``has_start`` tells that the peak includes the
    start of a program. ``replicas`` are all that were seen, also those that are gone.
    """

    cpu_cores: float | None = None
    peak_bytes: float | None = None
    covered_s: float = 0.0
    points: int = 0
    replicas: int = 0
    restarts: int = 0
    ooms: int = 0
    has_start: bool = False
    moments: set[float] = field(default_factory=set, repr=False)


Found = dict[tuple[str, str, str, str], Usage]
"""By namespace, kind and name of the workload, and container."""


class Source(Protocol):
    """Where usage is read."""

    def read(self, namespaces: Iterable[str], *, seconds: float, end: float) -> tuple[Window, Found]:
        """Return what the containers in these namespaces used in a window of so many seconds, and its steps."""


@dataclass(frozen=True)
class PrometheusSource:
    """A Prometheus; ``more`` are further matchers, as in ``cluster="a"``, where it watches several places."""

    prometheus: Prometheus
    more: str = ""

    def read(self, namespaces: Iterable[str], *, seconds: float, end: float) -> tuple[Window, Found]:
        """Return what the containers in these namespaces used up to ``end``, and in which steps that was read.

        Raises: RetryLater when it does not answer, BadRequest when it refuses a question.
        """
        where = self._matchers(namespaces)
        inside = f'{where},container!="",container!="POD"'
        scrape_s = self._scrape_s(inside, end)
        window = Window(end, seconds, max(scrape_s, math.ceil(seconds / POINTS)))
        asked = _Queries(inside, window, scrape_s)
        cpu, memory = self._range(asked.cpu, window), self._range(asked.memory, window)
        peaks, starts = self._now(asked.peaks, window), self._now(asked.starts, window)
        restarts, killed, counted = (self._now(query, window) for query in (asked.restarts, asked.killed, asked.ooms))
        owner_of = self._owners(where, asked.span, window)
        found: Found = defaultdict(Usage)
        for key in sorted(cpu.keys() | memory.keys()):
            owner = owner_of(key[0], key[1])
            if owner is None:
                continue
            one, held = found[(key[0], *owner, key[2])], memory.get(key, ())
            add_replica(one, cpu=cpu.get(key, ()), memory=held, peak=peaks.get(key))
            first = held[0][0] if held else math.inf
            was_soon = first - starts.get(key, -math.inf) <= asked.seen_within_s
            one.has_start = one.has_start or key in peaks or was_soon
            one.restarts += int(restarts.get(key, 0))
            one.ooms += int(max(killed.get(key, 0), counted.get(key, 0)))
        for one in found.values():
            one.points, one.covered_s = len(one.moments), len(one.moments) * window.step_s
        return window, dict(found)

    def _scrape_s(self, inside: str, end: float) -> float:
        """Return the usual pause between samples of late, in whole seconds; a minute when there are too few to tell."""
        name = f"container_memory_working_set_bytes{{{inside}}}"
        moments = f"timestamp({name})[{_LATE}:1s]"
        pause = f"(max_over_time({moments}) - min_over_time({moments})) / (count_over_time({name}[{_LATE}]) - 1)"
        found = [one.value for one in self.prometheus.vector(f"quantile(0.5, {pause})", at_s=end)]
        return float(math.ceil(found[0] - 0.2)) if found and 0 < found[0] < math.inf else _SCRAPE_S

    def _owners(self, where: str, span: str, window: Window) -> Callable[[str, str], tuple[str, str] | None]:
        """Return who owns a pod, as kind and name: the Deployment when it is a ReplicaSet of one."""
        pods = self.prometheus.vector(f"max_over_time(kube_pod_owner{{{where}}}[{span}])", at_s=window.end)
        sets = self.prometheus.vector(f"max_over_time(kube_replicaset_owner{{{where}}}[{span}])", at_s=window.end)
        above = {(one.labels.get("namespace"), one.labels.get("replicaset")): _owner(one.labels) for one in sets}
        direct = {(one.labels.get("namespace"), one.labels.get("pod")): _owner(one.labels) for one in pods}

        def owner(namespace: str, pod: str) -> tuple[str, str] | None:
            kind, name = direct.get((namespace, pod), ("", ""))
            if kind == "ReplicaSet":
                kind, name = above.get((namespace, name), (kind, name))
            return (kind, name) if kind else None

        return owner

    def _matchers(self, namespaces: Iterable[str]) -> str:
        # a namespace is a DNS label, so nothing in it has a meaning in a pattern
        wanted = "|".join(sorted(re.sub(r"[^a-z0-9-]", "", one) for one in namespaces))
        return ",".join(part for part in (f'namespace=~"{wanted}"', self.more) if part)

    def _now(self, query: str, window: Window) -> dict[Key, float]:
        return {_key(one.labels): one.value for one in self.prometheus.vector(query, at_s=window.end)}

    def _range(self, query: str, window: Window) -> dict[Key, tuple[Point, ...]]:
        found = self.prometheus.matrix(query, start_s=window.start, end_s=window.end, step_s=window.step_s)
        return {_key(one.labels): one.points for one in found}


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest of the values that at least this share of them does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def add_replica(one: Usage, *, cpu: Sequence[Point], memory: Sequence[Point], peak: float | None) -> None:
    """Take in what one replica used: points in order, and the most memory it held where that is known."""
    one.replicas += 1
    if cpu:
        one.cpu_cores = max(one.cpu_cores or 0.0, quantile([value for _, value in cpu], QUANTILE))
    held = [value for _, value in memory] + ([] if peak is None else [peak])
    if held:
        one.peak_bytes = max(one.peak_bytes or 0.0, *held)
    # both must be known of a moment for it to count
    one.moments |= {at for at, _ in cpu} & {at for at, _ in memory}


@dataclass(frozen=True)
class _Queries:
    """The questions about the containers that ``inside`` matches."""

    inside: str
    window: Window
    scrape_s: float

    @property
    def span(self) -> str:
        return f"{self.window.seconds:.0f}s"

    @property
    def seen_within_s(self) -> float:
        """How soon after a start its first point must come for the start to count as seen."""
        return self.window.step_s + _SEEN_AFTER_SCRAPES * self.scrape_s

    @property
    def cpu(self) -> str:
        over = max(self.window.step_s, _RATE_SCRAPES * self.scrape_s)
        return f"sum {_BY} (rate(container_cpu_usage_seconds_total{{{self.inside}}}[{over:.0f}s]))"

    @property
    def memory(self) -> str:
        return self._most("container_memory_working_set_bytes", f"{self.window.step_s:.0f}s")

    @property
    def peaks(self) -> str:
        return self._most("container_memory_max_usage_bytes", self.span)

    @property
    def starts(self) -> str:
        return self._most("container_start_time_seconds", self.span)

    @property
    def ooms(self) -> str:
        return self._most("container_oom_events_total", self.span)

    @property
    def restarts(self) -> str:
        name = f"kube_pod_container_status_restarts_total{{{self.inside}}}[{self.span}]"
        return f"max {_BY} (max_over_time({name}) - min_over_time({name}))"

    @property
    def killed(self) -> str:
        name = f'kube_pod_container_status_last_terminated_reason{{{self.inside},reason="OOMKilled"}}'
        return f"max {_BY} (max_over_time({name}[{self.span}]))"

    def _most(self, name: str, over: str) -> str:
        return f"max {_BY} (max_over_time({name}{{{self.inside}}}[{over}]))"


def _key(labels: Labels) -> Key:
    return labels.get("namespace", ""), labels.get("pod", ""), labels.get("container", "")


def _owner(labels: Labels) -> tuple[str, str]:
    return labels.get("owner_kind", ""), labels.get("owner_name", "")
