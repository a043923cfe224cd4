"""Paths that a unit keeps as its own, whatever upstream does there."""

from __future__ import annotations

from confighub.data.merge import upgrade
from confighub.data.own_paths import ANNOTATION, SELECTOR, own_paths, with_own_paths
from confighub.records.mutations import MutationInfo, ResourceInfo, ResourceMutation

BASE = """\
apiVersion: v1
kind: Service
metadata:
  name: shop
spec:
  selector:
    app: shop # everybody
  sessionAffinity: None
"""
THEIRS = BASE.replace("    app: shop # everybody\n", "    app: shop-green\n    version: green\n").replace(
    "None", "ClientIP"
)
OTHER = BASE.replace("Service", "Endpoints")


def test_what_upstream_selects_stays_upstreams_and_everything_else_comes_along() -> None:
    merged = upgrade(
        base=BASE, ours=BASE, theirs=THEIRS, own=with_own_paths([], BASE, own_paths({ANNOTATION: SELECTOR}))
    )

    assert merged.text == BASE.replace("None", "ClientIP")
    assert {one.path for one in merged.held} == {"spec.selector.app", "spec.selector.version"}
    assert merged.conflicts == []


def test_only_resources_of_the_kind_keep_their_own() -> None:
    theirs = THEIRS.replace("Service", "Endpoints")

    merged = upgrade(
        base=OTHER, ours=OTHER, theirs=theirs, own=with_own_paths([], OTHER, [("v1/Service", "spec.selector")])
    )

    assert merged.text == theirs


def test_records_that_there_are_stay_as_they_are() -> None:
    info = ResourceInfo(resource_type="v1/Service", resource_name="/shop", resource_name_without_scope="shop")
    ours_only = {"spec.sessionAffinity": MutationInfo(mutation_type="Update", index=3, value="Mine")}
    own = [ResourceMutation(info, MutationInfo(mutation_type="Update", index=3, predicate=True), ours_only)]
    ours = BASE.replace("None", "Mine")

    guarded = with_own_paths(own, ours, [("v1/Service", "spec.selector")])

    assert list(guarded[0].path_mutation_map) == ["spec.selector", "spec.sessionAffinity"]
    assert guarded[0].path_mutation_map["spec.sessionAffinity"].index == 3
    assert upgrade(base=BASE, ours=ours, theirs=THEIRS, own=guarded).text == ours
    assert with_own_paths(own, ours, []) == own


def test_what_an_earlier_upgrade_brought_there_takes_nothing_along_now() -> None:
    info = ResourceInfo(resource_type="v1/Service", resource_name="/shop", resource_name_without_scope="shop")
    brought = {"spec.selector": MutationInfo(mutation_type="Update", index=2, predicate=True)}
    own = [ResourceMutation(info, MutationInfo(mutation_type="None", predicate=True), brought)]

    merged = upgrade(
        base=BASE, ours=BASE, theirs=THEIRS, own=with_own_paths(own, BASE, own_paths({ANNOTATION: SELECTOR}))
    )

    assert merged.text == BASE.replace("None", "ClientIP")


def test_an_annotation_names_several_and_nonsense_names_none() -> None:
    text = "v1/Service spec.selector, apps/v1/Deployment spec.replicas,,nonsense"

    assert own_paths({ANNOTATION: text}, None, {}) == [
        ("v1/Service", "spec.selector"),
        ("apps/v1/Deployment", "spec.replicas"),
    ]
