"""Waves follow links: as early as the links allow, together, and never in a circle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from confighub.errors import BadRequest, Gated
from confighub.operations.deploy import Options, Outcome, deploy, explain, read_units
from confighub.operations.plan import Plan, PlannedUnit
from confighub.operations.waves import find_circle, in_waves, read_needs
from tests.api.worker import Event
from tests.operations.playing import PlayedWorker, Stage, Verdict, succeed
from tests.operations.test_deploy import wait_until_live


def unit(slug: str, order: int | None = 1, *, is_addon: bool = False) -> PlannedUnit:
    return PlannedUnit(unit_id=f"id-of-{slug}", slug=slug, head=1, live=0, order=order, is_addon=is_addon)


def waves(*units: PlannedUnit, **needs: str) -> list[list[str]]:
    """The slugs of each wave; ``a="b c"`` says that a needs b and c."""
    graph = {slug: frozenset(named.split()) for slug, named in needs.items()}
    plan = in_waves(space="p-dev", space_id="s", units=units, needs=graph)
    return [[one.slug for one in stage.units] for stage in plan.stages]


def test_a_unit_comes_one_wave_after_the_last_that_it_needs() -> None:
    units = [unit(slug) for slug in ("web", "trade", "data", "people")]

    assert waves(*units, web="trade data", trade="data") == [["data", "people"], ["trade"], ["web"]]


def test_the_order_counts_within_a_wave_and_links_count_more() -> None:
    assert waves(unit("b", 3), unit("a", 5), unit("c", 1)) == [["c", "b", "a"]]
    assert waves(unit("early", 1), unit("late", 9), early="late") == [["late"], ["early"]]


def test_order_zero_and_addons_come_first_though_no_link_says_so() -> None:
    units = [unit("web"), unit("rights", None, is_addon=True), unit("namespace", 0)]

    assert waves(*units) == [["namespace"], ["rights"], ["web"]]


def test_an_addon_waits_for_what_it_needs_itself() -> None:
    units = [unit("web"), unit("store"), unit("monitor", None, is_addon=True)]

    assert waves(*units, monitor="store") == [["store"], ["monitor"], ["web"]]


def test_a_unit_that_nothing_joins_is_left_out() -> None:
    assert waves(unit("web"), unit("notes", None), unit("linked", None), linked="web") == [["web"], ["linked"]]


def test_a_circle_is_refused_and_shown() -> None:
    units = [unit(slug) for slug in "abcd"]

    with pytest.raises(BadRequest, match=r"need each other in a circle: b → c → d → b .*cub link list --space p-dev"):
        waves(*units, a="b", b="c", c="d", d="b")


def test_the_shortest_circle_is_a_unit_that_needs_itself() -> None:
    assert find_circle({"a": frozenset({"a"})}) == ["a", "a"]
    assert find_circle({"a": frozenset("bc"), "b": frozenset("d"), "c": frozenset("d")}) == []


def test_a_plan_that_selects_nothing_is_an_error() -> None:
    with pytest.raises(BadRequest, match="no unit in p-dev has a link or a label"):
        waves(unit("notes", None))


def plan_of(stage: Stage) -> Plan:
    units = read_units(stage.hub, stage.space_id)
    needs = read_needs(stage.hub, stage.space_id, units)
    return in_waves(space=stage.space, space_id=stage.space_id, units=units, needs=needs)


def run(stage: Stage, *, said: list[str] | None = None, **options: Any) -> Outcome:
    return deploy(stage.hub, plan_of(stage), Options(**options), ([] if said is None else said).append)


def diamond(stage: Stage) -> None:
    """Make four units: ``top`` needs ``left`` and ``right``, and both need ``base``."""
    ids = {slug: stage.unit(slug) for slug in ("top", "left", "right", "base")}
    for source, target in (("top", "left"), ("top", "right"), ("left", "base"), ("right", "base")):
        link = {"Slug": f"{source}-{target}", "FromUnitID": ids[source], "ToUnitID": ids[target]}
        stage.hub.links.create(
            {**link, "ToSpaceID": stage.space_id, "SpaceID": stage.space_id}, space_id=stage.space_id
        )


def ended_as(slug: str, verdict: Verdict) -> Callable[[Event], Verdict]:
    return lambda event: verdict if event["Data"]["Payload"]["UnitSlug"] == slug else succeed(event)


def test_links_of_the_hub_become_waves_that_are_applied_together(dev: Stage) -> None:
    diamond(dev)
    said: list[str] = []

    with PlayedWorker(dev.worker) as worker:
        outcome = run(dev, said=said)

    applied = [slug for slug, _ in worker.applied]
    assert (applied[0], set(applied[1:3]), applied[3]) == ("base", {"left", "right"}, "top")
    assert outcome.failure is None
    assert [line for line in said if line.startswith("wave")] == ["wave 1: base", "wave 2: left, right", "wave 3: top"]


def test_a_failure_says_what_was_left_and_what_was_not_begun(dev: Stage) -> None:
    diamond(dev)

    def decide(event: Event) -> Verdict:
        slug = event["Data"]["Payload"]["UnitSlug"]
        if slug == "right":
            return Verdict("Failed", "ApplyFailed", "ErrImagePull: no tag v9", b"")
        return Verdict(silent=True) if slug == "left" else succeed(event)

    with PlayedWorker(dev.worker, decide):
        outcome = run(dev)

    assert outcome.failure is not None
    assert (outcome.failure.slug, outcome.failure.reason) == ("right", "ErrImagePull: no tag v9")
    assert (outcome.left, outcome.not_begun) == (("left",), ("top",))
    assert (outcome.as_json()["left"], outcome.as_json()["notBegun"]) == (["left"], ["top"])


def test_started_again_it_goes_on_where_it_stopped(dev: Stage) -> None:
    diamond(dev)
    with PlayedWorker(dev.worker, ended_as("right", Verdict("Failed", "ApplyFailed", "no", b""))) as worker:
        run(dev)
        worker.decide = succeed
        worker.applied.clear()

        outcome = run(dev)

    assert outcome.failure is None
    assert [slug for slug, _ in worker.applied] == ["right", "top"]
    assert {one.slug for one in outcome.results if one.state == "kept"} == {"base", "left"}


def test_prod_asks_for_approval_before_the_first_wave(new_stage: Callable[..., Stage]) -> None:
    prod = new_stage(environment="prod")
    diamond(prod)

    with PlayedWorker(prod.worker) as worker:
        with pytest.raises(Gated, match=r"4 units in .* wait for approval: .*base revision 1.*--waves --approve"):
            run(prod, command="bin/ordered-apply prod --waves")
        refused = list(worker.applied)
        outcome = run(prod, approve=True)

    assert refused == []
    assert outcome.failure is None


def test_what_changes_meanwhile_is_applied_when_the_last_wave_is_over(new_stage: Callable[..., Stage]) -> None:
    eager = new_stage(environment="dev", auto_apply=True)
    diamond(eager)
    base = str(eager.hub.units.find("base", space_id=eager.space_id)["Unit"]["UnitID"])

    def decide(event: Event) -> Verdict:
        if event["Data"]["Payload"]["UnitSlug"] == "top":
            eager.hub.units.patch_data(base, {"spec": {"replicas": 2}}, space_id=eager.space_id)
        return succeed(event)

    with PlayedWorker(eager.worker, decide) as worker:
        run(eager)
        wait_until_live(eager, base, revision=2)

    assert [one for one in worker.applied if one[0] in ("base", "top")] == [("base", 1), ("top", 1), ("base", 2)]


def test_explaining_tells_what_each_unit_comes_after(dev: Stage) -> None:
    diamond(dev)

    lines = explain(plan_of(dev))

    assert lines[-2:] == ["wave 3:", "  top: not live, apply revision 1; after left, right"]
    assert plan_of(dev).as_json()["stages"][2]["units"][0]["needs"] == ["left", "right"]
