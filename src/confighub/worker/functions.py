"""Function calls that the hub hands to a worker: the same library that the hub itself has.

It is imported when the first call comes; most workers never get one.
"""

from __future__ import annotations

import msgspec

from confighub.records.base import Record, to_wire
from confighub.records.functions import FunctionInvocation, FunctionSignature
from confighub.records.mutations import ResourceMutation


class Request(Record):
    """One call on one unit: its context and the invocations, flat."""

    toolchain_type: str = "Kubernetes/YAML"
    unit_slug: str = ""
    unit_display_name: str = ""
    unit_labels: dict[str, str] | None = None
    unit_annotations: dict[str, str] | None = None
    unit_id: str | None = None
    space_id: str | None = None
    space_slug: str = ""
    organization_id: str | None = None
    revision_id: str | None = None
    revision_num: int = 0
    approved_by: list[str] | None = None
    live_state: bytes | None = None
    config_data: bytes = b""
    cast_string_args_to_scalars: bool = False
    num_filters: int = 0
    stop_on_error: bool = False
    combine_validation_results: bool = False
    function_invocations: list[FunctionInvocation] = []


class Response(Record):
    """What came of the call; ``output`` holds the JSON text of the output."""

    organization_id: str | None = None
    space_id: str | None = None
    unit_id: str | None = None
    revision_id: str | None = None
    config_data: bytes = b""
    output: bytes = b"null"
    output_type: str = ""
    mutations: list[ResourceMutation] = []
    mutators: list[int] = []
    success: bool = True
    error_messages: list[str] = []


class Payload(Record):
    """The payload of a function event."""

    queued_operation_id: str = ""
    invocation_request: Request = msgspec.field(default_factory=Request)


def signatures() -> dict[str, dict[str, FunctionSignature]]:
    """Return every function by toolchain and name."""
    from confighub.functions.registry import signatures as known

    return known()


def invoke(request: Request) -> bytes:
    """Run the call and return the response as JSON. Raises: BadRequest for text or calls that do not fit."""
    from confighub.functions.invoke import invoke as run
    from confighub.functions.work import Context

    context = Context(
        unit_slug=request.unit_slug,
        unit_display_name=request.unit_display_name,
        unit_id=request.unit_id or "",
        space_slug=request.space_slug,
        space_id=request.space_id or "",
        organization_id=request.organization_id or "",
        revision_num=request.revision_num,
        approved_by=tuple(request.approved_by or ()),
        labels=request.unit_labels or {},
        annotations=request.unit_annotations or {},
        live_state=(request.live_state or b"").decode(),
    )
    done = run(
        request.config_data.decode(),
        request.function_invocations,
        context=context,
        toolchain=request.toolchain_type,
        cast_strings=request.cast_string_args_to_scalars,
        num_filters=request.num_filters,
        stop_on_error=request.stop_on_error,
        combine_results=request.combine_validation_results,
    )
    return to_wire(
        Response(
            organization_id=request.organization_id,
            space_id=request.space_id,
            unit_id=request.unit_id,
            revision_id=request.revision_id,
            config_data=done.text.encode(),
            output=done.output,
            output_type=done.output_type,
            mutations=done.mutations,
            mutators=done.mutators,
            success=done.success,
            error_messages=done.errors,
        )
    )
