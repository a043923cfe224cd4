"""The signatures and the known paths are those of the public library, and our own functions beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from confighub.functions import known_paths, registry
from confighub.functions.known_paths import Known
from confighub.functions.signature import KUBERNETES, PROPERTIES
from confighub.records.functions import FunctionSignature

_OURS = {
    "explain-diff",
    "set-config",
    "vet-budget",
    "vet-network-policy",
    "vet-no-latest-tag",
    "vet-no-secrets",
    "vet-probes",
    "vet-references",
    "vet-resources",
}
_OVERLAPPING = ("app.kubernetes.io", "external-dns.alpha")
"""Parts of recorded paths that are a general path with its key filled in."""


def shown(one: FunctionSignature) -> dict[str, Any]:
    """Return a signature in the form of the recorded facts."""
    output = one.output_info
    return {
        "attribute": one.attribute_name,
        "hermetic": one.hermetic,
        "idempotent": one.idempotent,
        "mutating": one.mutating,
        "validating": one.validating,
        "required": one.required_parameters,
        "varargs": one.var_args,
        "type": one.function_type,
        "output": (output.result_name, output.output_type) if output else None,
        "params": [
            (p.parameter_name, p.data_type, p.required, p.regexp, p.min, p.max, p.enum_values) for p in one.parameters
        ],
        "resource_types": sorted(one.affected_resource_types),
    }


def expected(fact: dict[str, Any]) -> dict[str, Any]:
    """Return a recorded signature without its prose."""
    output = fact["output"]
    wanted = {name: fact[name] for name in ("attribute", "hermetic", "idempotent", "mutating", "validating")}
    return {
        **wanted,
        "required": fact["required"],
        "varargs": fact["varargs"],
        "type": fact["type"],
        "output": (output["name"], output["type"]) if output else None,
        "params": [
            (p["name"], p["type"], p["required"], p.get("Regexp", ""), p.get("Min"), p.get("Max"), p.get("EnumValues"))
            for p in fact["params"]
        ],
        "resource_types": sorted(fact["resource_types"]),
    }


@pytest.mark.parametrize("toolchain", [KUBERNETES, PROPERTIES])
def test_each_public_function_has_its_signature(shared: Path, toolchain: str) -> None:
    facts = json.loads((shared / "spec" / "functions.json").read_text())[toolchain]
    ours = registry.signatures()[toolchain]

    assert {name: shown(ours[name]) for name in facts if name in ours} == {n: expected(f) for n, f in facts.items()}


def test_only_our_own_functions_are_more_than_the_public_ones(shared: Path) -> None:
    facts = json.loads((shared / "spec" / "functions.json").read_text())

    assert set(registry.signatures()[KUBERNETES]) - set(facts[KUBERNETES]) == _OURS


@pytest.mark.parametrize("toolchain", [KUBERNETES, PROPERTIES])
def test_each_function_and_parameter_is_described(toolchain: str) -> None:
    for name, signature in registry.signatures()[toolchain].items():
        assert signature.description, name
        assert all(parameter.description for parameter in signature.parameters), name


@pytest.mark.parametrize("toolchain", [KUBERNETES, PROPERTIES])
def test_the_known_paths_are_the_public_ones(shared: Path, toolchain: str) -> None:
    facts = json.loads((shared / "spec" / "paths.json").read_text())["registry"][toolchain]
    ours = known_paths.registry(toolchain)

    wanted = {
        (attribute, kind, path): path_fact(attribute, path, fact)
        for attribute, kinds in facts.items()
        for kind, paths in kinds.items()
        for path, fact in paths.items()
        if not (attribute == "attribute-value" and any(part in path for part in _OVERLAPPING))
    }

    assert {key: path_shown(ours[key[0]][key[1]][key[2]]) for key in wanted} == wanted


def path_fact(attribute: str, path: str, fact: dict[str, Any]) -> tuple[Any, ...]:
    """Return what is recorded of a path."""
    setters = [tuple(one) for one in fact.get("setters", [])]
    if attribute.startswith("resource-name/"):
        # the public table of one type also lists the setters of the others; no function shows them
        setters = setters[:1]
    getter = tuple(fact["getter"]) if fact.get("getter") else None
    return fact["attribute"], fact["type"], fact.get("visit", path), getter, setters, "except_types" in fact


def path_shown(known: Known) -> tuple[Any, ...]:
    """Return what we know of a path."""
    setters = [tuple(one) for one in known.setters]
    getter = tuple(known.getter) if known.getter else None
    return known.attribute, known.type, known.visit, getter, setters, known.except_cluster_scoped
