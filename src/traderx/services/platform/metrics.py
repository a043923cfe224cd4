"""What Prometheus scrapes at /metrics.

Each process has its own registry; every series carries service and version, so that a canary
can be compared with the stable release. Requests are counted by route template, never by path:
a path has ids in it.
"""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

# Seconds. 0.2 is the seed's limit for a canary's p95, the fine steps are around it.
_DURATION_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """One process's series."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, *, service: str, version: str) -> None:
        self._registry = CollectorRegistry()
        self._own = {"service": service, "version": version}
        ProcessCollector(registry=self._registry)
        self.gauge("traderx_build_info", "1, with the release this process runs").set(1)
        self._requests = self._labelled(Counter, "http_requests", "Requests answered", ["method", "route", "status"])
        self._durations = Histogram(
            "http_request_duration_seconds",
            "Time to answer, by route",
            ["service", "version", "method", "route"],
            registry=self._registry,
            buckets=_DURATION_BUCKETS,
        )

    def count_request(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """Add one answered request."""
        self._requests.labels(**self._own, method=method, route=route, status=str(status)).inc()
        self._durations.labels(**self._own, method=method, route=route).observe(seconds)

    def counter(self, name: str, description: str) -> Counter:
        """Return a new series that only rises; ``_total`` is added to the name."""
        return self._labelled(Counter, name, description, []).labels(**self._own)

    def gauge(self, name: str, description: str) -> Gauge:
        """Return a new series that goes up and down."""
        return Gauge(name, description, list(self._own), registry=self._registry).labels(**self._own)

    def add(self, collector: Collector) -> None:
        """Ask the collector at every scrape."""
        self._registry.register(collector)

    def exposition(self) -> bytes:
        """Return all series as Prometheus text."""
        return generate_latest(self._registry)

    def _labelled(self, kind: type[Counter], name: str, description: str, labels: Sequence[str]) -> Counter:
        return kind(name, description, [*self._own, *labels], registry=self._registry)
