"""Several callers at once: nothing is lost, nothing is half done."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from confighub.errors import ConfigHubError, Conflict, NotFound
from confighub.hub.caller import Caller
from confighub.hub.hub import Hub
from confighub.hub.kinds import SPACE
from confighub.hub.usecases import entities, functions, organizations, people, units
from confighub.hub.usecases.listing import Listing
from confighub.records.functions import FunctionInvocationsRequest
from confighub.records.units import Unit
from tests.hub.scene import WEB, Scene, call


def at_once(*acts: Callable[[], object]) -> list[object]:
    """Run the acts in threads that start together; return what each gave, or its error."""
    start = threading.Barrier(len(acts))
    found: list[object] = [None] * len(acts)

    def run(position: int, act: Callable[[], object]) -> None:
        start.wait()
        try:
            found[position] = act()
        except ConfigHubError as error:
            found[position] = error

    threads = [threading.Thread(target=run, args=(position, act)) for position, act in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_of_two_puts_of_one_version_exactly_one_wins(hub: Hub, scene: Scene) -> None:
    unit = scene.unit(scene.space("dev"), "web")

    def put(replicas: int) -> object:
        body = Unit(slug="web", data=WEB.replace("replicas: 1", f"replicas: {replicas}").encode(), version=1)
        return units.update_unit(hub, scene.caller, unit.unit_id or "", body)

    results = at_once(lambda: put(2), lambda: put(3))

    assert sum(isinstance(result, Conflict) for result in results) == 1
    assert scene.get(unit).head_revision_num == 2


def test_functions_at_once_all_come_through(hub: Hub, scene: Scene) -> None:
    unit = scene.unit(scene.space("dev"), "web")

    def run(*arguments: str | int) -> object:
        request = FunctionInvocationsRequest(function_invocations=[call(*arguments)])  # type: ignore[arg-type]
        return functions.invoke_functions(hub, scene.caller, request, Listing())

    at_once(
        lambda: run("set-replicas", 4),
        lambda: run("set-label", "tier", "a"),
        lambda: run("set-annotation", "note", "b"),
    )

    text = scene.text(unit)
    assert all(piece in text for piece in ("replicas: 4", "tier: a", "note: b"))
    assert [one.revision_num for one in scene.revisions(unit)] == [1, 2, 3, 4]


def test_of_two_units_of_one_name_one_is_made(hub: Hub, scene: Scene) -> None:
    space = scene.space("dev")

    results = at_once(*[lambda: scene.unit(space, "web")] * 2)

    assert sum(isinstance(result, ConfigHubError) for result in results) == 1
    assert scene.slugs("Unit") == ["web"]


def test_an_upgrade_and_an_edit_at_once_keep_the_edit(hub: Hub, scene: Scene) -> None:
    from confighub.hub.usecases.unit_changes import Change

    upstream = scene.unit(scene.space("base"), "web")
    clone = scene.clone(upstream, scene.space("dev"))
    scene.edit(upstream, "v1.0.0", "v1.1.0")

    def edit() -> object:
        patch, change = {"spec": {"replicas": 5}}, Change(data_patch=True)
        return units.patch_unit(hub, scene.caller, clone.unit_id or "", patch, change=change)

    at_once(edit, lambda: scene.change(clone, Change(upgrade=True)))

    assert scene.text(clone) == WEB.replace("replicas: 1", "replicas: 5").replace("v1.0.0", "v1.1.0")


def test_a_member_sees_the_spaces_that_are_granted(hub: Hub, scene: Scene) -> None:
    here, there = scene.space("here"), scene.space("there")
    scene.unit(here, "web")
    scene.unit(there, "api")
    user = people.add_user(hub, "bob", "", role="member")
    bob = Caller(user.user_id or "", "bob", scene.caller.organization_id, frozenset({"member"}))

    organizations.grant_role(hub, scene.caller, here, "bob", "viewer")

    seen = units.list_units(hub, bob)
    assert [one.unit and one.unit.slug for one in seen] == ["web"]
    assert [one.space.slug for one in entities.list_entities(hub, bob, SPACE)] == ["here"]
    with pytest.raises(ConfigHubError):
        units.create_unit(hub, bob, here, Unit(slug="mine"))
    with pytest.raises(NotFound):
        units.list_units(hub, bob, space_id=there)


def test_a_granted_developer_works_in_that_space_until_it_is_revoked(hub: Hub, scene: Scene) -> None:
    here = scene.space("here")
    user = people.add_user(hub, "bob", "", role="member")
    bob = Caller(user.user_id or "", "bob", scene.caller.organization_id, frozenset({"member"}))
    organizations.grant_role(hub, scene.caller, here, "bob", "developer")

    units.create_unit(hub, bob, here, Unit(slug="mine"))
    organizations.revoke_role(hub, scene.caller, here, "bob", "developer")

    assert units.list_units(hub, bob) == []
    with pytest.raises(NotFound):
        organizations.revoke_role(hub, scene.caller, here, "bob", "developer")


def test_a_changed_role_counts_at_the_next_call(hub: Hub, scene: Scene) -> None:
    people.add_user(hub, "bob", "pw", role="developer")

    organizations.set_role(hub, scene.caller, "bob", "viewer")

    assert people.authenticate_password(hub, "bob", "pw").roles == frozenset({"viewer"})
