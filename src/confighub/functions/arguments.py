"""Checks a call's arguments against the signature and puts them in order.

Source: spec functions/README.md, Arguments.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import re2

from confighub.errors import BadRequest
from confighub.records.functions import FunctionArgument, FunctionParameter, FunctionSignature, Scalar

_BOOLEANS = {
    **dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True),
    **dict.fromkeys(("0", "f", "F", "false", "FALSE", "False"), False),
}


def prepared(
    given: list[FunctionArgument] | None, signature: FunctionSignature, *, cast_strings: bool
) -> tuple[list[Scalar], tuple[str, ...]]:
    """Return the values in the signature's order, and each one's parameter name.

    ``cast_strings`` turns text into the int or bool that a parameter wants.
    Raises: BadRequest for too few or many, unknown or repeated names, and values that fail a check.
    """
    arguments = given or []
    parameters = signature.parameters
    count = len(arguments)
    if count < signature.required_parameters:
        raise BadRequest(
            f"insufficient arguments: got {count}, expected {signature.required_parameters}: {_usage(signature)}"
        )
    if count > len(parameters) and not signature.var_args:
        raise BadRequest(f"too many arguments: got {count}, expected {len(parameters)}: {_usage(signature)}")
    order = _order(arguments, signature)
    values, names = [], []
    for at in order:
        place = _place(arguments[at], at, parameters)
        values.append(_checked(arguments[at].value, parameters[place], cast_strings=cast_strings))
        names.append(parameters[place].parameter_name)
    return values, tuple(names)


def _usage(signature: FunctionSignature) -> str:
    return ", ".join(one.parameter_name if one.required else f"[{one.parameter_name}]" for one in signature.parameters)


def _place(argument: FunctionArgument, at: int, parameters: list[FunctionParameter]) -> int:
    if not argument.parameter_name:
        return min(at, len(parameters) - 1)
    return next(place for place, one in enumerate(parameters) if one.parameter_name == argument.parameter_name)


def _order(arguments: list[FunctionArgument], signature: FunctionSignature) -> list[int]:
    """Return the positions of the arguments in the signature's order."""
    if not any(argument.parameter_name for argument in arguments):
        return list(range(len(arguments)))
    parameters, name = signature.parameters, signature.function_name
    known = {one.parameter_name: place for place, one in enumerate(parameters)}
    last = parameters[-1].parameter_name if signature.var_args and parameters else ""
    is_in_order, has_unnamed = True, False
    seen: dict[str, int] = {}
    for at, argument in enumerate(arguments):
        label = argument.parameter_name
        if not label:
            has_unnamed = True
            label = parameters[min(at, len(parameters) - 1)].parameter_name
        elif label not in known:
            raise BadRequest(f"argument {label} is not a parameter of function {name}")
        if label in seen and label != last:
            raise BadRequest(f"argument {label} of function {name} is given twice")
        if known[label] != min(at, len(parameters) - 1):
            is_in_order = False
        seen.setdefault(label, at)
    if is_in_order:
        return list(range(len(arguments)))
    if has_unnamed:
        raise BadRequest(f"arguments of function {name} are named out of order and unnamed at once")
    missing = [one.parameter_name for one in parameters if one.required and one.parameter_name not in seen]
    if missing:
        raise BadRequest(f"missing required parameter {missing[0]} of function {name}")
    return sorted(range(len(arguments)), key=lambda at: known[arguments[at].parameter_name])


def _checked(value: Any, wanted: FunctionParameter, *, cast_strings: bool) -> Scalar:
    name, kind = wanted.parameter_name, wanted.data_type
    if isinstance(value, bool):
        if kind != "bool":
            raise BadRequest(f"argument {name} is a bool, expected {kind}")
        return value
    if isinstance(value, (int, float)):
        if kind != "int":
            raise BadRequest(f"argument {name} is a number, expected {kind}")
        return _in_range(int(value), wanted)
    if not isinstance(value, str):
        raise BadRequest(f"argument {name} has no value, expected {kind}")
    if kind in ("int", "bool") and not cast_strings:
        raise BadRequest(f"argument {name} is a string, expected {kind}")
    if kind == "int":
        return _in_range(_integer(value, name), wanted)
    if kind == "bool":
        if value not in _BOOLEANS:
            raise BadRequest(f"argument {name} is not a bool: {value}")
        return _BOOLEANS[value]
    if wanted.regexp:
        if not _matches(wanted.regexp, value):
            raise BadRequest(f"argument {name} does not match {wanted.regexp}: {value}")
    elif wanted.enum_values and value not in wanted.enum_values:
        raise BadRequest(f"argument {name} is not one of {', '.join(wanted.enum_values)}: {value}")
    return value


def _integer(value: str, name: str) -> int:
    digits = value[1:] if value[:1] in ("+", "-") else value
    if not (digits.isascii() and digits.isdigit()) or not -(2**63) <= int(value) < 2**63:
        raise BadRequest(f"argument {name} is not an int: {value}")
    return int(value)


def _in_range(value: int, wanted: FunctionParameter) -> int:
    low, high = wanted.min, wanted.max
    if (low is not None and value < low) or (high is not None and value > high):
        limits = f"{'' if low is None else low}–{'' if high is None else high}"
        raise BadRequest(f"argument {wanted.parameter_name} is out of range {limits}: {value}")
    return value


@lru_cache(maxsize=256)
def _regexp(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)


@lru_cache(maxsize=4096)
def _matches(pattern: str, value: str) -> bool:
    # one call on a thousand units has the same arguments each time
    return _regexp(pattern).search(value) is not None
