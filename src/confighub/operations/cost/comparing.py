"""What a change costs: heads against what is live, and a promotion against what the target has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from confighub.client.hub import HubClient
from confighub.client.transport import Wire
from confighub.client.units import text_of
from confighub.errors import NotYaml
from confighub.functions.costs import SCALER, Cost, Rates, Workload, objects_in, total, workloads
from confighub.operations.cost.prices import Price, Prices
from confighub.operations.promote import Promotion


@dataclass(frozen=True)
class Difference:
    """What one unit costs a month before and after; None where it has no figure or is not there."""

    name: str
    before: Cost | None
    after: Cost | None

    @property
    def change(self) -> Cost:
        """How much more it costs; negative is less."""
        return (self.after or Cost()) - (self.before or Cost())

    def as_json(self) -> Wire:
        """Return the difference for programs, in USD a month."""
        return {
            "unit": self.name,
            "before": _shown(self.before),
            "after": _shown(self.after),
            "change": signed(self.change),
        }

    def line(self) -> str:
        """Return the difference for people."""
        before, after = (_shown(one) or "nothing" for one in (self.before, self.after))
        return f"{self.name}: {before} -> {after} USD a month ({signed(self.change)})"


@dataclass(frozen=True)
class Comparison:
    """What the heads of a space cost before and after a change; ``price`` is None, and all is empty, without one."""

    space: str
    price: Price | None
    before: Cost
    after: Cost
    units: tuple[Difference, ...]

    def lines(self) -> list[str]:
        """Return the comparison for people, the whole last."""
        if self.price is None:
            return [f"cost: no price is known for {self.space}"]
        change = signed(self.after - self.before)
        where = f"{self.price.provider} {self.price.region}, prices of {self.price.date}"
        return [
            *(f"cost of {one.line()}" for one in self.units),
            f"cost of {self.space}: {self.before} -> {self.after} USD a month ({change}; {where})",
        ]

    def as_json(self) -> Wire:
        """Return the comparison for programs, in USD a month."""
        return {
            "space": self.space,
            "price": self.price.as_json() if self.price else None,
            "before": str(self.before) if self.price else None,
            "after": str(self.after) if self.price else None,
            "change": signed(self.after - self.before) if self.price else None,
            "units": [one.as_json() for one in self.units],
        }


def of_texts(name: str, before: str, after: str, price: Price) -> Difference | None:
    """Return how the cost of one unit changes with its text; None when it stays."""
    old, new = costs_of({name: before}, price.rates), costs_of({name: after}, price.rates)
    return next(iter(differences(old, new)), None)


def of_promotion(hub: HubClient, promotion: Promotion, prices: Prices) -> Comparison:
    """Return what the target's heads cost now, and once the promotion is done."""
    price = prices.of(hub.spaces.get(promotion.target_id)["Space"].get("Labels") or {})
    if price is None:
        return Comparison(promotion.target, None, Cost(), Cost(), ())
    found = hub.units.list(space_id=promotion.target_id, select="Slug,Data", include="")
    texts = {str(one["Unit"]["Slug"]): text_of(one["Unit"]) for one in found}
    promoted = {**texts, **{change.slug: change.text for change in promotion.changes}}
    before, after = costs_of(texts, price.rates), costs_of(promoted, price.rates)
    return Comparison(promotion.target, price, whole(before), whole(after), tuple(differences(before, after)))


def differences(before: Mapping[str, Cost | None], after: Mapping[str, Cost | None]) -> list[Difference]:
    """Return the units whose cost changes, by name."""
    found = [Difference(name, before.get(name), after.get(name)) for name in sorted(before.keys() | after.keys())]
    return [one for one in found if one.before != one.after]


def costs_of(texts: Mapping[str, str], rates: Rates) -> dict[str, Cost | None]:
    """Return what each text of a space costs; None where nothing has a figure. Texts without workloads are left out."""
    read = {}
    for name, text in texts.items():
        try:
            read[name] = objects_in(text)
        except NotYaml:
            continue
    scalers = [one for objects in read.values() for one in objects if one.get("kind") == SCALER]
    found = {name: workloads(objects, scalers) for name, objects in read.items()}
    return {name: cost_of(own, rates) for name, own in found.items() if own}


def cost_of(found: Iterable[Workload], rates: Rates) -> Cost | None:
    """Return what workloads cost together; None when none of them has a figure."""
    every = list(found)
    whole, missing = total(every, rates)
    return None if every and len(missing) == len(every) else whole


def whole(costs: Mapping[str, Cost | None]) -> Cost:
    """Return what all that has a figure costs."""
    return sum((one for one in costs.values() if one), Cost())


def signed(change: Cost) -> str:
    """Return a difference with its sign, a range where an autoscaler makes it one."""
    low, high = f"{change.low:+.2f}", f"{change.high:+.2f}"
    return low if low == high else f"{low} to {high}"


def _shown(cost: Cost | None) -> str | None:
    return None if cost is None else str(cost)
