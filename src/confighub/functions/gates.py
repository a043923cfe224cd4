"""The gates that every revision has, without a trigger: evaluated at write, looked at when it is applied.

A gate is named ``trigger/function`` like those of triggers; True means closed.
"""

from __future__ import annotations

from confighub.functions.invoke import invoke
from confighub.records.functions import FunctionInvocation

PLACEHOLDERS = "placeholders/no-placeholders"
SCHEMA = "schema/validate"
LATEST_TAG = "latest-tag/vet-no-latest-tag"
APPROVAL = "approval/is-approved"


def closed(text: str, *, environment: str, approved: bool) -> dict[str, bool]:
    """Return every built-in gate of the text; those of prod only where ``environment`` is ``prod``.

    Raises: NotYaml for text that does not parse.
    """
    gates = {PLACEHOLDERS: _fails(text, "no-placeholders"), SCHEMA: _fails(text, "validate")}
    if environment == "prod":
        gates[LATEST_TAG] = _fails(text, "vet-no-latest-tag")
        gates[APPROVAL] = not approved
    return gates


def _fails(text: str, function: str) -> bool:
    return not invoke(text, [FunctionInvocation(function_name=function)]).passed
