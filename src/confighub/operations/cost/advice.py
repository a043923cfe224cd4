"""What a container should request: rules over what it used. Not enough data is no advice, and says so by name.

CPU: the 95th percentile of the busiest replica and a margin. Memory: the most that any replica held, starts included,
and a margin. Limits stay as they are, unless a request would pass one; only requests are paid for.
Source: the strategy of Robusta KRR, with a floor by start-up peak and kills for want of memory, which it lacks.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from confighub.client.functions import Scalar
from confighub.client.transport import Wire
from confighub.functions.costs import Amount, Container, Rates, Workload
from confighub.operations.cost.usage import Usage

MIB = 2**20
_CPU_STEP_MILLI = 5
_MEMORY_STEP_MIB = 4


@dataclass(frozen=True)
class Rules:
    """The figures of the rules. Margins are shares on top; the least are what nothing goes below.

    ``window_s`` is how far back it is looked, ``at_least_s`` how much of it must have data, in ``points`` steps.
    A change that moves neither request by at least ``worth`` of itself is not proposed.
    """

    window_s: float = 14 * 86_400.0
    at_least_s: float = 86_400.0
    points: int = 10
    cpu_margin: float = 0.20
    memory_margin: float = 0.15
    oom_margin: float = 0.25
    least_cpu_milli: int = 10
    least_memory_mib: int = 32
    worth: float = 0.10

    def as_json(self) -> Wire:
        """Return the figures for programs."""
        return {
            "windowSeconds": self.window_s,
            "atLeastSeconds": self.at_least_s,
            "atLeastPoints": self.points,
            "cpu": f"p95 of the busiest replica + {self.cpu_margin:.0%}, at least {self.least_cpu_milli}m",
            "memory": f"peak with starts + {self.memory_margin:.0%}, at least {self.least_memory_mib}Mi",
            "afterOutOfMemory": f"the limit + {self.oom_margin:.0%}",
        }


class Risk(StrEnum):
    """How much an advice could hurt, by how far it lowers a request."""

    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"


_CPU_CUTS, _MEMORY_CUTS = (0.30, 0.60), (0.25, 0.50)
"""Cuts up to the first share are of low risk, beyond the second of high risk."""


@dataclass(frozen=True)
class Wish:
    """What one container should request, CPU in thousandths of a core and memory in MiB, and how that was found."""

    cpu_milli: int
    memory_mib: int
    reasons: tuple[str, ...]

    @property
    def amount(self) -> Amount:
        """The same in cores and bytes."""
        return Amount(Decimal(self.cpu_milli) / 1000, Decimal(self.memory_mib) * MIB)


@dataclass(frozen=True)
class Advice:
    """A change of one container's requests. ``saving`` is USD a month with the fewest pods; negative is what it costs.

    ``limits`` are limits that must rise because a request passes them.
    """

    workload: Workload
    container: Container
    wish: Wish
    usage: Usage
    risk: Risk
    saving: Decimal
    saving_most: Decimal
    limits: tuple[tuple[Literal["cpu", "memory"], str], ...] = ()

    @property
    def action(self) -> str:
        """``lower`` when it saves, else ``raise``."""
        return "lower" if self.saving > 0 else "raise"

    @property
    def patch(self) -> str:
        """The merge patch of the unit's data that makes the change, as JSON."""
        wish = self.wish
        resources: Wire = {"requests": {"cpu": f"{wish.cpu_milli}m", "memory": f"{wish.memory_mib}Mi"}}
        if self.limits:
            resources["limits"] = dict(self.limits)
        containers = [{"name": self.container.name, "resources": resources}]
        patch = {
            "apiVersion": self.workload.api_version,
            "kind": self.workload.kind,
            "metadata": {"name": self.workload.name},
            "spec": {"template": {"spec": {"containers": containers}}},
        }
        return json.dumps(patch, separators=(",", ":"))

    @property
    def calls(self) -> tuple[tuple[str, tuple[Scalar, ...]], ...]:
        """The function calls that make the change."""
        return (("set-config", (self.patch,)),)


@dataclass(frozen=True)
class NoAdvice:
    """A container about which nothing is said, and why. ``is_fine`` tells that its requests fit what it uses."""

    workload: Workload
    container: Container
    why: str
    is_fine: bool = False


