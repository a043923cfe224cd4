"""What is rolled out: a Deployment, the Service before it, and the texts of a second version beside them.

Two versions never share a selector: every label of the Deployment's selector that holds the Deployment's own
name gets the second version's name, and what the Service selects is checked against both.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from confighub.client.functions import Scalar, call
from confighub.client.transport import Wire
from confighub.client.units import text_of
from confighub.data.document import parse
from confighub.data.patch import merge_patch
from confighub.errors import BadRequest
from confighub.functions.invoke import invoke
from confighub.operations.rollout.place import Calls, Place
from confighub.records.functions import FunctionInvocation

TEMPORARY = "rollout"
"""The label of units that are there only while a rollout is."""
CANARY_HEADER = "X-Canary"
_NGINX = "nginx.ingress.kubernetes.io/"

Object = dict[str, Any]


@dataclass(frozen=True)
class Subject:
    """The old version as it is. ``name`` is the Service's name, by which everything else is called."""

    name: str
    namespace: str
    deployment: Wire
    service: Wire
    deployment_text: str
    service_text: str

    @property
    def workload(self) -> Object:
        """The Deployment."""
        return objects(self.deployment_text)[0]

    @property
    def selector(self) -> dict[str, str]:
        """What the Service selects."""
        return dict(service_of(self.service_text)["spec"]["selector"])

    @property
    def replicas(self) -> int:
        """How many replicas are wanted."""
        return int(self.workload["spec"].get("replicas", 1))

    @property
    def container(self) -> str:
        """The container whose image is meant: the one named as the Deployment or Service, else the first."""
        names = [str(one["name"]) for one in self.workload["spec"]["template"]["spec"]["containers"]]
        return next((name for name in names if name == self.name), names[0])

    def changes(self, image: str, env: Mapping[str, str]) -> Calls:
        """Return the function calls that make the new version of the old one."""
        container = self.container
        made: list[tuple[str, tuple[Scalar, ...]]] = [("set-image-reference", (container, image))]
        made += [("set-env", (container, f"{name}={value}")) for name, value in env.items()]
        return made

    def second_deployment(self, name: str, *, version: str, image: str, env: Mapping[str, str]) -> str:
        """Return the text of a Deployment of the new version under another name, selected by nothing of the old."""
        own = str(self.workload["metadata"]["name"])
        labels = dict(self.workload["spec"]["selector"]["matchLabels"])
        moved = {key: name for key, value in labels.items() if value == own}
        if not moved:
            raise BadRequest(
                f"the selector of Deployment {own} has no label with its name, so a second version cannot be told apart"
            )
        marks = {**moved, "version": version}
        selected = marks if "version" in labels else moved
        spec = {"selector": {"matchLabels": selected}, "template": {"metadata": {"labels": marks}}}
        text, _ = merge_patch(self.deployment_text, {"metadata": {"name": name, "labels": marks}, "spec": spec})
        made = edited(text, self.changes(image, env))
        pods = objects(made)[0]["spec"]["template"]["metadata"]["labels"]
        if selects(self.selector, pods):
            raise BadRequest(f"Service {self.name} would select the second version too: it selects {self.selector}")
        return made

    def second_service(self, name: str, *, version: str, deployment_text: str) -> str:
        """Return the text of a Service of its own for the second version."""
        selector = selector_of(deployment_text, version=version)
        text, _ = merge_patch(
            self.service_text, {"metadata": {"name": name}, "spec": {"selector": selector, "clusterIP": None}}
        )
        return text


def find_subject(place: Place, name: str) -> Subject:
    """Return the service with that name as it is now.

    Raises: NotFound; BadRequest when it is not live, no Deployment, or has no Service to divide traffic at.
    """
    deployment = place.hub.unit(name, space_id=place.space_id)["Unit"]
    text = place.text(str(deployment["Slug"]))
    found = objects(text)
    if len(found) != 1 or found[0].get("kind") != "Deployment":
        raise BadRequest(f"{deployment['Slug']} is not a unit with one Deployment")
    refuse_pending(deployment)
    pods = found[0]["spec"]["template"]["metadata"]["labels"]
    for record in place.hub.units.list(space_id=place.space_id, include="", resource_type="v1/Service"):
        unit = record["Unit"]
        service_text = text_of(unit) or place.text(str(unit["Slug"]))
        service = service_of(service_text)
        is_temporary = TEMPORARY in (unit.get("Labels") or {})
        if not is_temporary and selects(service.get("spec", {}).get("selector") or {}, pods):
            refuse_pending(unit)
            return Subject(
                name=str(service["metadata"]["name"]),
                namespace=str(service["metadata"].get("namespace") or ""),
                deployment=deployment,
                service=unit,
                deployment_text=text,
                service_text=service_text,
            )
    raise BadRequest(
        f"{name} has no Service, so there is no traffic to divide",
        hint="bring its new version with bin/promote and bin/ordered-apply; its rolling update goes replica by replica",
    )


