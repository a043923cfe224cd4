"""Where a rollout's figures come from: the counters of the laptop's ingress, or a Prometheus server.

Both give readings of counters that only rise. A source that cannot be read raises RetryLater; what it reads and
what is not there is named in ``Reading.missing``. Neither shows anything of the new version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from confighub.operations.prometheus import Prometheus, Series
from confighub.operations.rollout import metrics
from confighub.operations.rollout.metrics import Counts, Reading
from confighub.operations.rollout.place import Place
from confighub.operations.rollout.queries import Queries, Side, filled

RESTARTS = "restarts"
_PART = "confighub_part"
Key = tuple[tuple[str, str], ...]


class Source(Protocol):
    """Whatever counts requests."""

    def read(self) -> Reading:
        """Return what was counted so far. Raises: RetryLater while that cannot be told."""


@dataclass(frozen=True)
class Watched:
    """Whose requests are counted: the Services and Deployments of both versions, and the limit of latency.

    ``old_service`` is empty when there is nothing to compare with.
    """

    old_service: str
    new_service: str
    new_deployment: str
    limit_s: float


@dataclass(frozen=True)
class IngressCounters:
    """The counters of the laptop's ingress, whose address the live state of the Ingresses tells."""

    place: Place
    ingress_slugs: tuple[str, ...]
    watched: Watched

    def read(self) -> Reading:
        """Return what the ingress has counted; a Service without a request has none. Raises: RetryLater."""
        found = self.place.samples(self.ingress_slugs)
        watched, limit_s = self.watched, self.watched.limit_s
        old = metrics.counts(found, service=watched.old_service, limit_s=limit_s) if watched.old_service else Counts()
        new = metrics.counts(found, service=watched.new_service, limit_s=limit_s)
        return Reading(old, new, metrics.restarts(found, deployment=watched.new_deployment))


@dataclass
class PrometheusCounters:
    """What a Prometheus server knows of both versions; ``values`` fill the queries of the old and the new side.

    ``is_compared`` is False when there is no old version to compare with. Counting begins with the first reading that
    finds a side's series; what comes later counts in full, since it was not there; what began anew counts from zero.
    """

    server: Prometheus
    queries: Queries
    old_values: Mapping[str, str]
    new_values: Mapping[str, str]
    is_compared: bool = True
    _seen: dict[str, dict[Key, float]] = field(default_factory=dict)
    _rises: dict[str, float] = field(default_factory=dict)

    def read(self) -> Reading:
        """Return what was counted since the first reading. Raises: RetryLater; BadRequest for a query refused."""
        asked = self._asked()
        found = self._ask(asked)
        missing = {part: query for part, query in asked.items() if part != RESTARTS and not found.get(part)}
        if not self.queries.new.quick:
            missing["new quick"] = "no query"
        old, new = self._counts("old", found, missing), self._counts("new", found, missing)
        return Reading(old, new, int(sum(one.value for one in found.get(RESTARTS, ()))), missing)

    def check(self) -> None:
        """Return when the server takes the queries. Raises: RetryLater, BadRequest."""
        self._ask(self._asked())

    def _asked(self) -> dict[str, str]:
        """Return the queries by the part that they count."""
        sides: list[tuple[str, Side, Mapping[str, str]]] = [("new", self.queries.new, self.new_values)]
        if self.is_compared:
            sides.append(("old", self.queries.old, self.old_values))
        asked = {
            f"{name} {what}": filled(query, values)
            for name, side, values in sides
            for what, query in (("requests", side.requests), ("errors", side.errors), ("quick", side.quick))
            if query
        }
        return asked | ({RESTARTS: filled(self.queries.restarts, self.new_values)} if self.queries.restarts else {})

    def _ask(self, asked: Mapping[str, str]) -> dict[str, list[Series]]:
        """Return the series of each part, all of one moment: asked one by one, a scrape could come in between."""
        marked = (f'label_replace({query},"{_PART}","{part}","","")' for part, query in asked.items())
        found: dict[str, list[Series]] = {}
        for one in self.server.vector(" or ".join(marked)):
            found.setdefault(one.labels.get(_PART, ""), []).append(one)
        return found

    def _counts(self, side: str, found: Mapping[str, list[Series]], missing: dict[str, str]) -> Counts:
        """Return what a side has risen by so far; figures of which one is missing do not rise.

        Latency is told by requests and those within the limit; where its first figures come now, nothing is told yet.
        """
        requests, errors, quick = (f"{side} {what}" for what in ("requests", "errors", "quick"))
        if requests not in missing and errors not in missing:
            self._rise(requests, found.get(requests, []))
            self._rise(errors, found.get(errors, []))
        if requests not in missing and quick not in missing:
            if quick not in self._seen:
                missing[quick] = f"the first figures of {quick}"
            self._rise(f"{quick} of", found.get(requests, []))
            self._rise(quick, found.get(quick, []))
        slow = self._rises.get(f"{quick} of", 0.0) - self._rises.get(quick, 0.0)
        return Counts(round(self._rises.get(requests, 0.0)), round(self._rises.get(errors, 0.0)), max(0, round(slow)))

    def _rise(self, part: str, found: list[Series]) -> None:
        seen = self._seen.get(part)
        if seen is None:
            self._seen[part] = {one.key: one.value for one in found}
            return
        for one in found:
            before = seen.get(one.key, 0.0)
            rise = one.value - before if one.value >= before else one.value
            self._rises[part] = self._rises.get(part, 0.0) + rise
            seen[one.key] = one.value
