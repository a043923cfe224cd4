"""Functions on the containers of workloads: environment, resources, images, and good defaults for pods."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import re2

from confighub.data import render
from confighub.data.path import MISSING, Step, Steps, get, split
from confighub.data.render import Raw
from confighub.errors import BadPath, BadRequest, NotAResource
from confighub.functions import known_paths, quantity, visit
from confighub.functions.known_paths import CONTAINERS, WORKLOADS, pod_spec
from confighub.functions.quantity import Quantity
from confighub.functions.signature import Function, function, parameter
from confighub.functions.values import CONTAINER, REFERENCE, URI
from confighub.functions.work import Failed, Work


def pod_specs(work: Work) -> Iterator[tuple[int, Steps]]:
    """Yield the position of each workload and the steps to its pod spec; what is no resource is passed over."""
    for position in range(len(work.documents)):
        try:
            kind = work.identity(position).resource_type
        except NotAResource:
            continue
        if kind in WORKLOADS:
            steps = split(pod_spec(kind))
            if work.shape(position, steps) == "map":
                yield position, steps


def containers(work: Work, position: int, spec: Steps, groups: tuple[str, ...] = CONTAINERS) -> Iterator[Steps]:
    """Yield the steps to each container of a pod, group by group."""
    for group in groups:
        if work.shape(position, (*spec, group)) == "list":
            for at in range(work.size(position, (*spec, group))):
                if work.shape(position, (*spec, group, at)) == "map":
                    yield (*spec, group, at)


def _named(work: Work, name: str) -> Iterator[tuple[int, Steps]]:
    for position, spec in pod_specs(work):
        for group in CONTAINERS:
            for steps in containers(work, position, spec, (group,)):
                if name == "*" or work.at(position, (*steps, "name")) == name:
                    yield position, steps
                    if name != "*":
                        break


def _set_env(work: Work, arguments: list[Any]) -> None:
    name, *pairs = arguments
    wanted = dict(pair.split("=", 1) for pair in pairs)
    errors: list[str] = []
    for position, steps in list(_named(work, name)):
        try:
            _set_env_of(work, position, steps, wanted)
        except BadPath as error:
            errors.append(error.message)
    visit.raise_for(errors)


def _set_env_of(work: Work, position: int, steps: Steps, wanted: dict[str, str]) -> None:
    editor = work.editor(position)
    env = (*steps, "env")
    for name, value in wanted.items():
        at = editor.position(env, "name", name)
        shape = editor.shape(env)
        if at is not None:
            if value:
                editor.set((*env, at, "value"), value)
            else:
                editor.remove((*env, at))
        elif value and shape == "list":
            editor.insert(env, {"name": name, "value": value})
        elif value:
            editor.set(env, [{"name": name, "value": value}])
        elif not shape:
            # the public library leaves an empty list behind
            editor.set(env, [])


class _Wish:
    """What set-container-resources shall bring about: a quantity for requests and one for limits, by resource."""

    def __init__(self, operation: str, cpu: str, memory: str, factor: int) -> None:
        self.operation, self.factor = operation, factor
        self.requests = {name: text for name, text in (("cpu", cpu), ("memory", memory)) if text}
        if not self.requests:
            raise Failed("at least one of cpu and memory must be given")
        self.limits: dict[str, str] = {}
        for name, text in self.requests.items():
            try:
                amount = quantity.parse(text)
            except BadRequest:
                raise Failed(f"invalid {name}: {text}") from None
            if factor:
                self.limits[name] = str(amount.times(factor))

    def applied(self, resources: Any) -> Any:
        """Return the resources as they should be, key order kept."""
        new = dict(resources) if isinstance(resources, dict) else {}
        new["requests"] = self._chosen(new.get("requests"), self.requests)
        if self.factor:
            new["limits"] = self._chosen(new.get("limits"), self.limits)
        else:
            new.pop("limits", None)
        return new

    def _chosen(self, present: Any, wanted: dict[str, str]) -> dict[str, Any]:
        new = dict(present) if isinstance(present, dict) else {}
        for name, text in wanted.items():
            new[name] = self._better(new.get(name), text)
        return new

    def _better(self, present: Any, text: str) -> Any:
        if self.operation == "all" or not isinstance(present, str):
            return text
        try:
            old: Quantity = quantity.parse(present)
        except BadRequest:
            return text
        new = quantity.parse(text)
        keeps = old.amount < new.amount if self.operation == "cap" else old.amount > new.amount
        return present if keeps else text


def _set_container_resources(work: Work, arguments: list[Any]) -> None:
    name, operation, cpu, memory, factor = arguments
    wish = _Wish(operation, cpu, memory, factor)
    errors = work.not_resources()
    for position, steps in list(_named(work, name)):
        here = (*steps, "resources")
        present = work.at(position, here)
        if present is MISSING:
            continue
        try:
            put(work, position, here, present, wish.applied(present))
        except BadPath as error:
            errors.append(error.message)
    visit.raise_for(errors)


def put(work: Work, position: int, steps: Steps, old: Any, new: Any) -> None:
    """Bring a place from its old value to a new one, touching only the keys that differ."""
    editor = work.editor(position)
    if isinstance(new, dict) and not old:
        # an empty map is written with brackets, and stays so
        editor.set(steps, Raw(render.flow(new)))
    elif isinstance(old, dict) and isinstance(new, dict):
        for key in old:
            if key not in new:
                editor.remove((*steps, key))
        for key, value in new.items():
            below: tuple[Step, ...] = (*steps, key)
            if key in old:
                put(work, position, below, old[key], value)
            else:
                editor.set(below, value)
    else:
        editor.set(steps, new)


def _set_image_reference_by_uri(work: Work, arguments: list[Any]) -> None:
    uri, reference = arguments
    image = re2.compile(known_paths.IMAGE)

    def change(old: Any) -> Any:
        match = image.search(old)
        if match is None or match.group("uri") != uri:
            return old
        return uri + reference

    visit.update(work, known_paths.table(work.provider.toolchain, "container-images"), change, str)


_POD_SECURITY = {
    "pod-security.kubernetes.io/enforce": "baseline",
    "pod-security.kubernetes.io/enforce-version": "latest",
    "pod-security.kubernetes.io/warn": "restricted",
    "pod-security.kubernetes.io/warn-version": "latest",
}
_SECURITY = {
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "privileged": False,
}


def _set_pod_defaults(work: Work, arguments: list[Any]) -> None:
    wanted = {name for name, value in zip(work.names, arguments, strict=True) if value}
    errors: list[str] = []
    if "pod-security" in wanted:
        _set_pod_security(work)
    for position, spec in list(pod_specs(work)):
        try:
            _set_defaults_of(work, position, spec, wanted)
        except BadPath as error:
            errors.append(error.message)
    visit.raise_for(errors)


def _set_pod_security(work: Work) -> None:
    for position in range(len(work.documents)):
        data = work.data(position)
        if isinstance(data, dict) and data.get("kind") == "Namespace" and data.get("apiVersion") == "v1":
            labels = get(data, ("metadata", "labels"))
            if isinstance(labels, dict) and labels:
                for key, value in _POD_SECURITY.items():
                    work.editor(position).set(("metadata", "labels", key), value)
            else:
                work.editor(position).set(("metadata", "labels"), dict(_POD_SECURITY))


def _set_defaults_of(work: Work, position: int, spec: Steps, wanted: set[str]) -> None:
    editor = work.editor(position)
    if "automount-service-account-token" in wanted:
        editor.set((*spec, "automountServiceAccountToken"), False)
    if get(editor.data, (*spec, "terminationGracePeriodSeconds")) is MISSING:
        editor.set((*spec, "terminationGracePeriodSeconds"), 60)
    if "security-context" in wanted:
        editor.set((*spec, "securityContext", "seccompProfile", "type"), "RuntimeDefault")
        for steps in list(containers(work, position, spec)):
            _set_security_of(work, position, steps)
    if "resources" in wanted:
        wish = _Wish("floor", "128m", "128Mi", 0)
        for steps in list(containers(work, position, spec)):
            present = get(editor.data, (*steps, "resources"))
            here = (*steps, "resources")
            put(work, position, here, {} if present is MISSING else present, wish.applied(present))
    if "probes" in wanted:
        for steps in list(containers(work, position, spec, ("containers",))):
            _set_probes_of(work, position, steps)


def _set_security_of(work: Work, position: int, steps: Steps) -> None:
    editor = work.editor(position)
    here = (*steps, "securityContext")
    old = get(editor.data, here)
    new = {**(old if isinstance(old, dict) else {}), **_SECURITY}
    capabilities = new.get("capabilities")
    if not isinstance(capabilities, dict) or "drop" not in capabilities:
        new["capabilities"] = {**(capabilities if isinstance(capabilities, dict) else {}), "drop": ["ALL"]}
    if isinstance(old, dict) and old:
        put(work, position, here, old, new)
    else:
        editor.set(here, new)
    if get(editor.data, (*steps, "imagePullPolicy")) is MISSING:
        editor.set((*steps, "imagePullPolicy"), "Always")


def _probe(port: int, delay_s: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": visit.PLACEHOLDER, "port": port},
        "initialDelaySeconds": delay_s,
        "periodSeconds": 10,
        "timeoutSeconds": 1,
        "failureThreshold": failures,
        "successThreshold": 1,
    }


def _set_probes_of(work: Work, position: int, steps: Steps) -> None:
    editor = work.editor(position)
    container = get(editor.data, steps)
    if "readinessProbe" in container:
        return
    for name in ("livenessProbe", "startupProbe"):
        if name in container:
            probe = container[name] if isinstance(container[name], dict) else {}
            editor.set((*steps, "readinessProbe"), {**probe, "initialDelaySeconds": 5, "periodSeconds": 10})
            return
    port = get(container, ("ports", 0, "containerPort"))
    port = port if type(port) is int else 8080
    editor.set((*steps, "startupProbe"), _probe(port, 10, 30))
    editor.set((*steps, "livenessProbe"), _probe(port, 30, 3))
    editor.set((*steps, "readinessProbe"), _probe(port, 5, 3))


def _flag(name: str, description: str) -> Any:
    return parameter(name, description, kind="bool", required=False)


FUNCTIONS: list[Function] = [
    function(
        "set-env",
        "Add, change or (with KEY=) remove environment variables of a container",
        _set_env,
        CONTAINER,
        parameter("env-key-value", "KEY=VALUE, any number of them", pattern="^[-._a-zA-Z][-._a-zA-Z0-9]*=.*$"),
        mutates=True,
        var_args=True,
        types=WORKLOADS,
    ),
    function(
        "set-container-resources",
        "Set the resources that a container requests, and its limits as a multiple of them",
        _set_container_resources,
        CONTAINER,
        parameter(
            "operation",
            "all sets, floor raises what is lower, cap lowers what is higher",
            kind="enum",
            choices=("all", "cap", "floor"),
        ),
        parameter("cpu", "CPU request, empty to leave it", example="250m"),
        parameter("memory", "Memory request, empty to leave it", example="256Mi"),
        parameter("limit-factor", "Limits as a multiple of the requests, 0 for none", kind="int", low=0, high=10),
        mutates=True,
        attribute="container-resources",
        types=WORKLOADS,
    ),
    function(
        "set-image-reference-by-uri",
        "Set the tag or digest of every image of a repository",
        _set_image_reference_by_uri,
        parameter("repository-uri", "The repository", pattern=URI, example="ghcr.io/finos/web"),
        parameter("image-reference", "The new :tag or @digest", pattern=REFERENCE, example=":v1.2.0"),
        mutates=True,
        attribute="container-images",
        types=WORKLOADS,
    ),
    function(
        "set-pod-defaults",
        "Give pods the security, resources and probes that they should have",
        _set_pod_defaults,
        _flag("pod-security", "Label namespaces with pod security levels"),
        _flag("automount-service-account-token", "Do not mount the service account's token"),
        _flag("security-context", "Drop privileges of pods and containers"),
        _flag("resources", "Request at least 128m CPU and 128Mi memory"),
        _flag("probes", "Add the probes that are missing"),
        mutates=True,
        types=WORKLOADS,
    ),
]
