"""What a worker can do to one kind of place, and how it says what became of it.

A bridge knows one provider. Alternatives are one dict in main.py; the loop knows only what is here.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import msgspec

from confighub.errors import BadRequest
from confighub.records.work import ActionResultType, ActionStatus, BridgePayload, ConfigType, ImportRequest


@dataclass(frozen=True)
class Operation:
    """One action on one unit: ``text`` is the unit's data at the revision, ``parameters`` the target's, as JSON."""

    operation_id: str
    unit_id: str
    unit_slug: str
    space_id: str
    revision_num: int
    text: str
    live_state: bytes
    parameters: bytes
    request: ImportRequest

    @classmethod
    def of(cls, payload: BridgePayload) -> Operation:
        """Return the operation that an event carries. Raises: BadRequest when it cannot be read."""
        try:
            asked = b64decode(payload.extra_params, validate=True)
            request = msgspec.json.decode(asked or b"{}", type=ImportRequest)
            text = payload.data.decode()
        except (msgspec.MsgspecError, ValueError) as error:
            raise BadRequest(f"the operation cannot be read: {error}") from error
        return cls(
            operation_id=payload.queued_operation_id,
            unit_id=payload.unit_id,
            unit_slug=payload.unit_slug,
            space_id=payload.space_id,
            revision_num=payload.revision_num,
            text=text,
            live_state=payload.live_state,
            parameters=payload.target_params or b"{}",
            request=request,
        )


@dataclass(frozen=True)
class Outcome:
    """How an operation ended; ``data`` only when the unit should take new text over."""

    result: ActionResultType
    message: str
    live_state: bytes | None = None
    data: bytes | None = None
    outputs: bytes | None = None

    @property
    def status(self) -> ActionStatus:
        """Failed for every result that says so."""
        return "Failed" if self.result.endswith("Failed") else "Completed"


@dataclass(frozen=True)
class LiveChange:
    """A unit's live objects after they changed by themselves."""

    unit_id: str
    space_id: str
    revision_num: int
    live_state: bytes


Report = Callable[[str], Awaitable[None]]
"""Tells the hub in a sentence how far an operation is."""

Tell = Callable[[LiveChange], Awaitable[None]]
"""Takes in one change of live state."""


class Bridge(Protocol):
    """One provider. Every action ends in an Outcome, or raises a ConfigHubError, which counts as failed.

    An action may run again with the same operation after a crash, and must then come to the same end.
    """

    def offers(self) -> ConfigType:
        """Return the provider and the targets that this worker can reach."""

    async def apply(self, operation: Operation, report: Report) -> Outcome:
        """Bring the unit's objects into being as the text says, remove those it no longer has, wait until ready."""

    async def refresh(self, operation: Operation, report: Report) -> Outcome:
        """Compare what is there with what the text says."""

    async def destroy(self, operation: Operation, report: Report) -> Outcome:
        """Remove what the unit made, and wait until it is gone."""

    async def import_objects(self, operation: Operation, report: Report) -> Outcome:
        """Return objects that are there as the unit's new text."""

    async def watch(self, tell: Tell) -> None:
        """Tell every change of live state of units applied by this worker, for as long as it runs."""

    def trouble(self) -> str:
        """Return what keeps the bridge from its place right now, empty when nothing does; it goes into heartbeats."""

    async def close(self) -> None:
        """Let go of connections; nothing else is called after it."""
