"""Whether the process lives, and whether it can do its work.

Ready means: its own data is loaded and its database answers. A service that comes later in the
deployment order is never part of it, or an ordered deployment would wait for itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from traderx.services.errors import Unavailable

Check = Callable[[], Awaitable[None]]
"""Returns when all is well, raises Unavailable with the reason when not."""

# Below the readiness probe's own timeout of 3 s, so that the reason arrives.
CHECK_TIMEOUT_S = 2.0


@dataclass
class Health:
    """The checks of one process; ``is_stopping`` once it was told to end."""

    checks: Mapping[str, Check] = field(default_factory=dict)
    is_stopping: bool = False

    async def problems(self) -> dict[str, str]:
        """Return the reason per check that fails, empty when the service is ready."""
        if self.is_stopping:
            return {"process": "shutting down"}
        reasons = await asyncio.gather(*(_reason(check) for check in self.checks.values()))
        return {name: reason for name, reason in zip(self.checks, reasons, strict=True) if reason}


async def _reason(check: Check) -> str:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            await check()
    except Unavailable as error:
        return error.message
    except TimeoutError:
        return f"no answer within {CHECK_TIMEOUT_S:g} s"
    return ""
