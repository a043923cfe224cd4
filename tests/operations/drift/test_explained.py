"""Drift with Claude beside the rules: explained, held back when it says so, and handled the same when it is away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from confighub.operations.drift.compare import Difference
from confighub.operations.drift.explained import facts_of
from confighub.operations.drift.outcome import Drifted, alert_of, in_words
from confighub.operations.drift.risk import Policy, Risk, Rule
from confighub.operations.explaining import explainer_from
from tests.operations.drift.test_detector import Cluster, bring_up, cluster, detector  # noqa: F401 - a fixture
from tests.operations.messages_api import KEY, MessagesApi, serve_messages


@pytest.fixture
def api() -> Iterator[MessagesApi]:
    with serve_messages() as served:
        yield served


def scaled(cluster: Cluster, api: MessagesApi, *, timeout_s: float = 5, **options: Any) -> Any:  # noqa: F811
    """Scale a unit by hand, and return what the detector made of it."""
    unit_id = cluster.stage.unit("a")
    bring_up(cluster.stage)
    cluster.change(unit_id, replicas=10)
    environ = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": api.url}
    (handled,) = detector(cluster.stage, explainer=explainer_from(environ, timeout_s=timeout_s), **options).once()
    return handled


@pytest.mark.requirement("R-275")
def test_a_scaled_deployment_is_explained_and_corrected(cluster: Cluster, api: MessagesApi) -> None:  # noqa: F811
    api.says(explanation="Somebody scaled it from 1 to 10.", risk="LOW")

    handled = scaled(cluster, api)

    assert (handled.state, handled.risk) == ("corrected", Risk.LOW)
    assert "  Claude says: Somebody scaled it from 1 to 10." in list(in_words(handled))
    assert handled.as_json()["explanation"] == "Somebody scaled it from 1 to 10."
    assert "Claude says: Somebody scaled it from 1 to 10." in alert_of(handled).lines


def test_a_raised_risk_holds_the_correction_back(cluster: Cluster, api: MessagesApi) -> None:  # noqa: F811
    api.says(explanation="It may be an emergency measure.", risk="HIGH")

    handled = scaled(cluster, api)

    assert (handled.state, handled.risk) == ("asked", Risk.HIGH)
    assert "--correct a" in handled.message
    assert "  Claude says (it raises the risk to HIGH): It may be an emergency measure." in list(in_words(handled))


def test_a_rule_of_the_policy_counts_more_than_a_raised_risk(cluster: Cluster, api: MessagesApi) -> None:  # noqa: F811
    api.says(explanation="It may be an emergency measure.", risk="HIGH")

    handled = scaled(cluster, api, policy=Policy((Rule("correct", path="spec.replicas"),)))

    assert handled.state == "corrected"


def test_without_an_answer_the_rules_decide_alone_and_that_is_said(
    cluster: Cluster,  # noqa: F811
    api: MessagesApi,
) -> None:
    api.text = "I think it is fine"

    handled = scaled(cluster, api)

    assert (handled.state, handled.risk) == ("corrected", Risk.LOW)
    assert handled.as_json()["explanation"] is None
    assert "does not have the agreed form" in handled.as_json()["notExplained"]
    assert any(line.startswith("  by the rules alone: ") for line in in_words(handled))


def test_what_a_person_decided_is_not_asked_about(cluster: Cluster, api: MessagesApi) -> None:  # noqa: F811
    handled = scaled(cluster, api, forced={"a": "correct"})

    assert handled.state == "corrected"
    assert api.asked == []


PLACE = Difference("Deployment", "web", "shop", "apps/v1", ("spec", "replicas"), 3, 10, "kubectl-scale")


def test_values_that_may_be_secret_stay_here() -> None:
    secret = replace(PLACE, steps=("spec", "template", "env", (("name", "PASSWORD"),), "value"), actual="hunter2")
    rights = replace(PLACE, kind="Role", steps=("rules",), actual="everything")
    text = replace(PLACE, kind="ConfigMap", steps=("data", "token"), actual="s3cret")
    facts = facts_of(Drifted({"Slug": "web", "UnitID": "u"}, "shop-prod", "k", (PLACE, secret, rights, text)))

    assert not any(word in str(facts) for word in ("hunter2", "everything", "s3cret"))
    assert facts["differences"][0]["actual"] == "10"
    assert [one["actual"] for one in facts["differences"][1:]] == ["(not sent)"] * 3
    assert facts["differences"][1]["changedBy"] == "kubectl-scale"


@pytest.mark.parametrize(
    ("kind", "steps"),
    [
        ("Deployment", ("metadata", "annotations", "note")),
        (
            "Deployment",
            ("spec", "template", "livenessProbe", "httpGet", "httpHeaders", (("name", "Authorization"),), "value"),
        ),
        ("Widget", ("spec", "token")),
        ("Widget", ("spec", "resources", "token")),
        ("Widget", ("spec", "ports", (("name", "a"),), "comment")),
        ("ConfigMap", ("data", "image")),
    ],
)
def test_a_value_of_a_place_that_is_not_known_to_be_harmless_stays_here(kind: str, steps: tuple[Any, ...]) -> None:
    secret = replace(PLACE, kind=kind, steps=steps, expected="s3cret", actual="hunter2")

    facts = facts_of(Drifted({"Slug": "web", "UnitID": "u"}, "shop-prod", "k", (secret,)))

    assert not any(word in str(facts) for word in ("s3cret", "hunter2"))
    assert (facts["differences"][0]["actual"], facts["differences"][0]["path"] == secret.path) == ("(not sent)", True)


def test_what_is_harmless_is_told() -> None:
    container = ("spec", "template", "spec", "containers", (("name", "web"),))
    places = [
        ("metadata", "labels", "team"),
        (*container, "image"),
        (*container, "resources", "limits", "cpu"),
        ("spec", "ports", (("name", "http"),), "port"),
    ]

    facts = facts_of(
        Drifted(
            {"Slug": "web", "UnitID": "u"}, "shop-prod", "k", tuple(replace(PLACE, steps=steps) for steps in places)
        )
    )

    assert [one["actual"] for one in facts["differences"]] == ["10"] * 4
