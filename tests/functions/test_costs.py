"""The arithmetic of costs, case by case, and the check of a budget."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from confighub.errors import NotYaml
from confighub.functions.costs import Cost, Rates, objects_in, objects_of_all, total, workloads
from confighub.functions.invoke import Context, invoke
from confighub.records.functions import FunctionArgument, FunctionInvocation

CASES = yaml.safe_load((Path(__file__).parent.parent / "cases/costs/workloads.yaml").read_text())
RATES = Rates(Decimal("0.05"), Decimal("0.01"), Decimal(100))
WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 2
  template:
    spec:
      containers:
      - name: web
        resources: {requests: {cpu: 500m, memory: 1Gi}}
"""


def built(one: dict[str, Any]) -> dict[str, Any]:
    """Return the object that a case describes in short."""
    kind, name = one["kind"], one.get("name", "web")
    made: dict[str, Any] = {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, "namespace": "shop"}}
    if kind == "HorizontalPodAutoscaler":
        reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": one["scales"]}
        made["spec"] = {"scaleTargetRef": reference, "maxReplicas": one["max"]}
        made["spec"] |= {"minReplicas": one["min"]} if "min" in one else {}
    elif "containers" in one:
        first = [container(item, number) for number, item in enumerate(one.get("first", []))]
        first += [
            {**container(item, number), "restartPolicy": "Always"} for number, item in enumerate(one.get("beside", []))
        ]
        pod = {"containers": [container(item, number) for number, item in enumerate(one["containers"])]}
        made["spec"] = {"template": {"spec": {**pod, **({"initContainers": first} if first else {})}}}
        made["spec"] |= {"replicas": one["replicas"]} if "replicas" in one else {}
    return made


def container(item: dict[str, Any], number: int) -> dict[str, Any]:
    requests = {key: item[key] for key in ("cpu", "memory") if key in item}
    return {"name": f"c{number}", "resources": {"requests": requests, "limits": item.get("limits", {})}}


@pytest.mark.parametrize("case", CASES, ids=[case["description"] for case in CASES])
def test_a_workload_costs_what_it_requests(case: dict[str, Any]) -> None:
    found, missing = total(workloads(map(built, case["objects"])), RATES)

    assert (f"{found.low:.2f}", f"{found.high:.2f}") == (case["low"], case["high"])
    assert missing == case.get("missing", [])


def test_an_autoscaler_may_stand_in_another_unit_and_without_a_namespace() -> None:
    scaler = built({"kind": "HorizontalPodAutoscaler", "scales": "web", "min": 3, "max": 4})
    del scaler["metadata"]["namespace"]

    (web,) = workloads(objects_in(WEB), [scaler])

    assert (web.fewest, web.most, web.scaled_by) == (3, 4, ("cpu",))


def test_a_range_of_costs_is_shown_as_one_and_a_single_cost_as_itself() -> None:
    assert str(Cost(Decimal("1.5"), Decimal(3))) == "1.50 to 3.00"
    assert str(Cost(Decimal(2), Decimal("2.001"))) == "2.00"


def test_texts_that_do_not_parse_are_named_and_the_others_counted() -> None:
    objects, unread = objects_of_all([WEB, "a: [", WEB])

    assert len(objects) == 2
    assert len(unread) == 1
    with pytest.raises(NotYaml):
        objects_in("a: [")


def vetted(text: str, budget: str, *siblings: str) -> tuple[bool, list[str]]:
    arguments = [FunctionArgument(value=one) for one in (budget, "0.05", "0.01")]
    call = FunctionInvocation(function_name="vet-budget", arguments=arguments)
    answer = invoke(text, [call], context=Context(siblings=siblings))
    (output,) = json.loads(answer.output)
    return bool(answer.passed), output.get("Details", [])


def test_a_budget_counts_what_all_units_of_the_space_request() -> None:
    # two pods of half a CPU and a GiB: 2 x (0.025 + 0.01) x 730 = 51.10
    other = WEB.replace("name: web,", "name: api,")

    assert vetted(WEB, "51.10") == (True, [])
    passed, details = vetted(WEB, "102.19", other)

    assert not passed
    assert details == ["the heads of the space cost 102.20 USD a month by what they request, the budget is 102.19"]
    assert vetted(WEB, "102.20", other)[0]


def test_a_budget_says_nothing_of_what_costs_nothing() -> None:
    service = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"

    assert vetted(service, "1", WEB) == (True, [])


def test_a_budget_names_what_has_no_figure() -> None:
    unsized = WEB.replace(", memory: 1Gi", "")

    passed, details = vetted(WEB, "60", unsized)

    assert passed
    assert details == ["Deployment web: container web requests no memory; it has no figure and is left out"]


@pytest.mark.parametrize(
    "odd",
    [
        "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: web}\n"
        "spec: {scaleTargetRef: {kind: Deployment, name: web}, minReplicas: confighubplaceholder, maxReplicas: 4}\n",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: text\nspec: text\n",
        WEB.replace("name: web,", "name: api,").replace("{requests: {cpu: 500m, memory: 1Gi}}", "all"),
        "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nspec: {scaleTargetRef: web, metrics: [x]}\n",
    ],
)
def test_a_text_that_fits_no_schema_beside_it_stops_no_budget(odd: str) -> None:
    passed, _ = vetted(WEB, "1000", odd)

    assert passed


@pytest.mark.parametrize("budget", ["much", "NaN", "Infinity", "-1"])
def test_a_budget_that_is_no_amount_is_refused(budget: str) -> None:
    arguments = [FunctionArgument(value=one) for one in (budget, "0.05", "0.01")]
    answer = invoke(WEB, [FunctionInvocation(function_name="vet-budget", arguments=arguments)])

    assert not answer.success
    assert "three amounts in US dollars" in "".join(answer.errors)
