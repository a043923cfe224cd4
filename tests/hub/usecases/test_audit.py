from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from confighub.hub.caller import Caller
from confighub.hub.hub import Hub
from confighub.hub.kinds import TAG
from confighub.hub.usecases import audit, entities
from tests.hub.scene import Scene


def test_every_change_leaves_a_row(hub: Hub, scene: Scene) -> None:
    space = scene.space("here")
    tag = scene.make("Tag", space, slug="v1")
    entities.patch_entity(hub, scene.caller, TAG, tag.tag_id, {"DisplayName": "x"})
    entities.delete_entity(hub, scene.caller, TAG, tag.tag_id)

    rows = audit.list_audit(hub, scene.caller, entity_id=tag.tag_id)

    assert [(row.action, row.username) for row in rows] == [
        (action, scene.caller.username) for action in ("delete", "update", "create")
    ]
    assert rows[1].detail == {"changed": ["DisplayName"]}


def test_a_change_that_is_refused_leaves_none(hub: Hub, scene: Scene) -> None:
    space = scene.space("here")
    scene.make("Tag", space, slug="v1")
    before = audit.list_audit(hub, scene.caller)

    with pytest.raises(Exception, match="already"):
        scene.make("Tag", space, slug="v1")

    assert audit.list_audit(hub, scene.caller) == before


def test_pages_go_back_in_time(hub: Hub, scene: Scene) -> None:
    space = scene.space("here")
    for number in range(4):
        scene.make("Tag", space, slug=f"t{number}")

    first = audit.list_audit(hub, scene.caller, limit=2, space_id=space)
    second = audit.list_audit(hub, scene.caller, limit=2, space_id=space, after=first[-1].audit_id)

    assert [row.entity_slug for row in (*first, *second)] == ["t3", "t2", "t1", "t0"]


def test_another_organization_reads_nothing(hub: Hub, scene: Scene) -> None:
    scene.space("here")

    assert audit.list_audit(hub, Caller("", "stranger", hub.new_id(), frozenset({"admin"}))) == []


def test_the_chain_covers_every_row(hub: Hub, scene: Scene) -> None:
    scene.space("here")

    chained = audit.sequence(hub)

    assert chained > 0
    assert audit.sequence(hub) == 0
    found = audit.verify(hub)
    assert (found.is_intact, found.rows, found.unchained) == (True, chained, 0)


def test_the_chain_goes_on_where_it_ended(hub: Hub, scene: Scene) -> None:
    audit.sequence(hub)
    before = audit.verify(hub)
    scene.space("here")

    assert audit.verify(hub).unchained == 1
    audit.sequence(hub)

    after = audit.verify(hub)
    assert (after.is_intact, after.rows) == (True, before.rows + 1)
    assert after.head != before.head


@pytest.mark.requirement("R-250")
@pytest.mark.parametrize("table", ["audit_log", "audit_chain", "revisions", "mutations", "blobs"])
@pytest.mark.parametrize("verb", ["UPDATE", "DELETE"])
def test_the_database_refuses_to_change_history(hub: Hub, scene: Scene, table: str, verb: str) -> None:
    scene.space("here")
    scene.unit(scene.space("there"), "web")
    audit.sequence(hub)
    column = {"audit_log": "message", "audit_chain": "hash", "blobs": "content"}.get(table, "revision_num")
    statement = f"UPDATE {table} SET {column} = {column}" if verb == "UPDATE" else f"DELETE FROM {table}"

    with pytest.raises(DatabaseError, match="is only appended to"), hub.write() as tx:
        tx.execute(text(statement))


def _without_guard(hub: Hub, statement: str) -> None:
    """Do what somebody with the file or the database's own rights could do."""
    with hub.write() as tx:
        if hub.database.is_sqlite:
            for verb in ("update", "delete"):
                tx.execute(text(f"DROP TRIGGER audit_log_no_{verb}"))
        else:
            tx.execute(text("DROP TRIGGER audit_log_only_appended ON audit_log"))
        tx.execute(text(statement))


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE audit_log SET username = 'mallory' WHERE cursor_id = {row}", "the row was changed"),
        ("DELETE FROM audit_log WHERE cursor_id = {row}", "the row is gone"),
    ],
)
def test_tampering_is_found_at_its_place(hub: Hub, scene: Scene, statement: str, reason: str) -> None:
    scene.space("here")
    scene.space("there")
    audit.sequence(hub)
    row = audit.list_audit(hub, scene.caller)[1].audit_id

    _without_guard(hub, statement.format(row=row))

    found = audit.verify(hub)
    assert (found.is_intact, found.broken_at, found.reason) == (False, row, reason)


def test_a_member_without_role_reads_about_themselves_only(
    hub: Hub, scene: Scene, caller_as: Callable[[str], Caller]
) -> None:
    scene.space("here")
    viewer = caller_as("viewer")
    outsider = Caller(viewer.user_id, viewer.username, viewer.organization_id)

    assert audit.list_audit(hub, outsider) == []
