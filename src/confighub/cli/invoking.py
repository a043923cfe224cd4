"""Calling functions on units and printing what they answer, one unit after the other.

Source: the layout of the public client. Unlike it, a call that failed or a check that did not
pass makes the command fail.
"""

from __future__ import annotations

import json
from base64 import b64decode
from typing import TYPE_CHECKING

from confighub.cli.applying import tell_what_is_next
from confighub.cli.command import flag, option, space_option
from confighub.cli.output import as_json, jq_lines, pairs, table
from confighub.cli.record_input import DRY_RUN
from confighub.cli.selecting import MANY_UNITS, where_of
from confighub.cli.showing import DATA_OUTPUT
from confighub.cli.waiting import WAITING
from confighub.client.collection import any_of
from confighub.errors import BadRequest, NotFound

if TYPE_CHECKING:
    from confighub.cli.call import Call
    from confighub.client.transport import Wire

INVOKING = (
    space_option(),
    *MANY_UNITS,
    option("change-desc", "Why; it becomes the description of the revision.", metavar="TEXT"),
    DRY_RUN,
    flag("combine", "Combine the results of several checks."),
    flag("data-only", "Print the changed text only."),
    flag("output-only", "Print the function's output only."),
    flag("output-values-only", "Print the values of the output only."),
    flag("output-json", "Print the output as JSON."),
    option("output-jq", "Print what the jq expression makes of the output.", metavar="EXPRESSION"),
    option("worker", "The worker that runs the function.", metavar="WORKER", complete="workers"),
    flag("use-worker", "Let the unit's worker run the function."),
    *WAITING,
    *DATA_OUTPUT,
)


def invoke(call: Call, calls: list[Wire]) -> None:
    """Run the function calls on the units that the options mean, and print the answers.

    Raises: NotFound when no unit matches; BadRequest when a call failed or a check did not pass.
    """
    where = where_of(call)
    more: Wire = {}
    if call.text("worker"):
        worker = call.hub.workers.find(call.text("worker"), space_id=call.scope.space_id)
        more["BridgeWorkerID"] = worker["BridgeWorker"]["BridgeWorkerID"]
    if call.yes("use-worker"):
        more["UseFunctionWorker"] = True
    if call.yes("combine"):
        more["CombineResults"] = True
    answers = call.hub.functions.invoke(
        calls,
        where=where,
        space_id=call.scope.space_id,
        change_desc=call.text("change-desc"),
        **more,
    )
    if not answers:
        raise NotFound(f"no unit in {call.scope.words} matches: {where or 'everything'}")
    _show(call, answers)
    changed = [one for one in answers if one.get("Mutators")]
    if changed and call.is_dry_run:
        call.out.say(f"dry run: {len(changed)} of {len(answers)} units would change; nothing is stored")
    elif changed:
        tell_what_is_next(call, changed)
    _judge(answers)


def _show(call: Call, answers: list[Wire]) -> None:
    how = call.out.how
    if call.yes("output-json") or call.text("output-jq"):
        for answer in answers:
            value = _output(answer)
            lines = jq_lines(call.text("output-jq"), value) if call.text("output-jq") else [as_json(value)]
            call.out.write("\n".join(lines))
        return
    if how == "mutations":
        call.out.write(mutation_table(answers))
        return
    names = _names(call, answers) if how == "text" and len(answers) > 1 else {}
    texts = (_answer(call, one, names.get(str(one.get("UnitID")), "")) for one in answers)
    call.out.show(answers, lambda: "\n".join(text for text in texts if text))


def _answer(call: Call, answer: Wire, name: str) -> str:
    """Return what is printed of one unit's answer; it is named when there are several."""
    data = b64decode(answer.get("ConfigData") or "").decode() if answer.get("Mutators") else ""
    values_only = call.yes("output-values-only")
    shown = output_text(str(answer.get("OutputType") or ""), _output(answer), values_only=values_only)
    if call.yes("data-only"):
        return data
    if call.yes("output-only") or values_only:
        return shown
    rows = [("SUCCESS", "true" if answer.get("Success") else "false")]
    if name:
        rows.insert(0, ("UNIT", name))
    if answer.get("Error"):
        rows.append(("ERROR", _reason(answer)))
    blocks = [pairs(rows)]
    if data and name:
        # the texts of several units are too much to read; --data-only and --json show them
        blocks += ["CHANGES", "-------", *_changes(answer)]
    elif data:
        blocks += ["CONFIGDATA", "---------", data.rstrip("\n")]
    if shown:
        blocks += ["OUTPUT", "------", shown]
    return "\n".join(blocks)


