from __future__ import annotations

import zlib
from collections.abc import Callable

import pytest

from confighub.errors import BadRequest, Conflict, Forbidden, NotFound, NotYaml
from confighub.hub.caller import Caller
from confighub.hub.hub import Hub
from confighub.hub.kinds import SPACE, UNIT
from confighub.hub.usecases import entities, history, units
from confighub.hub.usecases.gates import closed_gates
from confighub.hub.usecases.listing import Listing, shown
from confighub.hub.usecases.unit_changes import Change
from confighub.records.base import NIL_ID
from confighub.records.units import Unit
from tests.hub.scene import WEB, Scene

UPGRADE = Change(upgrade=True)


def test_a_unit_begins_at_revision_one(scene: Scene) -> None:
    unit = scene.unit(scene.space("dev"), "web", labels={"app": "web"})

    seen = scene.get(unit)
    assert (seen.head_revision_num, seen.head_mutation_num, seen.version) == (1, 1, 1)
    assert (seen.data.decode(), seen.labels) == (WEB, {"app": "web"})
    assert [(one.revision_num, one.source) for one in scene.revisions(unit)] == [(1, "Create")]


def test_the_answer_of_create_is_what_get_shows(scene: Scene) -> None:
    unit = scene.unit(scene.space("dev"), "web", labels={"app": "web"})

    assert scene.get(unit) == unit


def test_the_content_hash_is_a_signed_crc(scene: Scene) -> None:
    space = scene.space("dev")
    for number in range(8):
        unit = scene.unit(space, f"web-{number}", WEB.replace("replicas: 1", f"replicas: {number}"))
        value = zlib.crc32(unit.data)
        assert unit.content_hash == (value if value < 1 << 31 else value - (1 << 32))


def test_zero_ids_and_zero_versions_of_the_client_mean_nothing(hub: Hub, scene: Scene) -> None:
    body = Unit(slug="web", data=WEB.encode(), unit_id=NIL_ID, target_id=NIL_ID, set_id=None, approved_by=None)

    unit = units.create_unit(hub, scene.caller, scene.space("dev"), body, upstream_unit_id=NIL_ID)

    assert (unit.target_id, unit.upstream_unit_id, unit.approved_by) == (None, None, [])


def test_a_unit_without_data_is_empty(scene: Scene) -> None:
    unit = scene.unit(scene.space("dev"), "web", "")

    assert (unit.data, unit.head_revision_num) == (b"", 1)


@pytest.mark.parametrize(
    "bad",
    [
        WEB.replace("v1.0.0", "{{ .tag }}"),
        WEB + "  broken: [\n",
        WEB.replace("replicas: 1", "replicas: 1\n  replicas: 2"),
    ],
)
def test_bad_text_is_refused_and_nothing_is_stored(scene: Scene, bad: str) -> None:
    space = scene.space("dev")

    with pytest.raises(BadRequest):
        scene.unit(space, "web", bad)
    assert scene.slugs("Unit") == []


def test_bad_text_in_an_update_leaves_the_unit_as_it_was(scene: Scene) -> None:
    unit = scene.unit(scene.space("dev"), "web")

    with pytest.raises(NotYaml):
        scene.edit(unit, "spec:", "spec: [")
    assert scene.get(unit) == unit


@pytest.mark.requirement("R-243", "R-245")
def test_a_literal_secret_is_refused_without_being_shown(scene: Scene) -> None:
    space = scene.space("dev")
    secret = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: db\nstringData:\n  password: hunter2-hunter2\n"

    with pytest.raises(BadRequest) as caught:
        scene.unit(space, "db", secret)
    assert "hunter2" not in str(caught.value)
    assert scene.slugs("Unit") == []


def test_a_duplicate_slug_is_a_bad_request(scene: Scene) -> None:
    space = scene.space("dev")
    scene.unit(space, "web")

    with pytest.raises(BadRequest, match="has a unit with this slug already: web"):
        scene.unit(space, "web")


def test_a_new_text_is_a_new_revision(scene: Scene) -> None:
    unit = scene.unit(scene.space("dev"), "web")

    scene.edit(unit, "replicas: 1", "replicas: 2")

    seen = scene.get(unit)
    assert (seen.head_revision_num, seen.version) == (2, 2)
    assert [one.data.decode() for one in scene.revisions(unit)] == [WEB, WEB.replace("replicas: 1", "replicas: 2")]


