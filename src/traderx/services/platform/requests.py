"""What happens around every request: trace, log line, metrics, faults, and forgiving paths.

Sits outside the routes as plain ASGI, so that streams and WebSockets pass untouched.
"""

from __future__ import annotations

import asyncio
import logging
import time

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from traderx.services.platform.answers import FailureStyle
from traderx.services.platform.faults import Faults
from traderx.services.platform.health import Health
from traderx.services.platform.metrics import Metrics
from traderx.services.platform.tracing import Span, continue_trace, enter

log = logging.getLogger(__name__)


class AroundRequests:
    """Wraps an application; ``folds_case`` makes its paths case-insensitive.

    While the process is ending, ``health`` says so, and each answer sends its caller elsewhere for the next request.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: Metrics,
        faults: Faults,
        failure: FailureStyle,
        health: Health,
        folds_case: bool = False,
    ) -> None:
        self._app, self._metrics, self._faults = app, metrics, faults
        self._failure, self._health, self._folds_case = failure, health, folds_case

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection's scope."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        scope["path"] = self._plain_path(scope["path"])
        span = continue_trace(Headers(scope=scope).get("traceparent", ""))
        enter(span)
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return
        await self._measured(scope, receive, send, span)

    async def _measured(self, scope: Scope, receive: Receive, send: Send, span: Span) -> None:
        started = time.perf_counter()
        status = 0

        async def note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-trace-id", span.trace_id.encode())]
                if self._health.is_stopping:
                    # a balancer chooses by connection: one that is kept would lead here until it breaks
                    message["headers"].append((b"connection", b"close"))
            await send(message)

        try:
            await self._with_faults(scope, receive, note_status)
        except Exception:
            # The routes have answered 500 by now; the stack is for the log only.
            log.exception("request failed unexpectedly")
        finally:
            self._report(scope, status, time.perf_counter() - started)

    async def _with_faults(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not is_operational(scope["path"]):
            if self._faults.latency_ms:
                await asyncio.sleep(self._faults.latency_ms / 1000)
            if self._faults.fails_now():
                failure = self._failure(Request(scope), 500, "failing on demand: FAULT_ERROR_RATE is set")
                await failure(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _report(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "") or "none"
        self._metrics.count_request(method=scope["method"], route=route, status=status, seconds=seconds)
        # Probes and scrapes come every few seconds for ever and would drown the rest.
        log.log(
            logging.DEBUG if is_operational(scope["path"]) else logging.INFO,
            "request",
            extra={
                "method": scope["method"],
                "path": scope["path"],
                "status": status,
                "duration_ms": round(seconds * 1000, 2),
            },
        )

    def _plain_path(self, path: str) -> str:
        # Trailing slashes mean something to the Java programs, nothing to their callers.
        plain = path.rstrip("/") or "/"
        return plain.lower() if self._folds_case else plain


def is_operational(path: str) -> bool:
    """Return whether the path is a probe's or a scraper's."""
    return path in {"/metrics", "/info"} or path == "/health" or path.startswith("/health/")
