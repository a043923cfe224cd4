from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from confighub.errors import BadQuery, BadRequest, Conflict, Forbidden, NotFound
from confighub.hub.caller import Caller
from confighub.hub.hub import Hub
from confighub.hub.kinds import BRIDGE_WORKER, FILTER, SPACE, TAG, TARGET
from confighub.hub.usecases import bulk, entities, people, spaces
from confighub.hub.usecases.listing import Listing, shown
from confighub.records.base import NIL_ID
from confighub.records.groups import Filter, Tag
from confighub.records.spaces import Space
from tests.hub.scene import Scene


def test_a_new_store_has_an_organization_and_a_space(hub: Hub, alice: Caller) -> None:
    found = spaces.list_spaces(hub, alice, Listing(include="OrganizationID"))

    assert [(one.space and one.space.slug, one.organization and one.organization.slug) for one in found] == [
        ("default", "default")
    ]


def test_founding_twice_gives_the_same_organization(hub: Hub) -> None:
    assert people.found(hub) == people.found(hub)


def test_a_slug_is_unique_in_its_space_only(scene: Scene) -> None:
    here, there = scene.space("here"), scene.space("there")
    scene.make("Tag", here, slug="v1")

    scene.make("Tag", there, slug="v1")
    with pytest.raises(BadRequest, match="this slug already: v1"):
        scene.make("Tag", here, slug="v1")


def test_a_deleted_slug_is_free_again(hub: Hub, scene: Scene) -> None:
    space = scene.space("here")
    old = scene.make("Tag", space, slug="v1")

    entities.delete_entity(hub, scene.caller, TAG, old.tag_id)

    assert scene.make("Tag", space, slug="v1").tag_id != old.tag_id
    with pytest.raises(NotFound):
        entities.get_entity(hub, scene.caller, TAG, old.tag_id)


@pytest.mark.parametrize("slug", ["a b", "-a", "a/b", "ü", "a" * 129])
def test_a_bad_slug_is_refused(scene: Scene, slug: str) -> None:
    space = scene.space("here")

    with pytest.raises(BadRequest, match="a slug has letters"):
        scene.make("Tag", space, slug=slug)


def test_a_missing_slug_is_made_from_the_display_name(scene: Scene) -> None:
    space = scene.space("here")

    made = [scene.make("Tag", space, display_name="My First Tag").slug for _ in range(2)]

    assert made == ["my-first-tag", "my-first-tag-2"]


def test_a_missing_slug_without_a_name_is_two_words(scene: Scene) -> None:
    assert scene.make("Tag", scene.space("here")).slug.count("-") == 1


def test_what_the_hub_owns_is_not_taken_from_the_body(scene: Scene) -> None:
    space = scene.space("here")

    made = scene.make("Tag", space, slug="v1", tag_id=NIL_ID, version=17, cursor_id=4, organization_id=NIL_ID)

    assert (made.version, made.organization_id) == (1, scene.caller.organization_id)
    assert made.tag_id not in (None, NIL_ID)


def test_put_replaces_and_counts_the_version(hub: Hub, scene: Scene) -> None:
    tag = scene.make("Tag", scene.space("here"), slug="v1", labels={"a": "1"})

    after = entities.update_entity(hub, scene.caller, TAG, tag.tag_id, Tag(slug="v2", version=tag.version))

    assert (after.slug, after.labels, after.version) == ("v2", {}, tag.version + 1)


def test_put_of_an_older_version_is_a_conflict(hub: Hub, scene: Scene) -> None:
    tag = scene.make("Tag", scene.space("here"), slug="v1")
    entities.update_entity(hub, scene.caller, TAG, tag.tag_id, Tag(slug="v2", version=1))

    with pytest.raises(Conflict, match="at version 2, you read 1"):
        entities.update_entity(hub, scene.caller, TAG, tag.tag_id, Tag(slug="v3", version=1))
    assert scene.slugs("Tag") == ["v2"]


def test_a_put_that_changes_nothing_keeps_the_version(hub: Hub, scene: Scene) -> None:
    tag = scene.make("Tag", scene.space("here"), slug="v1", labels={"a": "1"})

    after = entities.update_entity(hub, scene.caller, TAG, tag.tag_id, tag)

    assert (after.version, after.updated_at) == (1, tag.updated_at)


@pytest.mark.parametrize(
    ("patch", "labels"),
    [
        ({"Labels": {"tier": "a", "app": None}}, {"keep": "1", "tier": "a"}),
        ({"Labels": None}, {}),
        ({"TagID": "ignored", "CursorID": 99}, {"app": "web", "keep": "1"}),
        (None, {"app": "web", "keep": "1"}),
    ],
)
def test_merge_patch(hub: Hub, scene: Scene, patch: dict[str, Any] | None, labels: dict[str, str]) -> None:
    tag = scene.make("Tag", scene.space("here"), slug="v1", labels={"app": "web", "keep": "1"})

    after = entities.patch_entity(hub, scene.caller, TAG, tag.tag_id, patch)

    assert after.labels == labels
    assert (after.slug, after.tag_id) == ("v1", tag.tag_id)


