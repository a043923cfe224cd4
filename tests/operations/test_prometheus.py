"""Questions to a real Prometheus server: what is there, what is not, what cannot be asked."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from confighub.errors import BadRequest, RetryLater
from confighub.operations.prometheus import Prometheus
from tests.operations.answering import Answering
from tests.operations.exporter import Exporter
from tests.prometheus import Server


def test_a_server_answers_what_it_has_and_nothing_for_what_it_has_not(prometheus: Callable[[], Server]) -> None:
    server = prometheus()
    with Exporter() as exporter:
        exporter.set({'sold_total{shop="a"}': 7, 'sold_total{shop="b"}': 1, "odd": float("nan")})
        server.scrape(exporter.url, job="shops")
        server.await_value("sum(sold_total)", 8)
        asked = Prometheus(server.url)
        now = time.time()

        found = {one.labels["shop"]: one.value for one in asked.vector("sold_total")}
        (course,) = asked.matrix("sum(sold_total)", start_s=now - 60, end_s=now + 1, step_s=1)

        assert found == {"a": 7, "b": 1}
        assert {value for _, value in course.points} == {8}
        assert [one.value for one in asked.vector("scalar(sum(sold_total))")] == [8]
        assert asked.vector("bought_total") == []
        assert asked.vector("odd") == []
    with pytest.raises(BadRequest, match=r"refuses the query sum\("):
        asked.vector("sum(")
    server.stop()
    with pytest.raises(RetryLater, match=server.url):
        asked.vector("up")


@pytest.mark.parametrize(
    ("url", "reason"),
    [("prometheus:9090", "not the address"), ("ftp://a", "not the address"), ("http://a:b@c", "password")]
    + [(url, "not the address") for url in ("http://h:x", "http://[", "http://a b", "http://a:b:c")],
)
def test_what_is_no_address_is_refused(url: str, reason: str) -> None:
    with pytest.raises(BadRequest, match=reason):
        Prometheus(url)


@pytest.mark.parametrize(
    "answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", b"HTTP/1.1 500 x\r\n\r\n"]
)
def test_an_answer_that_is_cut_off_is_one_that_cannot_be_had(answer: bytes) -> None:
    with Answering(answer) as url, pytest.raises(RetryLater, match="cannot be asked"):
        Prometheus(url).vector("up")


def test_what_is_not_finite_is_missing() -> None:
    rows = [
        {"metric": {"shop": name}, "value": [1, value]} for name, value in (("a", "+Inf"), ("b", "NaN"), ("c", "1"))
    ]
    body = json.dumps({"status": "success", "data": {"resultType": "vector", "result": rows}}).encode()
    with Answering(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)) as url:
        found = Prometheus(url).vector("x")

    assert [(one.labels["shop"], one.value) for one in found] == [("c", 1.0)]
