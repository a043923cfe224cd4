"""What a function is: its signature as the wire lists it, and the code that runs it.

Families declare their functions with ``function``; registry.py gathers them. Descriptions are for people who choose a
function from a list: one sentence, no period.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from confighub.records.functions import FunctionOutput, FunctionParameter, FunctionSignature

if TYPE_CHECKING:
    from confighub.functions.work import Work

KUBERNETES = "Kubernetes/YAML"
PROPERTIES = "AppConfig/Properties"
OPENTOFU = "OpenTofu/HCL"

Run = Callable[["Work", list[Any]], Any]
"""Runs one call on one unit; the arguments are checked and in order, left-out ones missing at the end."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function as it can be called."""

    signature: FunctionSignature
    run: Run
    toolchains: tuple[str, ...]

    @property
    def name(self) -> str:
        """The function's name."""
        return self.signature.function_name


def parameter(
    name: str,
    description: str,
    *,
    kind: str = "string",
    required: bool = True,
    pattern: str = "",
    low: int | None = None,
    high: int | None = None,
    choices: tuple[str, ...] = (),
    example: str = "",
) -> FunctionParameter:
    """Return a parameter with its checks; ``pattern`` is searched for, unanchored, in the argument."""
    return FunctionParameter(
        parameter_name=name,
        description=description,
        data_type=kind,
        required=required,
        example=example,
        regexp=pattern,
        min=low,
        max=high,
        enum_values=list(choices) or None,
    )


def function(
    name: str,
    description: str,
    run: Run,
    *parameters: FunctionParameter,
    output: tuple[str, str, str] | None = None,
    mutates: bool = False,
    toolchains: tuple[str, ...] = (KUBERNETES,),
    types: tuple[str, ...] = ("*",),
    attribute: str = "",
    kind: str = "Custom",
    var_args: bool = False,
    idempotent: bool = True,
) -> Function:
    """Return a function; ``output`` is the result's name, type and description."""
    signature = FunctionSignature(
        function_name=name,
        description=description,
        parameters=list(parameters),
        required_parameters=sum(one.required for one in parameters),
        var_args=var_args,
        output_info=None
        if output is None
        else FunctionOutput(result_name=output[0], output_type=output[1], description=output[2]),
        mutating=mutates,
        validating=output is not None and output[1] == "ValidationResult",
        hermetic=True,
        idempotent=idempotent,
        attribute_name=attribute,
        affected_resource_types=list(types),
        function_type=kind,
    )
    return Function(signature, run, toolchains)