def test_a_patch_of_the_wrong_type_names_the_place(hub: Hub, scene: Scene) -> None:
    tag = scene.make("Tag", scene.space("here"), slug="v1")

    with pytest.raises(BadRequest, match="Labels"):
        entities.patch_entity(hub, scene.caller, TAG, tag.tag_id, {"Labels": {"a": 1}})


@pytest.mark.parametrize(
    ("where", "slugs"),
    [
        ("", ["one", "two", "three"]),
        ("Labels.tier = 'a'", ["one", "two"]),
        ("Labels.tier = 'a' AND Labels.app != 'web'", ["two"]),
        ("Labels.tier IN ('b', 'c')", ["three"]),
        ("LEN(Labels) = 1", ["three"]),
        ("Labels ? 'app'", ["one", "two"]),
        ("Slug LIKE 't%' AND Space.Slug = 'here'", ["two", "three"]),
        ("Space.Labels.env = 'dev'", ["one", "two", "three"]),
        ("Space.Labels.env = 'prod'", []),
        ("Slug ~ '^t[a-z]{2}$'", ["two"]),
        ("Slug ILIKE 'T%'", ["two", "three"]),
    ],
)
def test_where_finds_by_attributes_labels_and_relations(scene: Scene, where: str, slugs: list[str]) -> None:
    space = scene.space("here", env="dev")
    scene.make("Tag", space, slug="one", labels={"tier": "a", "app": "web"})
    scene.make("Tag", space, slug="two", labels={"tier": "a", "app": "api"})
    scene.make("Tag", space, slug="three", labels={"tier": "b"})

    assert scene.slugs("Tag", where) == slugs


def test_changed_labels_are_found_and_old_ones_are_not(hub: Hub, scene: Scene) -> None:
    tag = scene.make("Tag", scene.space("here"), slug="v1", labels={"tier": "a"})

    entities.patch_entity(hub, scene.caller, TAG, tag.tag_id, {"Labels": {"tier": "b"}})

    assert (scene.slugs("Tag", "Labels.tier = 'a'"), scene.slugs("Tag", "Labels.tier = 'b'")) == ([], ["v1"])


def test_contains_looks_at_texts_and_labels(scene: Scene) -> None:
    space = scene.space("here")
    scene.make("Tag", space, slug="one", labels={"owner": "Shop-Team"})
    scene.make("Tag", space, slug="shoppe")
    scene.make("Tag", space, slug="other")

    assert scene.slugs("Tag", contains="shop") == ["one", "shoppe"]


def test_an_unknown_attribute_is_an_error_with_its_place(scene: Scene) -> None:
    with pytest.raises(BadQuery, match="no attribute Slugg at column 1"):
        scene.slugs("Tag", "Slugg = 'a'")


def test_pages_follow_the_cursor(hub: Hub, scene: Scene) -> None:
    space = scene.space("here")
    for number in range(5):
        scene.make("Tag", space, slug=f"t{number}")

    seen: list[str] = []
    after = 0
    while page := entities.list_entities(hub, scene.caller, TAG, Listing(limit=2, after=after)):
        assert len(page) <= 2
        seen += [one.tag.slug for one in page]
        after = page[-1].tag.cursor_id

    assert seen == ["t0", "t1", "t2", "t3", "t4"]


def test_a_stored_filter_narrows_a_list(scene: Scene) -> None:
    here, there = scene.space("here"), scene.space("there")
    scene.make("Tag", here, slug="one", labels={"tier": "a"})
    scene.make("Tag", there, slug="two", labels={"tier": "a"})
    scene.make("Filter", there, slug="tier-a", from_="Tag", where="Labels.tier = 'a'", from_space_id=here)

    assert scene.slugs("Tag", filter="there/tier-a") == ["one"]
    with pytest.raises(NotFound, match="here/tier-a"):
        scene.slugs("Tag", filter="here/tier-a")
    with pytest.raises(BadRequest, match="is about Tag"):
        scene.slugs("Set", filter="tier-a")


def test_a_filter_of_a_project_is_found_in_its_filters_space(scene: Scene) -> None:
    filters = scene.space("happy-tree-traderx-filters")
    scene.make("Tag", filters, slug="one")
    scene.make("Filter", filters, slug="all", from_="Tag")

    assert scene.slugs("Tag", filter="happy-tree-traderx/all") == ["one"]


