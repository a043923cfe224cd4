"""The units of one space as a rollout handles them: made, changed, applied, waited for, removed.

Everything may be asked for again: what is as wanted already is left alone. A hub that is away is waited for.
"""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from confighub.client.collection import any_of, conjoined, quoted
from confighub.client.functions import Scalar, call
from confighub.client.hub import HubClient
from confighub.client.transport import Wire
from confighub.errors import ConfigHubError, Gated, NotFound, RetryLater
from confighub.operations.guard import APPROVAL_GATE, Say
from confighub.operations.readiness import is_ready, reasons
from confighub.operations.rollout import metrics

_Answer = TypeVar("_Answer")
Calls = Sequence[tuple[str, tuple[Scalar, ...]]]

_METRICS = "laptop.confighub/metrics"
"""The annotation of a live Ingress that tells where its requests are counted."""
_PAUSE_S = 0.1
_AWAY_PAUSE_S = 0.5
_RENEW_S = 150.0
_HOLD_S = 600
_HOLDER = "rollout"


class NotReady(ConfigHubError):
    """A unit was applied and does not run as it should."""


@dataclass
class Place:
    """One space. ``approve``: whoever started the rollout approves every revision that the rollout makes.

    ``revive`` brings back a hub or worker that died; it is called while something is waited for. ``inside``: this
    machine reaches Services by their addresses in the cluster, which somebody has to say, since the same addresses may
    lead to another cluster.
    """

    hub: HubClient
    space: str
    space_id: str
    say: Say
    approve: bool = False
    timeout_s: float = 60.0
    revive: Callable[[], None] = lambda: None
    inside: bool = False
    _held_at: float = 0.0

    def find(self, slug: str) -> Wire | None:
        """Return the plain unit with that slug, None when there is none."""
        found = self.patiently(
            partial(self.hub.units.list, where=f"Slug = {quoted(slug)}", space_id=self.space_id, include="")
        )
        return found[0]["Unit"] if found else None

    def unit(self, slug: str) -> Wire:
        """Return the plain unit with that slug; raises NotFound."""
        unit = self.find(slug)
        if unit is None:
            raise NotFound(f"no such unit in {self.space}: {slug}")
        return unit

    def text(self, slug: str) -> str:
        """Return the text of a unit's head."""
        unit = self.unit(slug)
        return self.patiently(partial(self.hub.units.data, unit["UnitID"], space_id=self.space_id))

    def make(self, slug: str, text: str, *, labels: Mapping[str, str], like: Wire, from_upstream: bool = False) -> None:
        """Make the unit with that text, or bring the one there is to it, with the target that ``like`` has.

        ``from_upstream`` makes it a clone of what ``like`` was cloned from, so that promotions reach it too.
        """
        data = b64encode(text.encode()).decode()
        unit = self.find(slug)
        if unit is None:
            body: Wire = {"Slug": slug, "DisplayName": slug, "ToolchainType": like.get("ToolchainType")}
            body |= {"Labels": dict(labels), "TargetID": like.get("TargetID")}
            if from_upstream and _is_id(like.get("UpstreamUnitID")):
                unit = self.patiently(
                    partial(
                        self.hub.units.clone,
                        body,
                        space_id=self.space_id,
                        upstream_space_id=str(like["UpstreamSpaceID"]),
                        upstream_unit_id=str(like["UpstreamUnitID"]),
                    )
                )
            else:
                unit = self.patiently(partial(self.hub.units.create, {**body, "Data": data}, space_id=self.space_id))
        wanted: Wire = {}
        if self.text(slug) != text:
            wanted["Data"] = data
            wanted["LastChangeDescription"] = "made for a rollout"
        if dict(unit.get("Labels") or {}) != {**(unit.get("Labels") or {}), **labels}:
            wanted["Labels"] = dict(labels)
        if unit.get("TargetID") != like.get("TargetID"):
            wanted["TargetID"] = like.get("TargetID")
        if wanted:
            self.patiently(partial(self.hub.units.patch, unit["UnitID"], wanted, space_id=self.space_id))

    def label(self, slug: str, labels: Mapping[str, str | None]) -> None:
        """Set labels of a unit; None removes one."""
        unit = self.unit(slug)
        self.patiently(partial(self.hub.units.patch, unit["UnitID"], {"Labels": dict(labels)}, space_id=self.space_id))

    def annotate(self, slug: str, annotations: Mapping[str, str | None]) -> None:
        """Set annotations of a unit; None removes one."""
        unit = self.unit(slug)
        changes = {"Annotations": dict(annotations)}
        self.patiently(partial(self.hub.units.patch, unit["UnitID"], changes, space_id=self.space_id))

    def change(self, slug: str, calls: Calls, why: str) -> None:
        """Run functions on a unit. Raises: ConfigHubError when one is refused."""
        unit = self.unit(slug)
        answers = self.patiently(
            partial(
                self.hub.functions.invoke,
                [call(name, *values) for name, values in calls],
                where=f"UnitID = {quoted(unit['UnitID'])}",
                space_id=self.space_id,
                change_desc=why,
            )
        )
        for answer in answers:
            if answer.get("Error") or answer.get("Success") is False:
                raise ConfigHubError(f"{why} failed: {(answer.get('Error') or {}).get('Message') or 'no reason'}")

    def patch(self, slug: str, patch: Wire, why: str) -> None:
        """Merge into a unit's configuration."""
        unit = self.unit(slug)
        self.patiently(
            partial(self.hub.units.patch_data, unit["UnitID"], patch, space_id=self.space_id, change_desc=why)
        )

    def write(self, slug: str, text: str, why: str) -> None:
        """Make the text the unit's new head."""
        unit = self.unit(slug)
        changes = {"Data": b64encode(text.encode()).decode(), "LastChangeDescription": why}
        self.patiently(partial(self.hub.units.patch, unit["UnitID"], changes, space_id=self.space_id))

    def apply(self, slug: str) -> int:
        """Apply a unit's head and return its number once it runs; what runs already is left alone.

        Raises: Gated when a gate other than an approval that was given is closed; NotReady with the worker's reason.
        """
        unit = self.unit(slug)
        unit_id, head = str(unit["UnitID"]), int(unit.get("HeadRevisionNum") or 0)
        if int(unit.get("LiveRevisionNum") or 0) == head and is_ready(self.status(unit_id), revision=head):
            return head
        self._approve(unit, head)
        operation = self.patiently(partial(self.hub.units.apply, unit_id, space_id=self.space_id))
        event = self._await_end(operation, slug)
        if event.get("Status") != "Completed":
            told = reasons(self.status(unit_id))
            raise NotReady(f"{slug}: {event.get('Message') or '; '.join(told) or event.get('Result') or 'failed'}")
        self._await_ready(slug, unit_id, head)
        return head

    def remove(self, slug: str) -> None:
        """Take away what a unit has running, and delete it; nothing happens when there is none."""
        unit = self.find(slug)
        if unit is None:
            return
        self.destroy(slug)
        self.patiently(partial(self.hub.units.delete, unit["UnitID"], space_id=self.space_id))

    def destroy(self, slug: str) -> None:
        """Take away what a unit has running; the unit stays."""
        unit = self.unit(slug)
        if not int(unit.get("LiveRevisionNum") or 0) and not int(unit.get("LastAppliedRevisionNum") or 0):
            return
        operation = self.patiently(partial(self.hub.units.destroy, unit["UnitID"], space_id=self.space_id))
        event = self._await_end(operation, slug)
        if event.get("Status") != "Completed":
            raise ConfigHubError(f"{slug} could not be taken away: {event.get('Message') or event.get('Result')}")

    def status(self, unit_id: str) -> Wire:
        """Return the live status of a unit."""
        return self.patiently(partial(self.hub.units.live_status, unit_id, space_id=self.space_id))

    def live(self, slug: str) -> list[dict[str, Any]]:
        """Return a unit's objects as they are live; empty when there is no such unit or nothing is live."""
        unit = self.find(slug)
        if unit is None:
            return []
        blob = self.patiently(partial(self.hub.units.live_state, unit["UnitID"], space_id=self.space_id))
        try:
            found = json.loads(blob or b"[]")
        except ValueError:
            return []
        return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []

    def address(self, slug: str) -> str:
        """Return the URL where a unit's Service or Ingress answers, empty while it does not.

        A Service that is reached from its cluster alone has one ``inside`` only.
        """
        unit = self.find(slug)
        if unit is None or not int(unit.get("LiveRevisionNum") or 0):
            return ""
        found = self.status(str(unit["UnitID"])).get("Addresses") or []
        if found:
            return f"http://{found[0]['Host']}:{found[0]['Port']}"
        live = self.live(slug) if self.inside else []
        return next(filter(None, (_inside(one) for one in live if one.get("kind") == "Service")), "")

    def samples(self, ingress_slugs: Iterable[str]) -> list[metrics.Sample]:
        """Return what the environment's ingress has counted, read where its live state says.

        Raises: RetryLater while it cannot be read.
        """
        live = [one for slug in ingress_slugs for one in self.live(slug)]
        urls = [(one.get("metadata", {}).get("annotations") or {}).get(_METRICS, "") for one in live]
        return metrics.samples(metrics.fetch(next(filter(None, urls), "")))

    def hold(self, slugs: Sequence[str]) -> None:
        """Keep the units from being applied by themselves; renewed when half of its time is over."""
        if time.monotonic() - self._held_at < _RENEW_S and self._held_at:
            return
        self._held_at = time.monotonic()
        where = conjoined(any_of("Slug", slugs), f"SpaceID = {quoted(self.space_id)}")
        self.patiently(partial(self.hub.units.hold, where=where, reason="rollout", ttl_s=_HOLD_S, holder=_HOLDER))

    def hold_again(self) -> None:
        """Let the next ``hold`` act at once: there are units that were not there before."""
        self._held_at = 0.0

    def release(self, slugs: Sequence[str]) -> None:
        """End the holds of the units that there are."""
        where = conjoined(any_of("Slug", slugs), f"SpaceID = {quoted(self.space_id)}")
        self.patiently(partial(self.hub.units.release, where=where, holder=_HOLDER))

    def patiently(self, ask: Callable[[], _Answer]) -> _Answer:
        """Return what the call answers; while the hub is away, bring it back and try again."""
        deadline = time.monotonic() + self.timeout_s
        while True:
            try:
                return ask()
            except RetryLater:
                if time.monotonic() >= deadline:
                    raise
                self.revive()
                time.sleep(_AWAY_PAUSE_S)

    def _approve(self, unit: Wire, head: int) -> None:
        closed = [gate for gate, is_closed in (unit.get("ApplyGates") or {}).items() if is_closed]
        others = [gate for gate in closed if gate != APPROVAL_GATE]
        if others or (closed and not self.approve):
            raise Gated(
                f"{unit['Slug']} revision {head} cannot be applied: {', '.join(closed)}",
                gates=closed,
                hint="change what the gate refuses" if others else "approve the rollout at its start: --approve",
            )
        if closed:
            self.patiently(partial(self.hub.units.approve, unit["UnitID"], space_id=self.space_id, revision=str(head)))
            self.say(f"    approved {unit['Slug']} revision {head}")

    def _await_end(self, operation: Wire, slug: str) -> Wire:
        deadline = time.monotonic() + self.timeout_s
        while True:
            try:
                return self.hub.units.wait(operation, timeout_s=5.0)
            except RetryLater as error:
                if time.monotonic() >= deadline:
                    raise NotReady(f"{slug}: {error.message}") from error
                self.revive()

    def _await_ready(self, slug: str, unit_id: str, revision: int) -> None:
        deadline = time.monotonic() + self.timeout_s
        while not is_ready(status := self.status(unit_id), revision=revision):
            if time.monotonic() >= deadline:
                raise NotReady(f"{slug}: {'; '.join(reasons(status)) or 'not ready in time'}")
            time.sleep(_PAUSE_S)


def _inside(service: Mapping[str, Any]) -> str:
    """Return the URL of a Service's address in its cluster, empty when it has none."""
    spec = service.get("spec") or {}
    host, ports = str(spec.get("clusterIP") or ""), spec.get("ports") or []
    if host in ("", "None") or not ports:
        return ""
    return f"http://{host}:{ports[0]['port']}"


def _is_id(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip("0-"))
