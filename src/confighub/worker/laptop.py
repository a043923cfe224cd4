"""The bridge to the laptop runtime: units become processes of the project's daemon."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from confighub.errors import BadRequest, NotFound, RetryLater
from confighub.records.work import AvailableTarget, ConfigType
from confighub.runtime.client import RuntimeClient
from confighub.runtime.messages import ApplyUnit, UnitNow
from confighub.runtime.state import Settings, StoredUnit
from confighub.worker import documents, drift, readiness
from confighub.worker.apply_order import in_apply_order
from confighub.worker.bridge import LiveChange, Operation, Outcome, Report, Tell
from confighub.worker.durations import seconds
from confighub.worker.importing import is_asked_for
from confighub.worker.settings import WorkerSettings

PROVIDER = "Laptop"
TOOLCHAIN = "Kubernetes/YAML"
# Changes come by themselves; this often it is looked again in case one was lost with the daemon.
_LOOK_AGAIN_S = 1.0
_RECONNECT_S = 0.3
_Answer = TypeVar("_Answer")


class Parameters(msgspec.Struct, rename="pascal", kw_only=True):
    """A target's parameters; paths are absolute, ``wait_timeout`` a duration such as 60s."""

    runtime_dir: str = ""
    environment: str = ""
    catalogue: str = ""
    secrets_dir: str = ""
    probe_delay_scale: float = 1.0
    wait_timeout: str = "60s"


