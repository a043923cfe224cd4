"""Logs as one JSON object a line on standard output.

Every line has time, level, service, version and message; inside a request trace_id, span_id and
parent_span_id too. What a caller passes as ``extra`` becomes fields of the line.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from traderx.services.platform.tracing import current_span

_OWN_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}


class JsonLines(logging.Formatter):
    """Renders a record as one line of JSON."""

    def __init__(self, *, service: str, version: str) -> None:
        super().__init__()
        self._service, self._version = service, version

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "service": self._service,
            "version": self._version,
            "message": record.getMessage(),
        }
        if span := current_span():
            line |= {"trace_id": span.trace_id, "span_id": span.span_id, "parent_span_id": span.parent_id}
        line |= {key: value for key, value in vars(record).items() if key not in _OWN_FIELDS}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def configure_logs(*, service: str, version: str, level: str) -> None:
    """Send every logger of the process to standard output as JSON lines."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines(service=service, version=version))
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    # The server's chatter ("Waiting for connections to close") says nothing that we do not say.
    for noisy in ("uvicorn.error", "engineio", "socketio", "websockets"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
