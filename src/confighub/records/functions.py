"""Functions as the wire describes, calls and answers them."""

from __future__ import annotations

from confighub.records.answers import ResponseError
from confighub.records.base import Record
from confighub.records.mutations import ResourceMutation

Scalar = str | int | bool


class FunctionArgument(Record):
    """One argument, by position or, when ``parameter_name`` is set, by name."""

    value: Scalar | None = None
    parameter_name: str = ""


class FunctionInvocation(Record):
    """One call of one function."""

    function_name: str = ""
    arguments: list[FunctionArgument] | None = None


class FunctionOutput(Record):
    """What a function answers, by name and output type."""

    result_name: str = ""
    description: str = ""
    output_type: str = ""


class FunctionParameter(Record):
    """One parameter with the checks its argument must pass."""

    parameter_name: str = ""
    description: str = ""
    data_type: str = "string"
    required: bool = False
    example: str = ""
    regexp: str = ""
    min: int | None = None
    max: int | None = None
    enum_values: list[str] | None = None


class FunctionSignature(Record):
    """A function as ``GET /function`` lists it."""

    function_name: str = ""
    description: str = ""
    parameters: list[FunctionParameter] = []
    required_parameters: int = 0
    var_args: bool = False
    output_info: FunctionOutput | None = None
    mutating: bool = False
    validating: bool = False
    hermetic: bool = True
    idempotent: bool = True
    attribute_name: str = ""
    affected_resource_types: list[str] = []
    function_type: str = "Custom"


class FunctionInvocationsRequest(Record):
    """The body of ``POST /function/invoke``: calls to run, in order, on each selected unit."""

    function_invocations: list[FunctionInvocation] = []
    cast_string_args_to_scalars: bool = False
    bridge_worker_id: str | None = None
    use_function_worker: bool = False
    combine_results: bool = False
    num_filters: int = 0
    stop_on_error: bool = False
    change_description: str = ""


class FunctionInvocationsResponse(Record):
    """One unit's answer; ``output`` holds the JSON text of the output."""

    organization_id: str | None = None
    space_id: str | None = None
    unit_id: str | None = None
    revision_id: str | None = None
    success: bool = True
    error: ResponseError | None = None
    config_data: bytes = b""
    output: bytes = b"null"
    output_type: str = ""
    mutations: list[ResourceMutation] = []
    mutators: list[int] = []


class WorkerInvocationRequest(Record):
    """What a function worker gets: the calls with the unit that they run on, flat.

    ``previous_content_hash`` is the ``ContentHash`` of what was approved.
    """

    function_invocations: list[FunctionInvocation] = []
    cast_string_args_to_scalars: bool = False
    num_filters: int = 0
    stop_on_error: bool = False
    combine_validation_results: bool = False
    toolchain_type: str = "Kubernetes/YAML"
    config_data: bytes = b""
    live_state: bytes = b""
    unit_slug: str = ""
    unit_display_name: str = ""
    unit_labels: dict[str, str] = {}
    unit_annotations: dict[str, str] = {}
    unit_id: str | None = None
    space_id: str | None = None
    space_slug: str = ""
    organization_id: str | None = None
    revision_num: int = 0
    previous_content_hash: int = 0
    approved_by: list[str] = []


class WorkerInvocationResponse(Record):
    """What a function worker answers; ``output`` holds the JSON text of the output."""

    config_data: bytes = b""
    output: bytes = b"null"
    output_type: str = ""
    mutations: list[ResourceMutation] | None = None
    mutators: list[int] | None = None
    success: bool = True
    error_messages: list[str] | None = None
