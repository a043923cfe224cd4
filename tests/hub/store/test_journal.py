"""The journal: every commit that was answered is in it, also when the store's folder is gone a moment later."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from confighub.errors import BadRequest, Conflict, RetryLater
from confighub.hub.caller import Caller
from confighub.hub.hub import Hub
from confighub.hub.store import journal
from confighub.hub.store.columns import metadata
from confighub.hub.store.database import Database
from confighub.hub.usecases import audit, people
from confighub.settings import HubSettings
from tests.hub.scene import Scene


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """A hub on SQLite, whatever the others run on."""
    hub = Hub(HubSettings(data_dir=tmp_path / "hub"))
    yield hub
    hub.close()


@pytest.fixture
def scene(hub: Hub) -> Scene:
    user = people.add_user(hub, "alice", "", role="admin")
    organization = people.found(hub).organization_id or ""
    return Scene(hub, Caller(user.user_id or "", "alice", organization, frozenset({"admin"}), "test"))


@pytest.fixture
def kept(hub: Hub, tmp_path: Path) -> journal.Journal:
    """The hub's journal, begun and with a base."""
    hub.secrets.seal("anything")
    key = (hub.settings.data_dir / "hub.key").read_text()
    made = journal.begin_journal(store_of(hub), tmp_path / "kept", key)
    made.take_base()
    return made


def store_of(hub: Hub) -> Path:
    return hub.settings.data_dir / "hub.sqlite"


def rows(store: Path) -> dict[str, list[Any]]:
    """Return everything that a store holds, table by table."""
    database = Database(f"sqlite:///{store}")
    with database.read() as tx:
        found = {
            table.name: sorted((tuple(row) for row in tx.execute(select(table))), key=repr)
            for table in metadata.sorted_tables
        }
    database.close()
    return found


def restored(folder: Path, to: Path) -> dict[str, list[Any]]:
    to.mkdir()
    journal.restore_journal(folder, to / "hub.sqlite")
    return rows(to / "hub.sqlite")


def crowd(scene: Scene) -> None:
    """Change a unit often enough that SQLite begins its log anew."""
    space = scene.space("crowd")
    for number in range(30):
        scene.unit(space, f"unit-{number}")


@pytest.mark.requirement("R-283")
def test_what_was_committed_is_in_the_journal_at_once(
    hub: Hub, scene: Scene, kept: journal.Journal, tmp_path: Path
) -> None:
    web = scene.unit(scene.space("base"), "web")
    for number in range(2, 6):
        scene.edit(web, f"replicas: {number - 1}", f"replicas: {number}")

        copy = tmp_path / f"copy-{number}"
        assert restored(kept.folder, copy) == rows(store_of(hub))

    audit.sequence(hub)
    last = Hub(HubSettings(data_dir=tmp_path / "last"))
    last.close()
    shutil.rmtree(tmp_path / "last")
    (tmp_path / "last").mkdir()
    shutil.copy(hub.settings.data_dir / "hub.key", tmp_path / "last")
    journal.restore_journal(kept.folder, tmp_path / "last" / "hub.sqlite")
    again = Hub(HubSettings(data_dir=tmp_path / "last"))
    assert audit.verify(again).is_intact
    again.close()


def test_a_log_that_sqlite_begins_anew_is_another_file(
    hub: Hub, scene: Scene, kept: journal.Journal, tmp_path: Path
) -> None:
    scene.space("before")
    with closing(sqlite3.connect(store_of(hub))) as other:
        other.execute("PRAGMA wal_checkpoint(RESTART)")
    crowd(scene)

    assert len(list(kept.folder.glob("*.wal"))) > 1
    assert restored(kept.folder, tmp_path / "new") == rows(store_of(hub))


def test_a_base_needs_none_of_the_logs_before_it(hub: Hub, scene: Scene, kept: journal.Journal, tmp_path: Path) -> None:
    scene.space("first")
    kept.take_base()
    scene.space("second")

    removed = journal.prune(kept.folder, keep=1)

    assert removed > 0
    assert len(list(kept.folder.glob("base-*"))) == 1
    assert restored(kept.folder, tmp_path / "new") == rows(store_of(hub))


