"""The databases: copies of one moment while services write, and back under their feet."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from confighub.errors import BadRequest, NotFound
from tests.hub.databases import PostgreSQL
from traderx import databases

SCHEMA = """
CREATE TABLE trades (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT, created BIGINT);
CREATE TABLE positions (quantity BIGINT);
INSERT INTO positions VALUES (0);
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    file = tmp_path / "dev.sqlite"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(SCHEMA)
    return f"sqlite:///{file}"


def book(url: str, name: str, created: datetime | None = None) -> None:
    at = int((created or datetime.now(UTC)).timestamp() * 1000)
    with closing(sqlite3.connect(databases.file_of(url), timeout=30)) as connection, connection:
        connection.execute("INSERT INTO trades (id, created) VALUES (?, ?)", (name, at))
        connection.execute("UPDATE positions SET quantity = quantity + 1")


def trades(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as connection:
        return [row[0] for row in connection.execute("SELECT id FROM trades ORDER BY seq")]


@pytest.mark.requirement("R-284")
def test_a_copy_is_put_back_while_others_have_the_database_open(url: str, tmp_path: Path) -> None:
    file = databases.file_of(url)
    book(url, "before")
    copy = databases.copy_database(url, tmp_path / "kept")
    reader = sqlite3.connect(file)
    reader.execute("SELECT * FROM trades").fetchall()
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("DELETE FROM trades")

    databases.put_back(copy.file, url)

    assert [row[0] for row in reader.execute("SELECT id FROM trades")] == ["before"]
    book(url, "after")
    assert trades(file) == ["before", "after"]
    reader.close()


def test_a_copy_is_of_one_moment_however_much_is_written(url: str, tmp_path: Path) -> None:
    done = threading.Event()

    def write() -> None:
        number = 0
        while not done.is_set():
            number += 1
            book(url, f"trade-{number}")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        copies = [databases.copy_database(url, tmp_path / "kept") for _ in range(5)]
    finally:
        done.set()
        writer.join()

    for copy in copies:
        with closing(sqlite3.connect(copy.file)) as connection:
            counted = connection.execute("SELECT count(*), (SELECT quantity FROM positions) FROM trades").fetchone()
        assert counted[0] == counted[1]
        assert copy.file.stat().st_mode & 0o777 == 0o600
    assert [one.at for one in databases.copies(tmp_path / "kept")] == [copy.at for copy in copies]


def test_what_a_copy_lacks_is_counted_up_to_the_disaster(url: str, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    book(url, "kept", now - timedelta(seconds=60))
    copy = databases.copy_database(url, tmp_path)

    assert databases.lost_since(copy.file, url, until=now) == databases.Lost(0, None)
    book(url, "lost", now - timedelta(seconds=30))
    book(url, "later", now + timedelta(seconds=30))
    lost = databases.lost_since(copy.file, url, until=now)

    assert lost is not None
    assert lost.trades == 1
    assert lost.since is not None
    assert abs((now - lost.since).total_seconds() - 30) < 0.01


def test_the_newest_copy_until_a_moment_is_found(url: str, tmp_path: Path) -> None:
    copies = [databases.copy_database(url, tmp_path / "kept") for _ in range(3)]
    (tmp_path / "kept" / "notes.sqlite").write_text("not ours")

    assert databases.newest(tmp_path / "kept").file == copies[-1].file
    assert databases.newest(tmp_path / "kept", until=copies[1].at).file == copies[1].file
    with pytest.raises(NotFound, match="has no copy from"):
        databases.newest(tmp_path / "kept", until=copies[0].at - timedelta(seconds=1))


def test_what_is_not_there_or_of_another_kind_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no such database"):
        databases.copy_database(f"sqlite:///{tmp_path / 'none.sqlite'}", tmp_path / "kept")
    with pytest.raises(NotFound, match="no such copy"):
        databases.put_back(tmp_path / "none.sqlite", url)
    (tmp_path / "a.pgdump").touch()
    with pytest.raises(BadRequest, match="no copy of a sqlite database"):
        databases.put_back(tmp_path / "a.pgdump", url)
    with pytest.raises(BadRequest, match="SQLite or PostgreSQL, not mysql"):
        databases.kind_of("mysql://host/db")

    assert not (tmp_path / "kept").exists()
    assert not (tmp_path / "none.sqlite").exists()


def test_a_change_is_noticed(url: str) -> None:
    before = databases.stamp_of_change(url)
    assert databases.stamp_of_change(url) == before

    book(url, "one")

    assert databases.stamp_of_change(url) != before


def test_a_postgresql_is_kept_and_put_back_by_its_own_programs(postgresql: PostgreSQL, tmp_path: Path) -> None:
    url = postgresql.create()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE trades (id TEXT)"))
        connection.execute(text("INSERT INTO trades VALUES ('before')"))
    copy = databases.copy_database(url, tmp_path)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM trades"))
    engine.dispose()

    databases.put_back(copy.file, url)

    with engine.connect() as connection:
        assert connection.execute(text("SELECT id FROM trades")).scalars().all() == ["before"]
    engine.dispose()
    assert databases.lost_since(copy.file, url, until=datetime.now(UTC)) is None


def test_marks_of_an_address_in_a_files_name_are_part_of_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a#b' / 'c%20d.sqlite'}"
    databases.file_of(url).parent.mkdir()
    with closing(sqlite3.connect(databases.file_of(url))) as connection:
        connection.executescript(SCHEMA)
    copy = databases.copy_database(url, tmp_path / "kept #1?")
    book(url, "later")

    assert databases.lost_since(copy.file, url, until=datetime.now(UTC) + timedelta(seconds=1)) is not None
    assert databases.missing_in(copy.file, databases.file_of(url)).trades == 1


def test_what_two_databases_booked_beside_each_other_is_told_apart(url: str, tmp_path: Path) -> None:
    book(url, "both")
    other = databases.copy_database(url, tmp_path).file
    for name in ("here", "here too"):
        book(url, name)
    book(f"sqlite:///{other}", "there")

    assert databases.missing_in(databases.file_of(url), other).trades == 1
    assert databases.missing_in(other, databases.file_of(url)).trades == 2
    assert not databases.is_gone(url)
    assert databases.is_gone(f"sqlite:///{tmp_path / 'none.sqlite'}")
