"""What the ingress counted, read from its Prometheus text.

The address is found in the live state of the environment's Ingress. Source: Prometheus text format 0.0.4;
the series are those of the laptop's ingress.
"""

from __future__ import annotations

import http.client
import math
import re
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from confighub.errors import RetryLater

REQUESTS = "confighub_ingress_requests_total"
DURATION = "confighub_ingress_request_duration_seconds"
RESTARTS = "confighub_replica_restarts"
_ANSWER_TIMEOUT_S = 5.0
_SAMPLE = re.compile(r"^(\w+)\{(.*)\} (\S+)$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

Sample = tuple[str, dict[str, str], float]


@dataclass(frozen=True)
class Counts:
    """Requests to one Service so far: all, those answered 5xx, those slower than the limit."""

    requests: int = 0
    errors: int = 0
    slow: int = 0

    def since(self, before: Counts) -> Counts:
        """Return what came after ``before``."""
        return Counts(self.requests - before.requests, self.errors - before.errors, self.slow - before.slow)

    @property
    def is_possible(self) -> bool:
        """False for a difference across a restart of the counters."""
        return min(self.requests, self.errors, self.slow) >= 0


@dataclass(frozen=True)
class Reading:
    """What was counted for both sides, and how often programs of the new side were started again.

    ``missing`` says of what there are no figures at all, such as ``new errors``, each with where they were looked for.
    """

    old: Counts
    new: Counts
    new_restarts: int = 0
    missing: Mapping[str, str] = field(default_factory=dict)

    def since(self, before: Reading) -> Reading:
        """Return what came after ``before``; restarts and what is missing are those there are."""
        return Reading(self.old.since(before.old), self.new.since(before.new), self.new_restarts, self.missing)

    @property
    def is_possible(self) -> bool:
        """False for a difference across a restart of the counters."""
        return self.old.is_possible and self.new.is_possible


def fetch(url: str) -> str:
    """Return the text at the address. Raises: RetryLater when there is none."""
    if not url.startswith(("http://", "https://")):
        raise RetryLater("no Ingress of the environment tells where its requests are counted")
    try:
        with urllib.request.urlopen(url, timeout=_ANSWER_TIMEOUT_S) as answer:  # noqa: S310 checked above
            return str(answer.read().decode())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise RetryLater(f"the metrics at {url} cannot be read: {error}") from error


def samples(text: str) -> list[Sample]:
    """Return the samples as name, labels, value; lines that are none, or without a finite value, are left out."""
    found = []
    for line in text.splitlines():
        if match := _SAMPLE.match(line):
            labels = {name: re.sub(r"\\(.)", r"\1", value) for name, value in _LABEL.findall(match[2])}
            if (value := _number(match[3])) is not None:
                found.append((match[1], labels, value))
    return found


def counts(found: Iterable[Sample], *, service: str, limit_s: float) -> Counts:
    """Return what was counted for a Service; ``limit_s`` is one of the histogram's bounds."""
    requests = errors = quick = 0
    for name, labels, value in found:
        if labels.get("service") != service:
            continue
        if name == REQUESTS:
            requests += int(value)
            errors += int(value) if labels.get("status", "").startswith("5") else 0
        elif name == f"{DURATION}_bucket" and _bound(labels.get("le", "")) == limit_s:
            quick += int(value)
    return Counts(requests, errors, requests - quick)


def restarts(found: Iterable[Sample], *, deployment: str) -> int:
    """Return how often the programs of a Deployment's replicas were started again."""
    return sum(int(value) for name, labels, value in found if name == RESTARTS and labels["deployment"] == deployment)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _bound(text: str) -> float:
    return float("inf") if text == "+Inf" else float(text or "nan")
