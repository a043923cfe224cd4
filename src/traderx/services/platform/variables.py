"""Reading one environment variable as what it should be."""

from __future__ import annotations

from collections.abc import Mapping

from traderx.services.errors import Misconfigured


def number(variables: Mapping[str, str], name: str, *, default: float = 0.0, highest: float = float("inf")) -> float:
    """Return a variable as a number between 0 and ``highest``, the default when it is absent.

    Raises: Misconfigured, naming the variable.
    """
    text = variables.get(name, "").strip()
    if not text:
        return default
    try:
        value = float(text)
    except ValueError as error:
        raise Misconfigured(f"{name} must be a number: {text}") from error
    if not 0 <= value <= highest:
        raise Misconfigured(f"{name} must be between 0 and {highest:g}: {text}")
    return value


def switched_on(variables: Mapping[str, str], name: str) -> bool:
    """Return whether a yes/no variable says yes; no when absent."""
    return variables.get(name, "").strip().lower() in {"1", "true", "yes", "on"}
