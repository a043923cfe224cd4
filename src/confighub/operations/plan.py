"""What a deployment would do, in which order: stages of units, computed from labels alone.

A unit with the label ``order`` belongs to the stage of that number. Addons (``type=addon``, no order)
come in a stage of their own right after number 0, so that a namespace is there before them and
they are there before everything that refers to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from confighub.client.transport import Wire
from confighub.errors import BadRequest
from confighub.records.base import NIL_ID

ADDON = "addon"


@dataclass(frozen=True)
class PlannedUnit:
    """A unit as the plan needs it. ``head`` and ``live`` are revision numbers, 0 for none.

    ``needs`` are the slugs of the units that it links to, where the plan comes from links.
    """

    unit_id: str
    slug: str
    head: int
    live: int
    target_id: str = ""
    order: int | None = None
    is_addon: bool = False
    gates: tuple[str, ...] = ()
    approvers: int = 0
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stage:
    """Units that are applied together; the next stage begins when all of them are ready."""

    order: int
    units: tuple[PlannedUnit, ...]
    is_addons: bool = False
    name: str = ""

    @property
    def title(self) -> str:
        """How the stage is announced, as in ``order 5``."""
        if self.name:
            return self.name
        return f"order {self.order} (addons)" if self.is_addons else f"order {self.order}"


@dataclass(frozen=True)
class Plan:
    """Everything that one deployment does in one space."""

    space: str
    space_id: str
    stages: tuple[Stage, ...]

    @property
    def units(self) -> tuple[PlannedUnit, ...]:
        """Every unit of the plan, in the order in which it is applied."""
        return tuple(unit for stage in self.stages for unit in stage.units)

    def as_json(self) -> Wire:
        """Return the plan for programs: each stage with its units, and what of each is applied."""
        return {
            "space": self.space,
            "stages": [
                {
                    "title": stage.title,
                    "order": stage.order,
                    "units": [
                        {
                            "unit": unit.slug,
                            "head": unit.head,
                            "live": unit.live,
                            "needs": list(unit.needs),
                            "gates": list(unit.gates),
                        }
                        for unit in stage.units
                    ],
                }
                for stage in self.stages
            ],
        }

    @property
    def without_target(self) -> tuple[PlannedUnit, ...]:
        """The units that nobody could apply."""
        return tuple(unit for unit in self.units if not unit.target_id)


def planned(record: Wire) -> PlannedUnit:
    """Return one extended unit of a list as the plan needs it.

    Raises: BadRequest when its label ``order`` is no number.
    """
    unit = record["Unit"]
    labels = unit.get("Labels") or {}
    target = unit.get("TargetID") or ""
    gates = unit.get("ApplyGates") or {}
    return PlannedUnit(
        unit_id=unit["UnitID"],
        slug=unit["Slug"],
        head=int(unit.get("HeadRevisionNum") or 0),
        live=int(unit.get("LiveRevisionNum") or 0),
        target_id="" if target == NIL_ID else target,
        order=_order(unit["Slug"], labels.get("order")),
        is_addon=labels.get("type") == ADDON,
        gates=tuple(sorted(name for name, closed in gates.items() if closed)),
        approvers=len(unit.get("ApprovedBy") or []),
    )


def in_order(*, space: str, space_id: str, units: Sequence[PlannedUnit]) -> Plan:
    """Return the plan that goes through the orders from the lowest to the highest.

    Units that have no order and are no addons are left out. Raises: BadRequest when nothing is left.
    """
    stages: list[Stage] = []
    addons = tuple(sorted((unit for unit in units if unit.is_addon), key=lambda unit: unit.slug))
    orders = sorted({unit.order for unit in units if unit.order is not None and not unit.is_addon})
    if addons and (not orders or orders[0] > 0):
        stages.append(Stage(0, addons, is_addons=True))
    for order in orders:
        same = sorted((unit for unit in units if unit.order == order and not unit.is_addon), key=lambda unit: unit.slug)
        stages.append(Stage(order, tuple(same)))
        if order == 0 and addons:
            stages.append(Stage(0, addons, is_addons=True))
    if not stages:
        raise BadRequest(f"no unit in {space} has a label `order`, so there is nothing to deploy in order")
    return Plan(space, space_id, tuple(stages))


def at_once(*, space: str, space_id: str, units: Sequence[PlannedUnit]) -> Plan:
    """Return the plan that applies what has order 0 first and then everything else together.

    Raises: BadRequest when there are no units.
    """
    first = tuple(sorted((unit for unit in units if unit.order == 0), key=lambda unit: unit.slug))
    rest = tuple(sorted((unit for unit in units if unit.order != 0), key=lambda unit: (unit.order or 0, unit.slug)))
    stages = [Stage(0, first)] if first else []
    if rest:
        stages.append(Stage(1, rest, name="all others"))
    if not stages:
        raise BadRequest(f"there are no units in {space}, so there is nothing to apply")
    return Plan(space, space_id, tuple(stages))


def _order(slug: str, label: str | None) -> int | None:
    if label is None or label == "":
        return None
    if not label.isdigit():
        raise BadRequest(f"the label `order` of {slug} is not a number: {label}")
    return int(label)
