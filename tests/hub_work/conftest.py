"""A place to apply to: a space with a worker, its target, and somebody who plays the worker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from confighub.hub.caller import Caller
from confighub.hub.usecases import deliveries, history, people, results, work, workers
from confighub.records.units import Unit
from confighub.records.work import ActionResult, BridgePayload, QueuedOperation, UnitEvent, WorkerInfo
from tests.hub.conftest import (  # noqa: F401 - fixtures
    alice,
    caller_as,
    clock,
    hub,
    scene,
    settings,
    sqlite_template,
)
from tests.hub.scene import WEB, Scene


@dataclass(frozen=True)
class Taken:
    """An operation that the worker has in hand."""

    action: str
    payload: BridgePayload


@dataclass
class Field:
    """A space where units can be applied, and its worker."""

    scene: Scene
    space_id: str
    worker: Caller
    target_id: str
    stream: str = "stream-1"
    units: list[Unit] = field(default_factory=list)

    def unit(self, slug: str = "web", data: str = WEB, **attributes: Any) -> Unit:
        """Make a unit that uses the target."""
        return self.scene.unit(self.space_id, slug, data, target_id=self.target_id, **attributes)

    def apply(self, unit: Unit, revision: str = "") -> QueuedOperation:
        """Queue the unit."""
        return work.apply_unit(
            self.scene.hub, self.scene.caller, space_id=self.space_id, unit_id=unit.unit_id or "", revision=revision
        )

    def act(self, action: str, unit: Unit) -> QueuedOperation:
        """Queue a destroy or refresh."""
        use_case = {"Destroy": work.destroy_unit, "Refresh": work.refresh_unit}[action]
        return use_case(self.scene.hub, self.scene.caller, space_id=self.space_id, unit_id=unit.unit_id or "")

    def take(self, stream: str = "") -> list[Taken]:
        """Take what is due, as the worker's stream does."""
        worker_id = self.worker.worker_id or ""
        due = deliveries.lease_operations(self.scene.hub, worker_id=worker_id, stream=stream or self.stream)
        return [Taken(one.action, one.payload) for one in due if isinstance(one.payload, BridgePayload)]

    def report(self, delivery: Taken, status: str = "Completed", result: str = "", **more: Any) -> None:
        """Report on a delivery, as the worker."""
        results.record_result(self.scene.hub, self.worker, self.result(delivery, status, result, **more))

    def result(self, delivery: Taken, status: str = "Completed", result: str = "", **more: Any) -> ActionResult:
        """Return a report on a delivery."""
        payload = delivery.payload
        kind = result or {"Completed": f"{delivery.action}Completed", "Failed": f"{delivery.action}Failed"}.get(status)
        return ActionResult(
            queued_operation_id=payload.queued_operation_id,
            unit_id=payload.unit_id,
            space_id=payload.space_id,
            revision_num=payload.revision_num,
            action=delivery.action,
            status=status,  # type: ignore[arg-type]
            result=kind or "None",  # type: ignore[arg-type]
            **more,
        )

    def live(self, unit: Unit, revision: str = "") -> None:
        """Apply the unit and complete it."""
        self.apply(unit, revision)
        (delivery,) = self.take()
        self.report(delivery)

    def now(self, unit: Unit) -> Unit:
        """Return the unit as it is."""
        return self.scene.get(unit)

    def events(self, unit: Unit) -> list[UnitEvent]:
        """Return the unit's events, the oldest first."""
        return history.list_unit_events(self.scene.hub, self.scene.caller, unit.unit_id or "")

    def statuses(self, unit: Unit) -> list[str]:
        """Return the status of each event."""
        return [event.status for event in self.events(unit)]

    def disconnect(self, stream: str = "") -> None:
        """End the worker's stream."""
        workers.disconnect_worker(self.scene.hub, self.worker, stream=stream or self.stream)

    def connect(self, info: WorkerInfo) -> None:
        """Connect the worker by a new stream."""
        self.stream = self.scene.hub.new_id()
        workers.connect_worker(self.scene.hub, self.worker, info, ip_address="127.0.0.1", stream=self.stream)


@pytest.fixture
def make_field(scene: Scene) -> Callable[..., Field]:  # noqa: F811 - the fixture
    """Make a field; ``auto_apply`` is the worker's, further arguments are labels of the space."""

    def make(slug: str = "dev", *, auto_apply: bool = False, **labels: str) -> Field:
        space_id = scene.space(slug, **labels)
        made = scene.make("BridgeWorker", space_id, slug="worker", auto_apply=auto_apply)
        target = scene.make(
            "Target",
            space_id,
            slug="cluster",
            provider_type="Laptop",
            parameters='{"Environment": "dev"}',
            bridge_worker_id=made.bridge_worker_id,
        )
        worker = people.authenticate_worker(scene.hub, made.bridge_worker_id, made.secret)
        field = Field(scene, space_id, worker, target.target_id)
        field.connect(WorkerInfo())
        return field

    return make


@pytest.fixture
def dev(make_field: Callable[..., Field]) -> Field:
    """A field whose worker applies only what it is asked to."""
    return make_field()


@pytest.fixture
def eager(make_field: Callable[..., Field]) -> Field:
    """A field whose worker applies new heads by itself."""
    return make_field(auto_apply=True)
