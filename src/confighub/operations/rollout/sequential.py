"""Tests that may be looked at after every request and still keep their stated error rate.

Each keeps an e-value: a bet against a hypothesis whose expected value is at most 1 while the hypothesis is
true, so that it reaches 1/a with a probability of at most a, however often one looks (Ville's inequality).
Source: Ramdas, Grünwald, Vovk, Shafer, "Game-theoretic statistics and safe anytime-valid inference" (2023);
for the comparison also Hoeffding (1963), theorem 4: drawing without replacement is never more extreme than
drawing with it, in the mean of a convex function.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

_TIMES_LIMIT = (2.0, 5.0, 25.0)
"""How much above its limit a bad share may be; the bets are spread over these and over _NEARLY_ALL."""
_NEARLY_ALL = 0.9
_NONE_BAD_WEIGHT = 0.8
"""The part of the stake that says nothing is bad at all; the rest says a quarter of the limit."""
_TIMES_ODDS = (3.0, 10.0, 100.0)


@dataclass
class Share:
    """What is known of a share of bad outcomes against a limit; the share itself may be anything."""

    limit: float
    bad: int = 0
    total: int = 0

    def add(self, *, bad: int, total: int) -> None:
        """Note ``total`` more outcomes, of which ``bad`` were bad."""
        self.bad += bad
        self.total += total

    @property
    def log_above(self) -> float:
        """The logarithm of the e-value against "the share is the limit or less"."""
        found = [min(_NEARLY_ALL, self.limit * times) for times in _TIMES_LIMIT] + [_NEARLY_ALL]
        shares = sorted({share for share in found if share > self.limit})
        return _log_mean(self._log_ratio(share) for share in shares)

    @property
    def log_below(self) -> float:
        """The logarithm of the e-value against "the share is the limit or more"."""
        none, few = self._log_ratio(0.0), self._log_ratio(self.limit / 4)
        return _log_sum([math.log(_NONE_BAD_WEIGHT) + none, math.log(1 - _NONE_BAD_WEIGHT) + few])

    def still_needed(self, error_rate: float) -> int:
        """Return how many more good outcomes would show that the share is below the limit, at that error rate."""
        if self.log_below >= math.log(1 / error_rate):
            return 0
        low, high = 0, 1
        while not self._would_show(high, error_rate):
            low, high = high, high * 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._would_show(middle, error_rate) else (middle, high)
        return high

    def _would_show(self, more: int, error_rate: float) -> bool:
        return Share(self.limit, self.bad, self.total + more).log_below >= math.log(1 / error_rate)

    def _log_ratio(self, share: float) -> float:
        """Return log(likelihood at the share / likelihood at the limit)."""
        good = self.total - self.bad
        if share == 0.0:
            return -math.inf if self.bad else -good * math.log1p(-self.limit)
        return self.bad * math.log(share / self.limit) + good * (math.log1p(-share) - math.log1p(-self.limit))


@dataclass
class Comparison:
    """Whether bad outcomes prefer one of two sides, while the sides' shares of the traffic may change.

    Given that so many outcomes were bad, each is the new side's with the probability of its share of the
    traffic, unless the new side is worse. The limit of neither side matters.
    """

    _logs: list[float] = field(default_factory=lambda: [0.0] * len(_TIMES_ODDS))

    def add(self, *, new_bad: int, new_total: int, old_bad: int, old_total: int) -> None:
        """Note what both sides did in the same stretch of time."""
        if not new_total or not old_total:
            return
        share = new_total / (new_total + old_total)
        for index, times in enumerate(_TIMES_ODDS):
            tilted = times * share / (1 - share + times * share)
            self._logs[index] += new_bad * math.log(tilted / share)
            self._logs[index] += old_bad * math.log((1 - tilted) / (1 - share))

    @property
    def log_worse(self) -> float:
        """The logarithm of the e-value against "the new side is no worse than the old one"."""
        return _log_mean(self._logs)


def _log_mean(logs: Iterable[float]) -> float:
    found = list(logs)
    return _log_sum(found) - math.log(len(found))


def _log_sum(logs: Iterable[float]) -> float:
    found = list(logs)
    highest = max(found)
    if highest == -math.inf:
        return highest
    return highest + math.log(sum(math.exp(one - highest) for one in found))
