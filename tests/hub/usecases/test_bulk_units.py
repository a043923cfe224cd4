from __future__ import annotations

import pytest

from confighub.errors import BadRequest
from confighub.hub.hub import Hub
from confighub.hub.kinds import LINK
from confighub.hub.usecases import bulk, bulk_units, entities
from confighub.hub.usecases.listing import Listing
from confighub.hub.usecases.unit_changes import Change
from confighub.records.answers import UnitTagRequest
from tests.hub.scene import WEB, Scene


def test_bulk_patch_leaves_the_others_done_when_one_fails(hub: Hub, scene: Scene) -> None:
    space = scene.space("dev")
    scene.unit(space, "a")
    scene.unit(space, "b")

    answers = bulk_units.bulk_patch_units(hub, scene.caller, {"Slug": "same", "Labels": {"x": "y"}}, Listing())

    assert [(answer.unit.slug if answer.unit else None) for answer in answers] == ["same", None]
    assert answers[1].error is not None
    assert answers[1].error.status == 400
    assert scene.slugs("Unit", "Labels.x = 'y'") == ["same"]


def test_push_upgrade_reaches_every_clone_behind(hub: Hub, scene: Scene) -> None:
    upstream = scene.unit(scene.space("base"), "web")
    clones = [scene.clone(upstream, scene.space(slug)) for slug in ("dev", "stage")]
    scene.edit(upstream, "v1.0.0", "v1.1.0")
    where = f"Unit.UpstreamUnitID = '{upstream.unit_id}' AND Unit.UpstreamRevisionNum < UpstreamUnit.HeadRevisionNum"

    first = bulk_units.bulk_patch_units(hub, scene.caller, None, Listing(where), change=Change(upgrade=True))
    second = bulk_units.bulk_patch_units(hub, scene.caller, None, Listing(where), change=Change(upgrade=True))

    assert (len(first), second) == (2, [])
    assert all("v1.1.0" in scene.text(clone) for clone in clones)


def test_a_dry_upgrade_shows_each_and_stores_nothing(hub: Hub, scene: Scene) -> None:
    upstream = scene.unit(scene.space("base"), "web")
    clone = scene.clone(upstream, scene.space("dev"))
    scene.edit(upstream, "v1.0.0", "v1.1.0")
    change = Change(upgrade=True, is_dry_run=True)

    answers = bulk_units.bulk_patch_units(hub, scene.caller, None, Listing("UpstreamRevisionNum > 0"), change=change)

    assert [b"v1.1.0" in answer.unit.data for answer in answers if answer.unit] == [True]
    assert scene.get(clone) == clone


def test_a_patch_of_the_data_reaches_every_unit_of_a_set(hub: Hub, scene: Scene) -> None:
    space = scene.space("dev")
    scene.make("Set", space, slug="critical", where="Labels.tier = 'critical'")
    web = scene.unit(space, "web", labels={"tier": "critical"})
    other = scene.unit(space, "other")

    bulk_units.bulk_patch_units(
        hub,
        scene.caller,
        {"spec": {"replicas": 3}},
        Listing("SetID = 'critical'"),
        change=Change(data_patch=True),
    )

    assert (scene.text(web), scene.text(other)) == (WEB.replace("replicas: 1", "replicas: 3"), WEB)


@pytest.mark.requirement("R-045", "R-220")
def test_clones_come_with_labels_links_and_the_patch(hub: Hub, scene: Scene) -> None:
    base, dev = scene.space("base"), scene.space("dev", env="dev")
    web = scene.unit(base, "web", labels={"order": "2"})
    api = scene.unit(base, "api", labels={"order": "1"})
    scene.make("Link", base, slug="web-api", from_unit_id=web.unit_id, to_unit_id=api.unit_id, labels={"kind": "calls"})

    answers = bulk_units.bulk_clone_units(
        hub,
        scene.caller,
        {"Labels": {"targetable": "true"}},
        Listing("Space.Slug = 'base'"),
        where_space="Labels.env = 'dev'",
    )

    units = [answer.unit for answer in answers if answer.unit]
    assert [(unit.slug, unit.labels, unit.upstream_unit_id) for unit in units] == [
        ("web", {"order": "2", "targetable": "true"}, web.unit_id),
        ("api", {"order": "1", "targetable": "true"}, api.unit_id),
    ]
    links = entities.list_entities(hub, scene.caller, LINK, space_id=dev)
    assert [(one.link.slug, one.link.from_unit_id, one.link.to_unit_id, one.link.labels) for one in links] == [
        ("web-api", units[0].unit_id, units[1].unit_id, {"kind": "calls"})
    ]
    assert [link.link.slug for link in answers[0].links if link.link] == ["web-api"]


