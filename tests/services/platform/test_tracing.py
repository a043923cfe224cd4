"""W3C trace context, by the specification's own rules."""

from __future__ import annotations

import pytest

from traderx.services.platform.tracing import continue_trace

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def test_a_named_trace_goes_on_below_the_named_span() -> None:
    span = continue_trace(f"00-{TRACE}-{PARENT}-01")

    assert (span.trace_id, span.parent_id) == (TRACE, PARENT)
    assert span.span_id != PARENT
    assert span.traceparent == f"00-{TRACE}-{span.span_id}-01"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}-{PARENT}-01",
    ],
)
def test_a_header_that_names_no_trace_starts_one(header: str) -> None:
    span = continue_trace(header)

    assert span.parent_id == ""
    assert len(span.trace_id) == 32
    assert span.trace_id != TRACE
