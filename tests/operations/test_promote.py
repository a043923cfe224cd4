"""Promotions: shown first, merged field by field, one stage at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from confighub.client.collection import quoted
from confighub.client.functions import call
from confighub.client.hub import HubClient
from confighub.errors import BadRequest
from confighub.operations.promote import preview, promote, refuse_skipping, report, set_image
from tests.operations.playing import Stage


@dataclass
class Chain:
    """Two spaces, the second cloned from the first."""

    dev: Stage
    staging: Stage
    unit_id: str
    clone_id: str

    @property
    def hub(self) -> HubClient:
        """A client of their hub."""
        return self.dev.hub


@pytest.fixture
def chain(new_stage: Callable[..., Stage]) -> Chain:
    """A unit ``web`` in dev, cloned to staging, where it has two replicas."""
    dev, staging = new_stage(environment="dev"), new_stage(environment="staging")
    unit_id = dev.unit("web")
    clone = dev.hub.units.clone(
        {"Slug": "web"}, space_id=staging.space_id, upstream_space_id=dev.space_id, upstream_unit_id=unit_id
    )
    chain = Chain(dev, staging, unit_id, str(clone["UnitID"]))
    chain.hub.functions.invoke([call("set-replicas", 2)], space_id=staging.space_id)
    return chain


def text_in(stage: Stage, unit_id: str) -> str:
    return stage.hub.units.data(unit_id, space_id=stage.space_id)


@pytest.mark.requirement("R-029", "R-210", "R-222")
def test_a_new_image_comes_along_and_local_replicas_stay(chain: Chain) -> None:
    before = text_in(chain.staging, chain.clone_id)
    set_image(chain.hub, space=chain.dev.space, image="web=:v2.0.0", say=print)
    shown = preview(chain.hub, source=chain.dev.space, target=chain.staging.space)

    promote(chain.hub, shown)

    assert text_in(chain.staging, chain.clone_id) == before.replace("web:v1.0.0", "web:v2.0.0")
    assert "replicas: 2 # enough here" in before


def test_the_preview_shows_the_diff_and_changes_nothing(chain: Chain) -> None:
    before = text_in(chain.staging, chain.clone_id)
    set_image(chain.hub, space=chain.dev.space, image="web=:v2.0.0", say=print)

    lines = report(preview(chain.hub, source=chain.dev.space, target=chain.staging.space))

    assert lines[0] == "web (upstream revision 2):"
    assert "  -        image: example/web:v1.0.0" in lines
    assert "  +        image: example/web:v2.0.0" in lines
    assert text_in(chain.staging, chain.clone_id) == before


def test_what_is_held_is_listed_with_both_values(chain: Chain) -> None:
    chain.hub.functions.invoke([call("set-replicas", 5)], space_id=chain.dev.space_id)

    shown = preview(chain.hub, source=chain.dev.space, target=chain.staging.space)
    promote(chain.hub, shown)

    (held,) = shown.changes[0].held
    assert (held.path, held.ours.split(" ")[0], held.theirs.split(" ")[0]) == ("spec.replicas", "2", "5")
    assert any(line.startswith("  held: spec.replicas stays 2") for line in report(shown))
    assert "replicas: 2" in text_in(chain.staging, chain.clone_id)


def test_a_second_promotion_has_nothing_to_do(chain: Chain) -> None:
    set_image(chain.hub, space=chain.dev.space, image="web=:v2.0.0", say=print)
    promote(chain.hub, preview(chain.hub, source=chain.dev.space, target=chain.staging.space))

    again = preview(chain.hub, source=chain.dev.space, target=chain.staging.space)

    assert again.changes == ()
    assert report(again) == [f"{chain.staging.space} has everything that {chain.dev.space} has"]


def test_skipping_a_stage_is_refused(chain: Chain, new_stage: Callable[..., Stage]) -> None:
    prod = new_stage(environment="prod")
    chain.hub.units.create_all(
        None,
        where=f"SpaceID = {quoted(chain.staging.space_id)}",
        where_space=f"SpaceID = {quoted(prod.space_id)}",
    )

    with pytest.raises(BadRequest, match=f"{prod.space} comes from {chain.staging.space}, and no unit of it from"):
        preview(chain.hub, source=chain.dev.space, target=prod.space)


def test_a_unit_of_another_stage_is_promoted_only_when_asked_laterally(chain: Chain) -> None:
    base = chain.dev.unit("rights")
    other = chain.staging.unit("notes")
    for slug in ("one", "two"):
        chain.hub.units.clone(
            {"Slug": slug},
            space_id=chain.dev.space_id,
            upstream_space_id=chain.staging.space_id,
            upstream_unit_id=other,
        )
    chain.hub.units.clone(
        {"Slug": "three"}, space_id=chain.dev.space_id, upstream_space_id=chain.dev.space_id, upstream_unit_id=base
    )
    chain.hub.functions.invoke([call("set-replicas", 7)], space_id=chain.dev.space_id, where=f"UnitID = {quoted(base)}")

    with pytest.raises(BadRequest, match="would skip a stage"):
        preview(chain.hub, source=chain.dev.space, target=chain.dev.space)
    shown = preview(chain.hub, source=chain.dev.space, target=chain.dev.space, lateral=True)

    assert [change.slug for change in shown.changes] == ["three"]


def test_what_the_next_stage_lacks_is_named(chain: Chain) -> None:
    chain.dev.unit("new")

    shown = preview(chain.hub, source=chain.dev.space, target=chain.staging.space)

    assert shown.missing == ("new",)


@pytest.mark.parametrize("image", ["web", "web=", "=:v2"])
def test_an_image_of_another_form_is_refused(chain: Chain, image: str) -> None:
    with pytest.raises(BadRequest, match=r"given as container=:tag"):
        set_image(chain.hub, space=chain.dev.space, image=image, say=print)


def test_a_skipped_stage_is_refused_before_anything_is_set(chain: Chain, new_stage: Callable[..., Stage]) -> None:
    prod = new_stage(environment="prod")
    staged = {"space_id": prod.space_id, "upstream_space_id": chain.staging.space_id}
    chain.hub.units.clone({"Slug": "web"}, upstream_unit_id=chain.clone_id, **staged)

    refuse_skipping(chain.hub, source=chain.dev.space, target=chain.staging.space)
    refuse_skipping(chain.hub, source=chain.staging.space, target=prod.space)
    with pytest.raises(BadRequest) as early:
        refuse_skipping(chain.hub, source=chain.dev.space, target=prod.space)

    with pytest.raises(BadRequest) as late:
        preview(chain.hub, source=chain.dev.space, target=prod.space)
    assert str(early.value) == str(late.value)
