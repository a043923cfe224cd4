"""What the evidence says of a new version: better, worse, or not enough to tell.

*Better* means that it was shown to be within its limit, *worse* that it was shown to be beyond it or worse than
the old version. What is missing shows nothing, so it never counts as better. The error rate of a whole rollout is
divided evenly among its stages and checks (Bonferroni), and each check is valid at every look.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from confighub.operations.rollout.metrics import Reading
from confighub.operations.rollout.schedule import Need
from confighub.operations.rollout.sequential import Comparison, Share

Verdict = Literal["better", "worse", "not enough evidence"]

SLOWER_THAN_P95 = 0.05
"""p95 is within its limit when less than this share is slower."""
TRIAL_FAILURES = 0.01
"""So many trials may fail for reasons that are not the new version's, such as a message that came twice."""
_CHECKS = 4
_FIGURES: dict[str, tuple[str, ...]] = {
    "error rate": ("new requests", "new errors"),
    "latency": ("new requests", "new quick"),
    "error increase": ("new requests", "new errors", "old requests", "old errors"),
}
"""The figures that each check needs, as ``Reading.missing`` names them."""


@dataclass(frozen=True)
class Limits:
    """What is asked of a new version, and how often the analysis may be wrong.

    ``false_alarms`` is the probability that a version within all limits is taken back during a whole rollout,
    ``false_passes`` that one at or beyond a limit passes the stage that checks it.
    """

    error_rate: float = 0.01
    p95_s: float = 0.2
    false_alarms: float = 0.01
    false_passes: float = 0.05
    trials: int = 5


@dataclass(frozen=True)
class Trial:
    """One try of the whole flow on one side, with what was seen; ``passed`` is None when it could not be told."""

    passed: bool | None
    what: str = ""


@dataclass(frozen=True)
class Finding:
    """What one check says, with the figures."""

    check: str
    verdict: Verdict
    reason: str


@dataclass
class Analysis:
    """The evidence of one stage. ``stages`` is how many the rollout has."""

    limits: Limits
    stages: int
    needs: Sequence[Need] = ()
    wants_trials: bool = True
    is_counted: bool = False
    _errors: Share = field(init=False)
    _slow: Share = field(init=False)
    _increase: Comparison = field(default_factory=Comparison)
    _trials: Share = field(default_factory=lambda: Share(TRIAL_FAILURES))
    _in_a_row: int = 0
    _last_failure: str = ""
    _old: list[int] = field(default_factory=lambda: [0, 0])
    _absent: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._errors, self._slow = Share(self.limits.error_rate), Share(SLOWER_THAN_P95)

    def add(self, more: Reading) -> None:
        """Note what both sides did since the last time; figures that are missing now show nothing, nor did earlier."""
        self._absent = {
            check: f"nothing is counted by {more.missing[part]}"
            for check, parts in _FIGURES.items()
            for part in parts
            if part in more.missing
        }
        self.is_counted = True
        self._errors.add(bad=more.new.errors, total=more.new.requests)
        if "latency" not in self._absent:
            self._slow.add(bad=more.new.slow, total=more.new.requests)
        self._old[0] += more.old.errors
        self._old[1] += more.old.requests
        self._increase.add(
            new_bad=more.new.errors,
            new_total=more.new.requests,
            old_bad=more.old.errors,
            old_total=more.old.requests,
        )

    def lose_sight(self, reason: str) -> None:
        """Note that nothing can be read any more; until something is, no check is shown."""
        self._absent = dict.fromkeys(_FIGURES, reason)

    @property
    def is_blind(self) -> bool:
        """Whether the last look saw nothing at all."""
        return _FIGURES.keys() <= self._absent.keys()

    def add_trials(self, *, old: Trial, new: Trial) -> None:
        """Note a try of the flow on both sides; when the old side fails too, it says nothing of the new one."""
        if old.passed and new.passed is not None:
            self._trials.add(bad=0 if new.passed else 1, total=1)
            self._in_a_row = self._in_a_row + 1 if new.passed else 0
            self._last_failure = self._last_failure if new.passed else new.what

    def findings(self) -> list[Finding]:
        """Return what each check says, the trials first: they name the fault most exactly."""
        return [self._of_trials(), self._of_errors(), self._of_latency(), self._of_increase()]

    @property
    def worse(self) -> Finding | None:
        """The first check that says worse."""
        return next((one for one in self.findings() if one.verdict == "worse"), None)

    @property
    def missing(self) -> list[Finding]:
        """The checks that the stage needs and that are not shown yet; empty when it may end."""
        needed: set[str] = set(self.needs) | ({"synthetic trades"} if self.wants_trials else set())
        return [one for one in self.findings() if one.check in needed and one.verdict != "better"]

    @property
    def _alarm(self) -> float:
        return math.log(self.stages * _CHECKS / self.limits.false_alarms)

    def _of_errors(self) -> Finding:
        share, limit = self._errors, self.limits.error_rate
        return self._against(share, "error rate", f"errors in {share.bad} of {share.total} requests, limit {limit:.0%}")

    def _of_latency(self) -> Finding:
        share, limit_ms = self._slow, self.limits.p95_s * 1000
        told = f"{share.bad} of {share.total} requests took over {limit_ms:g} ms, p95 allows {SLOWER_THAN_P95:.0%}"
        return self._against(share, "latency", told)

    def _of_increase(self) -> Finding:
        new, old = self._errors, self._old
        told = f"errors in {new.bad} of {new.total} requests, the old version's in {old[0]} of {old[1]}"
        if self._increase.log_worse >= self._alarm:
            return Finding("error increase", "worse", told)
        if "error increase" in self._absent:
            return Finding("error increase", "not enough evidence", self._absent["error increase"])
        # Without errors on either side only the absolute limit can show that there are not more of them.
        absolute = self._of_errors()
        return Finding("error increase", absolute.verdict, absolute.reason if absolute.verdict == "worse" else told)

    def _of_trials(self) -> Finding:
        share, check = self._trials, "synthetic trades"
        if share.log_above >= self._alarm:
            return Finding(check, "worse", f"{share.bad} of {share.total} failed: {self._last_failure}")
        told = f"{share.total - share.bad} of {share.total} passed"
        if self._in_a_row >= self.limits.trials:
            return Finding(check, "better", told)
        return Finding(check, "not enough evidence", f"{told}, {self.limits.trials} in a row are needed")

    def _against(self, share: Share, check: str, told: str) -> Finding:
        if not self.is_counted:
            return Finding(check, "not enough evidence", "the requests are not counted anywhere")
        if share.log_above >= self._alarm:
            return Finding(check, "worse", told)
        if check in self._absent:
            return Finding(check, "not enough evidence", self._absent[check])
        more = share.still_needed(self.limits.false_passes)
        if not more:
            return Finding(check, "better", told)
        return Finding(check, "not enough evidence", f"{told}; about {more} more good ones would show it")
