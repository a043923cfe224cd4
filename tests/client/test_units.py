"""What units can do beyond the five verbs."""

import pytest

from confighub.client.hub import HubClient
from confighub.client.transport import Transport, Wire
from confighub.errors import RetryLater
from tests.client.answering import AnsweringHub

OPERATION = {"QueuedOperationID": "op-1", "UnitID": "u1", "SpaceID": "s1", "Action": "Apply"}
EVENTS = "GET /api/space/s1/unit/u1/unit_event"


@pytest.fixture
def client(hub: AnsweringHub) -> HubClient:
    return HubClient(Transport(hub.url))


def test_waiting_ends_with_the_final_event_and_shows_what_came_before(hub: AnsweringHub, client: HubClient) -> None:
    states = iter(
        [
            [],
            [{"Status": "Pending", "Message": ""}],
            [{"Status": "Pending", "Message": ""}],
            [{"Status": "Progressing", "Message": "starting"}],
            [{"Status": "Completed", "Message": "done"}],
        ]
    )
    hub.on(EVENTS, lambda _: next(states))
    seen: list[Wire] = []

    event = client.units.wait(OPERATION, timeout_s=20, on_progress=seen.append)

    assert event["Message"] == "done"
    assert [one["Status"] for one in seen] == ["Pending", "Progressing", "Completed"]
    assert hub.asked[0].query["where"] == "QueuedOperationID = 'op-1'"


def test_waiting_outlives_a_hub_that_is_away_for_a_moment(hub: AnsweringHub, client: HubClient) -> None:
    answers = iter([(503, {"Message": "busy"}), [{"Status": "Failed", "Message": "no"}]])
    hub.on(EVENTS, lambda _: next(answers))

    assert client.units.wait(OPERATION, timeout_s=20)["Status"] == "Failed"


def test_waiting_gives_up_when_the_time_is_over(hub: AnsweringHub, client: HubClient) -> None:
    hub.on(EVENTS, [{"Status": "Progressing", "Message": "pulling"}])

    with pytest.raises(RetryLater, match=r"Apply did not end within 0\.1 s: pulling"):
        client.units.wait(OPERATION, timeout_s=0.1)


def test_revisions_come_newest_first(hub: AnsweringHub, client: HubClient) -> None:
    hub.on("GET /api/space/s1/unit/u1/revision", [{"Revision": {"RevisionNum": 1}}, {"Revision": {"RevisionNum": 12}}])

    found = client.units.revisions("u1", space_id="s1")

    assert [one["Revision"]["RevisionNum"] for one in found] == [12, 1]


def test_a_patch_of_the_data_says_so(hub: AnsweringHub, client: HubClient) -> None:
    hub.on("PATCH /api/space/s1/unit/u1", {})

    client.units.patch_data("u1", {"spec": {"replicas": 2}}, space_id="s1")

    (asked,) = hub.asked
    assert asked.query == {"data_patch": "true"}
    assert asked.headers["Content-Type"] == "application/merge-patch+json"


def test_an_older_revision_is_applied_by_its_name(hub: AnsweringHub, client: HubClient) -> None:
    hub.on("POST /api/space/s1/unit/u1/apply", OPERATION)

    client.units.apply("u1", space_id="s1", revision="N-1")

    assert hub.asked[0].query == {"revision": "N-1"}
    assert hub.asked[0].body is None
