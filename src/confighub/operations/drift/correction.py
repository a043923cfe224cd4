"""The merge patch that writes a live value into a unit."""

from __future__ import annotations

from typing import Any

from confighub.errors import BadRequest
from confighub.operations.drift.compare import Difference, Step


def patch_of(difference: Difference) -> dict[str, Any]:
    """Return the patch of the unit's data; list items are named by their keys, as merge patches of data do.

    Raises: BadRequest for an object that is gone or was added, which no patch can say.
    """
    if not difference.steps:
        raise BadRequest(
            f"{difference}: a unit cannot take that over", hint="edit the unit, or import the object: cub unit import"
        )
    if difference.actual == "added" and len(difference.steps) == 1:
        raise BadRequest(
            f"{difference.resource} {difference.path} was added by {difference.who} with a value not known"
        )
    name = {"name": difference.name}
    patch: dict[str, Any] = {"apiVersion": difference.api_version, "kind": difference.kind, "metadata": name}
    body = _nested(list(difference.steps), difference.actual)
    if "metadata" in body:
        patch["metadata"] = {**body["metadata"], **name}
        return patch
    return {**patch, **body}


def _nested(steps: list[Step], value: Any) -> Any:
    """Return the value inside maps and one-item lists that lead to it."""
    for position in range(len(steps) - 1, -1, -1):
        step = steps[position]
        if isinstance(step, str):
            value = {step: value}
        else:
            item = dict(step)
            if value is None:
                value = [{**item, "$patch": "delete"}]
            else:
                value = [{**item, **value}] if isinstance(value, dict) else [item]
    return value