def test_a_filter_that_cannot_be_read_is_not_stored(scene: Scene) -> None:
    space = scene.space("here")

    with pytest.raises(BadQuery):
        scene.make("Filter", space, slug="bad", where="Slug == 'a' OR 1")
    with pytest.raises(BadRequest, match="From names no kind"):
        scene.make("Filter", space, slug="bad", from_="Units")
    assert scene.slugs("Filter") == []


def test_a_filter_has_a_hash_of_what_it_says(hub: Hub, scene: Scene) -> None:
    space = scene.space("here")
    one = scene.make("Filter", space, slug="one", where="Slug = 'a'")
    same = scene.make("Filter", space, slug="same", where="Slug = 'a'")

    other = entities.patch_entity(hub, scene.caller, FILTER, same.filter_id, {"Where": "Slug = 'b'"})

    assert one.hash == same.hash != other.hash
    assert len(one.hash) == 64


def test_include_and_select_trim_what_is_shown(hub: Hub, scene: Scene) -> None:
    space = scene.space("here", env="dev")
    worker = scene.make("BridgeWorker", space, slug="w1")
    scene.make("Target", space, slug="t1", provider_type="Laptop", bridge_worker_id=worker.bridge_worker_id)
    listing = Listing(include="SpaceID,BridgeWorkerID", select="Slug,Space.Slug,BridgeWorker.Slug,TargetID")

    found = shown(TARGET, entities.list_entities(hub, scene.caller, TARGET, listing), listing)

    target = found[0]["Target"]
    assert sorted(target) == ["CursorID", "OrganizationID", "Slug", "SpaceID", "TargetID"]
    assert found[0]["BridgeWorker"]["Slug"] == "w1"
    assert "Secret" not in found[0]["BridgeWorker"]
    assert sorted(found[0]["Space"]) == ["CursorID", "OrganizationID", "Slug", "SpaceID"]


def test_select_keeps_what_where_asks_for(hub: Hub, scene: Scene) -> None:
    scene.make("Tag", scene.space("here"), slug="v1", labels={"a": "1"})
    listing = Listing(where="Labels.a = '1'", select="TagID")

    found = shown(TAG, entities.list_entities(hub, scene.caller, TAG, listing), listing)

    assert found[0]["Tag"]["Labels"] == {"a": "1"}


def test_an_include_that_does_not_exist_is_refused(scene: Scene) -> None:
    with pytest.raises(BadRequest, match="Tag cannot include TargetID"):
        scene.slugs("Tag", include="TargetID")


def test_a_worker_shows_its_secret_which_the_database_does_not_hold(hub: Hub, scene: Scene) -> None:
    made = scene.make("BridgeWorker", scene.space("here"), slug="w1")

    again = entities.get_entity(hub, scene.caller, BRIDGE_WORKER, made.bridge_worker_id).bridge_worker

    assert made.secret.startswith("ch_")
    assert again.secret == made.secret
    with hub.read() as tx:
        assert made.secret not in str(tx.exec_driver_sql("SELECT secret FROM bridge_workers").scalar())


def test_a_viewer_sees_no_secret(hub: Hub, scene: Scene, caller_as: Callable[[str], Caller]) -> None:
    made = scene.make("BridgeWorker", scene.space("here"), slug="w1")

    seen = entities.get_entity(hub, caller_as("viewer"), BRIDGE_WORKER, made.bridge_worker_id)

    assert seen.bridge_worker.secret == ""


def test_a_viewer_changes_nothing(hub: Hub, scene: Scene, caller_as: Callable[[str], Caller]) -> None:
    space = scene.space("here")
    tag = scene.make("Tag", space, slug="v1")
    viewer = caller_as("viewer")

    for change in (
        lambda: entities.create_entity(hub, viewer, TAG, Tag(slug="v2"), space),
        lambda: entities.patch_entity(hub, viewer, TAG, tag.tag_id, {"DisplayName": "x"}),
        lambda: entities.delete_entity(hub, viewer, TAG, tag.tag_id),
        lambda: entities.create_entity(hub, viewer, SPACE, Space(slug="mine")),
    ):
        with pytest.raises(Forbidden):
            change()
    assert scene.slugs("Tag") == ["v1"]


def test_another_organization_is_invisible(hub: Hub, scene: Scene) -> None:
    tag = scene.make("Tag", scene.space("here"), slug="v1")
    stranger = Caller("", "stranger", hub.new_id(), frozenset({"admin"}))

    assert entities.list_entities(hub, stranger, TAG) == []
    with pytest.raises(NotFound):
        entities.get_entity(hub, stranger, TAG, tag.tag_id)
    with pytest.raises(NotFound):
        entities.create_entity(hub, stranger, TAG, Tag(slug="v2"), tag.space_id)