def canary_ingress(texts: Mapping[str, str], *, service: str, canary: str, weight: int) -> str:
    """Return the text of the Ingresses that give the canary its share, one for each that leads to the service.

    ``texts`` are the environment's Ingress units by slug. Raises: BadRequest when none leads there.
    Source: ingress-nginx's annotations canary, canary-weight, canary-by-header.
    """
    made: list[str] = []
    for text in texts.values():
        for ingress in objects(text):
            rules = _rules(ingress, service=service, canary=canary)
            annotations = ingress["metadata"].get("annotations") or {}
            if rules and annotations.get(_NGINX + "canary") != "true":
                kept = {key: value for key, value in annotations.items() if key == f"{_NGINX}use-regex"}
                made.append(_canary(ingress, rules, f"{canary}-{len(made)}" if made else canary, weight, kept))
    if not made:
        raise BadRequest(f"no Ingress leads to {service}, so a canary would get no share of anything")
    return "---\n".join(made)


def weight_call(weight: int) -> Calls:
    """Return the call that sets a canary's share in every document of its unit."""
    return [("set-annotation", (f"{_NGINX}canary-weight", str(weight)))]


def live_weights(live: list[Object]) -> list[int]:
    """Return the shares that live canary Ingresses have; empty when there are none."""
    found = ((one.get("metadata", {}).get("annotations") or {}).get(f"{_NGINX}canary-weight") for one in live)
    return [int(weight) for weight in found if weight is not None]


def workload_name(service: str, colour: str) -> str:
    """Return the name of a colour's Deployment: blue has the service's own."""
    return service if colour == "blue" else f"{service}-{colour}"


def selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Tell whether the selector names what has these labels; an empty one names nothing."""
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())


def selector_of(deployment_text: str, *, version: str) -> dict[str, str]:
    """Return what a Service selects to reach one Deployment: what the Deployment selects, and its version."""
    labels: dict[str, str] = objects(deployment_text)[0]["spec"]["selector"]["matchLabels"]
    return {**labels, "version": version}


def objects(text: str) -> list[Object]:
    """Return the documents of a unit's text as data."""
    return [placed.document.data for placed in parse(text).documents]


def edited(text: str, calls: Calls) -> str:
    """Return what functions make of a text. Raises: BadRequest when one is refused."""
    made = [msgspec.convert(call(name, *values), FunctionInvocation) for name, values in calls]
    done = invoke(text, made)
    if not done.success:
        raise BadRequest(f"the new version cannot be made: {'; '.join(done.errors)}")
    return done.text


def containers_of(text: str) -> dict[str, Object]:
    """Return the containers of the Deployment among a unit's documents by name, empty without one."""
    found = next((one for one in objects(text) if one.get("kind") == "Deployment"), {})
    pod = ((found.get("spec") or {}).get("template") or {}).get("spec") or {}
    return {str(one.get("name")): one for one in pod.get("containers") or []}


def service_of(text: str) -> Object:
    """Return the Service among a unit's documents, empty without one."""
    return next((one for one in objects(text) if one.get("kind") == "Service"), {})


def refuse_pending(unit: Wire) -> None:
    """Return when what is live of a unit is its head. Raises: BadRequest."""
    live, head = int(unit.get("LiveRevisionNum") or 0), int(unit.get("HeadRevisionNum") or 0)
    if not live:
        raise BadRequest(f"{unit['Slug']} is not live", hint="deploy the environment first: bin/ordered-apply ENV")
    if live != head:
        raise BadRequest(
            f"{unit['Slug']} has changes that are not live: revision {live} is, the head is {head}",
            hint="apply them or take them back first, else the rollout would bring them along unseen",
        )


def _rules(ingress: Object, *, service: str, canary: str) -> list[Object]:
    """Return the rules that lead to the service, leading to the canary instead."""
    rules = []
    for rule in ingress.get("spec", {}).get("rules") or []:
        paths = [
            {**path, "backend": {"service": {**path["backend"]["service"], "name": canary}}}
            for path in (rule.get("http") or {}).get("paths") or []
            if (path.get("backend", {}).get("service") or {}).get("name") == service
        ]
        if paths:
            rules.append({**({"host": rule["host"]} if "host" in rule else {}), "http": {"paths": paths}})
    return rules


def _canary(ingress: Object, rules: list[Object], name: str, weight: int, kept: Mapping[str, str]) -> str:
    """Return one Ingress as YAML; its values are written as JSON, which YAML contains."""
    annotations = {
        **kept,
        f"{_NGINX}canary": "true",
        f"{_NGINX}canary-weight": str(weight),
        f"{_NGINX}canary-by-header": CANARY_HEADER,
    }
    metadata = {"name": name, "namespace": ingress["metadata"].get("namespace"), "annotations": annotations}
    spec = {key: ingress["spec"][key] for key in ("ingressClassName", "tls") if key in ingress["spec"]}
    lines = ["apiVersion: networking.k8s.io/v1", "kind: Ingress", "metadata:"]
    lines += [f"  {key}: {json.dumps(value)}" for key, value in metadata.items() if value and key != "annotations"]
    lines += ["  annotations:", *(f"    {key}: {json.dumps(value)}" for key, value in annotations.items())]
    lines += ["spec:", *(f"  {key}: {json.dumps(value)}" for key, value in {**spec, "rules": rules}.items())]
    return "\n".join(lines) + "\n"
