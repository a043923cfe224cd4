"""One service's parts made into an ASGI application with everything the eight share."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from traderx.services.errors import ServiceError
from traderx.services.platform.description import describe
from traderx.services.platform.environment import Environment
from traderx.services.platform.health import Health
from traderx.services.platform.metrics import Metrics
from traderx.services.platform.requests import AroundRequests
from traderx.services.platform.service import Service

log = logging.getLogger(__name__)

API_DOCS_PATH = "/v3/api-docs"


def assemble(environment: Environment, service: Service, metrics: Metrics, health: Health) -> ASGIApp:
    """Return the application: the service's routes, probes, metrics, traces, faults and CORS."""

    async def answer_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, ServiceError)
        return service.failure(request, error.status, error.message)

    async def answer_no_route(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        message = f"{request.method} {request.url.path}: {error.detail.lower()}"
        answer = service.failure(request, error.status_code, message)
        answer.headers.update(error.headers or {})
        return answer

    async def answer_unexpected(request: Request, _error: Exception) -> Response:
        return service.failure(request, HTTPStatus.INTERNAL_SERVER_ERROR, "unexpected failure, see the service's log")

    @contextlib.asynccontextmanager
    async def running_jobs(_app: Starlette) -> AsyncIterator[None]:
        jobs = [environment.faults.crash_in_time, *service.jobs]
        tasks = [asyncio.ensure_future(job()) for job in jobs]
        for task in tasks:
            task.add_done_callback(_report_end)
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for close in service.closers:
            await close()

    app: ASGIApp = Starlette(
        routes=[*_shared_routes(environment, service, metrics, health), *service.routes],
        exception_handlers={
            ServiceError: answer_error,
            HTTPException: answer_no_route,
            Exception: answer_unexpected,
        },
        lifespan=running_jobs,
    )
    if service.wrap is not None:
        app = service.wrap(app)
    app = AroundRequests(
        app,
        metrics=metrics,
        faults=environment.faults,
        failure=service.failure,
        health=health,
        folds_case=service.folds_case,
    )
    return CORSMiddleware(
        app,
        allow_origins=_allowed_origins(environment),
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=["X-Trace-Id"],
    )


def _shared_routes(environment: Environment, service: Service, metrics: Metrics, health: Health) -> list[BaseRoute]:
    info = {
        "name": environment.service,
        "version": environment.version,
        "port": environment.port,
        "language": "Python",
    }

    async def live(_request: Request) -> Response:
        """Answer while the process lives."""
        return JSONResponse({"status": "UP"})

    async def alive(_request: Request) -> Response:
        """Answer true while the process lives."""
        return JSONResponse(True)

    async def ready(_request: Request) -> Response:
        """Answer 200 when the service can do its work, 503 with the reasons when not."""
        if reasons := await health.problems():
            return _not_ready(reasons)
        answer = {"status": "UP", "checks": dict.fromkeys(health.checks, "UP")}
        return JSONResponse(answer if service.ready_answer is None else service.ready_answer)

    async def overall(_request: Request) -> Response:
        """Answer as /health/ready does, with name and version."""
        if reasons := await health.problems():
            return _not_ready(reasons)
        return JSONResponse({"status": "ok", **info})

    async def scrape(_request: Request) -> Response:
        """Return the metrics as Prometheus text."""
        return Response(metrics.exposition(), headers={"content-type": metrics.content_type})

    async def tell_info(_request: Request) -> Response:
        """Return which service, release and port this is."""
        return JSONResponse(info)

    async def tell_routes(_request: Request) -> Response:
        """Return the OpenAPI document of this service."""
        return JSONResponse(describe(environment.service, environment.version, service.routes))

    async def front_page(_request: Request) -> Response:
        """Lead to the OpenAPI document."""
        return RedirectResponse(API_DOCS_PATH.lstrip("/"), status_code=HTTPStatus.FOUND)

    routes: list[BaseRoute] = [
        Route("/health/live", live),
        Route("/health/alive", alive),
        Route("/health/ready", ready),
        Route("/metrics", scrape),
        Route("/info", tell_info),
        Route(API_DOCS_PATH, tell_routes),
    ]
    if not service.has_own_health_page:
        routes.append(Route("/health", overall))
    if not service.has_own_front_page:
        routes.append(Route("/", front_page))
    return routes


def _not_ready(reasons: dict[str, str]) -> Response:
    return JSONResponse({"status": "DOWN", "reasons": reasons}, HTTPStatus.SERVICE_UNAVAILABLE)


def _allowed_origins(environment: Environment) -> list[str]:
    return [origin.strip() for origin in environment.variables.get("CORS_ALLOWED_ORIGINS", "*").split(",")]


def _report_end(task: asyncio.Future[None]) -> None:
    # A job that dies takes its duty with it: better to end the process and be started again.
    if task.cancelled() or task.exception() is None:
        return
    log.critical("a background job failed, ending the process", exc_info=task.exception())
    raise SystemExit(1)
