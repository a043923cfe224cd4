from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import DatabaseError

from confighub.errors import ConfigHubError
from confighub.hub.caller import Caller
from confighub.hub.hub import Hub
from confighub.hub.kinds import TAG
from confighub.hub.store.history import audit_chain
from confighub.hub.store.secrets import SecretBox
from confighub.hub.usecases import audit, entities
from confighub.settings import HubSettings
from tests.hub.scene import Scene


@pytest.mark.requirement("R-010", "R-251")
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


@pytest.mark.requirement("R-010", "R-251")
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
@pytest.mark.parametrize("table", ["audit_log", "audit_chain", "audit_checkpoints", "revisions", "mutations", "blobs"])
@pytest.mark.parametrize("verb", ["UPDATE", "DELETE"])
def test_the_database_refuses_to_change_history(hub: Hub, scene: Scene, table: str, verb: str) -> None:
    scene.space("here")
    scene.unit(scene.space("there"), "web")
    audit.sequence(hub)
    column = {"audit_log": "message", "audit_chain": "hash", "audit_checkpoints": "hash", "blobs": "content"}.get(
        table, "revision_num"
    )
    statement = f"UPDATE {table} SET {column} = {column}" if verb == "UPDATE" else f"DELETE FROM {table}"

    with pytest.raises(DatabaseError, match="is only appended to"), hub.write() as tx:
        tx.execute(text(statement))


def _without_guard(hub: Hub, *statements: str) -> None:
    """Do what somebody with the file or the database's own rights could do."""
    with hub.write() as tx:
        for table in ("audit_log", "audit_chain", "audit_checkpoints"):
            if hub.database.is_sqlite:
                for verb in ("update", "delete"):
                    tx.execute(text(f"DROP TRIGGER {table}_no_{verb}"))
            else:
                tx.execute(text(f"DROP TRIGGER {table}_only_appended ON {table}"))
        for statement in statements:
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


def test_the_end_of_the_chain_is_signed_each_time(hub: Hub, scene: Scene) -> None:
    audit.claim(hub)
    for slug in ("here", "there"):
        scene.space(slug)
        audit.sequence(hub)

    found = audit.verify(hub)

    assert (found.is_intact, found.signed, found.key) == (True, found.rows, hub.secrets.public_key.hex())


@pytest.mark.parametrize("keeps_signature", [True, False])
def test_a_whole_new_chain_is_found_without_the_key(hub: Hub, scene: Scene, *, keeps_signature: bool) -> None:
    scene.space("here")
    audit.sequence(hub)
    signatures = "SELECT 1" if keeps_signature else "DELETE FROM audit_checkpoints"

    _without_guard(hub, "UPDATE audit_log SET username = 'mallory'", "DELETE FROM audit_chain", signatures)
    with hub.write() as tx:
        tx.execute(insert(audit_chain), audit.links_of(tx, limit=1000))

    found = audit.verify(hub)
    assert not found.is_intact
    assert found.reason == (
        "the chain was another when it was signed" if keeps_signature else "the end of the chain is not signed"
    )


def test_a_chain_signed_by_somebody_else_is_found(hub: Hub, scene: Scene, tmp_path: Path) -> None:
    scene.space("here")
    mallory = Hub(HubSettings(data_dir=tmp_path / "mallory", database_url=hub.settings.database))
    audit.sequence(mallory)
    mallory.close()

    found = audit.verify(hub)

    assert (found.is_intact, found.reason) == (False, "the end of the chain was signed by somebody else")


@pytest.mark.requirement("R-251")
def test_signed_rows_that_are_cut_off_are_found(hub: Hub, scene: Scene) -> None:
    scene.space("here")
    audit.sequence(hub)
    first = audit.verify(hub).rows
    scene.space("there")
    audit.sequence(hub)

    _without_guard(hub, f"DELETE FROM audit_chain WHERE position > {first}")

    assert audit.verify(hub).reason == "rows that were signed are cut off behind it"


def test_another_key_than_the_databases_is_refused(hub: Hub, tmp_path: Path) -> None:
    audit.claim(hub)
    other = Hub(HubSettings(data_dir=tmp_path / "other", database_url=hub.settings.database))
    key = (hub.settings.data_dir / "hub.key").read_text()
    same = Hub(HubSettings(data_dir=tmp_path / "third", database_url=hub.settings.database, key=key))

    audit.claim(same)
    with pytest.raises(ConfigHubError, match=r"not the one that its database was begun with.*CONFIGHUB_KEY"):
        audit.claim(other)

    assert same.secrets.open(hub.secrets.seal("ch_secret")) == "ch_secret"
    for one in (other, same):
        one.close()


def test_a_key_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigHubError, match="CONFIGHUB_KEY holds no key"):
        SecretBox(tmp_path / "hub.key", "too short")


def test_a_member_without_role_reads_about_themselves_only(
    hub: Hub, scene: Scene, caller_as: Callable[[str], Caller]
) -> None:
    scene.space("here")
    viewer = caller_as("viewer")
    outsider = Caller(viewer.user_id, viewer.username, viewer.organization_id)

    assert audit.list_audit(hub, outsider) == []
