"""The rules of advice, case by case."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from confighub.functions import quantity
from confighub.functions.costs import Amount, Container, Rates, Workload
from confighub.operations.cost.advice import MIB, Advice, NoAdvice, Rules, advise
from confighub.operations.cost.usage import Usage, quantile

CASES = yaml.safe_load((Path(__file__).parents[2] / "cases/costs/advice.yaml").read_text())
RATES = Rates(Decimal("0.05"), Decimal("0.01"), Decimal(100))
RULES = Rules(window_s=120, at_least_s=60, points=10)


def amount(text: str | None) -> Decimal | None:
    return None if text is None else quantity.parse(text).amount


def container(now: dict[str, Any]) -> Container:
    limits = now.get("limits", {})
    return Container(
        "web",
        amount(now.get("cpu")),
        amount(now.get("memory")),
        amount(limits.get("cpu")),
        amount(limits.get("memory")),
    )


def usage(used: dict[str, Any] | None) -> Usage | None:
    if used is None:
        return None
    return Usage(
        cpu_cores=used.get("cpu"),
        peak_bytes=used["memory"] * MIB if "memory" in used else None,
        covered_s=used["seconds"],
        points=used.get("points", 12),
        replicas=2,
        ooms=used.get("ooms", 0),
        has_start=used.get("start", True),
    )


def workload(one: Container, scaled_by: tuple[str, ...] = (), *, fewest: int = 2, most: int = 2) -> Workload:
    pod = Amount(one.cpu or Decimal(0), one.memory or Decimal(0))
    return Workload("apps/v1", "Deployment", "shop", "web", (one,), fewest, most, pod, scaled_by=scaled_by)


@pytest.mark.requirement("R-009")
@pytest.mark.parametrize("case", CASES, ids=[case["description"] for case in CASES])
def test_a_container_is_advised_by_what_it_used(case: dict[str, Any]) -> None:
    one = container(case["now"])

    found = advise(workload(one, tuple(case.get("scaled_by", []))), one, usage(case.get("used")), RATES, RULES)

    if "silent" in case:
        assert isinstance(found, NoAdvice)
        assert case["silent"] in found.why
        return
    assert isinstance(found, Advice), found
    wanted = case["advised"]
    assert (found.wish.cpu_milli, found.wish.memory_mib) == (wanted["cpu"], wanted["memory"])
    assert (str(found.risk), found.action) == (wanted["risk"], wanted["action"])
    assert [list(limit) for limit in found.limits] == wanted.get("limits", [])


def test_the_saving_is_that_of_all_replicas_and_a_range_with_an_autoscaler() -> None:
    one = container({"cpu": "1", "memory": "1Gi"})
    used = Usage(cpu_cores=0.5, peak_bytes=512 * MIB, covered_s=90, points=12, replicas=1, has_start=True)

    found = advise(workload(one, fewest=2, most=5), one, used, RATES, RULES)

    assert isinstance(found, Advice)
    # 400m of CPU and 435 of 1024 MiB less: 0.4 x 5 + 0.425 x 1 USD a month each
    assert (found.wish.cpu_milli, found.wish.memory_mib) == (600, 592)
    assert found.saving == 2 * (Decimal("2.0") + Decimal(432) / 1024)
    assert found.saving_most == 5 * (Decimal("2.0") + Decimal(432) / 1024)


def test_the_change_is_of_the_requests_of_that_container_alone() -> None:
    one = container({"cpu": "1", "memory": "1Gi"})
    used = Usage(cpu_cores=0.5, peak_bytes=512 * MIB, covered_s=90, points=12, replicas=1, has_start=True)

    found = advise(workload(one), one, used, RATES, RULES)

    assert isinstance(found, Advice)
    ((function, (patch,)),) = found.calls
    assert function == "set-config"
    assert json.loads(str(patch)) == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "template": {
                "spec": {"containers": [{"name": "web", "resources": {"requests": {"cpu": "600m", "memory": "592Mi"}}}]}
            }
        },
    }


@pytest.mark.parametrize(
    ("values", "share", "found"),
    [([5.0], 0.95, 5.0), ([3.0, 1.0, 2.0], 0.5, 2.0), ([float(n) for n in range(1, 101)], 0.95, 95.0)],
)
def test_a_quantile_is_one_of_the_values(values: list[float], share: float, found: float) -> None:
    assert quantile(values, share) == found
