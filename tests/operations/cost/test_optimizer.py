"""The optimizer on a real hub: costs by heads and by what runs, proposals made, applied, verified, taken back."""

from __future__ import annotations

import threading
from base64 import b64encode
from collections.abc import Callable, Iterable
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from confighub.client.functions import call
from confighub.client.transport import Wire
from confighub.errors import ConfigHubError, Gated
from confighub.functions.costs import Cost
from confighub.operations import deploy, proposals
from confighub.operations.cost.advice import Advice, Risk, Rules, advise
from confighub.operations.cost.comparing import costs_of, differences, of_promotion, signed, whole
from confighub.operations.cost.optimizer import (
    Advised,
    Report,
    analyse,
    carry_out,
    cut_off,
    proposals_of,
    receipts,
    usd,
    write,
)
from confighub.operations.cost.spaces import SpaceCost, live_objects, read_spaces
from confighub.operations.cost.usage import Found, Usage, Window
from confighub.operations.drift.watched import Watched, find_watched
from confighub.operations.plan import in_order
from confighub.operations.promote import preview
from tests.api.worker import Event
from tests.operations.cost.sized import RATES, as_written, prices, sized
from tests.operations.playing import PlayedWorker, Stage, Verdict, refused

OPTIONS = deploy.Options(command="bin/cost-optimizer --apply", timeout_s=20.0)
HALF = Usage(cpu_cores=0.4, peak_bytes=400 * 2**20, covered_s=90, points=30, replicas=1, has_start=True)


def watched(stage: Stage) -> Watched:
    return find_watched(stage.hub, [stage.space], sets=(), filters=())


def bring_up(stage: Stage) -> None:
    units = deploy.read_units(stage.hub, stage.space_id)
    made = in_order(space=stage.space, space_id=stage.space_id, units=units)
    outcome = deploy.deploy(stage.hub, made, deploy.Options(approve=True, command="x", timeout_s=20.0), print)
    assert outcome.failure is None


def report_of(stage: Stage, used: Usage = HALF) -> Report:
    """Return the report with usage as if a Prometheus had told it."""
    (space,) = read_spaces(stage.hub, watched(stage), prices())
    rules = Rules(window_s=120, at_least_s=60, points=10)
    advised = []
    for unit in space.units:
        for workload in unit.head:
            found = advise(workload, workload.containers[0], used, RATES, rules)
            assert isinstance(found, Advice)
            advised.append(Advised(unit, found))
    return Report((space,), tuple(advised), (), rules)


def cost_of(stage: Stage) -> SpaceCost:
    (space,) = read_spaces(stage.hub, watched(stage), prices())
    return space


def test_heads_cost_by_their_texts_and_what_runs_by_live_state(dev: Stage) -> None:
    dev.unit("web", text=sized())
    dev.unit("settings", text="apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME}\n")
    with PlayedWorker(dev.worker, as_written):
        bring_up(dev)
        dev.hub.functions.invoke([call("set-replicas", 3)], space_id=dev.space_id)

        space = cost_of(dev)

    assert [unit.slug for unit in space.units] == ["web"]
    assert [space.live_cost.low, space.head_cost.low] == [Decimal(6), Decimal(18)]
    (one,) = differences({"web": space.units[0].live_cost}, {"web": space.units[0].head_cost})
    assert one.line() == "web: 6.00 -> 18.00 USD a month (+12.00)"


def test_costs_of_texts_are_compared_by_name() -> None:
    before = {"web": sized().replace("NAME", "web"), "gone": sized().replace("NAME", "gone"), "odd": "a: ["}
    after = {"web": sized(replicas=2).replace("NAME", "web"), "same": "kind: Service"}

    old, new = costs_of(before, RATES), costs_of(after, RATES)

    assert [(one.name, signed(one.change)) for one in differences(old, new)] == [("gone", "-6.00"), ("web", "+6.00")]
    assert whole(old) == whole(new) == Cost(Decimal(12), Decimal(12))


def test_without_usage_there_is_a_cost_and_no_advice(dev: Stage) -> None:
    dev.unit("web", text=sized())

    report = analyse(dev.hub, watched(dev), prices(), source=None, rules=Rules(), now=0.0)

    assert report.spaces[0].head_cost.low == 6
    assert report.advised == ()
    assert report.as_json()["spaces"][0]["units"][0]["headUsdPerMonth"] == ["6.00", "6.00"]


def test_the_same_advice_is_the_same_change_set(dev: Stage) -> None:
    dev.unit("web", text=sized())

    (first,), (second,) = proposals_of(report_of(dev)), proposals_of(report_of(dev))

    assert first.slug == second.slug
    assert write(dev.hub, [first]) == write(dev.hub, [second])
    assert len(dev.hub.change_sets.list(space_id=dev.space_id)) == 1


