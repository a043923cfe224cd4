"""Expressions that are too long for one request."""

from confighub.client.collection import UNIT, Collection, any_of, pieces
from confighub.client.transport import Transport
from tests.client.answering import AnsweringHub, Asked

IDS = [f"00000000-0000-4000-8000-{number:012}" for number in range(250)]


def test_a_short_expression_stays_as_it_is() -> None:
    assert pieces("Slug IN ('a', 'b')") == ["Slug IN ('a', 'b')"]


def test_a_long_list_of_values_is_asked_for_in_several_requests() -> None:
    parts = pieces(f"Labels.tier = 'x' AND {any_of('UnitID', IDS)} AND SpaceID = 's'")

    assert len(parts) == 3
    assert all(len(one) <= 4000 for one in parts)
    assert all(
        one.startswith("Labels.tier = 'x' AND UnitID IN ('") and one.endswith(") AND SpaceID = 's'") for one in parts
    )
    assert [name for one in parts for name in IDS if name in one] == IDS


def test_what_must_hold_for_all_values_at_once_is_never_taken_apart() -> None:
    where = any_of("UnitID", IDS).replace(" IN ", " NOT IN ")

    assert pieces(where) == [where]


def test_a_list_is_what_all_pieces_answer(hub: AnsweringHub) -> None:
    def listed(asked: Asked) -> list[object]:
        return [{"Unit": {"UnitID": one}} for one in IDS if one in asked.query["where"]]

    hub.on("GET /api/unit", listed)

    found = Collection(Transport(hub.url), UNIT).list(where=any_of("UnitID", IDS))

    assert [one["Unit"]["UnitID"] for one in found] == IDS
