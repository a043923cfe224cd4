"""How far a rollout is, kept in the hub, so that whoever comes next can go on with it.

The record is an annotation of the unit of the Service that is rolled out. Who writes it is named in it; another
one takes over when that process is gone, or has not been heard of for SILENT_S.
"""

from __future__ import annotations

import os
import socket
import time
from typing import Literal

import msgspec
import psutil

from confighub.client.hub import HubClient
from confighub.client.transport import Wire
from confighub.errors import BadRequest, Conflict

KEY = "confighub.com/rollout"
SILENT_S = 60.0
Kind = Literal["canary", "blue-green"]


class Owner(msgspec.Struct, frozen=True):
    """The process that carries a rollout out."""

    host: str
    pid: int
    started: float
    seen: float

    def is_gone(self, now: float) -> bool:
        """Tell whether somebody else may take over: the process has ended, or is silent on another machine."""
        if self.host != socket.gethostname():
            return now - self.seen > SILENT_S
        try:
            return abs(psutil.Process(self.pid).create_time() - self.started) > 1.0
        except psutil.NoSuchProcess:
            return True


class StepDone(msgspec.Struct, frozen=True):
    """One step that has ended."""

    step: str
    seconds: float
    what: str = ""


class Record(msgspec.Struct, kw_only=True):
    """One rollout. Times are seconds since 1970.

    ``before`` holds what must be known to go back: the Service's selector, the revision of the old version.
    """

    kind: Kind
    service: str
    image: str
    env: dict[str, str] = {}
    approve: bool = False
    step: str
    step_began: float
    began: float
    exposed: float = 0.0
    detected: float = 0.0
    back: float = 0.0
    reason: str = ""
    check: str = ""
    before: dict[str, str] = {}
    steps: list[StepDone] = []
    owner: Owner | None = None


class Notebook:
    """Where one service's rollout is written down."""

    def __init__(self, hub: HubClient, *, space_id: str, unit_id: str) -> None:
        self._hub, self._space_id, self._unit_id = hub, space_id, unit_id
        self._started = psutil.Process().create_time()

    def read(self) -> Record | None:
        """Return what is written down, None when there is no rollout. Raises: BadRequest for what cannot be read."""
        return self._decode(self._unit())

    def claim(self, record: Record) -> None:
        """Write the record as its new owner.

        Raises: Conflict when another process has it, or took it at the same moment.
        """
        unit = self._unit()
        known = self._decode(unit)
        owner = known.owner if known else None
        if owner and not self._is_us(owner) and not owner.is_gone(time.time()):
            raise Conflict(
                f"process {owner.pid} on {owner.host} carries out this rollout already",
                hint="wait for it, or end it; then this command goes on where it stopped",
            )
        self._write(record, version=int(unit.get("Version") or 0))

    def write(self, record: Record) -> None:
        """Write the record down. Raises: Conflict when another process has taken over."""
        for _ in range(5):
            unit = self._unit()
            known = self._decode(unit)
            if known is None or known.owner is None or not self._is_us(known.owner):
                raise Conflict("another process has taken this rollout over")
            try:
                self._write(record, version=int(unit.get("Version") or 0))
                return
            except Conflict:
                continue  # somebody changed the unit itself; the record is still ours
        raise Conflict("the record of the rollout cannot be written: its unit changes all the time")

    def clear(self) -> None:
        """Write down that there is no rollout any more."""
        self._hub.units.patch(self._unit_id, {"Annotations": {KEY: None}}, space_id=self._space_id)

    def _write(self, record: Record, *, version: int) -> None:
        record.owner = Owner(socket.gethostname(), os.getpid(), self._started, time.time())
        text = msgspec.json.encode(record).decode()
        changes: Wire = {"Annotations": {KEY: text}, "Version": version}
        self._hub.units.patch(self._unit_id, changes, space_id=self._space_id)

    def _is_us(self, owner: Owner) -> bool:
        return owner.pid == os.getpid() and owner.host == socket.gethostname()

    def _unit(self) -> Wire:
        unit: Wire = self._hub.units.get(self._unit_id, space_id=self._space_id, include="")["Unit"]
        return unit

    def _decode(self, unit: Wire) -> Record | None:
        text = (unit.get("Annotations") or {}).get(KEY)
        if not text:
            return None
        try:
            return msgspec.json.decode(text, type=Record)
        except msgspec.MsgspecError as error:
            raise BadRequest(
                f"the record of the rollout on unit {unit.get('Slug')} cannot be read: {error}",
                hint=f"look at the environment, then remove the unit's annotation {KEY}",
            ) from error
