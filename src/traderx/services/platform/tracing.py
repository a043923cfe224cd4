"""W3C trace context: one trace id from the first request to the last message.

A request that brings a ``traceparent`` continues its trace, another starts one; each request is
a span, its calls carry the span on. A trade keeps its traceparent in its row, so the booking and
the messages belong to the trace of the order. Spans are reported as log lines; collecting them
is the log collector's work.
Source: https://www.w3.org/TR/trace-context/
"""

from __future__ import annotations

import re
import secrets
from contextvars import ContextVar
from dataclasses import dataclass

_TRACEPARENT = re.compile(r"^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$")


@dataclass(frozen=True)
class Span:
    """One step of a trace; ``parent_id`` is empty for the first."""

    trace_id: str
    span_id: str
    parent_id: str
    flags: str = "01"

    @property
    def traceparent(self) -> str:
        """The header that hands this span to whoever is called."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}"


_current: ContextVar[Span | None] = ContextVar("span", default=None)


def current_span() -> Span | None:
    """Return the span this task works in, None outside of any."""
    return _current.get()


def current_traceparent() -> str:
    """Return the header of the present span, of a new trace outside of any."""
    span = _current.get() or continue_trace("")
    return span.traceparent


def continue_trace(traceparent: str) -> Span:
    """Return a new span below the one the header names, or of a new trace when it names none."""
    match = _TRACEPARENT.match(traceparent.strip().lower())
    if match is None or match[1] == "ff" or set(match[2]) == {"0"} or set(match[3]) == {"0"}:
        return Span(trace_id=secrets.token_hex(16), span_id=secrets.token_hex(8), parent_id="")
    return Span(trace_id=match[2], span_id=secrets.token_hex(8), parent_id=match[3], flags=match[4])


def enter(span: Span) -> None:
    """Make the span the present one of this task."""
    _current.set(span)