def test_newer_advice_takes_the_place_of_older_that_nobody_made(dev: Stage) -> None:
    dev.unit("web", text=sized())
    (old,) = write(dev.hub, proposals_of(report_of(dev)))
    busy = Usage(cpu_cores=0.6, peak_bytes=400 * 2**20, covered_s=90, points=30, replicas=1, has_start=True)

    (new,) = write(dev.hub, proposals_of(report_of(dev, busy)))

    left = [one.slug for one in proposals.find(dev.hub, space=dev.space, space_id=dev.space_id)]
    assert left == [new.slug]
    assert old.slug != new.slug
    assert len(dev.hub.filters.list(space_id=dev.space_id)) == 1


def test_only_advice_up_to_a_risk_is_proposed(dev: Stage) -> None:
    dev.unit("web", text=sized())

    report = report_of(dev)

    # 480m of 1 CPU and 460 of 1024 MiB: a cut of more than half of the memory
    assert [str(one.advice.risk) for one in report.advised] == ["HIGH"]
    assert proposals_of(report, up_to=Risk.MEDIUM) == []


@pytest.mark.requirement("R-009")
def test_a_proposal_is_made_applied_and_its_saving_read_from_what_runs(dev: Stage) -> None:
    dev.unit("web", text=sized())
    dev.unit("api", order=None, text=sized(replicas=2))
    with PlayedWorker(dev.worker, as_written):
        for unit in dev.hub.units.list(space_id=dev.space_id):
            operation = dev.hub.units.apply(unit["Unit"]["UnitID"], space_id=dev.space_id)
            dev.hub.units.wait(operation)
        (proposal,) = proposals_of(report_of(dev))
        written = proposals.write(dev.hub, proposal)

        receipt = carry_out(dev.hub, written, watched(dev), prices(), OPTIONS, print)

        assert receipt.before.low == 18
        assert f"{receipt.saved:.2f}" == written.facts["saving"] == receipt.as_json()["verifiedSavingUsdPerMonth"]
        assert receipt.saved == 3 * (Decimal("0.52") * 5 + Decimal(1024 - 460) / 1024)
        ((made, now),) = receipts(dev.hub, watched(dev), prices())
        assert made.is_made
        assert now == receipt.after


def test_a_unit_that_does_not_get_ready_takes_everything_back(dev: Stage) -> None:
    dev.unit("web", text=sized())
    api = dev.unit("api", order=2, text=sized())
    seen = threading.Event()

    def decide(event: Event) -> Verdict:
        payload = event["Data"]["Payload"]
        if payload["UnitID"] == api and payload["RevisionNum"] == 2:
            seen.set()
            return Verdict("Failed", "ApplyFailed", "out of memory", refused("name: api", "out of memory"))
        return as_written(event)

    with PlayedWorker(dev.worker, decide):
        bring_up(dev)
        (proposal,) = proposals_of(report_of(dev))
        written = proposals.write(dev.hub, proposal)

        with pytest.raises(ConfigHubError, match="was taken back: api: out of memory"):
            carry_out(dev.hub, written, watched(dev), prices(), OPTIONS, print)

        assert seen.is_set()
        space = cost_of(dev)
        assert space.head_cost == space.live_cost == Cost(Decimal(12), Decimal(12))


def test_prod_is_not_changed_without_approval(new_stage: Callable[..., Stage]) -> None:
    prod = new_stage(environment="prod")
    unit_id = prod.unit("web", text=sized())
    with PlayedWorker(prod.worker, as_written):
        bring_up(prod)
        (proposal,) = proposals_of(report_of(prod))
        written = proposals.write(prod.hub, proposal)
        go = partial(carry_out, prod.hub, written, watched(prod), prices())

        with pytest.raises(Gated, match="would wait for approval: web"):
            go(OPTIONS, print)
        assert head_of(prod, unit_id) == 1

        receipt = go(deploy.Options(approve=True, command="x", timeout_s=20.0), print)
        assert receipt.saved > 0
        assert head_of(prod, unit_id) == 2


def head_of(stage: Stage, unit_id: str) -> Any:
    unit: Wire = stage.hub.units.get(unit_id, space_id=stage.space_id)["Unit"]
    return unit["HeadRevisionNum"]


