"""Readings from a real Prometheus server: what rises, what began anew, what is missing and shows nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from confighub.errors import RetryLater
from confighub.operations.prometheus import Prometheus
from confighub.operations.rollout.analysis import Analysis, Limits
from confighub.operations.rollout.metrics import Counts, Reading
from confighub.operations.rollout.queries import KNOWN
from confighub.operations.rollout.sources import PrometheusCounters
from tests.operations.exporter import Exporter
from tests.prometheus import Server

VALUES = {"name": "shop", "namespace": "prod", "environment": "prod", "limit": "0.25", "limit_ms": "250"}
OLD = VALUES | {"service": "shop", "deployment": "shop", "version": "v1"}
NEW = VALUES | {"service": "shop-canary", "deployment": "shop-canary", "version": "v2"}
CANARY = 'namespace="prod",ingress="front",service="shop",canary="prod-shop-canary-8080"'
STABLE = 'namespace="prod",ingress="front",service="shop",canary=""'


def nginx(chosen: str, *, good: int, bad: int = 0, quick: int | None = None, le: str = "0.25") -> dict[str, float]:
    """Return what ingress-nginx counts of one side."""
    found: dict[str, float] = {f'nginx_ingress_controller_requests{{{chosen},status="200"}}': good}
    if bad:
        found[f'nginx_ingress_controller_requests{{{chosen},status="503"}}'] = bad
    name = "nginx_ingress_controller_request_duration_seconds_bucket"
    found[f'{name}{{{chosen},status="200",le="{le}"}}'] = good + bad if quick is None else quick
    return found


class Looking:
    """A server, its exporter, and a source that reads from them; ``look`` waits until what was set was scraped."""

    def __init__(self, server: Server, exporter: Exporter) -> None:
        self.server, self.exporter, self._look = server, exporter, 0
        self.source = PrometheusCounters(Prometheus(server.url), KNOWN["nginx"], OLD, NEW)
        server.scrape(exporter.url, job="ingress")

    def look(self, *sides: dict[str, float]) -> Reading:
        """Set the series, wait for the next scrape, and read."""
        self._look += 1
        self.exporter.set({key: value for side in sides for key, value in side.items()} | {"looks": self._look})
        self.server.await_value("looks", self._look)
        return self.source.read()


@pytest.mark.requirement("R-125", "R-126")
def test_readings_tell_what_rose_since_the_first_and_what_is_missing(prometheus: Callable[[], Server]) -> None:
    with Exporter() as exporter:
        at = Looking(prometheus(), exporter)

        # before the canary has traffic only the old side is there
        reading = at.look(nginx(STABLE, good=1000))
        assert set(reading.missing) == {"new requests", "new errors", "new quick", "old quick"}

        # the first figures of a side are where its counting begins
        reading = at.look(nginx(STABLE, good=1100), nginx(CANARY, good=10))
        assert (reading.old, reading.new) == (Counts(100, 0, 0), Counts())
        assert set(reading.missing) == {"new quick"}

        # a status that was not there before counts in full; what is slow is what the bucket lacks
        reading = at.look(nginx(STABLE, good=1200), nginx(CANARY, good=50, bad=5, quick=45))
        assert (reading.old, reading.new, reading.missing) == (Counts(200, 0, 0), Counts(45, 5, 10), {})

        # the exporter began anew: what it has now came since
        reading = at.look(nginx(STABLE, good=20), nginx(CANARY, good=4, bad=1))
        assert (reading.old, reading.new) == (Counts(220, 0, 0), Counts(50, 6, 10))

        # without its bucket nothing is told of latency, and what was looked for is named
        reading = at.look(nginx(STABLE, good=40), nginx(CANARY, good=40, bad=1, le="0.5"))
        assert reading.new == Counts(86, 6, 10)
        assert set(reading.missing) == {"new quick"}
        assert 'le=~"0.25' in reading.missing["new quick"]

        # and it is counted when the bucket is back
        reading = at.look(nginx(STABLE, good=40), nginx(CANARY, good=44, bad=1))
        assert reading.new == Counts(90, 6, 10)

        at.server.stop()
        with pytest.raises(RetryLater):
            at.source.read()


def test_figures_that_are_missing_show_nothing_however_good_those_before_them_were() -> None:
    analysis = Analysis(Limits(), 1, ("error rate", "latency", "error increase"), wants_trials=False)
    analysis.add(Reading(old=Counts(9000, 0, 0), new=Counts(9000, 0, 0)))
    assert analysis.missing == []

    analysis.add(Reading(Counts(), Counts(), missing={"new errors": "shop_errors_total"}))
    lacking = {one.check: one.reason for one in analysis.missing}
    analysis.lose_sight("the Prometheus at http://p cannot be asked")
    lost = [one.reason for one in analysis.missing]

    assert set(lacking) == {"error rate", "error increase"}
    assert "shop_errors_total" in lacking["error rate"]
    assert analysis.is_blind
    assert lost == ["the Prometheus at http://p cannot be asked"] * 3


def test_errors_that_were_seen_are_worse_though_figures_are_missing_now() -> None:
    analysis = Analysis(Limits(), 1, ("error rate",), wants_trials=False)
    analysis.add(Reading(old=Counts(900, 0, 0), new=Counts(300, 60, 0)))

    analysis.lose_sight("gone")

    assert analysis.worse is not None
    assert analysis.worse.check == "error rate"
