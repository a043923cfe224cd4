"""How risky it is to correct a difference, by fixed rules, and what is done about it, by a policy.

The rules decide; nothing else does. What is HIGH is never corrected without being asked: it may be an attack or
an emergency measure, and both want a person.
Source: the risk table of the seed's drift flow (8.3): replicas LOW; image and environment MEDIUM; access rights,
network policy and secrets HIGH.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

import msgspec

from confighub.errors import BadRequest
from confighub.operations.drift.compare import Difference

Action = Literal["correct", "accept", "ask", "ignore"]


class Risk(IntEnum):
    """How much may depend on a difference."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3


_DANGEROUS_KINDS = frozenset(
    {
        "ClusterRole",
        "ClusterRoleBinding",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Role",
        "RoleBinding",
        "Secret",
        "ServiceAccount",
    }
)
_DANGEROUS_PLACES = re.compile(
    r"secret|securityContext|serviceAccount|host(Network|PID|IPC|Path)|imagePullSecrets|automountServiceAccountToken",
    re.IGNORECASE,
)
_PROGRAMS = frozenset({"CronJob", "DaemonSet", "Deployment", "Job", "StatefulSet"})
_RULES: tuple[tuple[re.Pattern[str], Risk, str], ...] = (
    (re.compile(r"^spec\.replicas$"), Risk.LOW, "a number of replicas"),
    (re.compile(r"^metadata\.(labels|annotations)\b"), Risk.LOW, "a label or annotation of the object itself"),
    (re.compile(r"\.image$"), Risk.MEDIUM, "another program runs"),
    (re.compile(r"\.(env|envFrom)\b"), Risk.MEDIUM, "the program's environment"),
    (re.compile(r"\.resources\b"), Risk.MEDIUM, "what the program may use"),
    (re.compile(r"\.?ports\b"), Risk.MEDIUM, "where it is reached"),
)


def risk_of(difference: Difference) -> tuple[Risk, str]:
    """Return the risk and the rule, as a sentence's end, that gave it."""
    if difference.kind in _DANGEROUS_KINDS:
        return Risk.HIGH, f"a {difference.kind} guards others"
    if difference.is_strange:
        if difference.kind in _PROGRAMS:
            return Risk.HIGH, "a program that no unit describes"
        return (Risk.LOW, "data alone") if difference.kind == "ConfigMap" else (Risk.MEDIUM, "an object of no unit")
    if not difference.steps:
        if difference.actual is not None:
            return Risk.HIGH, "correcting it would remove an object"
        return Risk.MEDIUM, "an object is gone"
    if _DANGEROUS_PLACES.search(difference.path):
        return Risk.HIGH, "rights or secrets"
    for pattern, risk, why in _RULES:
        if pattern.search(difference.path):
            return risk, why
    return Risk.MEDIUM, "no rule knows the place"


class Rule(msgspec.Struct, forbid_unknown_fields=True):
    """One line of a policy; ``unit``, ``kind`` and ``path`` are globs, where ``*`` also crosses dots."""

    action: Action
    unit: str = "*"
    kind: str = "*"
    path: str = "*"
    space: str = "*"


@dataclass(frozen=True)
class Policy:
    """What to do about differences: the first rule that fits, else correct up to ``auto_correct``, else ask."""

    rules: tuple[Rule, ...] = ()
    auto_correct: Risk | None = Risk.LOW

    def action_for(self, difference: Difference, *, space: str, unit: str, at_least: Risk = Risk.LOW) -> Action:
        """Return what is to be done; the risk counts as ``at_least`` that much where no rule of the policy fits."""
        for rule in self.rules:
            pairs = ((space, rule.space), (unit, rule.unit), (difference.kind, rule.kind))
            # a list key such as [name=web] is no character class here
            path = rule.path.replace("[", "[[]")
            if all(fnmatch.fnmatchcase(*pair) for pair in pairs) and fnmatch.fnmatchcase(difference.path, path):
                return rule.action
        risk = max(risk_of(difference)[0], at_least)
        return "correct" if self.auto_correct is not None and risk <= self.auto_correct else "ask"


def read_rules(text: str, *, name: str) -> tuple[Rule, ...]:
    """Return the rules of a policy file, which is a YAML or JSON list of maps.

    Raises: BadRequest, naming the file and the place.
    """
    try:
        return tuple(msgspec.yaml.decode(text, type=list[Rule]))
    except msgspec.MsgspecError as error:
        raise BadRequest(
            f"{name} is no policy: {error}", hint='a list like [{"path": "spec.replicas", "action": "accept"}]'
        ) from error


def highest(differences: Sequence[Difference]) -> Risk:
    """Return the highest risk among them."""
    return max((risk_of(one)[0] for one in differences), default=Risk.LOW)
