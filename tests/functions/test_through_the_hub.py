"""The recorded cases over the wire: what the hub answers and stores, and what ``cub function do`` does."""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

from confighub.errors import BadRequest
from confighub.functions.invoke import invoke
from confighub.functions.refusals import refuse
from confighub.records.functions import FunctionArgument, FunctionInvocation
from tests.api.running import HubProcess, b64
from tests.cli.conftest import Terminal
from tests.functions.recorded import Recorded, recorded


def runnable(known: Recorded) -> list[tuple[dict[str, Any], str]]:
    """Return the cases that a hub can be asked, with the unit's text.

    Left out are those about who the recorded unit was, and texts that no unit may hold, before or after.
    """
    found = []
    for case in known.cases:
        if case.get("function") == "merge3" or case["inputs"].get("live_state"):
            continue
        text = (known.folder / case["inputs"]["config"]).read_bytes().decode()
        options = {**known.book["default_options"], **case["options"]}
        try:
            done = invoke(
                text,
                [spoken(known, call) for call in case["invocations"]],
                toolchain=case["toolchain"],
                cast_strings=options["cast_string_args"],
                num_filters=options["num_filters"],
                stop_on_error=options["stop_on_error"],
                combine_results=options["combine_validation_results"],
            )
            for one in (text, done.text) if case["toolchain"] == "Kubernetes/YAML" else ():
                refuse(one)
        except BadRequest:
            continue
        got = {"config": done.text, "errors": done.errors, "output": json.loads(done.output), "success": done.success}
        if not known.check(case, got):
            found.append((case, text))
    return found


def spoken(known: Recorded, call: dict[str, Any]) -> FunctionInvocation:
    """Return a call as our library takes it."""
    given = [argument(known, one) for one in call.get("args", [])]
    arguments = [FunctionArgument(value=one["Value"], parameter_name=one["ParameterName"]) for one in given]
    return FunctionInvocation(function_name=call["function"], arguments=arguments)


def argument(known: Recorded, given: Any) -> dict[str, Any]:
    """Return one argument as the wire takes it."""
    name = ""
    if isinstance(given, dict) and "name" in given:
        name, given = given["name"], given["value"]
    if isinstance(given, dict):
        given = (known.folder / given["file"]).read_bytes().decode()
    return {"Value": given, "ParameterName": name}


def request(known: Recorded, case: dict[str, Any]) -> dict[str, Any]:
    """Return the body that asks for a case's calls."""
    options = {**known.book["default_options"], **case["options"]}
    calls = [
        {"FunctionName": call["function"], "Arguments": [argument(known, one) for one in call.get("args", [])]}
        for call in case["invocations"]
    ]
    return {
        "FunctionInvocations": calls,
        "CastStringArgsToScalars": options["cast_string_args"],
        "NumFilters": options["num_filters"],
        "StopOnError": options["stop_on_error"],
        "CombineResults": options["combine_validation_results"],
    }


def result(answer: dict[str, Any], text: str) -> dict[str, Any]:
    """Return a unit's answer as the comparison reads it."""
    config = b64decode(answer.get("ConfigData") or "").decode()
    return {
        "outcome": "ran",
        "success": answer["Success"],
        "errors": (answer.get("Error") or {}).get("Details") or [],
        "config": config if answer.get("Mutators") else text,
        "output": json.loads(b64decode(answer.get("Output") or b"bnVsbA==")),
        "output_type": answer.get("OutputType", ""),
        "mutators": answer.get("Mutators") or [],
        "mutations": answer.get("Mutations") or [],
    }


def test_the_hub_answers_every_recorded_case(shared: Path, function_hub: HubProcess) -> None:
    known = recorded(shared)
    space = function_hub.space("recorded-cases")
    failures, asked = {}, 0

    for number, (case, text) in enumerate(runnable(known)):
        unit = stored(function_hub, space, f"unit-{number}", text, case["toolchain"])
        if unit is None:
            continue
        asked += 1
        path = f"/api/space/{space}/function/invoke"
        body = request(known, case)
        dry = function_hub.request("POST", path, {"unit_id": unit, "dry_run": "true"}, body)
        if dry.status == 400:
            # a function that is not there is refused before any unit is looked at
            assert not case["expected"]["success"], dry.body
            continue
        real = function_hub.request("POST", path, {"unit_id": unit}, body)
        now = function_hub.ok("GET", f"/api/space/{space}/unit/{unit}")["Unit"]

        got = result(real.json[0], text)
        wants_change = got["success"] and bool(got["mutators"])
        unchanged = {**case["expected"], "config": "unchanged"}
        problems = known.check(case if got["mutators"] else {**case, "expected": unchanged}, got)
        problems += [] if result(dry.json[0], text) == got else ["the dry run says something else"]
        problems += [] if b64decode(now["Data"]).decode() == (got["config"] if wants_change else text) else ["stored"]
        problems += [] if now["HeadRevisionNum"] == (2 if wants_change else 1) else ["a revision too many"]
        if problems:
            failures[case["id"]] = problems

    assert failures == {}
    assert asked > 150


