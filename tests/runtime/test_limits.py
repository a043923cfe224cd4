"""Buckets fill at the allowed rate and hold a burst."""

from __future__ import annotations

from confighub.runtime.limits import Buckets
from confighub.runtime.routes import Limit

LIMIT = Limit(rate_per_s=2.0, burst=3)


def test_a_burst_passes_and_then_the_rate() -> None:
    buckets = Buckets()

    at_once = [buckets.allows("i", "a", LIMIT, now_s=0.0) for _ in range(4)]
    later = [buckets.allows("i", "a", LIMIT, now_s=1.0) for _ in range(3)]

    assert at_once == [True, True, True, False]
    assert later == [True, True, False]


def test_clients_and_ingresses_have_buckets_of_their_own() -> None:
    buckets = Buckets()
    for _ in range(3):
        buckets.allows("i", "a", LIMIT, now_s=0.0)

    assert buckets.allows("i", "b", LIMIT, now_s=0.0)
    assert buckets.allows("j", "a", LIMIT, now_s=0.0)
    assert not buckets.allows("i", "a", LIMIT, now_s=0.0)


def test_connections_are_limited_while_they_last() -> None:
    buckets, limit = Buckets(), Limit(connections=1)

    first, second = buckets.enter("i", "a", limit), buckets.enter("i", "a", limit)
    buckets.leave("i", "a")

    assert (first, second) == (True, False)
    assert buckets.enter("i", "a", limit)