def test_a_clone_links_to_the_clone_that_is_there_already(hub: Hub, scene: Scene) -> None:
    base, dev = scene.space("base"), scene.space("dev")
    web, api = scene.unit(base, "web"), scene.unit(base, "api")
    scene.make("Link", base, slug="web-api", from_unit_id=web.unit_id, to_unit_id=api.unit_id)
    cloned_api = scene.clone(api, dev, "backend")

    bulk_units.bulk_clone_units(
        hub, scene.caller, None, Listing(f"UnitID = '{web.unit_id}'"), where_space="Slug = 'dev'"
    )

    links = entities.list_entities(hub, scene.caller, LINK, space_id=dev)
    assert [one.link.to_unit_id for one in links] == [cloned_api.unit_id]


def test_a_link_to_a_unit_that_was_not_cloned_leads_to_it(hub: Hub, scene: Scene) -> None:
    base, dev = scene.space("base"), scene.space("dev")
    web, api = scene.unit(base, "web"), scene.unit(base, "api")
    scene.make("Link", base, slug="web-api", from_unit_id=web.unit_id, to_unit_id=api.unit_id)

    bulk_units.bulk_clone_units(
        hub, scene.caller, None, Listing(f"UnitID = '{web.unit_id}'"), where_space="Slug = 'dev'"
    )

    links = entities.list_entities(hub, scene.caller, LINK, space_id=dev)
    assert [(one.link.to_unit_id, one.link.to_space_id) for one in links] == [(api.unit_id, base)]


def test_cloning_again_answers_with_errors_and_changes_nothing(hub: Hub, scene: Scene) -> None:
    scene.unit(scene.space("base"), "web")
    scene.space("dev")
    for _ in range(2):
        answers = bulk_units.bulk_clone_units(
            hub, scene.caller, None, Listing("Space.Slug = 'base'"), where_space="Slug = 'dev'"
        )

    assert [answer.error is None for answer in answers] == [False]
    assert scene.slugs("Unit") == ["web", "web"]


def test_prefixes_make_several_clones_beside_the_original(hub: Hub, scene: Scene) -> None:
    scene.unit(scene.space("dev"), "web")

    bulk_units.bulk_clone_units(hub, scene.caller, None, Listing(), name_prefixes="blue-,green-")

    assert scene.slugs("Unit") == ["web", "blue-web", "green-web"]


def test_a_clone_has_no_target_of_its_original(hub: Hub, scene: Scene) -> None:
    base = scene.space("base")
    target = scene.make("Target", base, slug="t1", provider_type="Laptop")
    scene.unit(base, "web", target_id=target.target_id)
    scene.space("dev")

    answers = bulk_units.bulk_clone_units(hub, scene.caller, None, Listing(), where_space="Slug = 'dev'")

    assert [answer.unit.target_id for answer in answers if answer.unit] == [None]


def test_a_filter_chooses_for_bulk_calls_too(hub: Hub, scene: Scene) -> None:
    space = scene.space("dev")
    scene.unit(space, "web", labels={"tier": "a"})
    scene.unit(space, "api")
    scene.make("Filter", space, slug="tier-a", where="Labels.tier = 'a'")

    answers = bulk_units.bulk_delete_units(hub, scene.caller, Listing(filter="dev/tier-a"))

    assert [answer.error for answer in answers] == [None]
    assert scene.slugs("Unit") == ["api"]