def test_labels_alone_make_no_revision(hub: Hub, scene: Scene) -> None:
    unit = scene.unit(scene.space("dev"), "web", labels={"app": "web"})

    changed = units.patch_unit(hub, scene.caller, unit.unit_id or "", {"Labels": {"app": None, "tier": "a"}})

    assert (changed.unit.labels, changed.has_new_revision) == ({"tier": "a"}, False)
    assert (scene.get(unit).head_revision_num, scene.get(unit).version) == (1, 2)
    assert scene.slugs("Unit", "Labels.tier = 'a'") == ["web"]


def test_the_same_text_makes_no_revision(hub: Hub, scene: Scene) -> None:
    unit = scene.unit(scene.space("dev"), "web")

    changed = units.update_unit(hub, scene.caller, unit.unit_id or "", scene.get(unit))

    assert not changed.has_new_revision
    assert scene.get(unit) == unit


def test_a_put_without_data_keeps_it(hub: Hub, scene: Scene) -> None:
    unit = scene.unit(scene.space("dev"), "web")

    units.update_unit(hub, scene.caller, unit.unit_id or "", Unit(slug="web", toolchain_type=""))

    assert scene.text(unit) == WEB


def test_the_description_goes_to_the_revision(hub: Hub, scene: Scene) -> None:
    unit = scene.unit(scene.space("dev"), "web")
    body = scene.get(unit)
    body.data, body.last_change_description = WEB.replace("v1.0.0", "v1.1.0").encode(), "new image"

    units.update_unit(hub, scene.caller, unit.unit_id or "", body)

    revision = scene.revisions(unit)[-1]
    assert (revision.description, revision.user_id, revision.user_agent) == (
        "new image",
        scene.caller.user_id,
        "test",
    )
    assert scene.get(unit).last_change_description == "new image"


def test_an_older_version_is_a_conflict_and_nothing_is_written(hub: Hub, scene: Scene) -> None:
    unit = scene.unit(scene.space("dev"), "web")
    scene.edit(unit, "replicas: 1", "replicas: 2")
    stale = unit
    stale.data = WEB.replace("replicas: 1", "replicas: 9").encode()

    with pytest.raises(Conflict, match="at version 2, you read 1"):
        units.update_unit(hub, scene.caller, unit.unit_id or "", stale)
    assert "replicas: 2" in scene.text(unit)


def test_a_patch_of_the_data_changes_its_paths_only(hub: Hub, scene: Scene) -> None:
    unit = scene.unit(scene.space("dev"), "web")

    units.patch_unit(hub, scene.caller, unit.unit_id or "", {"spec": {"replicas": 4}}, change=Change(data_patch=True))

    assert scene.text(unit) == WEB.replace("replicas: 1", "replicas: 4")


def test_a_dry_run_shows_and_stores_nothing(scene: Scene) -> None:
    unit = scene.unit(scene.space("dev"), "web")

    changed = scene.edit(unit, "replicas: 1", "replicas: 7", change=Change(is_dry_run=True))

    assert b"replicas: 7" in changed.unit.data
    assert (changed.unit.head_revision_num, changed.has_new_revision) == (2, True)
    assert scene.get(unit) == unit


def test_restore_gives_the_bytes_back_as_a_new_revision(scene: Scene) -> None:
    unit = scene.unit(scene.space("dev"), "web")
    scene.edit(unit, "replicas: 1", "replicas: 2")
    first = scene.revisions(unit, "RevisionNum = 1")[0]

    scene.change(unit, Change(revision_id=first.revision_id))

    assert scene.text(unit) == WEB
    assert [one.source for one in scene.revisions(unit)] == ["Create", "Update", "Restore"]


def test_restore_records_what_it_restored(hub: Hub, scene: Scene) -> None:
    unit = scene.unit(scene.space("dev"), "web")
    scene.edit(unit, "replicas: 1", "replicas: 2")
    scene.change(unit, Change(restore="1"))

    found = history.list_mutations(hub, scene.caller, unit.unit_id or "", Listing("RestoredRevisionNum > 0"))

    assert [one.mutation and one.mutation.restored_revision_num for one in found] == [1]


