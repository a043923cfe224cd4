"""The delivery workflow: its steps in the order of the seed, nothing secret in them, no input pasted into a script."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml


@pytest.fixture
def jobs(project: Path) -> dict[str, Any]:
    """The jobs of the workflow by name."""
    text = (project / ".github" / "workflows" / "deliver.yml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)["jobs"]
    return found


def scripts(job: dict[str, Any]) -> list[str]:
    return [str(step["run"]) for step in job["steps"] if "run" in step]


@pytest.mark.requirement("R-264", "R-265", "R-266", "R-267")
def test_a_push_builds_pushes_and_tells_the_hub_and_promotion_carries_it_on(
    jobs: dict[str, Any], project: Path
) -> None:
    text = "\n".join(scripts(jobs["dev"]))
    wanted = ("deploy/build --tag", "push", "set-image-reference", "ordered-apply dev")
    places = [text.index(word) for word in wanted]

    assert places == sorted(places)
    assert "on:\n  push:" in (project / ".github" / "workflows" / "deliver.yml").read_text(encoding="utf-8")
    assert [jobs[name].get("needs") for name in ("staging", "prod")] == ["dev", "staging"]
    assert "bin/promote dev staging" in scripts(jobs["staging"])
    assert "bin/promote staging prod" in scripts(jobs["prod"])


def test_only_prod_is_approved_and_only_in_its_own_environment(jobs: dict[str, Any]) -> None:
    approving = [name for name, job in jobs.items() if any("--approve" in script for script in scripts(job))]

    assert approving == ["prod"]
    assert {name: job["environment"] for name, job in jobs.items()} == {name: name for name in jobs}


def test_no_script_has_an_expression_in_it(jobs: dict[str, Any]) -> None:
    """What a person types as an input would else be run as a program."""
    pasted = [script for job in jobs.values() for script in scripts(job) if "${{" in script]

    assert pasted == []


def test_every_program_of_a_step_is_there(jobs: dict[str, Any], project: Path) -> None:
    named = {
        word
        for job in jobs.values()
        for script in scripts(job)
        for word in re.findall(r"\b(?:bin|deploy)/[\w-]+", script)
    }

    assert {name for name in named if not (project / name).is_file()} == set()
