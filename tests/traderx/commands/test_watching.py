"""Which units the drift detector and the cost optimizer look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from confighub.errors import BadRequest
from traderx.commands.watching import spaces_named
from traderx.project import find_project


def test_every_environments_name_is_short_for_the_projects_space_of_it(tmp_path: Path) -> None:
    project = find_project(str(tmp_path), environ={})
    project.keep_name("fluffy-bunny-traderx")

    found = spaces_named(project, ("base", "dev", "prod-us-east-1", "somebody-elses", "*"))

    assert found == [
        "fluffy-bunny-traderx-base",
        "fluffy-bunny-traderx-dev",
        "fluffy-bunny-traderx-prod-us-east-1",
        "somebody-elses",
        "*",
    ]


def test_no_space_is_refused_with_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"which space.*--space prod"):
        spaces_named(find_project(str(tmp_path), environ={}), ())
