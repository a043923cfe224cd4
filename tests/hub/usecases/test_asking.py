"""Everything that may be asked for can be asked for, on both databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from confighub.hub.hub import Hub
from confighub.hub.kinds import KINDS, SPACE
from confighub.hub.usecases import entities, history, organizations, spaces
from confighub.hub.usecases.listing import Listing, shown
from confighub.query import fields
from confighub.query.fields import Kind
from confighub.records.base import to_wire
from tests.hub.scene import Scene

LITERALS = {
    Kind.TEXT: "'a'",
    Kind.NUMBER: "1",
    Kind.FLAG: "true",
    Kind.ID: "'00000000-0000-4000-8000-000000000000'",
    Kind.TIME: "'2025-01-01T00:00:00'",
}
LISTED = [name for name in KINDS if name not in ("Organization", "Revision", "Mutation", "UnitEvent")]
HISTORY = {
    "Revision": history.list_revisions,
    "Mutation": history.list_mutations,
    "UnitEvent": history.list_unit_events,
}


def terms(entity: str, prefix: str = "") -> Iterator[str]:
    for name, kind in fields.of(entity).attributes.items():
        left = f"{prefix}{name}"
        if kind is Kind.TEXT_MAP:
            yield from (f"{left}.key = 'a'", f"{left}.key != 'a'", f"{left} ? 'key'", f"LEN({left}) = 0")
        elif kind is Kind.FLAG_MAP:
            yield from (f"{left}.slug/name = true", f"{left} ? 'slug/name'", f"LEN({left}) > 0")
        elif kind is Kind.IDS:
            yield from (f"{left} ? {LITERALS[Kind.ID]}", f"LEN({left}) = 0")
        else:
            yield f"{left} != {LITERALS[kind]}"
            yield f"{left} IS NULL"
        if kind is Kind.TEXT:
            yield from (f"{left} ~ 'x'", f"{left} LIKE 'a%'", f"{left} ILIKE 'A%'", f"{left} NOT IN ('a', 'b')")


def all_terms(entity: str) -> list[str]:
    found = list(terms(entity))
    for relation, other in fields.of(entity).relations.items():
        found += terms(other, f"{relation}.")
    return found


@pytest.mark.parametrize("entity", LISTED)
def test_every_term_about_a_noun_can_be_asked(hub: Hub, scene: Scene, entity: str) -> None:
    for term in all_terms(entity):
        entities.list_entities(hub, scene.caller, KINDS[entity], Listing(where=term))


@pytest.mark.parametrize("entity", list(HISTORY))
def test_every_term_about_history_can_be_asked(hub: Hub, scene: Scene, entity: str) -> None:
    unit = scene.unit(scene.space("dev"), "web")

    for term in all_terms(entity):
        HISTORY[entity](hub, scene.caller, unit.unit_id or "", Listing(where=term))


@pytest.mark.parametrize("entity", ["Organization", "OrganizationMember"])
def test_every_term_about_people_can_be_asked(hub: Hub, scene: Scene, entity: str) -> None:
    home = scene.caller.organization_id
    for term in terms(entity):
        if entity == "Organization":
            organizations.list_organizations(hub, scene.caller, Listing(where=term))
        else:
            organizations.list_members(hub, scene.caller, home, Listing(where=term))


@pytest.mark.parametrize("entity", [name for name in LISTED if KINDS[name].extended is not None])
def test_every_relation_can_be_included_and_trimmed(hub: Hub, scene: Scene, entity: str) -> None:
    space = scene.space("dev", env="dev")
    everything(scene, space)
    row = KINDS[entity]
    known = fields.of(entity).includes
    select = ",".join(["Slug", *known, *(f"{relation.name}.Slug" for relation in known.values())])

    plain = Listing(include=",".join(known))
    trimmed = Listing(include=",".join(known), select=select)

    whole = entities.list_entities(hub, scene.caller, row, plain)
    short = shown(row, entities.list_entities(hub, scene.caller, row, trimmed), trimmed)
    assert len(whole) == len(short) > 0
    assert len(to_wire(short)) < len(to_wire(whole))
    for include, relation in known.items():
        if include in ("TargetID", "UpstreamUnitID", "SpaceID", "SetID", "FilterID", "BridgeWorkerID", "ToUnitID"):
            assert any(getattr(one, row.holder[relation.name]) is not None for one in whole), include


def everything(scene: Scene, space: str) -> None:
    worker = scene.make("BridgeWorker", space, slug="w")
    target = scene.make("Target", space, slug="t", provider_type="Laptop", bridge_worker_id=worker.bridge_worker_id)
    group = scene.make("Set", space, slug="s")
    web = scene.unit(space, "web", target_id=target.target_id, set_id=group.set_id)
    clone = scene.clone(web, space, "clone")
    scene.make("Link", space, slug="l", from_unit_id=clone.unit_id, to_unit_id=web.unit_id)
    chosen = scene.make("Filter", space, slug="f")
    tag = scene.make("Tag", space, slug="v1")
    scene.make("View", space, slug="v", filter_id=chosen.filter_id)
    scene.make("ChangeSet", space, slug="c", filter_id=chosen.filter_id, start_tag_id=tag.tag_id)
    call = {"function_name": "get-replicas", "bridge_worker_id": worker.bridge_worker_id}
    scene.make("Invocation", space, slug="i", **call)
    scene.make("Trigger", space, slug="tr", disabled=True, **call)


def test_a_space_counts_what_is_in_it(hub: Hub, scene: Scene) -> None:
    space = scene.space("prod", env="prod")
    everything(scene, space)

    counted = spaces.get_space(hub, scene.caller, space, summary=True)

    assert (counted.total_unit_count, counted.gated_unit_count, counted.unapplied_unit_count) == (2, 2, 2)
    assert (counted.unapproved_unit_count, counted.unlinked_unit_count, counted.upgradable_unit_count) == (2, 1, 0)
    assert (counted.recent_change_unit_count, counted.total_bridge_worker_count) == (2, 1)
    assert counted.target_count_by_toolchain_type == {"Kubernetes/YAML": 1}
    assert counted.trigger_count_by_event_type == {"Mutation": 1}
    listed = spaces.list_spaces(hub, scene.caller, Listing("Slug = 'prod'"), summary=True)
    assert listed == [counted]


def test_a_space_with_clones_that_are_behind_says_so(hub: Hub, scene: Scene) -> None:
    dev = scene.space("dev")
    upstream = scene.unit(scene.space("base"), "web")
    scene.clone(upstream, dev)
    scene.edit(upstream, "replicas: 1", "replicas: 2")

    assert spaces.get_space(hub, scene.caller, dev, summary=True).upgradable_unit_count == 1


def test_without_summary_nothing_is_counted(hub: Hub, scene: Scene) -> None:
    space = scene.space("dev")
    scene.unit(space, "web")

    assert entities.get_entity(hub, scene.caller, SPACE, space).total_unit_count == 0
