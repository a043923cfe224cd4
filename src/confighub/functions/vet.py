"""Our own validating functions: what a careful reviewer would look for before a unit is applied."""

from __future__ import annotations

from typing import Any

from confighub.data.path import MISSING, get
from confighub.functions import known_paths, refusals, visit
from confighub.functions.checks import result
from confighub.functions.containers import containers, pod_specs
from confighub.functions.signature import Function, function
from confighub.functions.work import Work


def _named(work: Work, position: int) -> str:
    info = work.identity(position)
    return f"{info.resource_type} {info.resource_name}"


def _vet_no_secrets(work: Work, _: list[Any]) -> Any:
    details = []
    for position, holder in enumerate(work.documents):
        line = work.stream.source.count(b"\n", 0, work.stream.documents[position].start)
        details += [f"line {at + line}: {path} holds a literal secret" for path, at in refusals.secret_places(holder)]
    return result(not details, details)


def _vet_no_latest_tag(work: Work, _: list[Any]) -> Any:
    details = []
    for position, spec in pod_specs(work):
        for steps in containers(work, position, spec):
            image = get(work.data(position), (*steps, "image"))
            if isinstance(image, str) and visit.extracted(image, "reference") in ("", ":latest"):
                name = get(work.data(position), (*steps, "name"))
                details.append(f"{_named(work, position)}: container {name} has no fixed tag")
    return result(not details, details)


def _vet_probes(work: Work, _: list[Any]) -> Any:
    details = []
    for position, spec in pod_specs(work):
        if work.identity(position).resource_type.startswith("batch/"):
            continue
        for steps in containers(work, position, spec, ("containers",)):
            container = get(work.data(position), steps)
            missing = [
                name for name in ("livenessProbe", "readinessProbe") if not isinstance(container.get(name), dict)
            ]
            if missing:
                details.append(
                    f"{_named(work, position)}: container {container.get('name')} lacks {', '.join(missing)}"
                )
    return result(not details, details)


def _vet_resources(work: Work, _: list[Any]) -> Any:
    details = []
    for position, spec in pod_specs(work):
        for steps in containers(work, position, spec, ("containers", "initContainers")):
            data = work.data(position)
            wanted = [("requests", "cpu"), ("requests", "memory"), ("limits", "memory")]
            missing = [".".join(one) for one in wanted if get(data, (*steps, "resources", *one)) is MISSING]
            if missing:
                name = get(data, (*steps, "name"))
                details.append(f"{_named(work, position)}: container {name} lacks {', '.join(missing)}")
    return result(not details, details)


_ = known_paths

FUNCTIONS: list[Function] = [
    function(
        name,
        description,
        run,
        output=("passed", "ValidationResult", "Whether nothing was found"),
    )
    for name, description, run in (
        ("vet-no-secrets", "Check that no literal secret stands in the text", _vet_no_secrets),
        ("vet-no-latest-tag", "Check that every image has a fixed tag or digest", _vet_no_latest_tag),
        ("vet-probes", "Check that long-running containers have liveness and readiness probes", _vet_probes),
        ("vet-resources", "Check that containers request resources and limit their memory", _vet_resources),
    )
]