def advise(
    workload: Workload, container: Container, usage: Usage | None, rates: Rates, rules: Rules
) -> Advice | NoAdvice:
    """Return what the container should request, or why nothing is said."""
    if container.cpu is None or container.memory is None:
        return NoAdvice(workload, container, f"it requests no {'cpu' if container.cpu is None else 'memory'}")
    lack = _lack(usage, rules)
    if usage is None or usage.cpu_cores is None or usage.peak_bytes is None or lack:
        return NoAdvice(workload, container, lack or "no usage is known")
    wish = _wish(workload, container, usage, rules)
    old, new = Amount(container.cpu, container.memory), wish.amount
    if not _is_worth(old, new, rules):
        return NoAdvice(workload, container, f"what it requests fits: {'; '.join(wish.reasons)}", is_fine=True)
    one = rates.monthly(old) - rates.monthly(new)
    return Advice(
        workload,
        container,
        wish,
        usage,
        risk=_risk(old, new),
        saving=one * workload.fewest,
        saving_most=one * workload.most,
        limits=tuple(_passed_limits(container, wish)),
    )


def _lack(usage: Usage | None, rules: Rules) -> str:
    if usage is None:
        return "no usage of it is known; are its pods scraped, with their owners?"
    if usage.covered_s < rules.at_least_s or usage.points < rules.points:
        return (
            f"not enough data: {_span(usage.covered_s)} in {usage.points} points, "
            f"wanted are {_span(rules.at_least_s)} in {rules.points}"
        )
    return ""


def _wish(workload: Workload, container: Container, usage: Usage, rules: Rules) -> Wish:
    cpu, why_cpu = _cpu(workload, container, usage, rules)
    memory, why_memory = _memory(container, usage, rules)
    return Wish(cpu, memory, (why_cpu, why_memory))


def _cpu(workload: Workload, container: Container, usage: Usage, rules: Rules) -> tuple[int, str]:
    used = usage.cpu_cores or 0.0
    wanted = max(_up(used * 1000 * (1 + rules.cpu_margin), _CPU_STEP_MILLI), rules.least_cpu_milli)
    said = f"cpu p95 {used * 1000:.0f}m of the busiest of {usage.replicas} replicas"
    now = math.ceil((container.cpu or 0) * 1000)
    if "cpu" in workload.scaled_by and wanted < now:
        return now, f"{said}; cpu stays, since its autoscaler compares with the request"
    return wanted, f"{said} + {rules.cpu_margin:.0%}"


def _memory(container: Container, usage: Usage, rules: Rules) -> tuple[int, str]:
    used_mib = (usage.peak_bytes or 0.0) / MIB
    wanted = max(_up(used_mib * (1 + rules.memory_margin), _MEMORY_STEP_MIB), rules.least_memory_mib)
    said = f"memory peak {used_mib:.0f}Mi"
    now = math.ceil((container.memory or 0) / MIB)
    if usage.ooms:
        killed_at = float(container.memory_limit or container.memory or 0) / MIB
        floor = _up(killed_at * (1 + rules.oom_margin), _MEMORY_STEP_MIB)
        return max(wanted, floor, now), f"{said}; killed {usage.ooms} times for want of memory, so above its limit"
    if wanted < now and not usage.has_start:
        return now, f"{said}; memory stays, since no start was seen and a start may need more"
    return wanted, f"{said}, starts included, + {rules.memory_margin:.0%}"


def _is_worth(old: Amount, new: Amount, rules: Rules) -> bool:
    pairs = ((old.cpu, new.cpu), (old.memory, new.memory))
    return any(before and abs(after - before) / before >= Decimal(str(rules.worth)) for before, after in pairs)


def _risk(old: Amount, new: Amount) -> Risk:
    ranks = [_rank(old.cpu, new.cpu, _CPU_CUTS), _rank(old.memory, new.memory, _MEMORY_CUTS)]
    return list(Risk)[max(ranks)]


def _rank(old: Decimal, new: Decimal, bounds: tuple[float, float]) -> int:
    cut = float((old - new) / old) if old else 0.0
    return sum(cut > bound for bound in bounds)


def _passed_limits(container: Container, wish: Wish) -> list[tuple[Literal["cpu", "memory"], str]]:
    new = wish.amount
    passed: list[tuple[Literal["cpu", "memory"], str]] = []
    if container.cpu_limit is not None and new.cpu > container.cpu_limit:
        passed.append(("cpu", f"{wish.cpu_milli}m"))
    if container.memory_limit is not None and new.memory > container.memory_limit:
        passed.append(("memory", f"{wish.memory_mib}Mi"))
    return passed


def _up(value: float, step: int) -> int:
    """Return the next multiple of the step; a rest of a thousandth is no reason for another step."""
    return math.ceil(value / step - 0.001) * step


def _span(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
