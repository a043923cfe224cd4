from __future__ import annotations

from datetime import timedelta

import pytest

from confighub.errors import BadRequest, Forbidden, NotFound, Unauthenticated
from confighub.hub.caller import Caller
from confighub.hub.hub import Hub
from confighub.hub.usecases import organizations, people
from confighub.hub.usecases.listing import Listing
from confighub.records.people import Organization, OrganizationMember
from tests.hub.conftest import Clock
from tests.hub.scene import Scene


def test_the_right_password_gets_in_again_and_again(hub: Hub) -> None:
    user = people.add_user(hub, "bob", "correct horse", role="developer")

    callers = [people.authenticate_password(hub, "bob", "correct horse", user_agent="cub") for _ in range(2)]

    assert callers[0] == callers[1]
    assert (callers[0].user_id, callers[0].roles) == (user.user_id, frozenset({"developer"}))


@pytest.mark.parametrize(("username", "password"), [("bob", "wrong"), ("bob", ""), ("nobody", "correct horse")])
def test_a_wrong_password_and_an_unknown_name_look_alike(hub: Hub, username: str, password: str) -> None:
    people.add_user(hub, "bob", "correct horse")

    with pytest.raises(Unauthenticated, match=r"^wrong user name or password$"):
        people.authenticate_password(hub, username, password)


def test_a_changed_password_ends_the_old_one(hub: Hub) -> None:
    people.add_user(hub, "bob", "old")
    people.authenticate_password(hub, "bob", "old")

    people.set_password(hub, "bob", "new")

    people.authenticate_password(hub, "bob", "new")
    with pytest.raises(Unauthenticated):
        people.authenticate_password(hub, "bob", "old")


def test_a_user_without_password_cannot_come_with_one(hub: Hub) -> None:
    people.add_user(hub, "bob", "")

    with pytest.raises(Unauthenticated):
        people.authenticate_password(hub, "bob", "")


def test_no_password_is_in_the_store(hub: Hub) -> None:
    people.add_user(hub, "bob", "correct horse")

    with hub.read() as tx:
        stored = str(tx.exec_driver_sql("SELECT password_hash FROM users WHERE username = 'bob'").scalar())

    assert stored.startswith("scrypt$")
    assert "correct" not in stored


@pytest.mark.parametrize("name", ["", "a:b", " bob", "bob"])
def test_a_bad_or_taken_user_name_is_refused(hub: Hub, name: str) -> None:
    people.add_user(hub, "bob", "")

    with pytest.raises(BadRequest):
        people.add_user(hub, name, "x")


def test_a_token_lives_until_its_time(hub: Hub, clock: Clock) -> None:
    user = people.add_user(hub, "bob", "")
    token = people.create_token(hub, "bob", name="ci", lifetime=timedelta(hours=1))

    assert people.authenticate_token(hub, token).user_id == user.user_id
    clock.now += timedelta(hours=1)
    with pytest.raises(Unauthenticated, match="expired"):
        people.authenticate_token(hub, token)


def test_an_unknown_token_is_refused(hub: Hub) -> None:
    with pytest.raises(Unauthenticated):
        people.authenticate_token(hub, "cht_nonsense")


def test_a_token_for_nobody_is_not_made(hub: Hub) -> None:
    with pytest.raises(NotFound, match="no such user: nobody"):
        people.create_token(hub, "nobody")


def test_a_worker_comes_with_its_secret_or_with_a_token(hub: Hub, scene: Scene) -> None:
    worker = scene.make("BridgeWorker", scene.space("here"), slug="w1")

    by_secret = people.authenticate_worker(hub, worker.bridge_worker_id, worker.secret)
    token, _ = people.create_worker_token(hub, worker.bridge_worker_id, worker.secret)

    assert by_secret == people.authenticate_token(hub, token)
    assert (by_secret.worker_id, by_secret.roles) == (worker.bridge_worker_id, frozenset({"worker"}))
    with pytest.raises(Unauthenticated):
        people.authenticate_worker(hub, worker.bridge_worker_id, "ch_wrong")
    with pytest.raises(Unauthenticated):
        people.authenticate_worker(hub, worker.space_id, worker.secret)


def test_me_is_a_member_of_the_organization(hub: Hub, alice: Caller) -> None:
    me = organizations.get_me(hub, alice)

    assert (me.username, me.external_organization_id) == (alice.username, people.found(hub).external_id)


def test_a_worker_is_shown_as_itself(hub: Hub, scene: Scene) -> None:
    worker = scene.make("BridgeWorker", scene.space("here"), slug="w1")
    caller = people.authenticate_worker(hub, worker.bridge_worker_id, worker.secret)

    assert organizations.get_me(hub, caller).username == "worker w1"


def test_members_come_and_go(hub: Hub, alice: Caller) -> None:
    home = alice.organization_id
    made = organizations.create_member(hub, alice, home, OrganizationMember(username="carol"))

    listed = organizations.list_members(hub, alice, home, Listing("Username = 'carol'"))
    organizations.delete_member(hub, alice, home, made.user_id or "")

    assert [one.username for one in listed] == ["carol"]
    assert [one.username for one in organizations.list_members(hub, alice, home)] == [alice.username]
    assert [one.username for one in organizations.list_users(hub, alice)] == [alice.username]


def test_a_new_organization_has_a_space_and_sees_nothing_of_the_other(hub: Hub, alice: Caller, scene: Scene) -> None:
    scene.space("here")
    made = organizations.create_organization(hub, alice, Organization(slug="second"))

    assert scene.slugs("Space") == ["default", "here"]
    listed = organizations.list_organizations(hub, alice, Listing("Slug = 'second'"))
    assert [one.organization_id for one in listed] == [made.organization_id]


def test_an_organization_with_spaces_is_not_deleted(hub: Hub, alice: Caller) -> None:
    made = organizations.create_organization(hub, alice, Organization(slug="second"))

    with pytest.raises(BadRequest, match="still has a space: default"):
        organizations.delete_organization(hub, alice, made.organization_id or "")


def test_an_organization_is_renamed_by_its_admin_only(hub: Hub, alice: Caller) -> None:
    body = Organization(slug="renamed", display_name="New")

    after = organizations.update_organization(hub, alice, alice.organization_id, body)

    assert (after.slug, after.version) == ("renamed", 2)
    with pytest.raises(Forbidden):
        organizations.update_organization(hub, Caller("", "x", alice.organization_id), alice.organization_id, body)