def test_bulk_approve_opens_the_gate_of_each(hub: Hub, scene: Scene) -> None:
    space = scene.space("prod", env="prod")
    scene.unit(space, "web")
    scene.unit(space, "api")
    assert len(scene.slugs("Unit", "LEN(ApplyGates) > 0")) == 2

    bulk_units.bulk_approve_units(hub, scene.caller, Listing("Slug = 'web'"))

    assert scene.slugs("Unit", "LEN(ApplyGates) > 0") == ["api"]
    assert scene.slugs("Unit", f"ApprovedBy ? '{scene.caller.user_id}'") == ["web"]


def test_a_tag_names_a_revision_to_go_back_to(hub: Hub, scene: Scene) -> None:
    space = scene.space("dev")
    unit = scene.unit(space, "web")
    tag = scene.make("Tag", space, slug="v1")
    bulk_units.bulk_tag_units(hub, scene.caller, UnitTagRequest(tag_id=tag.tag_id), Listing("Slug = 'web'"))
    scene.edit(unit, "replicas: 1", "replicas: 2")

    scene.change(unit, Change(restore="Tag:v1"))

    assert scene.text(unit) == WEB
    assert [one.tags for one in scene.revisions(unit)] == [{tag.tag_id: "true"}, {}, {}]


def test_a_unit_that_is_not_live_has_no_live_revision_to_tag(hub: Hub, scene: Scene) -> None:
    space = scene.space("dev")
    scene.unit(space, "web")
    tag = scene.make("Tag", space, slug="v1")

    request = UnitTagRequest(tag_id=tag.tag_id, revision="LiveRevisionNum")
    answers = bulk_units.bulk_tag_units(hub, scene.caller, request, Listing())

    assert answers[0].error is not None
    with pytest.raises(BadRequest, match="Revision is one of"):
        bulk_units.bulk_tag_units(hub, scene.caller, UnitTagRequest(tag_id=tag.tag_id, revision="x"), Listing())


def test_a_change_set_remembers_where_its_units_stood(hub: Hub, scene: Scene) -> None:
    space = scene.space("prod")
    web, api = scene.unit(space, "web", labels={"tier": "a"}), scene.unit(space, "api")
    chosen = scene.make("Filter", space, slug="tier-a", where="Labels.tier = 'a'")
    scene.make("ChangeSet", space, slug="release-1", filter_id=chosen.filter_id)
    scene.edit(web, "replicas: 1", "replicas: 2")

    scene.change(web, Change(restore="Before:ChangeSet:release-1"))

    assert scene.text(web) == WEB
    with pytest.raises(BadRequest):
        scene.change(api, Change(restore="ChangeSet:release-1"))


def test_the_end_of_a_change_set_is_what_its_end_tag_marks(hub: Hub, scene: Scene) -> None:
    space = scene.space("prod")
    web, tag = scene.unit(space, "web"), scene.make("Tag", space, slug="done")
    chosen = scene.make("Filter", space, slug="all", where="Slug = 'web'")
    scene.make("ChangeSet", space, slug="release-1", filter_id=chosen.filter_id, end_tag_id=tag.tag_id)
    scene.edit(web, "replicas: 1", "replicas: 2")
    bulk_units.bulk_tag_units(hub, scene.caller, UnitTagRequest(tag_id=tag.tag_id), Listing())
    scene.edit(web, "replicas: 2", "replicas: 3")

    scene.change(web, Change(restore="ChangeSet:release-1"))
    assert "replicas: 2" in scene.text(web)

    scene.change(web, Change(restore="Before:Tag:done"))
    assert "replicas: 1" in scene.text(web)


def test_links_are_made_between_all_that_match(hub: Hub, scene: Scene) -> None:
    space = scene.space("dev")
    for slug in ("web", "api", "namespace"):
        scene.unit(space, slug)

    bulk.bulk_create_links(
        hub,
        scene.caller,
        {"Labels": {"made": "bulk"}},
        where_space="Slug = 'dev'",
        where_from="Slug IN ('web', 'api')",
        where_to="Slug = 'namespace'",
    )

    assert scene.slugs("Link", "Labels.made = 'bulk'") == ["web-namespace", "api-namespace"]
    assert scene.slugs("Link", "FromUnit.Slug = 'api' AND ToUnit.Slug = 'namespace'") == ["api-namespace"]