@pytest.mark.parametrize("point", ["LiveRevisionNum", "PreviousLiveRevisionNum", "7", "Tag:none", "nonsense"])
def test_there_is_no_such_point_to_restore(scene: Scene, point: str) -> None:
    unit = scene.unit(scene.space("dev"), "web")

    with pytest.raises(BadRequest, match="unit web has no"):
        scene.change(unit, Change(restore=point))


def test_a_clone_has_the_bytes_and_knows_where_from(scene: Scene) -> None:
    base, dev = scene.space("base"), scene.space("dev")
    upstream = scene.unit(base, "web", labels={"app": "web"})

    clone = scene.clone(upstream, dev)

    assert scene.text(clone) == WEB
    assert (clone.upstream_unit_id, clone.upstream_space_id, clone.upstream_revision_num) == (
        upstream.unit_id,
        base,
        1,
    )
    assert clone.upstream_organization_id == upstream.organization_id
    assert scene.revisions(clone)[0].source == "Clone"


def test_a_clone_of_nothing_is_not_found(hub: Hub, scene: Scene) -> None:
    with pytest.raises(NotFound):
        units.create_unit(hub, scene.caller, scene.space("dev"), Unit(slug="x"), upstream_unit_id=hub.new_id())


def test_upgrade_brings_what_upstream_changed(scene: Scene) -> None:
    upstream = scene.unit(scene.space("base"), "web")
    clone = scene.clone(upstream, scene.space("dev"))
    scene.edit(upstream, "v1.0.0", "v1.1.0")

    scene.change(clone, UPGRADE)

    seen = scene.get(clone)
    assert (seen.data.decode(), seen.upstream_revision_num) == (WEB.replace("v1.0.0", "v1.1.0"), 2)
    assert scene.revisions(clone)[-1].source == "Upgrade"


@pytest.mark.requirement("R-222")
def test_upgrade_keeps_a_local_replica_count_and_says_what_it_held(scene: Scene) -> None:
    upstream = scene.unit(scene.space("base"), "web")
    clone = scene.clone(upstream, scene.space("prod-like"))
    scene.edit(clone, "replicas: 1", "replicas: 3")
    scene.edit(upstream, "replicas: 1", "replicas: 2")
    scene.edit(upstream, "v1.0.0", "v1.1.0")

    changed = scene.change(clone, UPGRADE)

    assert scene.text(clone) == WEB.replace("replicas: 1", "replicas: 3").replace("v1.0.0", "v1.1.0")
    assert [(one.path, one.ours.strip(), one.theirs.strip()) for one in changed.held] == [("spec.replicas", "3", "2")]


def test_own_changes_stay_own_over_many_upgrades(scene: Scene) -> None:
    upstream = scene.unit(scene.space("base"), "web")
    clone = scene.clone(upstream, scene.space("dev"))
    scene.edit(clone, "replicas: 1", "replicas: 3")

    for number in range(2, 5):
        scene.edit(upstream, f"replicas: {number - 1}", f"replicas: {number}")
        scene.change(clone, UPGRADE)

    assert "replicas: 3" in scene.text(clone)
    assert scene.get(clone).upstream_revision_num == 4


def test_a_value_that_came_from_upstream_follows_upstream(scene: Scene) -> None:
    upstream = scene.unit(scene.space("base"), "web")
    clone = scene.clone(upstream, scene.space("dev"))
    for tag in ("v1.1.0", "v1.2.0"):
        scene.edit(upstream, scene.text(upstream).split("web:")[1].split("\n")[0], tag)
        scene.change(clone, UPGRADE)

    assert "web:v1.2.0" in scene.text(clone)


@pytest.mark.requirement("R-029", "R-030")
def test_a_change_travels_along_a_chain_and_each_step_keeps_its_own(scene: Scene) -> None:
    base = scene.unit(scene.space("base"), "web")
    dev = scene.clone(base, scene.space("dev", env="dev"))
    staging = scene.clone(dev, scene.space("staging", env="staging"))
    prod = scene.clone(staging, scene.space("prod", env="prod"))
    scene.edit(prod, "replicas: 1", "replicas: 3")
    scene.edit(staging, "replicas: 1", "replicas: 2")
    scene.edit(dev, "v1.0.0", "v1.1.0")

    for unit in (staging, prod):
        scene.change(unit, UPGRADE)

    assert scene.text(base) == WEB
    assert scene.text(staging) == WEB.replace("replicas: 1", "replicas: 2").replace("v1.0.0", "v1.1.0")
    assert scene.text(prod) == WEB.replace("replicas: 1", "replicas: 3").replace("v1.0.0", "v1.1.0")


