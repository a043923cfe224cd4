"""Our own functions: what a careful reviewer would look for before a unit is applied, and patches of the data."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from confighub.data import patch
from confighub.data.path import MISSING, get
from confighub.functions import costs, references, refusals, visit
from confighub.functions.checks import result
from confighub.functions.containers import containers, pod_specs
from confighub.functions.signature import Function, function, parameter
from confighub.functions.work import Failed, Work


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


def _vet_references(work: Work, _: list[Any]) -> Any:
    space, own = references.space_of(work), references.own_resources(work)
    missing, unknown = references.missing_names(work, space)
    missing += references.missing_ports(own, space)
    missing += references.missing_hosts(own, space)
    return result(not missing, missing + unknown)


def _vet_network_policy(work: Work, _: list[Any]) -> Any:
    own = {one.info.resource_name for one in references.own_resources(work)}
    details = [
        f"{workload.info.resource_type} {workload.info.resource_name}: no NetworkPolicy selects its pods"
        for workload, policies in references.selected_by_policies(references.space_of(work))
        if not policies and workload.info.resource_name in own
    ]
    return result(not details, details)


def _vet_budget(work: Work, arguments: list[Any]) -> Any:
    try:
        budget, cpu, memory = amounts = [Decimal(str(one)) for one in arguments[:3]]
        are_amounts = all(one.is_finite() and one >= 0 for one in amounts)
    except InvalidOperation:
        are_amounts = False
    if not are_amounts:
        raise Failed(f"not three amounts in US dollars: {', '.join(map(str, arguments))}")
    own = [data for at in range(len(work.documents)) if isinstance(data := work.data(at), dict)]
    if not any(one.get("kind") == costs.SCALER for one in own) and not costs.workloads(own):
        return result(True)
    others, unread = costs.objects_of_all(work.context.siblings)
    whole, unknown = costs.total(costs.workloads([*own, *others]), costs.Rates(cpu, memory))
    details = [f"{line}; it has no figure and is left out" for line in (*unread, *unknown)]
    if whole.high > budget:
        said = f"the heads of the space cost {whole} USD a month by what they request, the budget is {budget:.2f}"
        return result(False, [said, *details])
    return result(True, details)


def _set_config(work: Work, arguments: list[Any]) -> None:
    try:
        wanted = msgspec.json.decode(arguments[0])
    except msgspec.DecodeError as error:
        raise Failed(f"patch is not JSON: {error}") from None
    if not isinstance(wanted, dict):
        raise Failed("patch is not a JSON object")
    kind = arguments[1] if len(arguments) > 1 else ""
    chosen = [at for at in range(len(work.documents)) if kind in ("", "*", work.identity(at).resource_type)]
    if not kind:
        chosen = [patch.chosen(work.documents, wanted)]
    for position in chosen:
        patch.bring_in(work.editor(position), wanted)


FUNCTIONS: list[Function] = [
    *(
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
            ("vet-references", "Check that what the unit names exists in its space", _vet_references),
            ("vet-network-policy", "Check that a NetworkPolicy selects every workload", _vet_network_policy),
        )
    ),
    function(
        "vet-budget",
        "Check that what the workloads of the space request costs no more than a budget",
        _vet_budget,
        parameter("usd-per-month", "The budget of the space, for a month of 730 hours", example="200"),
        parameter("usd-per-vcpu-hour", "What one vCPU costs for an hour", example="0.04048"),
        parameter("usd-per-gib-hour", "What one GiB of memory costs for an hour", example="0.004445"),
        output=("passed", "ValidationResult", "Whether the budget holds"),
    ),
    function(
        "set-config",
        "Bring a JSON patch into the resources, lists merged by their keys, null deletes",
        _set_config,
        parameter("patch", "JSON merge patch of the data", kind="JSON", example='{"spec":{"replicas":3}}'),
        parameter("resource-type", "Type of the resources to patch; without it, one fits", required=False),
        mutates=True,
    ),
]
