"""Run one service by its name.

The table below is the only place that knows all eight; a module is imported only when its
service runs, which keeps the start short.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace

from traderx.services.errors import Misconfigured, ServiceError
from traderx.services.platform.application import assemble
from traderx.services.platform.environment import Environment, read_environment
from traderx.services.platform.health import Health
from traderx.services.platform.logs import configure_logs
from traderx.services.platform.metrics import Metrics
from traderx.services.platform.service import Service
from traderx.services.platform.serving import bind, serve

log = logging.getLogger(__name__)

SERVICES: Mapping[str, str] = {
    "reference-data": "traderx.services.reference_data.service",
    "people-service": "traderx.services.people_service.service",
    "account-service": "traderx.services.account_service.service",
    "position-service": "traderx.services.position_service.service",
    "trade-service": "traderx.services.trade_service.service",
    "trade-processor": "traderx.services.trade_processor.service",
    "trade-feed": "traderx.services.trade_feed.service",
    "web-gui": "traderx.services.web_gui.service",
}
"""Each service and the module whose ``build`` makes it, in the seed's order of deployment."""

Build = Callable[[Environment, Metrics], Service]


def run(name: str, environ: Mapping[str, str]) -> None:
    """Run one service in the foreground until a signal ends it.

    Raises: SystemExit 2 when the environment does not make a service, with one log line saying why.
    """
    configure_logs(
        service=name,
        version=environ.get("APP_VERSION", "dev"),
        level=environ.get("LOG_LEVEL", "INFO"),
    )
    try:
        if name not in SERVICES:
            raise Misconfigured(f"no such service, there are {', '.join(SERVICES)}: {name}")
        environment = read_environment(name, environ)
        listener = bind(environment)
        # Port 0 takes a free one, known only now.
        environment = replace(environment, port=listener.getsockname()[1])
        build: Build = importlib.import_module(SERVICES[name]).build
        metrics = Metrics(service=name, version=environment.version)
        service = build(environment, metrics)
    except ServiceError as error:
        log.critical(error.message)
        raise SystemExit(2) from error
    health = Health(service.checks)
    serve(assemble(environment, service, metrics, health), listener, environment, service, health)