def test_an_own_list_item_stays_own_when_upstream_inserts_others_before_it(scene: Scene) -> None:
    env = "          env:\n            - name: LEVEL\n              value: info\n"
    upstream = scene.unit(scene.space("base"), "web", WEB + env)
    clone = scene.clone(upstream, scene.space("dev"))
    scene.edit(clone, "value: info", "value: debug")

    for name in ("FIRST", "SECOND"):
        scene.edit(upstream, "env:\n", f"env:\n            - name: {name}\n              value: up\n")
        scene.change(clone, UPGRADE)
    scene.edit(upstream, "value: info", "value: warn")
    changed = scene.change(clone, UPGRADE)

    text = scene.text(clone)
    assert text.index("SECOND") < text.index("FIRST") < text.index("LEVEL")
    assert "name: LEVEL\n              value: debug" in text
    assert [held.ours.strip() for held in changed.held] == ["debug"]


def test_an_upgrade_without_news_makes_no_revision(scene: Scene) -> None:
    upstream = scene.unit(scene.space("base"), "web")
    clone = scene.clone(upstream, scene.space("dev"))

    assert not scene.change(clone, UPGRADE).has_new_revision
    assert scene.get(clone) == clone


def test_an_upgrade_whose_changes_are_all_held_still_counts_as_upgraded(scene: Scene) -> None:
    upstream = scene.unit(scene.space("base"), "web")
    clone = scene.clone(upstream, scene.space("dev"))
    scene.edit(clone, "replicas: 1", "replicas: 3")
    scene.edit(upstream, "replicas: 1", "replicas: 2")

    changed = scene.change(clone, UPGRADE)

    assert (changed.has_new_revision, changed.unit.upstream_revision_num) == (False, 2)
    assert [one.path for one in changed.held] == ["spec.replicas"]


def test_a_unit_that_is_no_clone_is_not_upgraded(scene: Scene) -> None:
    unit = scene.unit(scene.space("dev"), "web")

    with pytest.raises(BadRequest, match="is no clone"):
        scene.change(unit, UPGRADE)


def test_two_sides_that_do_not_fit_are_a_conflict_and_nothing_is_written(scene: Scene) -> None:
    upstream = scene.unit(scene.space("base"), "web", WEB + "  strategy:\n    rollingUpdate:\n      maxSurge: 1\n")
    clone = scene.clone(upstream, scene.space("dev"))
    scene.edit(clone, "maxSurge: 1", "maxSurge: 2")
    scene.edit(upstream, "  strategy:\n    rollingUpdate:\n      maxSurge: 1\n", "")
    before = scene.get(clone)

    with pytest.raises(Conflict, match="cannot be upgraded") as caught:
        scene.change(clone, UPGRADE)
    [detail] = caught.value.details
    assert "spec.strategy.rollingUpdate.maxSurge: upstream deleted it" in detail
    assert "mutation 2: 2; upstream: nothing" in detail
    assert "ours by admin-person in revision 2; upstream's by admin-person in revision 2" in detail
    assert scene.get(clone) == before
    assert len(scene.revisions(clone)) == 2


def test_a_new_resource_of_upstream_comes_into_the_namespace_of_the_clone(scene: Scene) -> None:
    upstream = scene.unit(scene.space("base"), "web")
    clone = scene.clone(upstream, scene.space("dev"))
    scene.edit(clone, "namespace: shop", "namespace: shop-dev")
    account = "---\napiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: web\n  namespace: shop\n"
    scene.edit(upstream, "v1.0.0\n", f"v1.0.0\n{account}")

    scene.change(clone, UPGRADE)

    assert scene.text(clone).endswith(account.replace("shop", "shop-dev"))


def test_sources_say_which_mutation_set_a_path(hub: Hub, scene: Scene) -> None:
    upstream = scene.unit(scene.space("base"), "web")
    clone = scene.clone(upstream, scene.space("dev"))
    scene.edit(clone, "replicas: 1", "replicas: 3")

    sources = scene.get(clone).mutation_sources or []

    assert [(one.resource.resource_name, one.resource_mutation_info.index) for one in sources] == [("shop/web", 1)]
    info = sources[0].path_mutation_map["spec.replicas"]
    assert (info.index, info.predicate, info.value.strip()) == (2, False, "3")


