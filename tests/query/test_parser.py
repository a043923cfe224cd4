from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from confighub.errors import BadQuery, BadRequest
from confighub.query.expression import Attribute, Comparison, Holds, Length, Membership, Presence, Term
from confighub.query.fields import ENTITIES, Kind
from confighub.query.parser import parse

CASES = json.loads((Path(__file__).parent.parent / "cases/query/refused.json").read_text())
USER = "7c61626f-ddbe-41af-93f6-b69f4ab6d308"


def only(text: str, entity: str = "Unit") -> Term:
    (term,) = parse(text, entity).terms
    return term


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["description"])
def test_a_refusal_points_at_its_place_and_says_what_to_write(case: dict[str, Any]) -> None:
    with pytest.raises(BadQuery) as refused:
        parse(case["where"])

    assert refused.value.position == case["position"]
    assert case["says"] in refused.value.message
    assert case["hint"] in refused.value.hint


@pytest.mark.parametrize("text", ["", "   "])
def test_a_blank_expression_matches_everything(text: str) -> None:
    assert parse(text).terms == ()


def test_terms_are_joined_by_and() -> None:
    found = parse("Slug = 'web' AND Labels.tier='back' AND  HeadRevisionNum>1")

    assert [str(attribute) for attribute in found.attributes()] == ["Slug", "Labels.tier", "HeadRevisionNum"]


def test_an_empty_text_is_a_value() -> None:
    assert only("Slug = ''") == Comparison(Attribute("Slug", Kind.TEXT), "=", "")


def test_a_label_key_may_hold_dots_and_slashes() -> None:
    assert only("Labels.app.kubernetes.io/name = 'x'") == Comparison(
        Attribute("Labels", Kind.TEXT, key="app.kubernetes.io/name"), "=", "x"
    )


def test_the_own_name_is_a_prefix_without_meaning() -> None:
    assert only("Unit.UpstreamRevisionNum > 0") == only("UpstreamRevisionNum > 0")


def test_an_attribute_of_a_related_record_stands_on_either_side() -> None:
    assert only("Unit.UpstreamRevisionNum < UpstreamUnit.HeadRevisionNum") == Comparison(
        Attribute("UpstreamRevisionNum", Kind.NUMBER),
        "<",
        Attribute("HeadRevisionNum", Kind.NUMBER, relation="UpstreamUnit"),
    )


def test_a_label_of_a_related_record_is_reached() -> None:
    assert only("Space.Labels.Environment = 'staging'") == Comparison(
        Attribute("Labels", Kind.TEXT, relation="Space", key="Environment"), "=", "staging"
    )


def test_a_gate_is_named_by_trigger_and_function() -> None:
    assert only("ApplyGates.require-approval/is-approved = true") == Comparison(
        Attribute("ApplyGates", Kind.FLAG, key="require-approval/is-approved"), "=", True
    )


def test_ids_may_stand_in_a_list() -> None:
    assert only(f"UnitID IN ('{USER}', '{USER.upper()}')") == Membership(Attribute("UnitID", Kind.ID), (USER, USER))


def test_a_list_and_a_map_are_asked_for_what_they_hold() -> None:
    assert only(f"ApprovedBy ? '{USER}'") == Holds(Attribute("ApprovedBy", Kind.IDS), USER)
    assert only("Labels ? 'tier'") == Holds(Attribute("Labels", Kind.TEXT_MAP), "tier")


def test_a_length_is_a_number() -> None:
    assert only("LEN(ApplyGates) > 0") == Comparison(Length(Attribute("ApplyGates", Kind.FLAG_MAP)), ">", 0)


@pytest.mark.parametrize(("text", "is_null"), [("FilterID IS NULL", True), ("FilterID IS NOT NULL", False)])
def test_presence_is_asked_by_null(text: str, is_null: bool) -> None:
    assert only(text, "View") == Presence(Attribute("FilterID", Kind.ID), is_null=is_null)


@pytest.mark.parametrize("reference", ["critical-services", USER])
def test_a_set_is_named_by_slug_or_id(reference: str) -> None:
    assert only(f"SetID = '{reference}'") == Comparison(Attribute("SetID", Kind.ID), "=", reference)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-01-01", datetime(2025, 1, 1, tzinfo=UTC)),
        ("2025-01-01T10:00:00", datetime(2025, 1, 1, 10, tzinfo=UTC)),
        ("2025-01-01T10:00:00Z", datetime(2025, 1, 1, 10, tzinfo=UTC)),
        ("2025-01-01T10:00:00.123456789+02:00", datetime(2025, 1, 1, 8, 0, 0, 123456, tzinfo=UTC)),
    ],
)
def test_a_time_has_three_forms(text: str, moment: datetime) -> None:
    assert only(f"CreatedAt >= '{text}'") == Comparison(Attribute("CreatedAt", Kind.TIME), ">=", moment)


@pytest.mark.parametrize(("sign", "name"), [("~~", "LIKE"), ("!~~", "NOT LIKE"), ("NOT LIKE", "NOT LIKE")])
def test_like_has_several_spellings(sign: str, name: str) -> None:
    assert only(f"Slug {sign} 'a%'") == Comparison(Attribute("Slug", Kind.TEXT), name, "a%")  # type: ignore[arg-type]


def test_an_entity_that_does_not_exist_is_refused_with_the_nearest() -> None:
    with pytest.raises(BadRequest, match="did you mean Unit"):
        parse("Slug = 'x'", "Units")


def test_an_expression_has_a_longest_length() -> None:
    with pytest.raises(BadQuery, match="4096"):
        parse("Slug = 'a' AND " * 400)


def test_the_drawing_puts_a_mark_under_the_place() -> None:
    with pytest.raises(BadQuery) as refused:
        parse("Slug = 'a' OR Slug = 'b'")

    assert refused.value.drawing() == "Slug = 'a' OR Slug = 'b'\n           ^"


def test_attributes_and_relations_are_those_of_the_public_api(shared: Path) -> None:
    lists = json.loads((shared / "spec/models.json").read_text())["allow_lists"]

    for entity, names in lists.items():
        assert sorted(ENTITIES[entity].attributes) == sorted(names["where"]), entity
        assert sorted(ENTITIES[entity].includes) == sorted(names.get("include", [])), entity


def test_a_worker_may_be_asked_for_by_name_as_the_public_client_does() -> None:
    assert parse("Name IN ('w1')", entity="BridgeWorker").terms == parse("Slug IN ('w1')", entity="BridgeWorker").terms