def test_a_promotion_shows_what_it_costs(new_stage: Callable[..., Stage]) -> None:
    dev, staging = new_stage(environment="dev"), new_stage(environment="staging")
    upstream = dev.unit("web", text=sized())
    dev.hub.units.clone(
        {"Slug": "web"}, space_id=staging.space_id, upstream_space_id=dev.space_id, upstream_unit_id=upstream
    )
    staging.hub.functions.invoke([call("set-replicas", 2)], space_id=staging.space_id)
    bigger = {
        "spec": {"template": {"spec": {"containers": [{"name": "web", "resources": {"requests": {"cpu": "3"}}}]}}}
    }
    dev.hub.units.patch_data(upstream, bigger, space_id=dev.space_id)

    shown = of_promotion(dev.hub, preview(dev.hub, source=dev.space, target=staging.space), prices())

    assert shown.lines() == [
        "cost of web: 12.00 -> 32.00 USD a month (+20.00)",
        f"cost of {staging.space}: 12.00 -> 32.00 USD a month (+20.00; own here, prices of 2026-01-01)",
    ]


def test_live_state_is_read_as_json_and_as_yaml() -> None:
    written = '- kind: Deployment\n  metadata: {name: a}\n---\nkind: Service\n---\n"text"\n'

    def read(text: str) -> list[Any]:
        return [one["kind"] for one in live_objects({"LiveState": b64encode(text.encode()).decode()}) or []]

    assert read(written) == ["Deployment", "Service"]
    assert read('[{"kind": "Deployment"}]') == ["Deployment"]
    assert live_objects({"LiveState": b64encode(b"a: [").decode()}) is None
    assert live_objects({}) is None


@pytest.mark.parametrize("is_made", [False, True])
def test_a_change_set_that_was_cut_off_goes_on_and_is_not_withdrawn(dev: Stage, is_made: bool) -> None:
    web, api = dev.unit("web", text=sized()), dev.unit("api", order=2, text=sized())
    with PlayedWorker(dev.worker, as_written):
        bring_up(dev)
        newer = proposals_of(report_of(dev, replace(HALF, cpu_cores=0.2)))
        (proposal,) = write(dev.hub, proposals_of(report_of(dev)))
        assert cut_off(dev.hub, watched(dev)) == []
        if is_made:
            proposals.make(dev.hub, proposal)
            dev.hub.units.wait(dev.hub.units.apply(web, space_id=dev.space_id))
        else:
            (first,) = [one for one in proposal.units if one.slug == "web"]
            calls = [call(name, *values) for name, values in first.calls]
            dev.hub.functions.invoke(calls, where=f"UnitID = '{web}'", space_id=dev.space_id)

        (kept,) = write(dev.hub, newer)
        (begun,) = cut_off(dev.hub, watched(dev))
        receipt = carry_out(dev.hub, begun, watched(dev), prices(), OPTIONS, print)

        assert (kept.slug, begun.slug, begun.is_made) == (proposal.slug, proposal.slug, is_made)
        assert receipt.saved > 0
        assert usd(receipt.saved) == proposal.facts["saving"]
        assert [head_of(dev, web), head_of(dev, api)] == [2, 2]
        space = cost_of(dev)
        assert space.head_cost == space.live_cost
        assert cut_off(dev.hub, watched(dev)) == []


class Told:
    """Usage of everything in the namespaces, whoever's it is."""

    def read(self, namespaces: Iterable[str], *, seconds: float, end: float) -> tuple[Window, Found]:
        return Window(end, seconds, 3.0), {(name, "Deployment", "web", "web"): HALF for name in namespaces}


def test_usage_that_may_be_of_another_space_gives_no_advice(new_stage: Callable[..., Stage]) -> None:
    prod, region = new_stage(environment="prod"), new_stage(environment="prod")
    for stage in (prod, region):
        stage.unit("web", text=sized().replace("metadata: {name: NAME", "metadata: {namespace: shop, name: NAME"))
    rules = Rules(window_s=120, at_least_s=60, points=10)
    for stage in (prod, region):
        with PlayedWorker(stage.worker, as_written):
            units = deploy.read_units(stage.hub, stage.space_id)
            made = in_order(space=stage.space, space_id=stage.space_id, units=units)
            deploy.deploy(stage.hub, made, deploy.Options(approve=True, command="x", timeout_s=20.0), print)
    both = find_watched(prod.hub, [prod.space, region.space], sets=(), filters=())

    report = analyse(prod.hub, both, prices(), source=Told(), rules=rules, now=0.0)
    alone = analyse(prod.hub, watched(prod), prices(), source=Told(), rules=rules, now=0.0)

    assert report.advised == ()
    assert [one.why for _, one in report.silent] == [
        f"usage does not tell it from the same one of {name}: name one place with --space and --match"
        for name in (region.space, prod.space)
    ]
    assert len(alone.advised) == 1
