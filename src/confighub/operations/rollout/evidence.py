"""Which figures a rollout is judged by: chosen when it begins, and kept in its record for whoever goes on with it.

A Prometheus is named by the command, else by an annotation of the space or of the unit's target; without any of them
the laptop's ingress counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from confighub.client.collection import quoted
from confighub.client.transport import Wire
from confighub.errors import BadRequest
from confighub.operations.prometheus import Prometheus
from confighub.operations.rollout.place import Place
from confighub.operations.rollout.queries import KNOWN, Queries
from confighub.operations.rollout.record import Record
from confighub.operations.rollout.shares import live_virtual_services
from confighub.operations.rollout.sources import IngressCounters, PrometheusCounters, Source, Watched
from confighub.operations.rollout.subject import Subject, objects, workload_name

ANNOTATION = "confighub.com/prometheus"
"""The annotation of a space or a target that names the Prometheus which watches it."""
_LAPTOP = "Laptop"


@dataclass(frozen=True)
class Evidence:
    """What somebody asks to be judged by; empty for what fits the place.

    ``without_trades`` leaves the synthetic trades out, for places where no version can be reached from here; ``inside``
    says that Services are reached by their addresses in the cluster.
    """

    prometheus: str = ""
    queries: Queries | None = None
    without_trades: bool = False
    inside: bool = False


def chosen(place: Place, subject: Subject, asked: Evidence) -> dict[str, str]:
    """Return what the record must know of its figures.

    Raises: BadRequest for queries that Prometheus refuses, and where nothing at all would be looked at; RetryLater when
    the Prometheus cannot be asked.
    """
    target = _target_of(place, subject.deployment)
    url = asked.prometheus or _annotated(place.hub.space(place.space_id)) or _annotated(target)
    is_on_laptop = target.get("ProviderType") == _LAPTOP
    if asked.without_trades and not url and not is_on_laptop:
        raise BadRequest(
            "without synthetic trades and without a Prometheus nothing would be seen of the new version",
            hint="name one: --prometheus URL",
        )
    if not url and asked.queries is not None:
        raise BadRequest("the schedule has queries, and no Prometheus to ask them", hint="name one: --prometheus URL")
    known = ({"trades": "no"} if asked.without_trades else {}) | ({"inside": "yes"} if asked.inside else {})
    if not url:
        return known
    fitting = "laptop" if is_on_laptop else "istio" if live_virtual_services(place, subject.name) else "nginx"
    queries = asked.queries or KNOWN[fitting]
    known |= {
        "prometheus": url,
        "queries": msgspec.json.encode(queries).decode(),
        "namespace": subject.namespace,
        "environment": _environment(place.hub.space(place.space_id)),
        "workload": str(subject.workload["metadata"]["name"]),
        "old version": _tag(_image(subject)),
    }
    return known


def check(place: Place, record: Record) -> None:
    """Return when the figures can be asked for. Raises: RetryLater, BadRequest."""
    source = source_of(place, record, limit_s=1.0)
    if isinstance(source, PrometheusCounters):
        source.check()


def source_of(place: Place, record: Record, *, limit_s: float) -> Source:
    """Return what counts the requests of the rollout's versions, and those that take longer than the limit."""
    before, watched = record.before, _watched(record, limit_s)
    if not before.get("prometheus"):
        return IngressCounters(place, tuple(filter(None, before["ingresses"].split(","))), watched)
    both = {
        "name": record.service,
        "namespace": before["namespace"],
        "environment": before["environment"],
        "limit": f"{watched.limit_s:g}",
        "limit_ms": f"{watched.limit_s * 1000:g}",
    }
    old = {"service": watched.old_service, "deployment": before["workload"], "version": before["old version"]}
    new = {"service": watched.new_service, "deployment": watched.new_deployment, "version": _tag(record.image)}
    queries = msgspec.json.decode(before["queries"], type=Queries)
    is_compared = bool(watched.old_service)
    if not is_compared:
        # All traffic is the new version's, under the name that the old one had.
        queries = msgspec.structs.replace(queries, new=queries.old)
    return PrometheusCounters(Prometheus(before["prometheus"]), queries, both | old, both | new, is_compared)


def _watched(record: Record, limit_s: float) -> Watched:
    """Return whose requests are counted: a canary's beside the old version's, or everybody's after a switch."""
    if record.kind == "canary":
        canary = f"{record.service}-canary"
        return Watched(record.service, canary, canary, limit_s)
    service = own_service(record) if record.before.get("entrance") else record.service
    return Watched("", service, workload_name(record.service, record.before["colour"]), limit_s)


def own_service(record: Record) -> str:
    """Return the name of the Service that leads to the new colour alone, while the rollout is under way."""
    return f"{record.service}-{record.before['colour']}"


def _target_of(place: Place, unit: Wire) -> Wire:
    found = place.hub.targets.list(where=f"TargetID = {quoted(str(unit.get('TargetID') or ''))}")
    return dict(found[0]["Target"]) if found else {}


def _annotated(record: Wire) -> str:
    return str((record.get("Annotations") or {}).get(ANNOTATION) or "")


def _environment(space: Wire) -> str:
    labels = space.get("Labels") or {}
    return str(labels.get("environment") or labels.get("env") or "")


def _image(subject: Subject) -> str:
    containers = objects(subject.deployment_text)[0]["spec"]["template"]["spec"]["containers"]
    return next(str(one.get("image") or "") for one in containers if one["name"] == subject.container)


def _tag(image: str) -> str:
    """Return the tag of an image, empty without one."""
    name = image.partition("@")[0]
    return name.rpartition(":")[2] if ":" in name.rpartition("/")[2] else ""
