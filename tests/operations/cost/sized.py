"""Units with sizes, for tests of costs."""

from __future__ import annotations

import json
from decimal import Decimal

from confighub.functions.costs import Rates, objects_in
from confighub.operations.cost.prices import Prices, read_prices
from tests.api.worker import Event, data_of
from tests.operations.playing import TEXT, Verdict

PRICES_TEXT = """\
hours_per_month: 100
default: {provider: own, region: here}
prices:
- {provider: own, region: here, usd_per_vcpu_hour: "0.05", usd_per_gib_hour: "0.01", source: ours, date: 2026-01-01}
"""
RATES = Rates(Decimal("0.05"), Decimal("0.01"), Decimal(100))


def prices() -> Prices:
    """Return prices with round figures: 1 CPU costs 5 USD a month and 1 GiB one."""
    return read_prices(PRICES_TEXT, name="tests")


def sized(cpu: str = "1", memory: str = "1Gi", *, replicas: int = 1) -> str:
    """Return the text of a Deployment that requests so much; limits are 4 CPUs and 4 GiB."""
    resources = f"{{requests: {{cpu: {cpu}, memory: {memory}}}, limits: {{cpu: '4', memory: 4Gi}}}}"
    text = TEXT.replace("replicas: 1 # enough here", f"replicas: {replicas}")
    return f"{text}        resources: {resources}\n"


def as_written(event: Event) -> Verdict:
    """End an operation well: what runs is what the unit says."""
    (one,) = objects_in(data_of(event))
    if "spec" not in one:
        return Verdict(live_state=json.dumps([one]).encode())
    count = one["spec"]["replicas"]
    status = {"replicas": count, "readyReplicas": count, "updatedReplicas": count, "observedGeneration": 1}
    one["metadata"]["generation"] = 1
    return Verdict(live_state=json.dumps([{**one, "status": status}]).encode())
