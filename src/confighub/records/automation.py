"""Function calls that are stored: invocations by name, triggers by event."""

from __future__ import annotations

from confighub.records.base import SpaceEntity
from confighub.records.functions import FunctionArgument


class Invocation(SpaceEntity):
    """A function call under a name."""

    invocation_id: str | None = None
    toolchain_type: str = "Kubernetes/YAML"
    function_name: str = ""
    arguments: list[FunctionArgument] | None = None
    bridge_worker_id: str | None = None
    hash: str = ""


class Trigger(SpaceEntity):
    """A function call that runs on an event of the units in its space.

    ``validating`` is set by the hub from the function's signature.
    """

    trigger_id: str | None = None
    event: str = "Mutation"
    toolchain_type: str = "Kubernetes/YAML"
    function_name: str = ""
    arguments: list[FunctionArgument] | None = None
    invocation_id: str | None = None
    bridge_worker_id: str | None = None
    disabled: bool = False
    enforced: bool = False
    validating: bool = False
