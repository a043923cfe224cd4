"""What Claude is told of a drift, so that it can explain it: places, rules, who; values of harmless places alone."""

from __future__ import annotations

import re
from typing import Any

from confighub.operations.drift.compare import Difference, brief
from confighub.operations.drift.outcome import Drifted
from confighub.operations.drift.risk import Risk, risk_of
from confighub.operations.explaining import Explainer, Explanation

_NOT_SENT = "(not sent)"
_HARMLESS = re.compile(
    r"^spec\.replicas$"
    r"|^metadata\.labels\b"
    r"|\.image$"
    r"|\.resources\.(requests|limits)\b"
    r"|^spec\.(.+\.)?ports\[[^\]]*\]\.(port|targetPort|containerPort|nodePort|hostPort|protocol)$"
)
"""Places whose values mean the same in whatever object they are; of all others only that they changed is told."""
_MAY_BE_SECRET = re.compile(r"\.(env|envFrom|args|command)\b|^(data|stringData|binaryData)\b|^metadata\.annotations\b")
_MOST = 20
"""So many differences are told of one unit; more make no other explanation."""


def explain(explainer: Explainer, drifted: Drifted, *, risk: Risk) -> Explanation:
    """Return what the drift may mean, with its risk: that of the rules, or a higher one."""
    return explainer.explain_drift(facts_of(drifted), risk=risk)


def facts_of(drifted: Drifted) -> dict[str, Any]:
    """Return what may be known outside: values only of known, harmless places, and none of high risk."""
    return {
        "unit": drifted.slug,
        "space": drifted.space,
        "differences": [_facts_of(one) for one in drifted.differences[:_MOST]],
        "left out": max(0, len(drifted.differences) - _MOST),
    }


def _facts_of(difference: Difference) -> dict[str, Any]:
    risk, rule = risk_of(difference)
    path = difference.path
    is_open = risk < Risk.HIGH and bool(_HARMLESS.search(path)) and not _MAY_BE_SECRET.search(path)
    return {
        "resource": difference.resource,
        "path": difference.path or "the whole object",
        "expected": brief(difference.expected) if is_open else _NOT_SENT,
        "actual": brief(difference.actual) if is_open else _NOT_SENT,
        "changedBy": difference.who or "unknown",
        "risk": risk.name,
        "rule": rule,
    }
