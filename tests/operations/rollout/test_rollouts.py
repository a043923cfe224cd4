"""Rollouts in a real hub: approved, resumed, refused, taken back, each with a worker that obeys."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from confighub.errors import BadRequest, ConfigHubError, Conflict, Gated, RetryLater
from confighub.operations import promote as promotion
from confighub.operations import rollback
from confighub.operations.deploy import Options as DeployOptions
from confighub.operations.deploy import Outcome as DeployOutcome
from confighub.operations.deploy import read_units
from confighub.operations.rollout import blue_green, canary
from confighub.operations.rollout.analysis import Limits
from confighub.operations.rollout.beginning import Wish, abort, begin, under_way
from confighub.operations.rollout.canary import read_subject
from confighub.operations.rollout.evidence import Evidence
from confighub.operations.rollout.quarantine import quarantine
from confighub.operations.rollout.queries import KNOWN
from confighub.operations.rollout.schedule import Stage as Share
from confighub.operations.rollout.steps import Outcome
from confighub.operations.rollout.trials import Trier
from tests.api.worker import Event
from tests.operations.playing import PlayedWorker, Stage, Verdict
from tests.operations.rollout.shop import SERVICE, Shop, Tryer, obey, opened, wish

QUICK = blue_green.Options(soak_s=0.2)
STAGES = (Share(name="some", weight=25), Share(name="all", weight=100))


@pytest.fixture
def prod(new_stage: Callable[..., Stage]) -> Stage:
    return new_stage(environment="prod")


def switch(shop: Shop, trier: Trier | None = None, *, approve: bool = True) -> Outcome:
    place = shop.place()
    notebook, record = begin(place, wish("blue-green", approve=approve))
    return blue_green.BlueGreen(place, notebook, record, QUICK, trier=trier).go()


def share(shop: Shop, trier: Trier | None = None) -> Outcome:
    place = shop.place()
    notebook, record = begin(place, wish("canary", approve=True))
    options = canary.Options(stages=STAGES, limits=Limits(trials=1), patience_s=0.1)
    return canary.Canary(place, notebook, record, options, trier=trier).go()


@pytest.mark.parametrize("kind", ["canary", "blue-green"])
def test_prod_asks_for_approval_before_anything_is_made(prod: Stage, kind: str) -> None:
    def use(shop: Shop, worker: PlayedWorker) -> None:
        before = shop.slugs()

        with pytest.raises(Gated) as refusal:
            begin(shop.place(), wish(kind))

        assert refusal.value.hint.endswith(f"bin/{kind} shop prod --image :v2 --approve")
        assert "shop" in refusal.value.message
        assert (worker.applied, shop.slugs()) == ([], before)

    opened(prod, use)


@pytest.mark.requirement("R-110", "R-113", "R-119")
def test_a_colour_is_approved_validated_switched_to_and_the_other_taken_away(prod: Stage) -> None:
    def use(shop: Shop, worker: PlayedWorker) -> None:
        outcome = switch(shop, Tryer())

        assert (outcome.verdict, outcome.exit_code) == ("promoted", 0)
        assert [slug for slug, _ in worker.applied] == [
            *("shop-green", "shop-green-service", "shop-service", "shop-deployment", "shop-green-service")
        ]
        assert shop.selector() == {"app": "shop-green", "version": "green"}
        assert shop.slugs() == ["ingress", "shop-deployment", "shop-green", "shop-service"]
        planned = {unit.slug: unit for unit in read_units(shop.stage.hub, shop.stage.space_id)}
        assert "shop-deployment" not in planned
        assert planned["shop-green"].order == 5
        assert shop.stage.hub.unit("shop", space_id=shop.stage.space_id)["Unit"]["Slug"] == "shop-green"

    opened(prod, use)


def test_the_next_rollout_goes_back_to_the_first_colours_unit(prod: Stage) -> None:
    def use(shop: Shop, _: PlayedWorker) -> None:
        switch(shop)

        switch(shop)

        assert shop.selector() == {"app": "shop", "version": "blue"}
        assert shop.slugs() == ["ingress", "shop-deployment", "shop-green", "shop-service"]
        assert shop.stage.hub.unit("shop", space_id=shop.stage.space_id)["Unit"]["Slug"] == "shop-deployment"

    opened(prod, use)


@pytest.mark.requirement("R-120", "R-121")
def test_a_colour_whose_trades_fail_gets_no_traffic_and_is_refused_from_then_on(prod: Stage) -> None:
    def use(shop: Shop, worker: PlayedWorker) -> None:
        outcome = switch(shop, Tryer(passes=False))

        assert (outcome.verdict, outcome.check, outcome.exit_code) == ("rolled back", "synthetic trades", 3)
        assert shop.selector() == {"app": "shop"}
        assert "shop-service" not in [slug for slug, _ in worker.applied]
        assert shop.slugs() == ["ingress", "shop-deployment", "shop-service"]
        with pytest.raises(Conflict, match="in quarantine"):
            begin(shop.place(), wish("canary", approve=True))
        begin(shop.place(), wish("canary", approve=True, lift="it was the feed"))

    opened(prod, use)


@pytest.mark.requirement("R-123")
def test_a_canary_gets_its_share_only_when_it_runs_and_loses_it_without_evidence(prod: Stage) -> None:
    weights: list[str] = []
    replicas: list[int] = []

    def note(event: Event) -> Verdict:
        verdict = obey(event)
        text = verdict.live_state.decode()
        if "canary-weight" in text:
            weights.append(text.split('canary-weight": "')[1].split('"')[0])
        if "shop-canary-deployment" in str(event) and event["Data"]["Action"] == "Apply":
            replicas.append(int(text.split('"replicas": ')[1].split(",")[0]))
        return verdict

    def use(shop: Shop, _: PlayedWorker) -> None:
        outcome = share(shop, Tryer())

        # The worker obeys, but nothing counts requests: a missing metric is never a pass.
        assert (outcome.verdict, outcome.check) == ("rolled back", "evidence")
        assert weights == ["0", "25", "0"]
        assert replicas == [1]
        assert "replicas: 3" in shop.place().text("shop-deployment")
        assert shop.slugs() == ["ingress", "shop-deployment", "shop-service"]
        assert under_way(shop.place(), "shop") is None
        begin(shop.place(), wish("canary", approve=True))

    opened(prod, use, note)


@pytest.mark.parametrize(
    "said",
    ["shop-canary: exited with code 1", "shop-canary: CrashLoopBackOff: container shop: (last time it ended with 137)"],
)
def test_a_canary_that_does_not_start_never_gets_traffic(prod: Stage, said: str) -> None:
    def refuse(event: Event) -> Verdict:
        if event["Data"]["Payload"]["UnitSlug"] == "shop-canary-deployment" and event["Data"]["Action"] == "Apply":
            return Verdict("Failed", "ApplyFailed", said)
        return obey(event)

    def use(shop: Shop, worker: PlayedWorker) -> None:
        outcome = share(shop)

        assert (outcome.verdict, outcome.check) == ("rolled back", "crash loop")
        assert said in outcome.reason
        assert "shop-canary-ingress" not in [slug for slug, _ in worker.applied]

    opened(prod, use, refuse)


def test_a_second_rollout_is_refused_while_one_is_under_way_and_abort_ends_it(prod: Stage) -> None:
    def use(shop: Shop, _: PlayedWorker) -> None:
        begin(shop.place(), wish("canary", approve=True))

        with pytest.raises(Conflict, match="a canary of shop to :v2 is under way, at step create"):
            begin(shop.place(), wish("blue-green", approve=True))

        place = shop.place()
        notebook, record = abort(place, wish("canary"))
        outcome = canary.Canary(place, notebook, record, canary.Options(), trier=None).go()
        assert (outcome.verdict, outcome.check) == ("rolled back", "abort")
        assert shop.slugs() == ["ingress", "shop-deployment", "shop-service"]

    opened(prod, use)


def test_changes_that_are_not_live_are_not_brought_along(prod: Stage) -> None:
    def use(shop: Shop, _: PlayedWorker) -> None:
        shop.place().change("shop-deployment", [("set-replicas", (4,))], "more registers")

        with pytest.raises(BadRequest, match="changes that are not live"):
            begin(shop.place(), wish("canary", approve=True))

    opened(prod, use)


def test_a_change_made_meanwhile_is_kept_and_the_canary_goes(prod: Stage) -> None:
    def use(shop: Shop, _: PlayedWorker) -> None:
        place = shop.place()
        notebook, record = begin(place, wish("canary", approve=True))
        place.change("shop-deployment", [("set-replicas", (4,))], "more registers")
        record.step = "promote"

        outcome = canary.Canary(place, notebook, record, canary.Options(stages=STAGES), trier=None).go()

        assert (outcome.verdict, outcome.check) == ("rolled back", "change")
        assert "replicas: 4" in place.text("shop-deployment")

    opened(prod, use)


def test_a_promotion_leaves_a_colour_where_it_is(new_stage: Callable[..., Stage]) -> None:
    first, second = new_stage(environment="staging"), new_stage(environment="qa")

    def use(shop: Shop, _: PlayedWorker) -> None:
        hub = shop.stage.hub
        clones = shop.cloned_into(second)
        switch(shop)
        shop.place().patch("shop-service", {"spec": {"sessionAffinity": "ClientIP"}}, "sticky")

        shown = promotion.preview(hub, source=first.space, target=second.space)
        promotion.promote(hub, shown)

        text = hub.units.data(clones["shop-service"], space_id=second.space_id)
        (change,) = [one for one in shown.changes if one.slug == "shop-service"]
        assert "app: shop\n" in text
        assert "version: green" not in text
        assert "sessionAffinity: ClientIP" in text
        assert change.text == text
        # the version that staging has comes along, though another unit runs it there
        assert "image: example/shop:v2" in hub.units.data(clones["shop-deployment"], space_id=second.space_id)
        assert shop.place().unit("shop-deployment")["LiveRevisionNum"] == 0
        assert {(one.path, one.ours.strip()) for one in change.held} == {
            ("spec.selector.app", "shop"),
            ("spec.selector.version", ""),
        }
        assert any("held: spec.selector.app stays shop" in line for line in promotion.report(shown))
        assert promotion.preview(hub, source=first.space, target=second.space).changes == ()

    opened(first, use)


def test_an_upgrade_by_anybody_leaves_a_colour_where_it_is(new_stage: Callable[..., Stage]) -> None:
    first, second = new_stage(environment="staging"), new_stage(environment="qa")

    def use(shop: Shop, _: PlayedWorker) -> None:
        hub = shop.stage.hub
        clones = shop.cloned_into(second)
        switch(shop)

        hub.units.patch(clones["shop-service"], {}, space_id=second.space_id, upgrade="true")

        assert hub.units.data(clones["shop-service"], space_id=second.space_id) == SERVICE
        switch(shop)
        hub.units.patch(clones["shop-service"], {}, space_id=second.space_id, upgrade="true")
        assert hub.units.data(clones["shop-service"], space_id=second.space_id) == SERVICE

    opened(first, use)


def test_a_rollback_to_a_colour_that_is_gone_is_refused(prod: Stage) -> None:
    def use(shop: Shop, worker: PlayedWorker) -> None:
        switch(shop)
        unit = shop.place().unit("shop-service")
        shown = rollback.preview(
            shop.stage.hub,
            space=prod.space,
            space_id=prod.space_id,
            unit_id=str(unit["UnitID"]),
            to="1",
            reason="it was better before",
        )
        worker.applied.clear()

        with pytest.raises(Conflict, match=r"select what is not running: shop-service \(app: shop\)") as refusal:
            rollback.roll_back(shop.stage.hub, shown, DeployOptions(approve=True), shop.said.append)

        assert "bin/blue-green" in refusal.value.hint
        assert worker.applied == []
        assert shop.selector() == {"app": "shop-green", "version": "green"}

    opened(prod, use)


def rewound(shop: Shop, moment: str) -> DeployOutcome:
    hub, stage = shop.stage.hub, shop.stage
    shown = rollback.preview(hub, space=stage.space, space_id=stage.space_id, to=moment, reason="it was better before")
    swaps = rollback.find_swaps(hub, shown)
    shop.said += rollback.explain(shown, rollback.pending_plan(hub, shown, swaps), swaps)
    return rollback.roll_back(hub, shown, DeployOptions(approve=True), shop.said.append)[1]


def test_a_whole_environment_goes_back_across_a_switch_of_colours(prod: Stage) -> None:
    def use(shop: Shop, worker: PlayedWorker) -> None:
        moment = datetime.now(UTC).isoformat()
        switch(shop)
        worker.applied.clear()

        outcome = rewound(shop, moment)

        # blue is there before the Service selects it, and green goes when nobody asks it any more
        assert outcome.failure is None
        assert [slug for slug, _ in worker.applied] == ["shop-deployment", "shop-service", "shop-green"]
        assert shop.selector() == {"app": "shop"}
        assert shop.stage.hub.unit("shop", space_id=prod.space_id)["Unit"]["Slug"] == "shop-deployment"
        planned = {unit.slug: (unit.order, unit.live > 0) for unit in read_units(shop.stage.hub, prod.space_id)}
        assert planned["shop-deployment"] == (5, True)
        assert "shop-green" not in planned
        assert not shop.place().unit("shop-green")["LiveRevisionNum"]
        assert any("shop-deployment comes back, shop-green is taken away" in line for line in shop.said)

        # nothing is left to do, and the next rollout brings the other colour again
        worker.applied.clear()
        assert rewound(shop, moment).results == []
        assert worker.applied == []
        with pytest.raises(Conflict, match=r"v2 is in quarantine .*it was better before"):
            begin(shop.place(), wish("canary", approve=True))
        place = shop.place()
        notebook, record = begin(place, Wish("blue-green", "shop", ":v3", approve=True))
        again = blue_green.BlueGreen(place, notebook, record, QUICK, trier=None).go()
        assert again.verdict == "promoted", again
        assert shop.selector() == {"app": "shop-green", "version": "green"}

    opened(prod, use)


@pytest.mark.parametrize("gone", ["shop-service", "shop-green"])
def test_a_rewind_across_colours_that_failed_goes_on_when_it_is_started_again(prod: Stage, gone: str) -> None:
    def use(shop: Shop, worker: PlayedWorker) -> None:
        moment = datetime.now(UTC).isoformat()
        switch(shop)
        worker.decide = lambda event: failing(event, gone)

        with suppress(ConfigHubError):
            assert rewound(shop, moment).failure is not None
        worker.decide = obey
        outcome = rewound(shop, moment)

        assert outcome.failure is None
        assert shop.selector() == {"app": "shop"}
        live = {
            one["Unit"]["Slug"]: one["Unit"]["LiveRevisionNum"] > 0
            for one in shop.stage.hub.units.list(space_id=prod.space_id)
        }
        assert live == {"ingress": True, "shop-deployment": True, "shop-green": False, "shop-service": True}

    opened(prod, use)


def failing(event: Event, slug: str) -> Verdict:
    if event["Data"]["Payload"]["UnitSlug"] == slug:
        action = event["Data"]["Action"]
        return Verdict("Failed", f"{action}Failed", "the cluster is away", live_state=b"")
    return obey(event)


def test_what_a_rewind_left_is_rolled_out_again_once_somebody_lifts_it(prod: Stage) -> None:
    def use(shop: Shop, _: PlayedWorker) -> None:
        moment = datetime.now(UTC).isoformat()
        switch(shop)
        rewound(shop, moment)
        place = shop.place()

        notebook, record = begin(place, wish("blue-green", approve=True, lift="it was the feed"))
        outcome = blue_green.BlueGreen(place, notebook, record, QUICK, trier=None).go()

        assert outcome.verdict == "promoted", outcome
        assert any("quarantine of :v2 in shop-green lifted" in line for line in shop.said)

    opened(prod, use)


def test_a_rewind_is_refused_while_a_rollout_is_under_way(prod: Stage) -> None:
    def use(shop: Shop, worker: PlayedWorker) -> None:
        moment = datetime.now(UTC).isoformat()
        place = shop.place()
        notebook, record = begin(place, wish("blue-green", approve=True))
        going = blue_green.BlueGreen(place, notebook, record, blue_green.Options(soak_s=60), trier=None)
        for step in (going._create, going._deploy, going._validate, going._switch):
            step()
        worker.applied.clear()

        with pytest.raises(Conflict, match="a rollout of shop-service is under way"):
            rewound(shop, moment)

        assert worker.applied == []

    opened(prod, use)


@pytest.mark.parametrize("kind", ["canary", "blue-green"])
def test_a_services_changes_that_are_not_live_are_not_brought_along(prod: Stage, kind: str) -> None:
    def use(shop: Shop, _: PlayedWorker) -> None:
        shop.place().patch("shop-service", {"spec": {"sessionAffinity": "ClientIP"}}, "sticky")

        with pytest.raises(BadRequest, match="shop-service has changes that are not live"):
            begin(shop.place(), wish(kind, approve=True))

    opened(prod, use)


def test_a_service_that_is_changed_meanwhile_is_neither_switched_nor_applied(prod: Stage) -> None:
    def use(shop: Shop, worker: PlayedWorker) -> None:
        place = shop.place()
        notebook, record = begin(place, wish("blue-green", approve=True))
        place.patch("shop-service", {"spec": {"sessionAffinity": "ClientIP"}}, "sticky")

        outcome = blue_green.BlueGreen(place, notebook, record, QUICK, trier=None).go()

        assert (outcome.verdict, outcome.check) == ("rolled back", "change")
        assert "shop-service" not in [slug for slug, _ in worker.applied]
        assert "sessionAffinity: ClientIP" in place.text("shop-service")
        assert shop.selector() == {"app": "shop"}
        assert shop.slugs() == ["ingress", "shop-deployment", "shop-service"]

    opened(prod, use)


def test_a_bad_text_is_held_while_it_is_the_head(prod: Stage) -> None:
    def use(shop: Shop, _: PlayedWorker) -> None:
        place = shop.place()
        record = begin(place, wish("canary", approve=True))[1]
        place.hold(["shop-deployment"])
        place.release(["shop-deployment"])
        record.check, record.reason = "latency", "too slow"

        quarantine(place, read_subject(place, "shop", record.before), record)

        unit = place.unit("shop-deployment")
        held = shop.stage.hub.units.waiting(str(unit["UnitID"]), space_id=prod.space_id)["Holds"]
        assert unit["HeadRevisionNum"] == 3
        assert len(held) == 1

    opened(prod, use)


def test_a_quarantine_is_lifted_only_once_everything_else_allows_the_rollout(prod: Stage) -> None:
    def use(shop: Shop, _: PlayedWorker) -> None:
        switch(shop, Tryer(passes=False))

        with pytest.raises(Gated, match="waits for approval"):
            begin(shop.place(), wish("canary", lift="it was the feed"))

        with pytest.raises(Conflict, match="in quarantine"):
            begin(shop.place(), wish("canary", approve=True))

    opened(prod, use)


@pytest.mark.parametrize("where", ["space", "target"])
def test_the_prometheus_of_a_place_is_named_by_its_annotation(prod: Stage, where: str) -> None:
    def use(shop: Shop, _: PlayedWorker) -> None:
        hub, note = shop.stage.hub, {"Annotations": {"confighub.com/prometheus": "http://127.0.0.1:1"}}
        if where == "space":
            hub.spaces.patch(prod.space_id, note)
        else:
            hub.targets.patch(prod.target_id, note, space_id=prod.space_id)

        # asked once before anything is made, so that nothing begins that could never be judged
        for kind in ("canary", "blue-green"):
            with pytest.raises(RetryLater, match=r"the Prometheus at http://127\.0\.0\.1:1 cannot be asked"):
                begin(shop.place(), wish(kind, approve=True))

        assert shop.slugs() == ["ingress", "shop-deployment", "shop-service"]
        assert under_way(shop.place(), "shop") is None

    opened(prod, use)


def test_evidence_that_could_show_nothing_is_refused(prod: Stage) -> None:
    def use(shop: Shop, _: PlayedWorker) -> None:
        for evidence, reason in (
            (Evidence(without_trades=True), "nothing would be seen of the new version"),
            (Evidence(queries=KNOWN["nginx"]), "no Prometheus to ask them"),
            (Evidence(prometheus="prometheus:9090"), "not the address of a Prometheus"),
        ):
            with pytest.raises(BadRequest, match=reason):
                begin(shop.place(), wish("canary", approve=True, evidence=evidence))

        assert shop.slugs() == ["ingress", "shop-deployment", "shop-service"]

    opened(prod, use)


def test_a_colour_that_could_not_be_asked_is_refused_before_anything_is_made(prod: Stage) -> None:
    def hide(event: Event) -> Verdict:
        text = obey(event).live_state.decode().replace('"loadBalancer"', '"none"')
        return Verdict(live_state=text.encode())

    def use(shop: Shop, _: PlayedWorker) -> None:
        place = shop.place()
        unit = place.unit("shop-service")
        shop.stage.hub.units.wait(shop.stage.hub.units.apply(str(unit["UnitID"]), space_id=prod.space_id))

        with pytest.raises(BadRequest, match="has no address that can be reached from here"):
            begin(place, wish("blue-green", approve=True))

        assert shop.slugs() == ["ingress", "shop-deployment", "shop-service"]

    opened(prod, use, hide)
