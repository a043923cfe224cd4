"""What workloads cost by what they request: pods × requests × prices. A figure that lacks data is none, and says why.

Requests are counted as the scheduler counts them: what the containers of a pod request together, or its largest init
container if that is more; a limit stands for a request that is not written. An autoscaler makes the count a range.
Source: Kubernetes, "Sidecar Containers: resource sharing"; HorizontalPodAutoscaler, autoscaling/v2.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from confighub.data.document import parse
from confighub.errors import BadRequest, NotYaml
from confighub.functions import quantity

Object = dict[str, Any]

GIB = Decimal(2**30)
_COUNTED = ("Deployment", "StatefulSet", "ReplicaSet")
_UNCOUNTED = {
    "DaemonSet": "one pod a node, and the number of nodes is not known here",
    "Job": "how long it runs is not known",
    "CronJob": "how long it runs is not known",
    "Pod": "it has no count of its own",
}
SCALER = "HorizontalPodAutoscaler"


@dataclass(frozen=True)
class Amount:
    """CPU in cores and memory in bytes."""

    cpu: Decimal
    memory: Decimal


@dataclass(frozen=True)
class Rates:
    """Prices in US dollars: of one vCPU and of one GiB for an hour, and how many hours a month has."""

    cpu_usd_per_hour: Decimal
    memory_usd_per_gib_hour: Decimal
    hours_per_month: Decimal = Decimal(730)

    def monthly(self, amount: Amount) -> Decimal:
        """Return what the amount costs in a month."""
        hourly = amount.cpu * self.cpu_usd_per_hour + amount.memory / GIB * self.memory_usd_per_gib_hour
        return hourly * self.hours_per_month


@dataclass(frozen=True)
class Cost:
    """US dollars a month: with the fewest pods and with the most, equal without an autoscaler."""

    low: Decimal = Decimal(0)
    high: Decimal = Decimal(0)

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.low + other.low, self.high + other.high)

    def __sub__(self, other: Cost) -> Cost:
        return Cost(self.low - other.low, self.high - other.high)

    def __str__(self) -> str:
        low, high = f"{self.low:.2f}", f"{self.high:.2f}"
        return low if low == high else f"{low} to {high}"


@dataclass(frozen=True)
class Container:
    """What one container requests, None for what it does not say, and its limits."""

    name: str
    cpu: Decimal | None
    memory: Decimal | None
    cpu_limit: Decimal | None = None
    memory_limit: Decimal | None = None


@dataclass(frozen=True)
class Workload:
    """Pods of one kind. ``pod`` is what one of them requests, None when ``why`` says that it cannot be known.

    ``scaled_by`` names what the autoscaler goes by, empty without one.
    """

    api_version: str
    kind: str
    namespace: str
    name: str
    containers: tuple[Container, ...]
    fewest: int
    most: int
    pod: Amount | None
    why: str = ""
    scaled_by: tuple[str, ...] = ()

    @property
    def resource_type(self) -> str:
        """Its type as functions name it, such as ``apps/v1/Deployment``."""
        return f"{self.api_version}/{self.kind}"

    def cost(self, rates: Rates) -> Cost | None:
        """Return what it costs a month, None when that cannot be known."""
        if self.pod is None:
            return None
        one = rates.monthly(self.pod)
        return Cost(one * self.fewest, one * self.most)


def objects_in(text: str) -> list[Object]:
    """Return the documents of a text that are maps. Raises: NotYaml."""
    found = (placed.document.data for placed in parse(text).documents)
    return [one for one in found if isinstance(one, dict)]


def workloads(objects: Iterable[Object], scalers: Iterable[Object] = ()) -> list[Workload]:
    """Return the workloads among the objects, in their order; autoscalers may stand among them or come beside."""
    own = list(objects)
    known = [one for one in (*own, *scalers) if one.get("kind") == SCALER]
    return [_workload(one, known) for one in own if one.get("kind") in (*_COUNTED, *_UNCOUNTED) and _pod_spec(one)]


def total(found: Iterable[Workload], rates: Rates) -> tuple[Cost, list[str]]:
    """Return what the workloads cost together, and one line for each that has no figure and is left out."""
    whole, missing = Cost(), []
    for one in found:
        cost = one.cost(rates)
        if cost is None:
            missing.append(f"{one.kind} {one.name}: {one.why}")
        else:
            whole += cost
    return whole, missing


def objects_of_all(texts: Iterable[str]) -> tuple[list[Object], list[str]]:
    """Return the documents of many texts, and one line for each text that does not parse and is left out."""
    objects: list[Object] = []
    unread = []
    for text in texts:
        try:
            objects += objects_in(text)
        except NotYaml as error:
            unread.append(f"a unit is no YAML: {error.message}")
    return objects, unread


def _workload(one: Object, scalers: Sequence[Object]) -> Workload:
    metadata, spec = _map(one.get("metadata")), _pod_spec(one)
    kind, namespace, name = str(one["kind"]), str(metadata.get("namespace") or ""), str(metadata.get("name") or "")
    containers = tuple(_container(item) for item in _list(spec, "containers"))
    starting = _list(spec, "initContainers")
    beside = [_container(item) for item in starting if item.get("restartPolicy") == "Always"]
    first = [_container(item) for item in starting if item.get("restartPolicy") != "Always"]
    pod, why = _pod((*containers, *beside), first)
    if kind in _UNCOUNTED:
        pod, why = None, _UNCOUNTED[kind]
    fewest = most = _whole(_map(one.get("spec")).get("replicas"), 1)
    scaled_by: tuple[str, ...] = ()
    for scaler in scalers:
        if _scales(scaler, kind=kind, namespace=namespace, name=name):
            bounds = _map(scaler.get("spec"))
            fewest, most = _whole(bounds.get("minReplicas"), 1), _whole(bounds.get("maxReplicas"), None)
            scaled_by = _measures(bounds)
    if fewest is None or most is None:
        pod, why, fewest, most = None, "its number of replicas is not a number", 0, 0
    version = str(one.get("apiVersion") or "")
    return Workload(version, kind, namespace, name, containers, fewest, most, pod, why, scaled_by)


def _pod(together: Sequence[Container], first: Sequence[Container]) -> tuple[Amount | None, str]:
    for one in (*together, *first):
        missing = [name for name, value in (("cpu", one.cpu), ("memory", one.memory)) if value is None]
        if missing:
            return None, f"container {one.name} requests no {' and no '.join(missing)}"
    cpu = max([sum((one.cpu or Decimal(0) for one in together), Decimal(0)), *(one.cpu or Decimal(0) for one in first)])
    memory = sum((one.memory or Decimal(0) for one in together), Decimal(0))
    return Amount(cpu, max([memory, *(one.memory or Decimal(0) for one in first)])), ""


def _container(item: Object) -> Container:
    resources = _map(item.get("resources"))
    requests, limits = _map(resources.get("requests")), _map(resources.get("limits"))
    cpu, memory = _amount(requests.get("cpu")), _amount(requests.get("memory"))
    cpu_limit, memory_limit = _amount(limits.get("cpu")), _amount(limits.get("memory"))
    return Container(
        str(item.get("name") or ""),
        cpu_limit if cpu is None else cpu,
        memory_limit if memory is None else memory,
        cpu_limit,
        memory_limit,
    )


def _amount(value: Any) -> Decimal | None:
    if value is None or isinstance(value, bool):
        return None
    try:
        return quantity.parse(str(value)).amount
    except BadRequest:
        return None


def _map(value: Any) -> Object:
    """Return a map; what is none counts as one without entries, since texts are kept before they fit a schema."""
    return value if isinstance(value, dict) else {}


def _whole(value: Any, otherwise: int | None) -> int | None:
    """Return a number of replicas, the other one for none given, None for what is no such number."""
    if value is None:
        return otherwise
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _pod_spec(one: Object) -> Object:
    spec = _map(one.get("spec"))
    if one.get("kind") == "Pod":
        return dict(spec)
    if one.get("kind") == "CronJob":
        spec = _map(_map(spec.get("jobTemplate")).get("spec"))
    return dict(_map(_map(spec.get("template")).get("spec")))


def _list(spec: Object, key: str) -> list[Object]:
    found = spec.get(key)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _scales(scaler: Object, *, kind: str, namespace: str, name: str) -> bool:
    named = _map(_map(scaler.get("spec")).get("scaleTargetRef"))
    own = str(_map(scaler.get("metadata")).get("namespace") or "")
    # one without a namespace is for the place that its unit is applied to, which is the workload's
    return (named.get("kind"), named.get("name")) == (kind, name) and (own == namespace or not (own and namespace))


def _measures(bounds: Object) -> tuple[str, ...]:
    """Return the resources that an autoscaler goes by; CPU when it says nothing, as in autoscaling/v1."""
    metrics = _list(bounds, "metrics")
    if not metrics:
        return ("cpu",)
    named = (_map(one.get("resource") or one.get("containerResource")).get("name") for one in metrics)
    return tuple(str(name) if name else "other metrics" for name in named)
