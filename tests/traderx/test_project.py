"""Where a project keeps its things."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from confighub.errors import BadRequest, NotFound
from traderx.project import find_project, replace_file


def test_state_lives_in_the_checkout_unless_told_otherwise(project: Path) -> None:
    found = find_project(environ={})

    assert (found.data, found.name_file) == (project / ".traderx", project / ".cub-project")


def test_a_state_folder_of_its_own_brings_its_own_name(tmp_path: Path) -> None:
    by_option = find_project(str(tmp_path / "a"), environ={})
    by_variable = find_project(environ={"TRADERX_DATA": str(tmp_path / "a")})

    assert by_option == by_variable
    assert by_option.name_file == tmp_path / "a" / ".cub-project"


@pytest.mark.requirement("R-218", "R-101", "R-102", "R-038")
def test_the_name_is_kept_and_starts_the_name_of_every_space(tmp_path: Path) -> None:
    found = find_project(str(tmp_path), environ={})
    found.keep_name("fluffy-bunny-traderx")

    assert found.name_file.read_text() == "fluffy-bunny-traderx\n"
    assert found.space("dev") == "fluffy-bunny-traderx-dev"


def test_a_missing_name_says_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"no project here.*bin/install-base"):
        find_project(str(tmp_path), environ={}).name()


def test_a_name_that_no_space_could_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="not a project's name: Fluffy Bunny"):
        find_project(str(tmp_path), environ={}).keep_name("Fluffy Bunny")


def test_a_replaced_file_has_the_asked_mode_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    replace_file(path, "one", mode=0o600)
    replace_file(path, "two", mode=0o600)

    assert path.read_text() == "two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]
