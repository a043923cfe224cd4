"""Tasks that run beside everything else, whose failure is never silent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine

_LOG = logging.getLogger("confighub.runtime")
_RUNNING: set[asyncio.Task[None]] = set()


def start(work: Coroutine[object, object, None], *, name: str) -> asyncio.Task[None]:
    """Run the work as a task that is kept until it ends; what it raises goes to the log."""
    task = asyncio.create_task(work, name=name)
    # The loop itself holds tasks only weakly.
    _RUNNING.add(task)
    task.add_done_callback(_ended)
    return task


def _ended(task: asyncio.Task[None]) -> None:
    _RUNNING.discard(task)
    if not task.cancelled() and (error := task.exception()):
        _LOG.error("%s ended by an error", task.get_name(), exc_info=error)
