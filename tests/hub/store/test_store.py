from __future__ import annotations

import shutil
import stat
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from confighub.errors import ConfigHubError
from confighub.hub.hub import Hub
from confighub.hub.kinds import KINDS
from confighub.hub.store import migrate
from confighub.hub.store.columns import metadata
from confighub.hub.store.database import Database
from confighub.hub.store.secrets import SecretBox
from confighub.query import fields
from confighub.settings import HubSettings
from tests.hub.databases import PostgreSQL

MIGRATIONS = Path(migrate.__file__).parent / "migrations"


def test_the_migrations_give_exactly_the_tables(hub: Hub) -> None:
    with hub.read() as tx:
        differences = compare_metadata(MigrationContext.configure(tx), metadata)

    assert differences == []


def test_the_known_schema_is_the_newest_migration() -> None:
    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == migrate.SCHEMA


def test_a_database_of_the_first_version_is_brought_along(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'hub.sqlite'}")
    with database.write() as connection:
        migrate.upgrade(connection, "", to="0001")
        connection.execute(
            text(
                "INSERT INTO audit_log VALUES (1, '2026-01-01', 'o', 's', 'u', '', '', 'a', 'Unit', 'e', '', '', '{}')"
            )
        )

    migrate.bring_up_to_date(database)

    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        assert connection.execute(text("SELECT count(*) FROM audit_log")).scalar_one() == 1
    database.close()


def test_a_database_of_a_newer_version_is_refused(hub: Hub, settings: HubSettings) -> None:
    with hub.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(ConfigHubError, match="which this version does not know"):
        Hub(settings)


def test_what_is_written_is_there_after_a_restart(hub: Hub, settings: HubSettings) -> None:
    hub.close()

    again = Hub(settings)

    with again.read() as tx:
        assert tx.execute(text("SELECT count(*) FROM spaces")).scalar_one() == 1
    again.close()


def test_an_error_undoes_the_transaction(hub: Hub) -> None:
    def fail() -> None:
        with hub.write() as tx:
            tx.execute(text("UPDATE spaces SET slug = 'changed'"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    with hub.read() as tx:
        assert tx.execute(text("SELECT slug FROM spaces")).scalar_one() == "default"


def test_a_reader_sees_one_state_while_another_writes(hub: Hub) -> None:
    with hub.read() as reader:
        before = reader.execute(text("SELECT slug FROM spaces")).scalar_one()
        writer = threading.Thread(target=_rename, args=(hub,))
        writer.start()
        writer.join()
        during = reader.execute(text("SELECT slug FROM spaces")).scalar_one()

    assert before == "default"
    assert during == ("default" if hub.database.is_sqlite else "changed")


def _rename(hub: Hub) -> None:
    with hub.write() as tx:
        tx.execute(text("UPDATE spaces SET slug = 'changed'"))


def _wake_and_fail(hub: Hub) -> None:
    with hub.write() as tx:
        hub.wake(tx, "worker")
        raise RuntimeError


def test_writers_come_one_after_the_other(hub: Hub) -> None:
    def count_up() -> None:
        for _ in range(20):
            with hub.write() as tx:
                tx.execute(text("UPDATE spaces SET version = version + 1"))

    threads = [threading.Thread(target=count_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with hub.read() as tx:
        assert tx.execute(text("SELECT version FROM spaces")).scalar_one() == 81


def test_a_wake_up_comes_after_the_commit_and_only_then(hub: Hub) -> None:
    woken: list[bool] = []

    def look() -> None:
        with hub.read() as tx:
            woken.append(tx.execute(text("SELECT slug FROM spaces")).scalar_one() == "changed")

    end = hub.wakeups.subscribe("worker", look)
    with pytest.raises(RuntimeError):
        _wake_and_fail(hub)
    with hub.write() as tx:
        hub.wake(tx, "worker")
        hub.wake(tx, "somebody else")
        tx.execute(text("UPDATE spaces SET slug = 'changed'"))
    end()
    with hub.write() as tx:
        hub.wake(tx, "worker")

    # On PostgreSQL the own process hears its notification too; telling twice is allowed.
    assert set(woken) == {True}


def test_the_key_is_the_owners_alone(tmp_path: Path) -> None:
    box = SecretBox(tmp_path / "hub.key")

    assert stat.S_IMODE(box.path.stat().st_mode) == 0o600
    assert SecretBox(box.path).open(box.seal("ch_secret")) == "ch_secret"


def test_another_key_opens_nothing(tmp_path: Path) -> None:
    sealed = SecretBox(tmp_path / "one.key").seal("ch_secret")

    with pytest.raises(ConfigHubError, match="the key file is not the one") as caught:
        SecretBox(tmp_path / "two.key").open(sealed)
    assert "ch_secret" not in str(caught.value)


def test_every_attribute_that_can_be_asked_for_is_stored() -> None:
    from confighub.hub.store.finding import Stored
    from confighub.query.expression import Attribute

    for kind in KINDS.values():
        stored = Stored(kind)
        for name, of_kind in fields.of(kind.name).attributes.items():
            attribute = Attribute(name, of_kind)
            if of_kind.is_collection:
                stored.size(attribute)
            else:
                stored.column(attribute)


def test_a_copied_file_is_a_whole_store(sqlite_template: Path, tmp_path: Path) -> None:
    shutil.copy(sqlite_template, tmp_path / "hub.sqlite")

    opened = Hub(HubSettings(data_dir=tmp_path))

    with opened.read() as tx:
        assert tx.execute(text("SELECT count(*) FROM spaces")).scalar_one() == 0
    opened.close()


def test_a_wake_up_reaches_another_process_on_the_same_postgresql(postgresql: PostgreSQL, tmp_path: Path) -> None:
    with postgresql.fresh() as url:
        here = Hub(HubSettings(data_dir=tmp_path / "here", database_url=url))
        there = Hub(HubSettings(data_dir=tmp_path / "there", database_url=url))
        woken = threading.Event()
        there.wakeups.subscribe("worker", woken.set)

        with here.write() as tx:
            here.wake(tx, "worker")

        assert woken.wait(timeout=10)
        here.close()
        there.close()


def test_everybody_is_woken_when_a_lost_connection_is_back(postgresql: PostgreSQL, tmp_path: Path) -> None:
    with postgresql.fresh() as url:
        hub = Hub(HubSettings(data_dir=tmp_path, database_url=url))
        woken = threading.Event()
        hub.wakeups.subscribe("worker", woken.set)

        with hub.write() as tx:
            tx.execute(text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"))

        assert woken.wait(timeout=20)
        hub.close()
