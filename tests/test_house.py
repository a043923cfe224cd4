"""House rules that a machine can judge, beyond format, lint, types and layers."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

REGISTRY_HOSTS = "|".join(
    host.replace(" ", r"\.")
    for host in ("pypi org", "pythonhosted org", "registry npmjs", "proxy golang org", "deb debian org", "crates io")
)


def tracked_files(project: Path) -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=project, capture_output=True, check=True).stdout
    return [project / name for name in listing.decode().split("\0") if name and (project / name).is_file()]


def lines_matching(project: Path, pattern: str) -> list[str]:
    found = []
    for file in tracked_files(project):
        try:
            text = file.read_text()
        except UnicodeDecodeError:
            continue
        found += [
            f"{file.relative_to(project)}:{number}: {line.strip()[:100]}"
            for number, line in enumerate(text.splitlines(), 1)
            if re.search(pattern, line)
        ]
    return found


def test_no_file_names_a_package_registry(project: Path) -> None:
    assert lines_matching(project, REGISTRY_HOSTS) == []


def test_no_file_holds_a_path_of_one_machine(project: Path) -> None:
    assert lines_matching(project, r"(^|[^\w./-])/(work|root|farm)/") == []


@pytest.mark.requirement("R-002")
def test_nothing_that_is_shipped_calls_kubectl(project: Path) -> None:
    """People may pipe to it what our programs print; the programs themselves speak to API servers."""
    shipped = [file for file in tracked_files(project) if file.relative_to(project).parts[0] not in ("tests", ".ci")]
    scripts = [file for file in shipped if file.suffix != ".py" and file.read_bytes()[:2] == b"#!"]
    commands = [
        line for file in scripts for line in file.read_text().splitlines() if "kubectl" in line.partition("#")[0]
    ]
    words = [
        f"{file.relative_to(project)}:{node.lineno}"
        for file in shipped
        if file.suffix == ".py"
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.split()[:1] == ["kubectl"]
    ]

    assert scripts
    assert commands == []
    assert [place for place in words if not place.startswith("benchmarks/")] == []


def test_packages_start_empty(project: Path) -> None:
    full = [file for file in (project / "src").rglob("__init__.py") if file.read_text().strip()]

    assert full == []


def test_no_module_has_a_name_that_says_nothing(project: Path) -> None:
    vague = {"utils", "util", "helpers", "common", "manager", "misc"}

    assert [file for file in (project / "src").rglob("*.py") if file.stem in vague or file.parent.name in vague] == []


def test_modules_stay_readable(project: Path) -> None:
    """Most lines live in modules of at most 400 lines, and no module is a book."""
    sizes = {file: len(file.read_text().splitlines()) for file in (project / "src").rglob("*.py")}

    assert max(sizes.values()) <= 900, max(sizes, key=lambda file: sizes[file])
    assert sum(size for size in sizes.values() if size <= 400) >= 0.6 * sum(sizes.values())
