"""The monthly budget of a space: a trigger whose gate closes on heads that would make the space cost more.

The check is the function ``vet-budget``, which knows the texts of all heads in the space and is looked at again when
something is applied; so the gate holds for every door, also for what applies by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from confighub.client.collection import conjoined, quoted
from confighub.client.hub import HubClient
from confighub.client.transport import Wire
from confighub.operations.cost.prices import Price

SLUG = "budget"
FUNCTION = "vet-budget"


@dataclass(frozen=True)
class Budget:
    """What a space may cost a month in USD, and the trigger that sees to it."""

    usd_per_month: Decimal
    trigger_id: str

    @property
    def gate(self) -> str:
        """The gate that it closes."""
        return f"{SLUG}/{FUNCTION}"


def find_budget(hub: HubClient, *, space_id: str) -> Budget | None:
    """Return the budget of a space, None when it has none."""
    where = conjoined(f"Slug = {quoted(SLUG)}", f"FunctionName = {quoted(FUNCTION)}")
    for record in hub.triggers.list(space_id=space_id, where=where, include=""):
        trigger = record["Trigger"]
        values = [one.get("Value") for one in trigger.get("Arguments") or []]
        try:
            return Budget(Decimal(str(values[0])), str(trigger["TriggerID"]))
        except (IndexError, InvalidOperation):
            continue
    return None


def set_budget(hub: HubClient, *, space_id: str, usd_per_month: Decimal, price: Price) -> Budget:
    """Give a space a budget at these prices, in place of the one that it had, and return it."""
    amounts = (usd_per_month, price.rates.cpu_usd_per_hour, price.rates.memory_usd_per_gib_hour)
    names = ("usd-per-month", "usd-per-vcpu-hour", "usd-per-gib-hour")
    content: Wire = {
        "Arguments": [
            {"ParameterName": name, "Value": str(amount)} for name, amount in zip(names, amounts, strict=True)
        ],
    }
    known = find_budget(hub, space_id=space_id)
    if known:
        hub.triggers.patch(known.trigger_id, content, space_id=space_id)
        return Budget(usd_per_month, known.trigger_id)
    made = hub.triggers.create(
        {
            "Slug": SLUG,
            "DisplayName": SLUG,
            "Event": "Mutation",
            "ToolchainType": "Kubernetes/YAML",
            "FunctionName": FUNCTION,
            **content,
        },
        space_id=space_id,
    )
    return Budget(usd_per_month, str(made["TriggerID"]))


def lift_budget(hub: HubClient, *, space_id: str) -> bool:
    """Take a space's budget away; False when it had none."""
    known = find_budget(hub, space_id=space_id)
    if known:
        hub.triggers.delete(known.trigger_id, space_id=space_id)
    return known is not None
