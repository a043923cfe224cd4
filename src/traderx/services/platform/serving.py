"""From the environment to an answering process, and its clean end.

SIGTERM makes the service not ready, lets it go on for DRAIN_S seconds (so that a balancer
notices), then no new connections are taken, running requests are finished and the process ends
with 0. A second signal ends it at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Generator

import uvicorn
from starlette.types import ASGIApp

from traderx.services.errors import Misconfigured
from traderx.services.platform.environment import Environment
from traderx.services.platform.health import Health
from traderx.services.platform.service import Service

log = logging.getLogger(__name__)

# A request that takes longer is cut; Kubernetes kills after 30 s, so this must be less.
DRAIN_LIMIT_S = 8
BACKLOG = 2048


def bind(environment: Environment) -> socket.socket:
    """Return a listening socket on the service's host and port; port 0 takes a free one.

    Raises: Misconfigured, naming host and port, when that fails.
    """
    family = socket.AF_INET6 if ":" in environment.host else socket.AF_INET
    # asyncio sends small answers at once only on sockets that say they are TCP; else 40 ms are lost.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((environment.host, environment.port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        reason = error.strerror or str(error)
        raise Misconfigured(f"cannot listen on {environment.host}:{environment.port}: {reason}") from error
    return listener


def serve(app: ASGIApp, listener: socket.socket, environment: Environment, service: Service, health: Health) -> None:
    """Answer until a signal says stop."""
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http="h11",
        ws="websockets-sansio" if service.has_websockets else "none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_LIMIT_S,
        # Above the idle time of the usual balancers, so that the caller closes first.
        timeout_keep_alive=75,
        h11_max_incomplete_event_size=1_000_000,
    )
    asyncio.run(_Server(config, environment, service, health).serve([listener]))


class _Server(uvicorn.Server):
    """Uvicorn with our reading of signals."""

    def __init__(self, config: uvicorn.Config, environment: Environment, service: Service, health: Health) -> None:
        super().__init__(config)
        self._environment, self._service, self._health = environment, service, health
        self._ending: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Take the signals for the time of serving, and do not raise them again afterwards."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start answering and say where."""
        await super().startup(sockets)
        if self.started:
            log.info("listening", extra={"host": self._environment.host, "port": self._environment.port})

    def _stop(self) -> None:
        if self._ending is not None:
            self.force_exit = True
            return
        log.info("stopping")
        self._health.is_stopping = True
        self._ending = asyncio.get_running_loop().create_task(self._drain())

    async def _drain(self) -> None:
        await asyncio.sleep(self._environment.drain_s)
        if self._service.on_stopping is not None:
            self._service.on_stopping()
        self.should_exit = True
