"""Units in Git: nothing of others is taken, and what was removed goes."""

from __future__ import annotations

import subprocess
from base64 import b64encode
from pathlib import Path

import pytest

from tests.traderx.conftest import Installed
from traderx.git_backup import commit_backup
from traderx.project import find_project
from traderx.site import Site
from traderx.stack import Stack

TEXT = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: one\n"


@pytest.fixture
def site(installed: Installed, tmp_path: Path) -> Site:
    """A project without any space in a hub that runs."""
    project = find_project(str(tmp_path / "state"), environ={})
    project.keep_name("lone-otter-traderx")
    return Site(project, installed.hub, Stack(project, lambda _: None), False, lambda _: None)


def git(repository: Path, *arguments: str) -> str:
    command = ["git", "-C", str(repository), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def back_up(site: Site, repository: Path) -> int:
    return commit_backup(site, repository, push=False, say=lambda _: None).files


def test_without_units_nothing_of_the_repository_is_staged(site: Site, tmp_path: Path) -> None:
    repository = tmp_path / "history"
    repository.mkdir()
    (repository / "notes.txt").write_text("a person's own")

    assert back_up(site, repository) == 0

    assert git(repository, "status", "--porcelain") == "?? notes.txt\n"


def test_the_last_unit_of_a_stage_goes_too(site: Site, tmp_path: Path) -> None:
    repository = tmp_path / "history"
    space_id = str(site.hub.spaces.create({"Slug": site.project.space("extra")})["SpaceID"])
    data = b64encode(TEXT.encode()).decode()
    unit = site.hub.units.create({"Slug": "one", "Data": data, "SpaceID": space_id}, space_id=space_id)
    assert back_up(site, repository) == 1

    site.hub.units.delete(unit["UnitID"], space_id=space_id)

    assert [back_up(site, repository), back_up(site, repository)] == [1, 0]
    assert git(repository, "ls-files") == ""
