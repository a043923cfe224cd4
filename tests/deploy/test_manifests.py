"""What is shipped for clusters: accepted by the API, without secrets, and run by nobody special."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from confighub.data import document, schema
from confighub.functions.refusals import refuse
from tests.deploy import worker_example

FILES = sorted((worker_example.PROJECT / "deploy" / "kubernetes").glob("*.yaml"))


def pods() -> list[Any]:
    """Return every pod specification of the manifests and of the base units."""
    files = [*FILES, *(worker_example.PROJECT / "confighub").rglob("*.yaml")]
    objects = [one for path in files for one in yaml.safe_load_all(path.read_text(encoding="utf-8"))]
    return [one["spec"]["template"]["spec"] for one in objects if one["kind"] in ("Deployment", "StatefulSet")]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_api_knows_every_field_and_no_secret_is_inside(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    refuse(text)

    assert "kind: Secret" not in text
    assert [p for placed in document.parse(text).documents for p in schema.problems(placed.document)] == []


def test_the_workers_manifest_is_the_printed_one() -> None:
    assert worker_example.FILE.read_text(encoding="utf-8") == worker_example.text(), (
        "run: python -m tests.deploy.worker_example"
    )


def test_every_container_runs_as_nobody_special_and_leaves_its_image_alone() -> None:
    for pod in pods():
        assert pod["securityContext"]["runAsNonRoot"] is True
        for one in pod["containers"]:
            assert one["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


def test_no_container_is_told_a_secret_on_its_command_line() -> None:
    for pod in pods():
        for one in pod["containers"]:
            secret = [env["name"] for env in one.get("env", []) if "secretKeyRef" in env.get("valueFrom", {})]
            words = " ".join([*one.get("command", []), *one.get("args", [])])
            assert not [name for name in secret if f"$({name})" in words or f"${name}" in words]


def test_every_image_is_pinned() -> None:
    images = [one["image"] for pod in pods() for one in pod["containers"]]

    assert images
    assert all(":" in image and not image.endswith(":latest") for image in images)
