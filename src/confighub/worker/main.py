"""The door of the worker: ``run`` works for one worker identity until it is interrupted."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable

from confighub.errors import BadRequest, ConfigHubError
from confighub.worker import laptop
from confighub.worker.bridge import Bridge
from confighub.worker.journal import Journal
from confighub.worker.kubernetes import bridge as kubernetes
from confighub.worker.kubernetes.bridge import KubernetesBridge
from confighub.worker.laptop import LaptopBridge
from confighub.worker.link import HubLink
from confighub.worker.loop import Worker
from confighub.worker.settings import WorkerSettings

# Hubs send a heartbeat every 10 s; three missed ones mean that the connection is dead.
_SILENCE_S = 35.0

BRIDGES: dict[str, tuple[str, Callable[[WorkerSettings], Bridge]]] = {
    "laptop": (laptop.PROVIDER, LaptopBridge),
    "kubernetes": (kubernetes.PROVIDER, KubernetesBridge),
}
"""Every bridge there is, by the name that a person gives: the provider's name on the wire, and how it is made."""


def run(settings: WorkerSettings) -> None:
    """Work until SIGTERM or SIGINT. Operations that run then go on at the next start.

    Raises: BadRequest for a provider that there is not; Unauthenticated, Forbidden or NotFound when the hub does not
    know the worker.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    try:
        asyncio.run(_run(settings))
    except* ConfigHubError as group:
        raise _first(group) from None


async def _run(settings: WorkerSettings) -> None:
    bridges = dict(_bridge(name.strip(), settings) for name in settings.provider.split(","))
    link = HubLink(settings.url, settings.worker_id, settings.secret, silence_s=_SILENCE_S)
    journal = Journal(settings.state_dir / f"worker-{settings.worker_id}.jsonl")
    worker = Worker(
        link,
        bridges,
        journal,
        poll_interval_s=settings.poll_interval_s,
        offers_functions=settings.offers_functions,
    )
    work = asyncio.create_task(worker.run())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, work.cancel)
    try:
        await work
    except asyncio.CancelledError:
        logging.getLogger("confighub.worker").info("stopped")
    finally:
        journal.close()
        for bridge in bridges.values():
            await bridge.close()
        await link.close()


def _bridge(name: str, settings: WorkerSettings) -> tuple[str, Bridge]:
    if name not in BRIDGES:
        raise BadRequest(f"there is no provider {name!r}", hint=f"there is {', '.join(BRIDGES)}")
    provider, make = BRIDGES[name]
    return provider, make(settings)


def _first(group: BaseExceptionGroup[ConfigHubError]) -> ConfigHubError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, ConfigHubError)
    return error
