"""Backups: everything is in them, and an empty store gets it back, whichever database either is."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select

from confighub.errors import BadRequest, Conflict
from confighub.hub.caller import Caller
from confighub.hub.hub import Hub
from confighub.hub.store import backup
from confighub.hub.store.columns import metadata
from confighub.hub.store.database import Database
from confighub.hub.store.migrate import SCHEMA
from confighub.hub.usecases import audit, people
from confighub.hub.usecases.unit_changes import Change
from confighub.settings import HubSettings
from tests.hub.scene import Scene


def key(hub: Hub) -> str:
    """Return the key that the hub uses."""
    return backup.key_in_use(hub.settings.data_dir, hub.settings.key)


def filled(scene: Scene) -> None:
    """Put something of many kinds into the hub."""
    dev = scene.space("dev", environment="dev")
    web = scene.unit(scene.space("base"), "web")
    scene.edit(web, "replicas: 1", "replicas: 2 # ünï\t\u2028")
    clone = scene.clone(web, dev)
    scene.edit(web, "v1.0.0", "v2.0.0")
    scene.change(clone, Change(upgrade=True))
    scene.make("BridgeWorker", dev, slug="worker")
    scene.make("Filter", dev, slug="all", from_="Unit", where="Slug != ''")
    audit.sequence(scene.hub)


def rows(database: Database) -> dict[str, list[Any]]:
    """Return everything that the database holds, table by table."""
    with database.read() as tx:
        return {
            table.name: sorted((tuple(row) for row in tx.execute(select(table))), key=repr)
            for table in metadata.sorted_tables
        }


@pytest.mark.requirement("R-283")
def test_an_empty_store_gets_everything_back(scene: Scene, tmp_path: Path) -> None:
    filled(scene)
    file = tmp_path / "hub.backup"

    counts = backup.write_backup(scene.hub.database, key(scene.hub), file)
    folder = tmp_path / "new"
    folder.mkdir()
    database = Database(f"sqlite:///{folder / 'hub.sqlite'}")
    assert backup.restore_backup(database, folder, file) == counts

    assert rows(database) == rows(scene.hub.database)
    database.close()
    restored = Hub(HubSettings(data_dir=folder))
    assert audit.verify(restored).is_intact
    again = Scene(restored, scene.caller)
    assert again.slugs("BridgeWorker") == ["worker"]
    assert again.unit(again.space("more"), "new").head_revision_num == 1
    restored.close()


def test_a_backup_of_sqlite_fills_either_database(settings: HubSettings, tmp_path: Path) -> None:
    source = Hub(HubSettings(data_dir=tmp_path / "source"))
    user = people.add_user(source, "alice", "", role="admin")
    organization = people.found(source)
    caller = Caller(user.user_id or "", "alice", organization.organization_id or "", frozenset({"admin"}), "test")
    filled(Scene(source, caller))
    backup.write_backup(source.database, key(source), tmp_path / "hub.backup")
    database = Database(settings.database)

    backup.restore_backup(database, settings.data_dir, tmp_path / "hub.backup")

    assert rows(database) == rows(source.database)
    database.close()
    target = Hub(settings)
    assert Scene(target, caller).unit(Scene(target, caller).space("more"), "new").head_revision_num == 1
    target.close()
    source.close()


def test_the_file_is_for_its_owner_only_and_opens_the_secrets(scene: Scene, tmp_path: Path) -> None:
    filled(scene)
    file = tmp_path / "hub.backup"

    backup.write_backup(scene.hub.database, key(scene.hub), file)

    assert file.stat().st_mode & 0o777 == 0o600
    folder = tmp_path / "new"
    folder.mkdir()
    database = Database(f"sqlite:///{folder / 'hub.sqlite'}")
    backup.restore_backup(database, folder, file)
    database.close()
    assert (folder / "hub.key").read_text() == (scene.hub.settings.data_dir / "hub.key").read_text()
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".hub")] == []


def test_a_store_that_holds_anything_is_left_alone(scene: Scene, tmp_path: Path) -> None:
    filled(scene)
    file = tmp_path / "hub.backup"
    backup.write_backup(scene.hub.database, key(scene.hub), file)
    before = rows(scene.hub.database)

    with pytest.raises(Conflict, match="holds something already"):
        backup.restore_backup(scene.hub.database, tmp_path, file)

    assert rows(scene.hub.database) == before


def test_the_key_of_another_hub_is_left_alone(scene: Scene, tmp_path: Path) -> None:
    filled(scene)
    file = tmp_path / "hub.backup"
    backup.write_backup(scene.hub.database, key(scene.hub), file)
    folder = tmp_path / "new"
    folder.mkdir()
    (folder / "hub.key").write_text("the key of another hub")
    database = Database(f"sqlite:///{folder / 'hub.sqlite'}")

    with pytest.raises(Conflict, match="another key"):
        backup.restore_backup(database, folder, file)

    assert (folder / "hub.key").read_text() == "the key of another hub"
    database.close()
    assert [one.name for one in folder.iterdir()] == ["hub.key"]


def test_a_key_that_is_in_no_file_is_in_the_backup_too(tmp_path: Path) -> None:
    given = Fernet.generate_key().decode()
    source = Hub(HubSettings(data_dir=tmp_path / "source", key=given))
    sealed = source.secrets.seal("secret")
    file = tmp_path / "hub.backup"

    backup.write_backup(source.database, key(source), file)
    source.close()
    (tmp_path / "new").mkdir()
    database = Database(f"sqlite:///{tmp_path / 'new' / 'hub.sqlite'}")
    backup.restore_backup(database, tmp_path / "new", file)
    database.close()

    restored = Hub(HubSettings(data_dir=tmp_path / "new"))
    assert restored.secrets.open(sealed) == "secret"
    restored.close()


@pytest.mark.parametrize("damage", ["cut", "shortened", "other", "newer"])
def test_a_file_that_is_not_whole_restores_nothing(scene: Scene, tmp_path: Path, damage: str) -> None:
    filled(scene)
    file = tmp_path / "hub.backup"
    backup.write_backup(scene.hub.database, key(scene.hub), file)
    whole = file.read_bytes()
    lines = gzip.decompress(whole).splitlines(keepends=True)
    damaged = {
        "cut": whole[: len(whole) // 2],
        "shortened": gzip.compress(b"".join([*lines[:3], *lines[4:]])),
        "other": gzip.compress(b'{"a": 1}\n'),
        "newer": gzip.compress(b"".join([lines[0].replace(b'"schema":"0', b'"schema":"9'), *lines[1:]])),
    }
    file.write_bytes(damaged[damage])
    database = Database(f"sqlite:///{tmp_path / 'new.sqlite'}")

    with pytest.raises(BadRequest, match=r"hub\.backup"):
        backup.restore_backup(database, tmp_path, file)

    assert not (tmp_path / "new.sqlite").exists() or rows(database)["units"] == []
    database.close()


def test_an_older_backup_is_brought_forward(tmp_path: Path) -> None:
    lines = [
        b'{"format":"confighub-backup","schema":"0001","at":"2026-01-01T00:00:00+00:00","key":""}\n',
        b'["blobs",{"sha":{"b64":"' + b"A" * 43 + b'="},"content":{"b64":"YQ=="}}]\n',
        b'{"rows":1}\n',
    ]
    file = tmp_path / "hub.backup"
    file.write_bytes(gzip.compress(b"".join(lines)))
    database = Database(f"sqlite:///{tmp_path / 'new.sqlite'}")

    assert backup.restore_backup(database, tmp_path, file) == {"blobs": 1}

    with database.read() as tx:
        assert tx.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == SCHEMA
        assert tx.exec_driver_sql("SELECT content FROM blobs").scalar() == b"a"
    database.close()
