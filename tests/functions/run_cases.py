"""Runs folders of function cases and writes what the comparison reads.

usage: run_cases.py CASES_DIR RESULTS.json

The format of a case is that of the specification's ``functions/README.md``; nothing here knows a single case.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from confighub.data import compare, merge
from confighub.data.mutations import with_predicate
from confighub.errors import ConfigHubError, NotYaml
from confighub.functions.invoke import Context, invoke
from confighub.records.base import to_builtins
from confighub.records.functions import FunctionArgument, FunctionInvocation


def run_all(folder: Path) -> dict[str, Any]:
    """Return case id → result for every case of the folder."""
    book = json.loads((folder / "cases.json").read_text())
    return {case["id"]: run(folder, book, case) for case in book["cases"]}


def run(folder: Path, book: dict[str, Any], case: dict[str, Any]) -> dict[str, Any]:
    """Return what our library makes of one case."""
    if case.get("function") == "merge3":
        return _merge(folder, case)
    text = _read(folder, case["inputs"]["config"])
    options = {**book["default_options"], **case.get("options", {})}
    context = _context(folder, case, {**book["default_context"], **case.get("context", {})})
    calls = case.get("invocations") or [{"function": case["function"], "args": case.get("args", [])}]
    try:
        done = invoke(
            text,
            [_call(folder, call) for call in calls],
            context=context,
            toolchain=case["toolchain"],
            cast_strings=options["cast_string_args"],
            num_filters=options["num_filters"],
            stop_on_error=options["stop_on_error"],
            combine_results=options["combine_validation_results"],
        )
    except NotYaml as error:
        return {"outcome": "rejected", "errors": [str(error)]}
    return {
        "outcome": "ran",
        "success": done.success,
        "errors": done.errors,
        "config": done.text,
        "output": json.loads(done.output),
        "output_type": done.output_type,
        "mutators": done.mutators,
        "mutations": to_builtins(done.mutations),
    }


def _read(folder: Path, name: str) -> str:
    return (folder / name).read_bytes().decode()


def _call(folder: Path, call: dict[str, Any]) -> FunctionInvocation:
    arguments = [_argument(folder, given) for given in call.get("args", [])]
    return FunctionInvocation(function_name=call["function"], arguments=arguments)


def _argument(folder: Path, given: Any) -> FunctionArgument:
    name = ""
    if isinstance(given, dict) and "name" in given:
        name, given = given["name"], given["value"]
    if isinstance(given, dict) and "file" in given:
        given = _read(folder, given["file"])
    return FunctionArgument(value=given, parameter_name=name)


def _context(folder: Path, case: dict[str, Any], values: dict[str, Any]) -> Context:
    live_state = case["inputs"].get("live_state")
    unit = case["unit"]
    names = {"<unit>": unit, "<unit lower-cased>": unit.lower()}
    return Context(
        unit_slug=names.get(values["UnitSlug"], values["UnitSlug"]),
        unit_display_name=names.get(values["UnitDisplayName"], values["UnitDisplayName"]),
        unit_id=values["UnitID"],
        space_slug=values["SpaceSlug"],
        space_id=values["SpaceID"],
        organization_id=values["OrganizationID"],
        revision_num=values["RevisionNum"],
        approved_by=tuple(values.get("ApprovedBy") or ()),
        live_state=_read(folder, live_state) if live_state else "",
        previous_content_hash=values.get("PreviousContentHash", 0),
        as_recorded=True,
    )


def _merge(folder: Path, case: dict[str, Any]) -> dict[str, Any]:
    base, theirs, ours = (_read(folder, case["inputs"][name]) for name in ("base_old", "base_new", "downstream"))
    patch = compare.mutations(base, theirs, index=1)
    own = compare.mutations(base, ours, index=2)
    rule = case.get("options", {}).get("predicates", "")
    protected = [] if rule == "none" else with_predicate(own, predicate=False)
    if rule.endswith("first-resource-locked"):
        protected[0].resource_mutation_info.predicate = False
    try:
        merged = merge.upgrade(base=base, ours=ours, theirs=theirs, own=protected)
    except ConfigHubError as error:
        return {"outcome": "rejected", "errors": [str(error)]}
    return {"config": merged.text, "patch": to_builtins(patch), "downstream_mutations": to_builtins(own)}


def main() -> int:
    """Run the cases of the first argument and write the results to the second."""
    folder, target = Path(sys.argv[1]), Path(sys.argv[2])
    results = run_all(folder)
    target.write_text(json.dumps(results))
    print(f"ran {len(results)} cases of {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
