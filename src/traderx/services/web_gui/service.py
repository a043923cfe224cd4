"""web-gui: the trading desk in the browser, and one address for everything behind it."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from importlib.resources import as_file, files
from os import PathLike, stat_result

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from traderx.services.platform.environment import DEFAULT_PORTS, Environment
from traderx.services.platform.http_client import HttpClient
from traderx.services.platform.metrics import Metrics
from traderx.services.platform.service import Service
from traderx.services.web_gui.overview import Overview
from traderx.services.web_gui.proxy import Proxy

PAGES = ("/", "/trade", "/account", "/status")
"""The paths of the application in the browser, all served by one file."""

# Everything comes from this address and nothing else runs in the page.
CONTENT_POLICY = "default-src 'self'; img-src 'self' data:; base-uri 'self'; frame-ancestors 'none'; form-action 'self'"
# Always asked again, answered 304 when unchanged: a new release is seen at the next load.
REVALIDATE = "no-cache"


class PageFiles(StaticFiles):
    """The files of the page, never used from a cache without asking."""

    def file_response(
        self, full_path: str | PathLike[str], stat_result: stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """Return one file, or 304 when the browser has it."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["cache-control"] = REVALIDATE
        return response


def build(environment: Environment, _metrics: Metrics) -> Service:
    """Return the service; the others are reached when somebody asks for them."""
    http = HttpClient()
    urls = {name: environment.urls[name] for name in DEFAULT_PORTS if name != environment.service}
    proxy = Proxy(http, environment.urls)
    overview = Overview(http, urls, asks_processor="trade-processor" in environment.named_urls)
    with as_file(files(__package__).joinpath("static")) as folder:
        static = PageFiles(directory=folder)
        index = folder / "index.html"

    async def page(_request: Request) -> Response:
        """Show the trading desk."""
        headers = {
            "cache-control": REVALIDATE,
            "content-security-policy": CONTENT_POLICY,
            "x-content-type-options": "nosniff",
            "referrer-policy": "same-origin",
        }
        return FileResponse(index, headers=headers)

    async def health(_request: Request) -> Response:
        """Tell how all services are: 200 when all can do their work, else 503."""
        conditions = await overview.conditions()
        all_up = all(condition.is_up for condition in conditions)
        answer = {
            "status": "UP" if all_up else "DOWN",
            "version": environment.version,
            "checked": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "services": [condition.as_answer() for condition in conditions]
            + [{"name": environment.service, "status": "UP", "version": environment.version}],
        }
        return JSONResponse(answer, HTTPStatus.OK if all_up else HTTPStatus.SERVICE_UNAVAILABLE)

    return Service(
        routes=[
            *(Route(path, page) for path in PAGES),
            Route("/health", health),
            proxy.forward_to("trade-service", "/trade"),
            *proxy.routes(),
            Mount("/static", static),
        ],
        jobs=[http.warm_up],
        closers=[http.close],
        has_websockets=True,
        has_own_front_page=True,
        has_own_health_page=True,
    )
