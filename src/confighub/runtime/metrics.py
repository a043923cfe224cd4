"""What the ingress has seen and the state of the replicas, as Prometheus text.

Written by hand: four series, and the client library would cost a tenth of a second at every start.
Source: Prometheus text exposition format 0.0.4.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TypeVar
from urllib.parse import urlencode

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the latency histogram; 0.2 s is the seed's limit for a canary."""

Labels = tuple[tuple[str, str], ...]
_Value = TypeVar("_Value", int, list[int])


class Requests:
    """Requests through the ingresses, per environment, Ingress and Service.

    ``url`` is where the text can be read; empty while nobody answers there.
    """

    def __init__(self) -> None:
        self.url = ""
        self._counts: defaultdict[Labels, int] = defaultdict(int)
        self._buckets: defaultdict[Labels, list[int]] = defaultdict(lambda: [0] * (len(BUCKETS_S) + 1))
        self._sums: defaultdict[Labels, float] = defaultdict(float)

    def note(self, environment: str, ingress: str, service: str, *, status: int, seconds: float) -> None:
        """Count one finished request; a WebSocket counts once, when it is set up."""
        base = (("environment", environment), ("ingress", ingress), ("service", service))
        self._counts[*base, ("status", str(status))] += 1
        self._buckets[base][bisect_left(BUCKETS_S, seconds)] += 1
        self._sums[base] += seconds

    def url_of(self, environment: str) -> str:
        """Return where one environment's metrics can be read; empty while nobody answers there."""
        return f"{self.url}?{urlencode({'environment': environment})}" if self.url else ""

    def text(self, environment: str = "") -> str:
        """Return the counters and the histogram, of one environment when it is named."""
        name = "confighub_ingress_requests_total"
        lines = [f"# HELP {name} Requests by backend Service and status code.", f"# TYPE {name} counter"]
        lines += [_sample(name, labels, count) for labels, count in _chosen(self._counts, environment)]
        name = "confighub_ingress_request_duration_seconds"
        lines += [f"# HELP {name} Time from request to end of response.", f"# TYPE {name} histogram"]
        for labels, buckets in _chosen(self._buckets, environment):
            total = 0
            for bound, count in zip((*map(str, BUCKETS_S), "+Inf"), buckets, strict=True):
                total += count
                lines.append(_sample(f"{name}_bucket", (*labels, ("le", bound)), total))
            lines.append(_sample(f"{name}_sum", labels, self._sums[labels]))
            lines.append(_sample(f"{name}_count", labels, total))
        return "\n".join(lines) + "\n"


def gauges(name: str, about: str, values: Iterable[tuple[Labels, float]]) -> str:
    """Return one gauge with its samples."""
    return series(name, "gauge", about, values)


def series(name: str, kind: str, about: str, values: Iterable[tuple[Labels, float]]) -> str:
    """Return one metric with its samples; ``kind`` is "gauge" or "counter"."""
    lines = [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
    return "\n".join([*lines, *(_sample(name, labels, value) for labels, value in values)]) + "\n"


def _chosen(samples: Mapping[Labels, _Value], environment: str) -> list[tuple[Labels, _Value]]:
    """Return the samples in the order of their labels, whose first is the environment."""
    return sorted(item for item in samples.items() if environment in ("", item[0][0][1]))


def _sample(name: str, labels: Labels, value: float) -> str:
    shown = ",".join(f'{key}="{_escape(text)}"' for key, text in labels)
    # six digits would round a start time in seconds since 1970 to the hour
    return f"{name}{{{shown}}} {value:.12g}" if isinstance(value, float) else f"{name}{{{shown}}} {value}"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