def test_processes_beside_each_other_lose_nothing(
    hub: Hub, scene: Scene, kept: journal.Journal, tmp_path: Path
) -> None:
    beside = Hub(HubSettings(data_dir=hub.settings.data_dir))
    scene.space("one")
    people.add_user(beside, "bob", "", role="viewer")
    scene.space("two")
    beside.close()
    scene.space("three")

    found = restored(kept.folder, tmp_path / "new")

    assert found == rows(store_of(hub))
    assert "bob" in repr(found["users"])


def test_what_a_killed_process_left_is_copied_before_sqlite_forgets_it(
    hub: Hub, scene: Scene, kept: journal.Journal, tmp_path: Path
) -> None:
    scene.space("answered")
    config = hub.settings.data_dir / journal.CONFIG
    away = config.rename(tmp_path / "away")
    # a commit without its copy, as a kill between the two leaves it
    scene.space("not-answered")
    away.rename(config)

    looker = Database(f"sqlite:///{store_of(hub)}")
    looker.close()

    assert "not-answered" in repr(restored(kept.folder, tmp_path / "new")["spaces"])


def test_nothing_is_changed_that_cannot_be_journalled(hub: Hub, scene: Scene, kept: journal.Journal) -> None:
    scene.space("before")
    moved = kept.folder.rename(kept.folder.with_name("unmounted"))
    before = rows(store_of(hub))

    with pytest.raises(RetryLater, match=r"nothing was changed: the journal in .*/kept cannot be written"):
        scene.space("lost")

    assert rows(store_of(hub)) == before
    moved.rename(kept.folder)
    scene.space("after")


def test_a_piece_at_the_end_is_left_out(hub: Hub, scene: Scene, kept: journal.Journal, tmp_path: Path) -> None:
    scene.space("answered")
    whole = rows(store_of(hub))
    newest = max(kept.folder.glob("*.wal"))
    with newest.open("ab") as log:
        log.write(b"half of a page")

    (tmp_path / "new").mkdir()
    done = journal.restore_journal(kept.folder, tmp_path / "new" / "hub.sqlite")

    assert done.torn_bytes == len(b"half of a page")
    assert rows(tmp_path / "new" / "hub.sqlite") == whole


@pytest.mark.parametrize("damage", ["log missing", "log damaged", "last log damaged", "no base", "store there"])
def test_a_journal_that_is_not_whole_makes_no_store(
    hub: Hub, scene: Scene, kept: journal.Journal, tmp_path: Path, damage: str
) -> None:
    for name in ("one", "two", "three"):
        scene.space(name)
        with closing(sqlite3.connect(store_of(hub))) as other:
            other.execute("PRAGMA wal_checkpoint(RESTART)")
    scene.space("four")
    logs = sorted(kept.folder.glob("*.wal"))
    new = tmp_path / "new" / "hub.sqlite"
    new.parent.mkdir()
    if damage == "log missing":
        logs[-2].unlink()
    elif damage.endswith("damaged"):
        log = logs[-1] if damage.startswith("last") else logs[-2]
        content = bytearray(log.read_bytes())
        content[100] ^= 255
        log.write_bytes(content)
    elif damage == "no base":
        next(kept.folder.glob("base-*")).unlink()
    else:
        new.write_bytes(b"")

    with pytest.raises((BadRequest, Conflict)):
        journal.restore_journal(kept.folder, new)

    assert not new.exists() or new.read_bytes() == b""


def test_the_journal_of_another_hub_is_left_alone(hub: Hub, kept: journal.Journal) -> None:
    with pytest.raises(Conflict, match="another hub"):
        journal.begin_journal(store_of(hub), kept.folder, "another key")

    assert journal.read_key(kept.folder) == (hub.settings.data_dir / "hub.key").read_text()


def test_a_journal_that_was_ended_takes_nothing(hub: Hub, scene: Scene, kept: journal.Journal) -> None:
    scene.space("before")
    assert journal.end_journal(store_of(hub))
    size = sum(path.stat().st_size for path in kept.folder.iterdir())

    scene.space("after")

    assert sum(path.stat().st_size for path in kept.folder.iterdir()) == size
    assert not journal.end_journal(store_of(hub))
    with hub.read() as tx:
        assert tx.execute(text("SELECT count(*) FROM spaces WHERE slug = 'after'")).scalar() == 1
