"""Faults on demand, so that a bad release can be proven bad.

FAULT_ERROR_RATE (0 to 1) answers that share of the requests with 500, FAULT_LATENCY_MS delays
each, FAULT_CRASH_AFTER_S ends the process as a crash would. Probes, metrics and /info are never
touched: a canary must look alive and be wrong. FAULT_DROP_PUBLISH and FAULT_DOUBLE_PUBLISH (0
to 1) act where messages go to the feed.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
from collections.abc import Mapping
from dataclasses import dataclass

from traderx.services.platform.variables import number

log = logging.getLogger(__name__)

# As after a SIGKILL, so that a supervisor sees a crash and not an exit.
CRASH_EXIT_CODE = 137


@dataclass(frozen=True)
class Faults:
    """Which faults this process shows; all off by default."""

    error_rate: float = 0.0
    latency_ms: float = 0.0
    drop_publish: float = 0.0
    double_publish: float = 0.0
    crash_after_s: float = 0.0

    @classmethod
    def from_variables(cls, variables: Mapping[str, str]) -> Faults:
        """Return the faults that the environment asks for.

        Raises: Misconfigured, naming the variable, for a value out of range.
        """
        return cls(
            error_rate=number(variables, "FAULT_ERROR_RATE", highest=1),
            latency_ms=number(variables, "FAULT_LATENCY_MS"),
            drop_publish=number(variables, "FAULT_DROP_PUBLISH", highest=1),
            double_publish=number(variables, "FAULT_DOUBLE_PUBLISH", highest=1),
            crash_after_s=number(variables, "FAULT_CRASH_AFTER_S"),
        )

    def fails_now(self) -> bool:
        """Return whether this request is one of those that fail."""
        return happens(self.error_rate)

    def copies_to_publish(self) -> int:
        """Return how often a message goes out: 0 when dropped, 2 when doubled, else 1."""
        if happens(self.drop_publish):
            return 0
        return 2 if happens(self.double_publish) else 1

    async def crash_in_time(self) -> None:
        """End the process after ``crash_after_s`` seconds; return at once when that is off."""
        if not self.crash_after_s:
            return
        await asyncio.sleep(self.crash_after_s)
        log.error("crashing on demand", extra={"after_s": self.crash_after_s})
        os._exit(CRASH_EXIT_CODE)


def happens(share: float) -> bool:
    """Return True in that share of the calls."""
    return share > 0 and random.random() < share  # noqa: S311 - a dice, not a secret