def test_an_older_revision_shows_the_sources_of_its_time(scene: Scene) -> None:
    unit = scene.unit(scene.space("dev"), "web")
    scene.edit(unit, "replicas: 1", "replicas: 2")
    scene.edit(unit, "v1.0.0", "v1.1.0")

    shown_sources = [one.mutation_sources or [] for one in scene.revisions(unit)]

    assert [sorted(one[0].path_mutation_map) for one in shown_sources] == [
        [],
        ["spec.replicas"],
        ["spec.replicas", "spec.template.spec.containers.0.image"],
    ]
    assert shown_sources[-1] == scene.get(unit).mutation_sources


def test_a_list_of_units_knows_relations_and_events(hub: Hub, scene: Scene) -> None:
    upstream = scene.unit(scene.space("base"), "web")
    dev = scene.space("dev")
    scene.clone(upstream, dev)
    scene.edit(upstream, "replicas: 1", "replicas: 2")
    where = f"Unit.UpstreamUnitID = '{upstream.unit_id}' AND Unit.UpstreamRevisionNum < UpstreamUnit.HeadRevisionNum"
    listing = Listing(
        where=where,
        include="UnitEventID,TargetID,UpstreamUnitID,SpaceID",
        select="Slug,SpaceID,UnitID,UpstreamRevisionNum,UpstreamUnit.HeadRevisionNum,Space.Slug,Target.Slug",
    )

    found = shown(UNIT, units.list_units(hub, scene.caller, listing), listing)

    assert len(found) == 1
    assert found[0]["Unit"]["UpstreamRevisionNum"] == 1
    assert found[0]["Unit"]["MutationSources"] == []
    assert "Data" not in found[0]["Unit"]
    assert (found[0]["UpstreamUnit"]["HeadRevisionNum"], found[0]["Space"]["Slug"]) == (2, "dev")
    assert "Target" not in found[0]


@pytest.mark.parametrize(
    ("where", "slugs"),
    [
        ("LiveRevisionNum = 0", ["web", "api"]),
        ("HeadRevisionNum > LiveRevisionNum AND Slug = 'web'", ["web"]),
        ("UpstreamRevisionNum > 0", []),
        ("UpstreamUnitID IS NULL", ["web", "api"]),
        ("LEN(ApprovedBy) > 0", []),
        ("LEN(ApplyGates) > 0", ["api"]),
        ("ApplyGates.placeholders/no-placeholders = true", ["api"]),
        ("ApplyGates ? 'placeholders/no-placeholders'", ["api"]),
        ("TargetID IS NOT NULL", []),
        ("LastActionAt IS NULL", ["web", "api"]),
        ("Target.Slug = 'x'", []),
        ("LatestUnitEvent.Status = 'Failed'", []),
        ("HeadRevision.RevisionNum = 1", ["web", "api"]),
        ("CreatedAt > '2025-01-01T00:00:00'", ["web", "api"]),
        ("CreatedAt > '2100-01-01'", []),
    ],
)
def test_where_on_units(scene: Scene, where: str, slugs: list[str]) -> None:
    space = scene.space("dev")
    scene.unit(space, "web")
    scene.unit(space, "api", WEB.replace("v1.0.0", "confighubplaceholder"))

    assert scene.slugs("Unit", where) == slugs


def test_a_set_has_pinned_members_and_those_that_match(scene: Scene) -> None:
    space = scene.space("dev")
    chosen = scene.make("Set", space, slug="critical", where="Labels.tier = 'critical'")
    scene.unit(space, "pinned", set_id=chosen.set_id)
    scene.unit(space, "matching", labels={"tier": "critical"})
    scene.unit(space, "other")

    assert scene.slugs("Unit", "SetID = 'critical'") == ["pinned", "matching"]
    assert scene.slugs("Unit", f"SetID = '{chosen.set_id}' AND Slug != 'pinned'") == ["matching"]
    assert scene.slugs("Unit", "SetID = 'no-such-set'") == []


