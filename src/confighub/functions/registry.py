"""Every function by toolchain and name: one dict, read in one place."""

from __future__ import annotations

from functools import lru_cache

from confighub.functions import checks, containers, explain, history, resources, unsupported, values, vet, yq
from confighub.functions.signature import Function, function
from confighub.records.functions import FunctionSignature


@lru_cache(maxsize=1)
def functions() -> dict[str, dict[str, Function]]:
    """Return toolchain → name → function."""
    found: dict[str, dict[str, Function]] = {}
    for family in (values, containers, resources, history, checks, yq, vet, explain, unsupported):
        for one in family.FUNCTIONS:
            for toolchain in one.toolchains:
                found.setdefault(toolchain, {})[one.name] = one
    return {toolchain: dict(sorted(by_name.items())) for toolchain, by_name in found.items()}


@lru_cache(maxsize=1)
def signatures() -> dict[str, dict[str, FunctionSignature]]:
    """Return toolchain → name → signature, as the wire lists them."""
    return {
        toolchain: {name: one.signature for name, one in by_name.items()} for toolchain, by_name in functions().items()
    }


def find(toolchain: str, name: str) -> Function | None:
    """Return a function, or None when the toolchain has none of that name."""
    return functions().get(toolchain, {}).get(name)


__all__ = ["find", "function", "functions", "signatures"]