def test_cub_function_do_runs_every_recorded_call(shared: Path, function_hub: HubProcess, terminal: Terminal) -> None:
    known = recorded(shared)
    space = function_hub.space("recorded-calls")
    failures, called = {}, 0

    for number, (case, text) in enumerate(runnable(known)):
        words = as_words(known, case)
        if words is None:
            continue
        slug = f"unit-{number}"
        unit = stored(function_hub, space, slug, text, case["toolchain"])
        if unit is None:
            continue
        called += 1
        command = ("function", "do", "--space", "recorded-calls", "--unit", slug)
        dry = terminal.run(*command, "--dry-run", "--", *words)
        real = terminal.run(*command, "--", *words)
        now = function_hub.ok("GET", f"/api/space/{space}/unit/{unit}")["Unit"]

        expected = case["expected"]
        is_good = expected["success"] and not expected["errors"]
        config = b64decode(now["Data"]).decode()
        problems = [] if (real.status == 0) == is_good == (dry.status == 0) else [f"{real.status}: {real.err}"]
        if expected["success"] and expected["mutators"]:
            without = {key: one for key, one in expected.items() if key != "output"}
            problems += known.check({**case, "expected": without}, {"success": True, "config": config})
        elif config != text:
            problems.append("what only reads, or failed, stored something")
        problems += [] if now["HeadRevisionNum"] <= 2 else ["the dry run stored something"]
        if problems:
            failures[case["id"]] = problems

    assert failures == {}
    assert called > 100


NEEDY = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
        - name: web
          image: example/web:v1
          envFrom:
            - configMapRef: {name: settings}
"""
SETTINGS = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\n  namespace: shop\n"


def test_references_are_looked_up_in_the_space_over_the_wire_and_by_cub(
    function_hub: HubProcess, terminal: Terminal
) -> None:
    space = function_hub.space("looking-around")
    web = stored(function_hub, space, "web", NEEDY, "Kubernetes/YAML")
    path, query = f"/api/space/{space}/function/invoke", {"unit_id": web or ""}
    body = {"FunctionInvocations": [{"FunctionName": "vet-references"}], "CombineResults": True}
    command = ("function", "do", "--space", "looking-around", "--unit", "web", "vet-references")

    before = json.loads(b64decode(function_hub.ok("POST", path, query, body)[0]["Output"]))
    refused = terminal.run(*command)
    assert stored(function_hub, space, "settings", SETTINGS, "Kubernetes/YAML")
    after = json.loads(b64decode(function_hub.ok("POST", path, query, body)[0]["Output"]))
    passed = terminal.run(*command)

    assert before["Passed"] is False
    assert "v1/ConfigMap settings, which is not in the space" in before["Details"][0]
    assert after["Passed"] is True
    assert (refused.status == 0, passed.status) == (False, 0)


def stored(hub: HubProcess, space: str, slug: str, text: str, toolchain: str) -> str | None:
    """Make a unit; return its id, or None for a text that a unit may not hold, such as one without kind."""
    body = {"Slug": slug, "Data": b64(text), "ToolchainType": toolchain}
    answer = hub.request("POST", f"/api/space/{space}/unit", body=body)
    assert answer.status in (200, 400), answer.body
    return str(answer.json["UnitID"]) if answer.status == 200 else None


def as_words(known: Recorded, case: dict[str, Any]) -> list[str] | None:
    """Return a case of one call as a command line, or None for what a command line cannot say."""
    if len(case["invocations"]) != 1 or case["options"]:
        return None
    call = case["invocations"][0]
    given = [argument(known, one) for one in call.get("args", [])]
    if any(not isinstance(one["Value"], str) or one["Value"].startswith("--") for one in given):
        return None
    words = [f"--{one['ParameterName']}={one['Value']}" if one["ParameterName"] else one["Value"] for one in given]
    return [call["function"], *words]
