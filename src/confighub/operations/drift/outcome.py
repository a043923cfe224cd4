"""What was found to have drifted, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from confighub.client.transport import Wire
from confighub.operations.alerts import Alert, Severity
from confighub.operations.drift.compare import Difference
from confighub.operations.drift.risk import Risk, highest, risk_of
from confighub.operations.explaining import Explanation

State = Literal["corrected", "accepted", "asked", "ignored", "stopped", "failed", "would correct", "would accept"]


@dataclass(frozen=True)
class Drifted:
    """A unit that differs, place by place; ``autoscaled`` are left to an autoscaler. ``told`` is the worker's word."""

    unit: Wire
    space: str
    target: str
    differences: tuple[Difference, ...]
    autoscaled: tuple[Difference, ...] = ()
    told: str = ""

    @property
    def slug(self) -> str:
        """The unit's slug."""
        return str(self.unit["Slug"])

    @property
    def key(self) -> tuple[str, ...]:
        """What makes two looks see the same."""
        return (str(self.unit["UnitID"]), self.told, *map(str, self.differences))

    @property
    def is_strange(self) -> bool:
        """Whether nothing of the unit itself differs: there are only objects of no unit in its namespace."""
        return bool(self.differences) and all(one.is_strange for one in self.differences)

    @property
    def lines(self) -> tuple[str, ...]:
        """The differences in words, with the risk and who made each, when that is known."""
        found = [
            f"{one} (risk {risk_of(one)[0].name}: {risk_of(one)[1]}{f'; changed by {one.who}' if one.who else ''})"
            for one in self.differences
        ]
        return tuple(found) if found else (f"its worker reports: {self.told}",)


@dataclass(frozen=True)
class Handled:
    """What became of one unit's drift. ``seconds`` is from the look that saw it to its end.

    ``is_waiting`` tells that live values were accepted into a revision that could not be applied; ``explanation``
    is None where nobody was asked for one.
    """

    drifted: Drifted
    risk: Risk
    state: State
    message: str = ""
    seconds: float = 0.0
    undelivered: tuple[str, ...] = ()
    is_waiting: bool = False
    explanation: Explanation | None = None

    @property
    def raised(self) -> Risk:
        """The risk to which the explanation raised that of the rules; LOW where it did not."""
        rules = highest(self.drifted.differences)
        return self.risk if self.explanation is not None and self.risk > rules else Risk.LOW

    @property
    def explained(self) -> tuple[str, ...]:
        """What the explanation says, or why there is none, as a line; empty where nobody was asked for one."""
        if self.explanation is None:
            return ()
        if self.explanation.failure:
            return (f"by the rules alone: {self.explanation.failure}",)
        raised = f" (it raises the risk to {self.risk.name})" if self.raised > Risk.LOW else ""
        return (f"Claude says{raised}: {' '.join(self.explanation.text.split())}",)

    @property
    def remains(self) -> bool:
        """Whether the drift is still there, or what was accepted of it still waits to be applied."""
        return self.is_waiting or self.state not in ("corrected", "accepted", "ignored")

    def as_json(self) -> Wire:
        """Return it for programs."""
        return {
            "space": self.drifted.space,
            "unit": self.drifted.slug,
            "liveRevision": self.drifted.unit["LiveRevisionNum"],
            "risk": self.risk.name,
            "action": self.state,
            "message": self.message,
            "seconds": round(self.seconds, 2),
            "differences": [
                {
                    "resource": one.resource,
                    "path": one.path or None,
                    "expected": one.expected,
                    "actual": one.actual,
                    "risk": risk_of(one)[0].name,
                    "rule": risk_of(one)[1],
                    "changedBy": one.who or None,
                }
                for one in self.drifted.differences
            ],
            "autoscaled": [str(one) for one in self.drifted.autoscaled],
            "reported": self.drifted.told or None,
            "undelivered": list(self.undelivered),
            "explanation": self.explanation.text or None if self.explanation else None,
            "notExplained": self.explanation.failure or None if self.explanation else None,
        }


def in_words(handled: Handled) -> Iterator[str]:
    """Return the lines that tell a person what became of one unit's drift."""
    drifted = handled.drifted
    titles = {"corrected": "drift detected and corrected", "accepted": "drift detected and accepted"}
    title = titles.get(handled.state, f"drift detected, {handled.state}")
    yield f"{drifted.space}/{drifted.slug}: {title} (risk {handled.risk.name})"
    for line in drifted.lines:
        yield f"  {line}"
    for line in handled.explained:
        yield f"  {line}"
    yield f"  {handled.message}"


def command(drifted: Drifted, verb: str) -> str:
    """Return what a person types to decide."""
    return f"drift-detector --space {drifted.space} --{verb} {drifted.slug}"


def way_out_for(strangers: Sequence[Difference]) -> str:
    """Return what can be done about objects of no unit: nobody removes what nobody's unit made."""
    named = ", ".join(one.resource for one in strangers)
    return (
        f"{named}: left as found, since no unit has it; delete what should not be there, bring in what should "
        "(cub unit import), or have a policy ignore it"
    )


def ways_out(drifted: Drifted) -> str:
    """Return both decisions that are open."""
    return f"decide: {command(drifted, 'correct')}, or {command(drifted, 'accept')}"


def alert_of(handled: Handled) -> Alert:
    """Return what people are told of it."""
    drifted = handled.drifted
    titles = {
        "corrected": "Drift detected and corrected",
        "accepted": "Drift detected and accepted",
        "stopped": "Drift keeps coming back",
        "failed": "Drift detected, correction failed",
    }
    severity: Severity = "info" if not handled.remains else "warning"
    if handled.state in ("stopped", "failed") or handled.risk == Risk.HIGH:
        severity = "critical"
    return Alert(
        name="ConfigurationDrift",
        title=f"{titles.get(handled.state, 'Drift detected')}: {drifted.space}/{drifted.slug}",
        severity=severity,
        labels={
            "space": drifted.space,
            "unit": drifted.slug,
            "risk": handled.risk.name,
            "action": handled.state.replace(" ", "-"),
        },
        lines=(*drifted.lines, *handled.explained, handled.message),
    )
