"""Figures out of Prometheus text."""

from __future__ import annotations

import re

import pytest

from confighub.errors import RetryLater
from confighub.operations.rollout.metrics import Counts, Reading, counts, fetch, restarts, samples
from confighub.operations.rollout.queries import KNOWN, filled
from confighub.runtime.metrics import Requests, gauges
from tests.operations.answering import Answering


def exposition() -> str:
    requests = Requests()
    for status, seconds in ((200, 0.01), (404, 0.1), (500, 0.2), (503, 0.4)):
        requests.note("dev", "front", "web", status=status, seconds=seconds)
    requests.note("dev", 'fr"ont', "web-canary", status=200, seconds=3.0)
    labels = (("environment", "dev"), ("deployment", "web-canary"))
    return requests.text() + gauges("confighub_replica_restarts", "Restarts.", [(labels, 2.0)])


def test_errors_are_the_servers_own_and_slow_is_what_took_longer_than_the_limit() -> None:
    found = samples(exposition())

    assert counts(found, service="web", limit_s=0.2) == Counts(requests=4, errors=2, slow=1)
    assert counts(found, service="web-canary", limit_s=0.2) == Counts(requests=1, errors=0, slow=1)
    assert counts(found, service="other", limit_s=0.2) == Counts()


def test_restarts_are_those_of_the_deployment() -> None:
    found = samples(exposition())

    assert restarts(found, deployment="web-canary") == 2
    assert restarts(found, deployment="web") == 0


def test_counters_that_began_anew_are_no_difference() -> None:
    before, after = Reading(Counts(9, 1, 1), Counts(5, 0, 0)), Reading(Counts(3, 0, 0), Counts(6, 0, 0))

    assert not after.since(before).is_possible
    assert Reading(Counts(9, 1, 1), Counts(6, 0, 0)).since(before).is_possible


@pytest.mark.parametrize("address", ["", "http://127.0.0.1:1/metrics"])
def test_metrics_that_cannot_be_read_are_an_error_not_a_zero(address: str) -> None:
    with pytest.raises(RetryLater):
        fetch(address)


@pytest.mark.parametrize("answer", [b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n#"])
def test_figures_that_are_cut_off_cannot_be_read(answer: bytes) -> None:
    with Answering(answer) as url, pytest.raises(RetryLater, match="cannot be read"):
        fetch(url)


def test_a_sample_without_a_finite_value_is_none() -> None:
    assert [value for _, _, value in samples('a{b="c"} +Inf\na{b="c"} NaN\na{b="c"} x\na{b="c"} 2\n')] == [2.0]


@pytest.mark.parametrize("name", ["nginx", "istio"])
def test_restarts_of_the_other_colour_are_not_counted(name: str) -> None:
    query = filled(KNOWN[name].restarts, {"namespace": "prod", "deployment": "shop"})
    pattern = query.partition('pod=~"')[2].partition('"')[0]

    assert re.fullmatch(pattern, "shop-7f9c4d5b6-x2k9q")
    assert not re.fullmatch(pattern, "shop-green-7f9c4d5b6-x2k9q")
