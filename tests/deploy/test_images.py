"""How the images are built: one file, eight commands, the hub and the worker."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from traderx import topology

RECORDER = """\
#!/bin/sh
[ "$1" = version ] || echo "$@"
"""


def built(project: Path, folder: Path, *arguments: str) -> list[str]:
    """Return the command lines with which deploy/build calls a builder that only prints them."""
    recorder = folder / "buildah"
    recorder.write_text(RECORDER)
    recorder.chmod(0o755)
    path = f"{folder}:{Path(sys.executable).parent}:/usr/bin:/bin"
    done = subprocess.run(
        [project / "deploy" / "build", *arguments], env={"PATH": path}, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_all_images_are_built_under_the_names_that_units_use(project: Path, tmp_path: Path) -> None:
    lines = built(project, tmp_path)

    for one in topology.SERVICES:
        (line,) = [line for line in lines if f"SERVICE={one.name} " in line]
        assert f"--tag finos/traderx-{one.name}:v1.0.0" in line
        assert f"PORT={one.container_port} " in line
    assert len(lines) == len(topology.SERVICES) + 2


def test_one_service_is_built_with_another_tag(project: Path, tmp_path: Path) -> None:
    (line,) = built(project, tmp_path, "--tag", "v1.1.0", "trade-service")

    assert "--tag finos/traderx-trade-service:v1.1.0" in line
    assert "VERSION=v1.1.0" in line


def test_without_a_builder_it_says_how_to_get_one(project: Path, tmp_path: Path) -> None:
    for name in ("dirname", "env", "bash"):
        (tmp_path / name).symlink_to(Path("/usr/bin") / name)

    done = subprocess.run(
        [project / "deploy" / "build"], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "apt-get install buildah" in done.stderr


@pytest.mark.parametrize("target", ["hub", "worker", "service"])
def test_every_image_has_a_health_check_and_a_user_that_is_not_root(project: Path, target: str) -> None:
    text = (project / "deploy" / "Containerfile").read_text(encoding="utf-8")
    stages = dict(re.findall(r"^FROM \S+ AS (\w+)\n(.*?)(?=^FROM |\Z)", text, re.MULTILINE | re.DOTALL))

    assert "HEALTHCHECK" in stages[target]
    assert "\nUSER 1000:1000\n" in stages["base"]
    assert "USER" not in stages[target]


def test_what_the_images_add_for_postgresql_is_what_the_tests_use(project: Path) -> None:
    tested = (project / "requirements-dev.lock").read_text(encoding="utf-8")
    added = (project / "deploy" / "requirements-postgresql.lock").read_text(encoding="utf-8")

    assert "psycopg-binary==" in added
    assert added in tested


def test_the_build_context_leaves_out_what_only_this_machine_has(project: Path) -> None:
    left_out = (project / ".containerignore").read_text(encoding="utf-8").split()

    assert {".venv", ".traderx", ".git"} <= set(left_out)
    assert os.path.lexists(project / "requirements.lock")
