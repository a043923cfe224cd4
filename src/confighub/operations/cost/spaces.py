"""What spaces cost: their heads by the texts of the units, what runs by the live state that workers report."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import yaml

from confighub.client.hub import HubClient
from confighub.client.names import Selection
from confighub.client.transport import Wire
from confighub.client.units import text_of
from confighub.errors import NotYaml
from confighub.functions.costs import SCALER, Cost, Object, Workload, objects_in, total, workloads
from confighub.operations.cost.prices import Price, Prices
from confighub.operations.drift.watched import Watched

_SELECT = "Slug,Data,LiveState,HeadRevisionNum,LiveRevisionNum,TargetID,Labels"
_SCALERS = f"autoscaling/v2/{SCALER}"


@dataclass(frozen=True)
class UnitCost:
    """One unit with workloads. ``live`` is None while nothing is live, or its worker does not say what.

    ``price`` is None, and so are the costs, where no price is known.
    """

    space: str
    space_id: str
    slug: str
    unit_id: str
    revision: int
    live_revision: int
    price: Price | None
    head: tuple[Workload, ...]
    live: tuple[Workload, ...] | None

    @property
    def name(self) -> str:
        """The unit as people name it."""
        return f"{self.space}/{self.slug}"

    @property
    def head_cost(self) -> Cost | None:
        """What the head costs a month."""
        return self._cost(self.head)

    @property
    def live_cost(self) -> Cost | None:
        """What runs costs a month; None when it is not known."""
        return None if self.live is None else self._cost(self.live)

    @property
    def missing(self) -> list[str]:
        """Return why some of the head has no figure, one line each."""
        if self.price is None:
            return ["no price is known for where it runs"]
        return total(self.head, self.price.rates)[1]

    def _cost(self, found: tuple[Workload, ...]) -> Cost | None:
        if self.price is None:
            return None
        whole, missing = total(found, self.price.rates)
        return None if missing and len(missing) == len(found) else whole


@dataclass(frozen=True)
class SpaceCost:
    """The units of one space that were asked about; ``budget`` is what its trigger allows a month, empty without."""

    space: Wire
    units: tuple[UnitCost, ...]

    @property
    def slug(self) -> str:
        """The space's slug."""
        return str(self.space["Slug"])

    @property
    def head_cost(self) -> Cost:
        """What the heads that have a figure cost a month."""
        return sum((one.head_cost for one in self.units if one.head_cost), Cost())

    @property
    def live_cost(self) -> Cost:
        """What runs, as far as it has a figure, costs a month."""
        return sum((one.live_cost for one in self.units if one.live_cost), Cost())


def read_spaces(hub: HubClient, watched: Watched, prices: Prices) -> list[SpaceCost]:
    """Return what the watched units cost, one element a space; units without workloads are left out."""
    return [SpaceCost(space, tuple(_units(hub, watched, space, prices))) for space in watched.spaces]


def live_objects(unit: Wire) -> list[Object] | None:
    """Return what a worker said last of the unit's objects; None when it never did, or not in a readable form."""
    blob = b64decode(unit.get("LiveState") or "")
    if not blob:
        return None
    try:
        found: Any = msgspec.json.decode(blob)
    except msgspec.DecodeError:
        try:
            found = list(yaml.load_all(blob, Loader=yaml.CSafeLoader))
        except (yaml.YAMLError, ValueError):
            return None
    return list(_maps(found))


def _maps(found: Any) -> Iterator[Object]:
    """Yield the objects among documents, which may be lists of them."""
    if isinstance(found, dict):
        yield found
    elif isinstance(found, list):
        for one in found:
            yield from _maps(one)


def running(found: list[Object]) -> tuple[Workload, ...]:
    """Return the workloads among live objects, with the count that is wanted right now."""
    return tuple(workloads(one for one in found if one.get("kind") != SCALER))


def _units(hub: HubClient, watched: Watched, space: Wire, prices: Prices) -> Iterator[UnitCost]:
    space_id = str(space["SpaceID"])
    scaling = hub.units.list(space_id=space_id, resource_type=_SCALERS, select="Slug,Data", include="")
    scalers = [one for record in scaling for one in _objects(record["Unit"]) if one.get("kind") == SCALER]
    seen: set[str] = set()
    for chosen in watched.selections or (Selection(),):
        for record in hub.units.list(space_id=space_id, select=_SELECT, include="TargetID", **chosen.query):
            unit = record["Unit"]
            if str(unit["UnitID"]) in seen:
                continue
            seen.add(str(unit["UnitID"]))
            one = _unit(space, record, scalers, prices)
            if any(watched.namespace in ("", workload.namespace) for workload in (*one.head, *(one.live or ()))):
                yield one


def _unit(space: Wire, record: Wire, scalers: list[Object], prices: Prices) -> UnitCost:
    unit = record["Unit"]
    target = str((record.get("Target") or {}).get("Slug") or "")
    live = live_objects(unit) if unit.get("LiveRevisionNum") else None
    labels: Mapping[str, str] = space.get("Labels") or {}
    return UnitCost(
        space=str(space["Slug"]),
        space_id=str(space["SpaceID"]),
        slug=str(unit["Slug"]),
        unit_id=str(unit["UnitID"]),
        revision=int(unit.get("HeadRevisionNum") or 0),
        live_revision=int(unit.get("LiveRevisionNum") or 0),
        price=prices.of(labels, target=target),
        head=tuple(workloads(_objects(unit), scalers)),
        live=None if live is None else running(live),
    )


def _objects(unit: Wire) -> list[Object]:
    try:
        return objects_in(text_of(unit))
    except NotYaml:
        return []
