"""The twelve patterns: listed with their commands, and never said to have passed without having run."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from confighub.errors import BadRequest
from tests.api.running import PASSWORD, USER
from tests.traderx.conftest import Installed
from traderx import patterns
from traderx.proofs import PATTERNS
from traderx.site import Site
from traderx.stack import Stack


@pytest.fixture
def site(installed: Installed, tmp_path: Path) -> Site:
    """The installed project with a state folder of the test's own, in which nobody is logged in."""
    project = replace(installed.project, data=tmp_path)
    return Site(project, installed.hub, Stack(project, lambda _: None), False, lambda _: None)


@pytest.mark.requirement("R-006")
def test_all_twelve_are_listed_with_the_command_that_shows_each(site: Site) -> None:
    rows = patterns.listed(site.project)

    assert [row["number"] for row in rows] == list(range(1, 13))
    assert len({row["name"] for row in rows}) == 12
    assert all(row["command"].startswith("bin/") for row in rows)
    assert rows[8]["show"] == "bin/traderx patterns run 9"


def test_what_never_ran_has_no_result(site: Site) -> None:
    rows = patterns.listed(site.project)

    assert [row["last"] for row in rows] == [None] * 12
    assert patterns.line_of(rows[0]) == (" 1  Unique project naming: never run; show it: bin/traderx patterns run 1")


def test_a_command_that_fails_is_kept_as_failed_with_its_reason(site: Site) -> None:
    said: list[str] = []

    (row,) = patterns.run(site, [1], said.append)

    last = patterns.listed(site.project)[0]["last"]
    assert row["last"] == last
    assert last["outcome"] == "failed"
    assert "login" in last["evidence"]
    assert last["commands"] == ["bin/cub space new-prefix"]
    assert last["revision"]
    assert said == [patterns.line_of(row)]
    assert patterns.listed(site.project)[1]["last"] is None


def test_a_number_that_is_none_is_refused_before_anything_runs(site: Site) -> None:
    with pytest.raises(BadRequest, match=r"there is no pattern 13, 0 .they are 1 to 12"):
        patterns.run(site, [1, 13, 0], lambda _: None)

    assert patterns.listed(site.project)[0]["last"] is None
    assert len(PATTERNS) == 12


def test_what_an_ended_trial_left_behind_is_taken_away_first(site: Site) -> None:
    environ = os.environ | {"CONFIGHUB_HOME": str(site.project.login_folder), "CONFIGHUB_URL": site.hub.transport.url}
    login = [str(Path(sys.executable).parent / "cub"), "auth", "login", "--username", USER, "--password-stdin"]
    subprocess.run(login, env=environ, input=PASSWORD, text=True, check=True, capture_output=True)
    ended = patterns.Trial(site, 4)
    for name in ("first", "second"):
        ended.make_space(name)
    first, second = (f"{site.project.name()}-pattern-4-{name}" for name in ("first", "second"))
    ended.clone("web-gui-deployment", source=ended.space(), to=first)
    ended.clone("web-gui-deployment", source=first, to=second)
    others = patterns.Trial(site, 5).make_space("first")

    patterns.Trial(site, 4).remove_leftovers()

    left = {one["Space"]["Slug"] for one in site.hub.spaces.list()}
    assert not left & {first, second}
    assert others in left
    site.hub.spaces.delete(site.hub.space_id(others))
