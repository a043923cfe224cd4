"""Where units stood when somebody began to bring them to a side of a change set, and who may take them back there."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from confighub.client.transport import Wire
from confighub.operations import attempts
from tests.operations.playing import Stage


@pytest.mark.parametrize(
    ("said", "comes_as"),
    [
        ("change set release: end", 1),
        ("change set release was taken back", 1),
        ("change set release-2: end", 2),
        ("more load", 2),
    ],
)
def test_only_what_the_same_change_set_changed_comes_as_it_stood_before(
    new_stage: Callable[..., Stage], said: str, comes_as: int
) -> None:
    stage = new_stage(environment="dev")
    web = stage.unit("web")
    made = stage.hub.change_sets.create({"Slug": "release"}, space_id=stage.space_id)
    attempts.begin(stage.hub, made, units(stage))
    change = {"spec": {"replicas": 2}}
    stage.hub.units.patch_data(web, change, space_id=stage.space_id, change_desc=said)

    found = stage.hub.change_sets.get(made["ChangeSetID"], space_id=stage.space_id)["ChangeSet"]
    (unit,) = attempts.begin(stage.hub, found, units(stage))

    assert unit["HeadRevisionNum"] == comes_as


def units(stage: Stage) -> list[Wire]:
    return [one["Unit"] for one in stage.hub.units.list(space_id=stage.space_id, include="")]
