"""Bad input: one clear line, an exit code that is not 0, nothing half-written, no traceback."""

from __future__ import annotations

import http.server
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.system import PROJECT, Ran, System

pytestmark = pytest.mark.acceptance

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: extra\n  namespace: traderx-dev\ndata:\n  {data}\n"


def refused(ran: Ran, *words: str) -> None:
    """One line on standard error that holds each word; not a traceback."""
    assert ran.code != 0, ran.text
    assert "Traceback" not in ran.text
    for word in words:
        assert word.lower() in ran.err.lower(), ran.text


def create(dev: System, folder: Path, slug: str, text: str, *more: str) -> Ran:
    file = folder / f"{slug}.yaml"
    file.write_text(text)
    return dev.run("cub", "unit", "create", slug, str(file), "--space", dev.space("dev"), *more)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(MAP.format(data="mode: {{ .Values.mode }}"), ("template", "line 7"), id="template"),
        pytest.param("kind: ConfigMap\n  name: [\n", ("line 2",), id="broken YAML"),
        pytest.param(MAP.format(data="a: 1\n  a: 2"), ("twice", "line 8"), id="duplicate key"),
        pytest.param(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: x\nspec:\n  selector: {matchLabels: {app: x}}\n"
            "  template:\n    metadata: {labels: {app: x}}\n    spec:\n      containers:\n      - name: x\n"
            "        image: x:v1\n        env:\n        - name: DB_PASSWORD\n          value: P@ssw0rd123\n",
            ("DB_PASSWORD", "secretKeyRef"),
            id="literal password",
        ),
    ],
)
@pytest.mark.requirement("R-243", "R-245")
def test_a_unit_that_is_refused_is_not_there(dev: System, tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    ran = create(dev, tmp_path, "bad", text)

    refused(ran, *words)
    assert "P@ssw0rd123" not in ran.text
    assert "bad" not in dev.units()


def test_a_slug_that_is_taken_is_refused(dev: System, tmp_path: Path) -> None:
    before = dev.unit("namespace")

    refused(create(dev, tmp_path, "namespace", MAP.format(data="a: b")), "namespace", "already")

    assert dev.unit("namespace")["HeadRevisionNum"] == before["HeadRevisionNum"]


def test_an_unknown_field_in_a_filter_is_pointed_at(dev: System) -> None:
    ran = dev.run("cub", "unit", "list", "--space", dev.space("dev"), "--where", "Slug = 'x' AND Colour = 'red'")

    refused(ran, "Colour", "\n" + " " * 15 + "^")


def test_apply_without_a_target_names_the_command_that_sets_one(dev: System) -> None:
    ran = dev.run("cub", "unit", "apply", "namespace", "--space", f"{dev.project}-base")

    refused(ran, "target", "set-target")


def test_a_hub_that_is_down_is_named_with_the_command_that_starts_it(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "CONFIGHUB_URL": "http://127.0.0.1:1"}

    done = subprocess.run(
        [str(PROJECT / "bin" / "cub"), "unit", "list", "--space", "x"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    refused(Ran(done.returncode, done.stdout, done.stderr), "127.0.0.1:1")


def test_a_port_in_use_is_reported_with_its_holder(new_system: Callable[[], System], free_port: int) -> None:
    system = new_system()
    system.data.mkdir()
    (system.data / "ports.json").write_text(f'{{"hub": {free_port}}}\n')

    with http.server.HTTPServer(("127.0.0.1", free_port), http.server.BaseHTTPRequestHandler):
        ran = system.run("up")

    refused(ran, str(free_port), str(os.getpid()))


def test_a_command_that_does_not_exist_says_what_does(dev: System) -> None:
    ran = dev.run("cub", "unit", "aply", "namespace")

    refused(ran, "aply", "apply")