def test_a_deleted_unit_takes_its_links_along(hub: Hub, scene: Scene) -> None:
    space = scene.space("dev")
    web, api = scene.unit(space, "web"), scene.unit(space, "api")
    scene.make("Link", space, slug="", from_unit_id=web.unit_id, to_unit_id=api.unit_id)

    units.delete_unit(hub, scene.caller, api.unit_id or "")

    assert (scene.slugs("Unit"), scene.slugs("Link")) == (["web"], [])


def test_a_link_lives_where_its_from_unit_does(scene: Scene) -> None:
    dev, other = scene.space("dev"), scene.space("other")
    web, api = scene.unit(dev, "web"), scene.unit(other, "api")

    link = scene.make("Link", dev, slug="l1", from_unit_id=web.unit_id, to_unit_id=api.unit_id)

    assert link.to_space_id == other
    with pytest.raises(BadRequest, match="lives in the space"):
        scene.make("Link", other, slug="l2", from_unit_id=web.unit_id, to_unit_id=api.unit_id)


def test_a_target_of_another_toolchain_is_refused(hub: Hub, scene: Scene) -> None:
    space = scene.space("dev")
    target = scene.make("Target", space, slug="t1", provider_type="AWS", toolchain_type="OpenTofu/HCL")
    unit = scene.unit(space, "web")

    with pytest.raises(BadRequest, match="takes OpenTofu/HCL"):
        units.patch_unit(hub, scene.caller, unit.unit_id or "", {"TargetID": target.target_id})


def test_a_target_is_set_and_cleared(hub: Hub, scene: Scene) -> None:
    space = scene.space("dev")
    target = scene.make("Target", space, slug="t1", provider_type="Laptop")
    unit = scene.unit(space, "web")

    first = units.patch_unit(hub, scene.caller, unit.unit_id or "", {"TargetID": target.target_id}).unit
    then = units.patch_unit(hub, scene.caller, unit.unit_id or "", {"TargetID": NIL_ID}).unit

    assert (first.target_id, then.target_id, then.head_revision_num) == (target.target_id, None, 1)


def test_prod_waits_for_an_approval_of_each_revision(hub: Hub, scene: Scene) -> None:
    unit = scene.unit(scene.space("prod", environment="prod"), "web")
    assert scene.get(unit).apply_gates == {"approval/is-approved": True}

    units.approve_unit(hub, scene.caller, unit.unit_id or "")

    approved = scene.get(unit)
    assert (approved.apply_gates, approved.approved_by) == ({}, [scene.caller.user_id])
    scene.edit(unit, "replicas: 1", "replicas: 2")
    assert (scene.get(unit).apply_gates, scene.get(unit).approved_by) == ({"approval/is-approved": True}, [])
    assert [one.approved_by for one in scene.revisions(unit)] == [[scene.caller.user_id], []]


def test_an_older_revision_is_approved_by_number(hub: Hub, scene: Scene) -> None:
    unit = scene.unit(scene.space("prod", env="prod"), "web")
    scene.edit(unit, "replicas: 1", "replicas: 2")

    units.approve_unit(hub, scene.caller, unit.unit_id or "", revision="N-1")

    with hub.read() as tx:
        assert closed_gates(tx, unit.unit_id or "", 1) == []
        assert closed_gates(tx, unit.unit_id or "", 2) == ["approval/is-approved"]


def test_approving_twice_is_approving_once(hub: Hub, scene: Scene) -> None:
    unit = scene.unit(scene.space("prod", env="prod"), "web")

    for _ in range(2):
        units.approve_unit(hub, scene.caller, unit.unit_id or "")

    assert scene.get(unit).approved_by == [scene.caller.user_id]


def test_a_viewer_may_not_approve(hub: Hub, scene: Scene, caller_as: Callable[[str], Caller]) -> None:
    unit = scene.unit(scene.space("prod", env="prod"), "web")

    with pytest.raises(Forbidden):
        units.approve_unit(hub, caller_as("viewer"), unit.unit_id or "")


def test_a_space_that_becomes_prod_closes_its_gates(hub: Hub, scene: Scene) -> None:
    space = scene.space("dev", env="dev")
    unit = scene.unit(space, "web")
    assert scene.get(unit).apply_gates == {}

    entities.patch_entity(hub, scene.caller, SPACE, space, {"Labels": {"env": "prod"}})

    assert scene.get(unit).apply_gates == {"approval/is-approved": True}