def output_text(kind: str, value: object, *, values_only: bool = False) -> str:
    """Return a function's output as lines, by its type; empty for no output."""
    if value is None:
        return ""
    rows = value if isinstance(value, list) else [value]
    maps = [row for row in rows if isinstance(row, dict)]
    if kind == "AttributeValueList":
        return "\n".join(_attribute(row, values_only=values_only) for row in maps)
    if kind in ("ValidationResult", "ValidationResultList"):
        return "\n".join(_validation(row) for row in maps)
    if kind in ("ResourceInfoList", "ResourceList"):
        return "\n".join(
            "\n".join(str(row[key]) for key in ("ResourceName", "ResourceType", "ResourceBody") if row.get(key))
            for row in maps
        )
    if kind in ("YAML", "Opaque") and maps and "Payload" in maps[0]:
        return str(maps[0]["Payload"]).rstrip("\n")
    return value if isinstance(value, str) else as_json(value)


def mutation_table(answers: list[Wire]) -> str:
    """Return who set which path: one row a changed path of every answer's mutations."""
    rows = []
    for answer in answers:
        for resource in answer.get("Mutations") or answer.get("MutationSources") or []:
            rows += resource_rows(resource)
    return table(["RESOURCE", "TYPE", "PATH", "MUTATION", "INDEX", "VALUE"], rows)


def resource_rows(resource: Wire, *, above: int = -1) -> list[list[str]]:
    """Return the rows of one resource whose change has an index above the one given."""
    about = resource.get("Resource") or {}
    whole = resource.get("ResourceMutationInfo") or {}
    changes = {"": whole} if whole.get("MutationType") in ("Add", "Delete", "Replace") else {}
    changes.update(resource.get("PathMutationMap") or {})
    return [
        [
            str(about.get("ResourceName") or ""),
            str(about.get("ResourceType") or ""),
            path,
            str(change.get("MutationType") or ""),
            str(change.get("Index") or 0),
            str(change.get("Value") or "").strip() if path else "",
        ]
        for path, change in sorted(changes.items())
        if int(change.get("Index") or 0) > above
    ]


def _changes(answer: Wire) -> list[str]:
    """Return one line for each path that the call changed, with its new value."""
    rows = [row for resource in answer.get("Mutations") or [] for row in resource_rows(resource)]
    return [f"{name} {path}: {value or kind.lower()}" for name, _, path, kind, _, value in rows]


def _attribute(row: Wire, *, values_only: bool) -> str:
    value = row.get("Value")
    text = value if isinstance(value, str) else json.dumps(value)
    if values_only:
        return text
    about = [str(row.get(key) or "") for key in ("DataType", "Path", "ResourceName", "ResourceType")]
    return " ".join([text, *about])


def _validation(row: Wire) -> str:
    lines = ["true" if row.get("Passed") else "false", *(str(one) for one in row.get("Details") or [])]
    lines.append("Attributes:")
    lines += [_attribute(one, values_only=False) for one in row.get("FailedAttributes") or []]
    return "\n".join(lines)


def _output(answer: Wire) -> object:
    text = b64decode(answer.get("Output") or "").decode()
    return json.loads(text) if text else None


def _reason(answer: Wire) -> str:
    error = answer.get("Error") or {}
    details = "; ".join(str(one) for one in error.get("Details") or [])
    return ": ".join(part for part in (str(error.get("Message") or ""), details) if part)


def _names(call: Call, answers: list[Wire]) -> dict[str, str]:
    ids = [str(one["UnitID"]) for one in answers]
    listed = call.hub.units.list(where=any_of("UnitID", ids), include="SpaceID", select="Slug,Space.Slug")
    return {
        str(one["Unit"]["UnitID"]): f"{(one.get('Space') or {}).get('Slug') or ''}/{one['Unit']['Slug']}"
        for one in listed
    }


def _judge(answers: list[Wire]) -> None:
    """Raise BadRequest when a call failed or a check did not pass on any unit."""
    failed = [one for one in answers if not one.get("Success")]
    if failed:
        raise BadRequest(f"failed on {len(failed)} of {len(answers)} units: {_reason(failed[0]) or 'see above'}")
    unhappy = [one for one in answers if not _passed(one)]
    if unhappy:
        raise BadRequest(f"the check did not pass on {len(unhappy)} of {len(answers)} units")


def _passed(answer: Wire) -> bool:
    if not str(answer.get("OutputType") or "").startswith("ValidationResult"):
        return True
    value = _output(answer)
    rows = value if isinstance(value, list) else [value]
    return all(row.get("Passed", True) for row in rows if isinstance(row, dict))
