"""What the public library answers to the recorded cases, ours answers too."""

from __future__ import annotations

from pathlib import Path

from tests.functions.recorded import recorded
from tests.functions.run_cases import run


def test_every_recorded_case_passes(shared: Path) -> None:
    known = recorded(shared)

    failures = {
        case["id"]: problems
        for case in known.cases
        if (problems := known.check(case, run(known.folder, known.book, case)))
    }

    assert known.cases
    assert failures == {}


def test_no_edit_touches_a_byte_that_it_does_not_name(shared: Path) -> None:
    """Of a text that ran, every line without a change is the input's line."""
    known = recorded(shared)
    for case in known.cases:
        if case.get("function") == "merge3" or case["toolchain"] != "Kubernetes/YAML":
            continue
        text = (known.folder / case["inputs"]["config"]).read_bytes().decode()
        got = run(known.folder, known.book, case)

        changed = any(
            one["ResourceMutationInfo"]["MutationType"] != "None" or one["PathMutationMap"]
            for one in got.get("mutations") or ()
        )
        if got["outcome"] == "ran" and not changed and not got["mutators"]:
            assert got["config"] == text, case["id"]
