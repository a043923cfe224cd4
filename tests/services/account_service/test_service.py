"""account-service: accounts and who works on them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services.running import Desk, call, running_desk


@pytest.fixture
def url(desk: Desk) -> str:
    return desk.url("account-service")


def make_account(url: str, name: str = "Test Account") -> int:
    return int(call(f"{url}/account/", {"displayName": name}).json["id"])


def test_the_opening_accounts_are_listed_by_number(url: str) -> None:
    accounts = call(f"{url}/account/").json

    numbers = [one["id"] for one in accounts]
    assert numbers[:7] == [10031, 11413, 22214, 42422, 44044, 52355, 62654]
    assert numbers == sorted(numbers)
    assert accounts[2] == {"id": 22214, "displayName": "Harbour Street Capital"}


@pytest.mark.requirement("R-257", "R-258")
def test_the_seeds_path_tells_balance_and_available(url: str) -> None:
    number = make_account(url)

    account = call(f"{url}/api/accounts/{number}").json

    assert account["balance"] == 50_000.0
    assert account["available"] is True
    assert account["id"] == account["accountId"] == number


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [("*/*", "text/plain; charset=utf-8"), ("application/json", "application/json")],
)
def test_an_unknown_account_is_404_in_the_accepted_type(url: str, accept: str, content_type: str) -> None:
    reply = call(f"{url}/account/999", headers={"accept": accept})

    assert reply.status == 404
    assert reply.headers["content-type"] == content_type
    assert "Account with id 999 not found" in reply.text


def test_an_unknown_account_on_the_seeds_path_is_json(url: str) -> None:
    reply = call(f"{url}/api/accounts/999")

    assert reply.status == 404
    assert reply.json["message"] == "Account with id 999 not found"


def test_new_accounts_get_the_next_numbers(url: str) -> None:
    first, second = make_account(url), make_account(url)

    assert first >= 65_000
    assert second == first + 1


@pytest.mark.parametrize("given", [{"id": None}, {"id": 0}, {"id": -3}])
def test_an_id_that_is_none_makes_an_account(url: str, given: dict[str, object]) -> None:
    reply = call(f"{url}/account", {"displayName": "Another", **given})

    assert (reply.status, reply.json["displayName"]) == (200, "Another")
    assert reply.json["id"] >= 65_000


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_an_account_can_be_renamed(url: str, method: str) -> None:
    number = make_account(url)

    renamed = call(f"{url}/account/", {"id": number, "displayName": "Renamed"}, method=method)

    assert renamed.json == {"id": number, "displayName": "Renamed"}
    assert call(f"{url}/account/{number}").json == renamed.json


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"displayName": ""},
        {"displayName": "x" * 51},
        {"displayName": 7.5},
        {"id": "x", "displayName": "y"},
        "[]",
        "{",
    ],
)
def test_an_account_that_cannot_be_is_400(url: str, body: object) -> None:
    assert call(f"{url}/account/", body).status == 400


def test_a_path_that_is_no_number_is_400(url: str) -> None:
    reply = call(f"{url}/account/mine")

    assert reply.status == 400
    assert reply.json["message"] == "account id must be a whole number: mine"


def test_a_known_person_can_be_put_on_an_account(url: str) -> None:
    number = make_account(url)
    user = {"accountId": number, "username": "user02"}

    once, twice = call(f"{url}/accountuser/", user), call(f"{url}/accountuser/", user)

    assert (once.status, once.json) == (twice.status, twice.json) == (200, user)
    assert call(f"{url}/accountuser/{number}").json == user
    assert call(f"{url}/api/accounts/{number}/users").json == [user]
    assert call(f"{url}/accountuser/").json.count(user) == 1


def test_an_unknown_person_is_refused(url: str) -> None:
    reply = call(f"{url}/accountuser/", {"accountId": 22214, "username": "stranger"})

    assert (reply.status, reply.text) == (404, "stranger not found in People service.")


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_an_unknown_account_gets_nobody(url: str, method: str) -> None:
    reply = call(f"{url}/accountuser/", {"accountId": 999, "username": "user01"}, method=method)

    assert (reply.status, reply.text) == (404, "Account with id 999 not found")


def test_put_does_not_ask_for_the_person(url: str) -> None:
    user = {"accountId": make_account(url), "username": "not-in-people"}

    assert call(f"{url}/accountuser", user, method="PUT").json == user


def test_an_account_without_users_is_404(url: str) -> None:
    number = make_account(url)

    assert call(f"{url}/accountuser/{number}").status == 404


def test_accounts_survive_a_restart_and_people_may_be_down(tmp_path: Path) -> None:
    with running_desk(tmp_path, "account-service") as desk:
        url = desk.url("account-service")
        number = make_account(url, "Kept")
        refused = call(f"{url}/accountuser/", {"accountId": number, "username": "user01"})
        desk.process("account-service").kill()

        desk.start("account-service")

        assert refused.status == 503
        assert "people-service cannot be reached" in refused.json["message"]
        assert call(f"{url}/account/{number}").json["displayName"] == "Kept"
