"""Validating functions: expressions, schemas, placeholders, approvals, filters."""

from __future__ import annotations

import zlib
from functools import lru_cache
from typing import Any

from confighub.data import normal, schema
from confighub.data.document import Document
from confighub.errors import BadPath, BadQuery, NotAResource
from confighub.functions import values, visit
from confighub.functions.signature import KUBERNETES, PROPERTIES, Function, function, parameter
from confighub.functions.where import matching
from confighub.functions.work import Failed, Work

BOTH = (KUBERNETES, PROPERTIES)


def result(passed: bool, details: list[str] | None = None, **more: Any) -> dict[str, Any]:
    """Return a validation result as the wire writes it."""
    found: dict[str, Any] = {"Passed": passed, "Index": 0}
    if details:
        found["Details"] = details
    found.update({key: value for key, value in more.items() if value})
    return found


@lru_cache(maxsize=256)
def _compiled(expression: str) -> Any:
    import cel

    return cel.compile(expression)


def _cel_context(holder: Document) -> Any:
    # converting a document costs more than evaluating an expression
    context = holder.memo.get("cel")
    if context is None:
        import cel

        context = holder.memo["cel"] = cel.Context(variables={"r": holder.data})
    return context


def _cel_validate(work: Work, arguments: list[Any]) -> Any:
    expression = arguments[0]
    try:
        program = _compiled(expression)
    except ValueError as error:
        raise Failed(f"failed to compile expression {expression}: {error}", output=result(passed=False)) from None
    details: list[str] = []
    errors: list[str] = []
    passed = True
    for position, holder in enumerate(work.documents):
        name = "unknown"
        try:
            name = work.identity(position).resource_name
        except NotAResource as error:
            errors.append(error.message)
        if not isinstance(holder.data, dict):
            passed = False
            errors.append(f"validation expression {expression} needs a map, resource {name} is none")
            continue
        try:
            answer = program.execute(_cel_context(holder))
        except Exception as error:
            passed = False
            errors.append(f"validation expression {expression} resulted in error on resource {name}: {error}")
            continue
        if not isinstance(answer, bool):
            raise Failed(f"expression {expression} does not evaluate to a boolean", output=result(passed=False))
        if not answer:
            passed = False
            details.append(f"resource {name} failed validation expression {expression}")
    if passed:
        return result(passed=True)
    visit.raise_for(errors, output=result(passed=False, details=details))
    return result(passed=False, details=details)


def _validate(work: Work, _: list[Any]) -> Any:
    if work.provider.toolchain != KUBERNETES:
        # no schema is known for it
        return result(passed=True)
    details: list[str] = []
    errors: list[str] = []
    for position, holder in enumerate(work.documents):
        try:
            found = schema.problems(holder)
        except NotAResource as error:
            errors.append(error.message)
            continue
        line = work.stream.source.count(b"\n", 0, work.stream.documents[position].start)
        name = f"{holder.data['kind']} {_name(work, position)}"
        details += [f"{name}: {schema.Problem(one.path, one.line + line, one.reason)}" for one in found]
    answer = result(not details and not errors, details)
    visit.raise_for(errors, output=answer)
    return answer


def _name(work: Work, position: int) -> str:
    try:
        return work.identity(position).resource_name
    except NotAResource:
        return "without a name"


def _no_placeholders(work: Work, _: list[Any]) -> Any:
    found = values.placeholders(work)
    return result(not found, FailedAttributes=found)


def content_hash(text: str) -> int:
    """Return the CRC-32 of a text, as ``ContentHash`` shows it."""
    return zlib.crc32(text.encode())


def _is_approved(work: Work, arguments: list[Any]) -> Any:
    previous = work.context.previous_content_hash
    normal_text = "---\n".join(normal.document_text(holder) for holder in work.documents)
    is_same = previous in (content_hash(work.stream.text), content_hash(normal_text))
    return result(is_same and len(work.context.approved_by) >= arguments[0])


def _where_filter(work: Work, arguments: list[Any]) -> Any:
    kind, expression = arguments
    resources = []
    errors: list[str] = []
    for position, holder in enumerate(work.documents):
        try:
            info = work.identity(position)
        except NotAResource as error:
            errors.append(error.message)
            continue
        resources.append((info.resource_type, info.resource_name, holder.data))
    try:
        found = matching(expression, kind, resources, visit.extracted)
    except (BadQuery, BadPath) as error:
        raise Failed(error.message, output=result(passed=False)) from None
    visit.raise_for(errors, output=result(passed=False))
    return result(bool(found))


FUNCTIONS: list[Function] = [
    function(
        "cel-validate",
        "Check each resource r with a CEL expression",
        _cel_validate,
        parameter("validation-expr", "CEL expression over r", kind="CEL", example="r.spec.replicas > 1"),
        output=("passed", "ValidationResult", "Whether the expression holds for every resource"),
        toolchains=BOTH,
    ),
    function(
        "validate",
        "Check each resource against its schema, unknown fields included",
        _validate,
        output=("passed", "ValidationResult", "Whether every resource fits its schema"),
        toolchains=BOTH,
    ),
    function(
        "no-placeholders",
        "Check that no placeholder is left",
        _no_placeholders,
        output=("passed", "ValidationResult", "Whether no placeholder is left"),
        toolchains=BOTH,
    ),
    function(
        "is-approved",
        "Check that enough people approved this very content",
        _is_approved,
        parameter("num-approvers", "How many approvals are needed", kind="int"),
        output=("passed", "ValidationResult", "Whether the content is approved"),
        toolchains=BOTH,
    ),
    function(
        "where-filter",
        "Check that a resource of a type matches an expression over its data",
        _where_filter,
        parameter("resource-type", "Type of the resources", example="apps/v1/Deployment"),
        parameter("where-expression", "Terms joined by AND", example="spec.replicas > 1"),
        output=("matched", "ValidationResult", "Whether a resource matches"),
        toolchains=BOTH,
    ),
]