def test_what_others_lead_to_is_not_deleted(hub: Hub, scene: Scene) -> None:
    space = scene.space("here")
    chosen = scene.make("Filter", space, slug="all")
    scene.make("View", space, slug="table", filter_id=chosen.filter_id)

    with pytest.raises(BadRequest, match="filter all is in use by view table"):
        entities.delete_entity(hub, scene.caller, FILTER, chosen.filter_id)


def test_a_worker_takes_its_unused_targets_along(hub: Hub, scene: Scene) -> None:
    space = scene.space("here")
    worker = scene.make("BridgeWorker", space, slug="w1")
    scene.make("Target", space, slug="t1", provider_type="Laptop", bridge_worker_id=worker.bridge_worker_id)

    entities.delete_entity(hub, scene.caller, BRIDGE_WORKER, worker.bridge_worker_id)

    assert scene.slugs("Target") == []


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"provider_type": ""}, "needs a ProviderType"),
        ({"provider_type": "Laptop", "parameters": "{"}, "Parameters is not JSON"),
        ({"provider_type": "Laptop", "bridge_worker_id": "00000000-0000-4000-8000-000000000000"}, "leads to no"),
    ],
)
def test_a_bad_target_is_refused(scene: Scene, attributes: dict[str, str], reason: str) -> None:
    with pytest.raises(BadRequest, match=reason):
        scene.make("Target", scene.space("here"), slug="t1", **attributes)


def test_deleting_a_space_buries_what_is_in_it(hub: Hub, scene: Scene) -> None:
    space = scene.space("here")
    scene.make("Tag", space, slug="v1", labels={"a": "1"})

    entities.delete_entity(hub, scene.caller, SPACE, space)

    assert scene.slugs("Tag") == scene.slugs("Tag", "Labels.a = '1'") == []
    assert scene.slugs("Tag", where="") == []
    assert scene.space("here") != space


def test_a_new_prefix_is_two_words_that_no_space_begins_with(hub: Hub, alice: Caller) -> None:
    prefix = spaces.new_prefix(hub, alice)

    assert len(prefix.split("-")) == 2
    assert prefix.isascii()


def test_bulk_patch_answers_for_each(hub: Hub, scene: Scene) -> None:
    space = scene.space("here")
    scene.make("Tag", space, slug="v1")
    scene.make("Tag", space, slug="v2")

    answers = bulk.bulk_patch_entities(hub, scene.caller, TAG, {"Slug": "same"}, where="Slug LIKE 'v%'")

    assert answers[0]["Tag"].slug == "same"
    assert "this slug already" in answers[1]["Error"].message
    assert scene.slugs("Tag") == ["same", "v2"]


def test_bulk_clone_prefixes_names_in_each_destination(hub: Hub, scene: Scene) -> None:
    base = scene.space("base")
    scene.space("dev", env="dev")
    scene.space("stage", env="stage")
    scene.make("Filter", base, slug="all", where="Slug = 'x'")

    bulk.bulk_create_entities(
        hub,
        scene.caller,
        FILTER,
        {"Labels": {"copied": "yes"}},
        where="Slug = 'all'",
        where_space="Labels.env IN ('dev', 'stage')",
        name_prefixes="a-,b-",
    )

    assert scene.slugs("Filter", "Labels.copied = 'yes' AND Where = 'Slug'") == []
    found = entities.list_entities(hub, scene.caller, FILTER, Listing("Labels.copied = 'yes'", include="SpaceID"))
    assert [(one.space.slug, one.filter.slug) for one in found] == [
        ("dev", "a-all"),
        ("dev", "b-all"),
        ("stage", "a-all"),
        ("stage", "b-all"),
    ]


def test_a_clone_into_no_space_is_an_error(hub: Hub, scene: Scene) -> None:
    with pytest.raises(BadRequest, match="matches no space"):
        bulk.bulk_create_entities(hub, scene.caller, FILTER, None, where_space="Slug = 'nowhere'")


def test_bulk_delete_of_no_match_is_empty(hub: Hub, scene: Scene) -> None:
    assert bulk.bulk_delete_entities(hub, scene.caller, TAG, where="Slug = 'none'") == []


def test_a_filter_record_keeps_all_it_was_given(hub: Hub, scene: Scene) -> None:
    space = scene.space("here")
    body = Filter(
        slug="all", from_="Unit", where="Slug = 'a'", where_data="spec.replicas > 1", resource_type="apps/v1/Deployment"
    )

    made = entities.create_entity(hub, scene.caller, FILTER, body, space)

    again = entities.get_entity(hub, scene.caller, FILTER, made.filter_id).filter
    assert again == made
    assert (again.where, again.where_data, again.resource_type) == (body.where, body.where_data, body.resource_type)
