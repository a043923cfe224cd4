"""Runs a list of function calls on one unit's text.

Calls run in order on one text; a mutating one that changes it leaves a record. A failed call keeps what it changed and
does not stop the next, unless told so. The first ``num_filters`` validating calls are filters: one that does not pass
ends the list, and that is no error.
Source: spec functions/README.md, Sequences.
"""

from __future__ import annotations

from typing import Any

import msgspec

from confighub.data import normal
from confighub.data.document import parse
from confighub.data.mutations import accumulate, changes_nothing
from confighub.errors import BadPath, BadRequest, NotYaml
from confighub.functions import arguments as call_arguments
from confighub.functions import providers, registry
from confighub.functions.signature import KUBERNETES, OPENTOFU, Function
from confighub.functions.work import Context, Failed, Work
from confighub.records.functions import FunctionInvocation
from confighub.records.mutations import ResourceMutation

_NOWHERE = Context()
_LISTS = frozenset({"AttributeValueList", "ResourceInfoList", "ResourceList"})


class Invoked(msgspec.Struct, frozen=True):
    """What a list of calls did: the text, the joined output as JSON, the records, and one line per error.

    ``mutators`` are the positions of the calls that changed the text. ``passed`` says whether every validating call
    passed, None when there was none. ``success`` is false when a call could not run; not passing is no failure.
    """

    text: str
    output: bytes = b"null"
    output_type: str = ""
    mutations: list[ResourceMutation] = []
    mutators: list[int] = []
    success: bool = True
    errors: list[str] = []
    passed: bool | None = None


def invoke(
    text: str,
    calls: list[FunctionInvocation],
    *,
    context: Context | None = None,
    toolchain: str = KUBERNETES,
    cast_strings: bool = True,
    num_filters: int = 0,
    stop_on_error: bool = False,
    combine_results: bool = False,
) -> Invoked:
    """Return what the calls make of the text.

    ``combine_results`` joins validation results into one; else each call's result is listed with its position.
    Raises: NotYaml for text that does not parse, BadRequest for an unknown toolchain.
    """
    if toolchain == OPENTOFU:
        return Invoked(
            text, success=False, errors=[f"{call.function_name}: not supported for {OPENTOFU}" for call in calls]
        )
    run = _Run(text, context or _NOWHERE, toolchain, combine_results=combine_results)
    run.filters_left = num_filters
    for index, call in enumerate(calls):
        if not run.call(call, index, cast_strings=cast_strings, stop_on_error=stop_on_error) and stop_on_error:
            break
        if run.is_ended:
            break
    return run.result()


class _Run:
    """The state between calls."""

    def __init__(self, text: str, context: Context, toolchain: str, *, combine_results: bool) -> None:
        self.provider = providers.of(toolchain)
        self.native, self.yaml = text, self.provider.to_yaml(text)
        self.context, self.combine_results = context, combine_results
        self.filters_left = 0
        self.is_ended = False
        self.output: Any = None
        self.output_type = ""
        self.mutations: list[ResourceMutation] = []
        self.mutators: list[int] = []
        self.errors: list[str] = []
        self.success = True
        self.passed: bool | None = None
        parse(self.yaml)

    def call(self, call: FunctionInvocation, index: int, *, cast_strings: bool, stop_on_error: bool) -> bool:
        """Run one call; return False when it could not run or failed: then it leaves nothing if that is the end."""
        one = registry.find(self.provider.toolchain, call.function_name)
        if one is None:
            return self._failed(f"function does not exist: {call.function_name}")
        is_filter = one.signature.validating and self.filters_left > 0
        if is_filter:
            self.filters_left -= 1
        try:
            values, names = call_arguments.prepared(call.arguments, one.signature, cast_strings=cast_strings)
        except BadRequest as error:
            return self._failed(error.message)
        work = Work(parse(self.yaml), self.provider, self.context, names)
        failure, output = "", None
        try:
            output = one.run(work, values)
        except Failed as error:
            failure, output = error.message, error.output
        except (BadPath, BadRequest) as error:
            failure = error.message
        if is_filter and not failure and isinstance(output, dict) and not output.get("Passed"):
            self.is_ended = True
            return True
        if failure:
            self._failed(failure)
            if stop_on_error:
                return False
        if one.signature.mutating:
            failure = self._store(work, index) or failure
        if output is not None and one.signature.output_info is not None:
            self._combine(one, output, index)
        return not failure

    def _failed(self, message: str) -> bool:
        self.errors.append(message)
        self.success = False
        return False

    def _store(self, work: Work, index: int) -> str:
        try:
            text, records = work.finish(index=index)
        except (BadPath, BadRequest) as error:
            self._failed(error.message)
            return error.message
        has_empty_records = bool(self.mutations) and changes_nothing(self.mutations)
        if text != self.yaml and has_empty_records and self._is_wire_form():
            # calls that changed nothing leave no record behind
            self.mutations = records
        else:
            self.mutations = accumulate(self.mutations, records)
        if text != self.yaml:
            self.mutators.append(index)
            self.yaml = text
        return ""

    def _is_wire_form(self) -> bool:
        """Say whether the text is written as the public library would write it."""
        return "---\n".join(normal.document_text(one.document) for one in parse(self.yaml).documents) == self.yaml

    def _combine(self, one: Function, output: Any, index: int) -> None:
        info = one.signature.output_info
        kind = info.output_type if info is not None else ""
        if kind == "ValidationResult":
            passed = bool(output["Passed"])
            self.passed = passed if self.passed is None else self.passed and passed
            if not passed and self.output_type in ("", kind):
                self.errors.append(f"function failed: {one.name} at {index} on {self._instance}")
        if self.output is None:
            self.output_type = kind
            self.output = self._first(kind, output, index)
        elif kind != self.output_type:
            self.errors.append(f"functions with incompatible output types; output of {self._instance} discarded")
        elif kind in _LISTS:
            self.output = self.output + output
        elif kind == "ValidationResult" and self.combine_results:
            details = [*output.get("Details", ()), *self.output.get("Details", ())]
            passed = output["Passed"] and self.output["Passed"]
            self.output = {**output, "Passed": passed, **({"Details": details} if details else {})}
        elif kind == "ValidationResult":
            self.output = [*self.output, {**output, "Index": index}]
        else:
            self.errors.append(f"functions with outputs that cannot be joined; output of {self._instance} discarded")

    def _first(self, kind: str, output: Any, index: int) -> Any:
        if kind == "ValidationResult" and not self.combine_results:
            return [{**output, "Index": index}]
        return output

    @property
    def _instance(self) -> str:
        return self.context.unit_display_name or self.context.unit_slug or "the unit"

    def result(self) -> Invoked:
        """Return what all calls did."""
        return Invoked(
            text=self.provider.from_yaml(self.yaml),
            output=msgspec.json.encode(self.output),
            output_type=self.output_type,
            mutations=self.mutations,
            mutators=self.mutators,
            success=self.success,
            errors=self.errors,
            passed=self.passed,
        )


__all__ = ["Context", "Invoked", "NotYaml", "invoke"]