class LaptopBridge:
    """Applies units to the daemons that targets name, by default to the one of the settings."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._clients: dict[Path, RuntimeClient] = {}
        self._changed: dict[tuple[Path, str], asyncio.Event] = {}
        self._new_folder = asyncio.Event()
        self._unreachable: dict[Path, str] = {}

    def offers(self) -> ConfigType:
        """Return the one target of the settings, none without an environment."""
        given = self._settings
        targets = []
        if given.environment and given.runtime_dir:
            params = Parameters(
                runtime_dir=str(given.runtime_dir.absolute()),
                environment=given.environment,
                catalogue=str(given.catalogue.absolute()) if given.catalogue else "",
                secrets_dir=str(given.secrets_dir.absolute()) if given.secrets_dir else "",
                probe_delay_scale=given.probe_delay_scale,
                wait_timeout=given.wait_timeout,
            )
            targets = [AvailableTarget(name=given.slug, params=msgspec.to_builtins(params))]
        return ConfigType(toolchain_type=TOOLCHAIN, provider_type=PROVIDER, available_targets=targets)

    async def apply(self, operation: Operation, report: Report) -> Outcome:
        """Give the unit to the daemon and wait until it is ready, hopeless, or the time is over."""
        target = self._target(operation)
        body = ApplyUnit(
            unit=StoredUnit(
                unit_id=operation.unit_id,
                space_id=operation.space_id,
                slug=operation.unit_slug,
                owner=self._settings.worker_id,
                revision=operation.revision_num,
            ),
            objects=in_apply_order(documents.read(operation.text)),
            settings=Settings(
                catalogue=target.catalogue,
                secrets_dir=target.secrets_dir,
                probe_delay_scale=target.probe_delay_scale,
            ),
        )
        await report("Starting to apply resources...")
        deadline = time.monotonic() + seconds(target.wait_timeout)
        client = self._client(target)
        try:
            now = await _patiently(lambda: client.apply(target.environment, body), deadline)
            return await self._wait_ready(operation, target, now, deadline, report)
        except BadRequest as error:
            return Outcome("ApplyFailed", str(error))

    async def refresh(self, operation: Operation, report: Report) -> Outcome:
        """Compare the daemon's objects with the unit's text; drift is told, the text is left alone.

        Taking drift over is a decision (an import), not a by-product of looking.
        """
        target = self._target(operation)
        deadline = time.monotonic() + seconds(target.wait_timeout)
        await report("Comparing resources...")
        try:
            now = await _patiently(lambda: self._client(target).unit(target.environment, operation.unit_id), deadline)
            live = now.objects
        except NotFound:
            live = []
        found = drift.between(documents.read(operation.text), live)
        blob = msgspec.json.encode(live)
        if not found:
            return Outcome("RefreshAndNoDrift", "no drift", live_state=blob)
        return Outcome("RefreshAndDrifted", "; ".join(found), live_state=blob)

    async def destroy(self, operation: Operation, report: Report) -> Outcome:
        """Remove the unit from the daemon and wait until its processes are gone."""
        target = self._target(operation)
        deadline = time.monotonic() + seconds(target.wait_timeout)
        client, unit_id = self._client(target), operation.unit_id
        await report("Removing resources...")
        try:
            await _patiently(lambda: client.remove(target.environment, unit_id), deadline)
            while time.monotonic() < deadline:
                await _patiently(lambda: client.unit(target.environment, unit_id), deadline)
                await self._change(target, unit_id)
        except NotFound:
            return Outcome("DestroyCompleted", "all resources are gone")
        return Outcome("DestroyWaitFailed", "some processes have not ended in time")

    async def import_objects(self, operation: Operation, report: Report) -> Outcome:
        """Return the environment's objects that the request names, all when it names none."""
        target = self._target(operation)
        deadline = time.monotonic() + seconds(target.wait_timeout)
        await report("Reading resources...")
        objects = await _patiently(lambda: self._client(target).objects(target.environment), deadline)
        chosen = [item for item in objects if is_asked_for(item, operation.request)]
        if not chosen:
            return Outcome("ImportFailed", f"environment {target.environment} has no such resource")
        text = documents.write([drift.plain(item) for item in chosen])
        message = f"imported {', '.join(documents.describe(item) for item in chosen)}"
        return Outcome("ImportCompleted", message, live_state=msgspec.json.encode(chosen), data=text.encode())

    async def watch(self, tell: Tell) -> None:
        """Tell the changes of every daemon that this worker has applied something to."""
        if self._settings.runtime_dir:
            self._client_of(self._settings.runtime_dir.absolute())
        followed: set[Path] = set()
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._new_folder.clear()
                for folder in set(self._clients) - followed:
                    followed.add(folder)
                    tasks.create_task(self._follow(folder, tell))
                await self._new_folder.wait()

    def trouble(self) -> str:
        """Return which daemons do not answer."""
        return "; ".join(self._unreachable.values())

    async def close(self) -> None:
        """Close the connections to the daemons."""
        for client in self._clients.values():
            await client.close()

    async def _wait_ready(
        self, operation: Operation, target: Parameters, now: UnitNow, deadline: float, report: Report
    ) -> Outcome:
        reported = ""
        while True:
            state = readiness.of_objects(now.objects)
            blob = msgspec.json.encode(now.objects)
            if state.is_ready:
                message = "; ".join(["all resources are ready", *([state.message] if state.message else [])])
                return Outcome("ApplyCompleted", message, live_state=blob)
            if state.is_hopeless:
                return Outcome("ApplyFailed", state.message, live_state=blob)
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                message = f"not ready within {target.wait_timeout}: {state.message}"
                return Outcome("ApplyWaitFailed", message, live_state=blob)
            if state.message != reported:
                reported = state.message
                await report(reported)
            await self._change(target, operation.unit_id, at_most_s=left_s)
            try:
                now = await self._client(target).unit(target.environment, operation.unit_id)
            except RetryLater:
                continue

    async def _change(self, target: Parameters, unit_id: str, *, at_most_s: float = _LOOK_AGAIN_S) -> None:
        """Return when the unit may have changed."""
        key = (Path(target.runtime_dir), unit_id)
        event = self._changed.setdefault(key, asyncio.Event())
        try:
            async with asyncio.timeout(min(at_most_s, _LOOK_AGAIN_S)):
                await event.wait()
        except TimeoutError:
            return
        finally:
            event.clear()

    async def _follow(self, folder: Path, tell: Tell) -> None:
        """Follow one daemon, over its restarts; what it has forgotten by then is gone, and told so."""
        told: dict[str, StoredUnit] = {}
        while True:
            try:
                environments = await self._clients[folder].environments()
                self._unreachable.pop(folder, None)
                known = {unit.unit_id for environment in environments for unit in environment.units}
                for unit in [told.pop(unit_id) for unit_id in set(told) - known]:
                    await tell(LiveChange(unit.unit_id, unit.space_id, unit.revision, b"[]"))
                async for change in self._clients[folder].watch(owner=self._settings.worker_id):
                    unit = change.unit
                    told[unit.unit_id] = unit
                    if event := self._changed.get((folder, unit.unit_id)):
                        event.set()
                    await tell(LiveChange(unit.unit_id, unit.space_id, unit.revision, bytes(change.objects)))
            except RetryLater as error:
                self._unreachable[folder] = str(error)
                await asyncio.sleep(_RECONNECT_S)

    def _target(self, operation: Operation) -> Parameters:
        try:
            target = msgspec.json.decode(operation.parameters, type=Parameters)
        except msgspec.MsgspecError as error:
            raise BadRequest(f"the target's parameters cannot be read: {error}") from error
        if not target.runtime_dir and self._settings.runtime_dir:
            target.runtime_dir = str(self._settings.runtime_dir.absolute())
        target.environment = target.environment or self._settings.environment
        if not target.runtime_dir or not target.environment:
            raise BadRequest("the target names no RuntimeDir or no Environment")
        return target

    def _client(self, target: Parameters) -> RuntimeClient:
        return self._client_of(Path(target.runtime_dir))

    def _client_of(self, folder: Path) -> RuntimeClient:
        if folder not in self._clients:
            self._clients[folder] = RuntimeClient(folder)
            self._new_folder.set()
        return self._clients[folder]


async def _patiently(call: Callable[[], Awaitable[_Answer]], deadline: float) -> _Answer:
    """Call until the daemon answers; it may be starting again. Raises: RetryLater at the deadline."""
    while True:
        try:
            return await call()
        except RetryLater:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(_RECONNECT_S)
