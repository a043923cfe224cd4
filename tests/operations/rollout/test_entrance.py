"""Blue-green by the Ingress: users get the new colour first, and the Ingress is in the end as it was."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
import pytest

from confighub.data.own_paths import ANNOTATION
from confighub.errors import BadRequest, Conflict, Gated
from confighub.operations import promote as promotion
from confighub.operations.rollout import blue_green
from confighub.operations.rollout.beginning import Wish, abort, begin, under_way
from confighub.operations.rollout.entrance import backends, redirected
from confighub.operations.rollout.evidence import source_of
from confighub.operations.rollout.queries import KNOWN
from confighub.operations.rollout.record import Record
from confighub.operations.rollout.sources import IngressCounters, PrometheusCounters
from confighub.operations.rollout.steps import Outcome
from confighub.operations.rollout.subject import objects
from tests.operations.playing import PlayedWorker, Stage
from tests.operations.rollout.shop import INGRESS, Shop, Tryer, opened, wish
from tests.operations.rollout.test_rollouts import rewound

QUICK = blue_green.Options(soak_s=0.2)
STEPS = ["create", "deploy", "validate", "switch", "soak", "select", "restore", "decommission"]
SWITCHED = INGRESS.replace("name: shop\n", "name: shop-green\n")
GREEN, BLUE = {"app": "shop-green", "version": "green"}, {"app": "shop"}


class KilledError(BaseException):
    """The end of an operator, which nothing catches."""


@pytest.fixture
def prod(new_stage: Callable[..., Stage]) -> Stage:
    return new_stage(environment="prod")


def started(shop: Shop, *, ends_at: str = "", asked: Wish | None = None) -> Outcome | None:
    """Begin or go on until the operator is killed at the beginning of a step; return how the rollout ended, if so."""
    place = shop.place()

    def say(line: str) -> None:
        shop.said.append(line)
        if line == f"step {ends_at}":
            raise KilledError

    place.say = say
    notebook, record = begin(place, asked or wish("blue-green", approve=True, switch="ingress"))
    try:
        return blue_green.BlueGreen(place, notebook, record, QUICK, trier=Tryer()).go()
    except KilledError:
        return None


def aborted(shop: Shop) -> Outcome:
    place = shop.place()
    notebook, record = abort(place, Wish("blue-green", "shop"))
    return blue_green.BlueGreen(place, notebook, record, QUICK, trier=None).go()


def own_paths(shop: Shop) -> str:
    return str((shop.place().unit("ingress").get("Annotations") or {}).get(ANNOTATION) or "")


def test_only_the_names_of_backends_change_and_change_back_to_the_same_text() -> None:
    whole = "  defaultBackend:\n    service: {name: 'shop', port: {number: 8080}} # nobody else's\n  rules:"
    text = INGRESS.replace("  rules:", whole) + "---\n" + INGRESS.replace("name: front", "name: back")

    switched = redirected(text, old="shop", new="shop-green")

    names = [[name for _, name in backends(one)] for one in objects(switched)]
    assert names == [["shop-green", "gui", "shop-green"], ["gui", "shop-green"]]
    assert "# nobody else's" in switched
    assert redirected(switched, old="shop-green", new="shop") == text


def test_killed_at_every_step_users_are_first_and_the_ingress_ends_as_it_was(prod: Stage) -> None:
    def use(shop: Shop, worker: PlayedWorker) -> None:
        seen = []
        for step in STEPS:
            asked = Wish("blue-green", "shop") if under_way(shop.place(), "shop") else None
            assert started(shop, ends_at=step, asked=asked) is None
            seen.append((shop.place().text("ingress"), shop.selector()))

        outcome = started(shop, asked=Wish("blue-green", "shop"))

        assert outcome is not None
        assert (outcome.verdict, [one.step for one in outcome.steps]) == ("promoted", STEPS)
        assert seen[:4] == [(INGRESS, BLUE)] * 4
        assert seen[4:] == [(SWITCHED, BLUE), (SWITCHED, BLUE), (SWITCHED, GREEN), (INGRESS, GREEN)]
        assert [slug for slug, _ in worker.applied] == [
            *("shop-green", "shop-green-service", "ingress", "shop-service", "ingress"),
            *("shop-deployment", "shop-green-service"),
        ]
        assert shop.slugs() == ["ingress", "shop-deployment", "shop-green", "shop-service"]
        assert own_paths(shop) == ""

    opened(prod, use)


@pytest.mark.requirement("R-120")
@pytest.mark.parametrize("step", ["soak", "select", "restore"])
def test_the_way_back_restores_the_very_text(prod: Stage, step: str) -> None:
    def use(shop: Shop, _: PlayedWorker) -> None:
        assert started(shop, ends_at=step) is None
        if step == "restore":
            assert shop.selector() == GREEN

        outcome = aborted(shop)

        assert (outcome.verdict, outcome.check) == ("rolled back", "abort")
        assert (shop.place().text("ingress"), shop.selector()) == (INGRESS, BLUE)
        ingress = shop.place().unit("ingress")
        assert ingress["LiveRevisionNum"] == ingress["HeadRevisionNum"] == 3
        assert own_paths(shop) == ""
        assert shop.slugs() == ["ingress", "shop-deployment", "shop-service"]

    opened(prod, use)


def test_a_service_that_no_path_leads_to_is_refused_before_anything_is_made(prod: Stage) -> None:
    def use(shop: Shop, worker: PlayedWorker) -> None:
        place = shop.place()
        place.approve = True
        place.write("ingress", INGRESS.replace("name: shop\n", "name: gui\n"), "by way of the front end alone")

        with pytest.raises(BadRequest, match="no path of an Ingress leads to shop") as refusal:
            started(shop)

        assert "--switch selector" in refusal.value.hint
        assert (worker.applied, shop.slugs()) == ([], ["ingress", "shop-deployment", "shop-service"])
        assert under_way(place, "shop") is None

    opened(prod, use)


def test_an_ingress_with_changes_that_are_not_live_or_not_approved_is_refused(prod: Stage) -> None:
    def use(shop: Shop, worker: PlayedWorker) -> None:
        with pytest.raises(Gated, match=r"waits for approval: .*, ingress"):
            begin(shop.place(), wish("blue-green", switch="ingress"))

        shop.place().patch("ingress", {"metadata": {"labels": {"by": "hand"}}}, "noted")
        with pytest.raises(BadRequest, match="ingress has changes that are not live"):
            started(shop)

        assert worker.applied == []

    opened(prod, use)


def test_what_others_change_of_the_ingress_is_kept(prod: Stage) -> None:
    def use(shop: Shop, _: PlayedWorker) -> None:
        started(shop, ends_at="validate")
        shop.place().patch("ingress", {"metadata": {"labels": {"by": "hand"}}}, "noted")
        noted = shop.place().text("ingress")

        outcome = started(shop, asked=Wish("blue-green", "shop"))

        assert outcome is not None
        assert (outcome.verdict, outcome.check) == ("rolled back", "change")
        assert shop.place().text("ingress") == noted

        place = shop.place()
        place.approve = True
        place.apply("ingress")
        started(shop, ends_at="soak")
        place.patch("ingress", {"metadata": {"annotations": {"more": "of it"}}}, "noted too")
        aborted(shop)
        text = place.text("ingress")
        assert "more: of it" in text
        assert "shop-green" not in text

    opened(prod, use)


def test_the_rollout_under_way_keeps_what_it_switches(prod: Stage) -> None:
    def use(shop: Shop, _: PlayedWorker) -> None:
        started(shop, ends_at="switch")

        with pytest.raises(Conflict, match="is under way, at step switch"):
            started(shop, asked=wish("blue-green", approve=True, switch="selector"))

        assert started(shop, asked=wish("blue-green", approve=True)) is not None
        assert shop.selector() == GREEN

    opened(prod, use)


def test_nobody_goes_back_to_a_switched_ingress(prod: Stage) -> None:
    def use(shop: Shop, worker: PlayedWorker) -> None:
        before = datetime.now(UTC).isoformat()
        started(shop, ends_at="soak")
        meanwhile = datetime.now(UTC).isoformat()
        with pytest.raises(Conflict, match="a rollout of shop-service is under way"):
            rewound(shop, before)
        started(shop, asked=Wish("blue-green", "shop"))
        worker.applied.clear()

        with pytest.raises(Conflict, match=r"lead to a Service that is not there: ingress \(shop-green\)"):
            rewound(shop, meanwhile)

        assert worker.applied == []
        assert rewound(shop, before).failure is None
        assert (shop.place().text("ingress"), shop.selector()) == (INGRESS, BLUE)

    opened(prod, use)


def test_a_promotion_meanwhile_leaves_the_switch_where_it_is(new_stage: Callable[..., Stage]) -> None:
    first, second = new_stage(environment="staging"), new_stage(environment="qa")

    def use(shop: Shop, _: PlayedWorker) -> None:
        hub = shop.stage.hub
        clones = shop.cloned_into(second)

        def promoted() -> str:
            promotion.promote(hub, promotion.preview(hub, source=first.space, target=second.space))
            return str(hub.units.data(clones["ingress"], space_id=second.space_id))

        started(shop, ends_at="soak")
        assert promoted() == INGRESS
        aborted(shop)
        assert promoted() == INGRESS

    opened(first, use)


def test_requests_are_counted_at_the_new_colours_own_service(prod: Stage) -> None:
    def record(**more: str) -> Record:
        before = {"colour": "green", "old colour": "blue", "ingresses": "ingress", **more}
        return Record(kind="blue-green", service="shop", image=":v2", step="soak", step_began=0, began=0, before=before)

    def use(shop: Shop, _: PlayedWorker) -> None:
        prometheus = {"prometheus": "http://127.0.0.1:1", "namespace": "prod", "environment": "prod"}
        prometheus |= {"workload": "shop", "old version": "v1"}
        for more, service in (({"entrance": '{"ingress":1}'}, "shop-green"), ({}, "shop")):
            counters = source_of(shop.place(), record(**more), limit_s=0.2)
            assert isinstance(counters, IngressCounters)
            assert (counters.watched.new_service, counters.watched.new_deployment) == (service, "shop-green")
            for name in ("laptop", "nginx"):
                queries = {"queries": msgspec.json.encode(KNOWN[name]).decode()}
                asked = source_of(shop.place(), record(**more, **prometheus, **queries), limit_s=0.2)
                assert isinstance(asked, PrometheusCounters)
                assert f'service="{service}"' in asked._asked()["new requests"]

    opened(prod, use)
