"""Prometheus text that Prometheus' own parser reads."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from confighub.runtime import metrics


def test_requests_become_counters_and_a_cumulative_histogram() -> None:
    requests = metrics.Requests()
    for status, seconds in ((200, 0.004), (200, 0.15), (500, 99.0)):
        requests.note("dev", "front", 'a"b', status=status, seconds=seconds)

    families = {family.name: family for family in text_string_to_metric_families(requests.text())}

    counted = {sample.labels["status"]: sample.value for sample in families["confighub_ingress_requests"].samples}
    histogram = families["confighub_ingress_request_duration_seconds"].samples
    buckets = {sample.labels["le"]: sample.value for sample in histogram if sample.name.endswith("_bucket")}
    assert counted == {"200": 2, "500": 1}
    assert (buckets["0.005"], buckets["0.1"], buckets["0.2"], buckets["+Inf"]) == (1, 1, 2, 3)
    assert histogram[0].labels["service"] == 'a"b'


def test_one_environments_requests_can_be_read_alone() -> None:
    requests = metrics.Requests()
    for environment in ("dev", "staging"):
        requests.note(environment, "front", "web", status=200, seconds=0.01)

    found = list(text_string_to_metric_families(requests.text("staging")))

    assert {sample.labels["environment"] for family in found for sample in family.samples} == {"staging"}


def test_gauges_are_read_back() -> None:
    text = metrics.gauges("x_ready", "Ready.", [((("deployment", "web"),), 2)])

    (family,) = text_string_to_metric_families(text)

    assert family.type == "gauge"
    assert family.samples[0].value == 2
