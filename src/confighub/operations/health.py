"""How the units of a space are: which revision runs, whether everything in it is ready, and where it answers."""

from __future__ import annotations

from dataclasses import dataclass

from confighub.client.hub import HubClient
from confighub.client.transport import Wire
from confighub.operations.deploy import read_units
from confighub.operations.plan import PlannedUnit
from confighub.operations.readiness import is_ready, reasons, word_for


@dataclass(frozen=True)
class UnitHealth:
    """One unit's health. ``why`` is empty when all is well."""

    slug: str
    order: int | None
    is_addon: bool
    head: int
    live: int
    word: str
    is_ready: bool
    why: str
    addresses: tuple[Wire, ...]

    def as_json(self) -> Wire:
        """Return the health for programs."""
        return {
            "unit": self.slug,
            "head": self.head,
            "live": self.live,
            "status": self.word,
            "ready": self.is_ready,
            "why": self.why or None,
        }


def unit_health(hub: HubClient, space_id: str, *, where: str = "") -> list[UnitHealth]:
    """Return the health of the units that match, in the order in which they are deployed, addons last."""
    units = sorted(read_units(hub, space_id, where=where), key=_place)
    return [_health(hub, space_id, unit) for unit in units]


def _place(unit: PlannedUnit) -> tuple[bool, int, str]:
    return unit.is_addon, unit.order if unit.order is not None else 1_000, unit.slug


def _health(hub: HubClient, space_id: str, unit: PlannedUnit) -> UnitHealth:
    status = hub.units.live_status(unit.unit_id, space_id=space_id) if unit.live else {}
    ready = unit.live > 0 and is_ready(status, revision=unit.live)
    return UnitHealth(
        slug=unit.slug,
        order=unit.order,
        is_addon=unit.is_addon,
        head=unit.head,
        live=unit.live,
        word=word_for(status) if unit.live else "not live",
        is_ready=ready,
        why="" if ready else "; ".join(reasons(status)),
        addresses=tuple(status.get("Addresses") or ()),
    )
