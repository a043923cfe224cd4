"""Backups on schedule: what is due is done, what fails is noted and tried again, what is old goes."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from confighub.errors import BadRequest, NotFound
from traderx import schedule
from traderx.databases import copies, database_of, file_of
from traderx.project import Project, find_project
from traderx.safekeeping import source_in
from traderx.schedule import Keeper, Schedule
from traderx.secrets import ensure_secrets


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = find_project(str(tmp_path / "state"), environ={})
    project.keep_name("calm-otter-traderx")
    return project


def used_database(project: Project) -> Path:
    """Make the database of dev, with something in it."""
    ensure_secrets(project, "dev")
    file = file_of(database_of(project, "dev"))
    write(file, "CREATE TABLE trades (id TEXT)")
    return file


def write(file: Path, statement: str) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(statement)


def keeper(project: Project, *, data_keep: int = 60) -> Keeper:
    folder = project.data.parent / "kept"
    return Keeper(project, Schedule(str(folder), data_every_s=0.0, data_keep=data_keep), lambda _: None)


def test_a_database_is_copied_when_it_has_changed(project: Project) -> None:
    file = used_database(project)
    kept = keeper(project)

    kept.look()
    kept.look()
    write(file, "INSERT INTO trades VALUES ('one')")
    kept.look()

    found = copies(schedule.data_folder(kept.schedule, "dev"))
    assert len(found) == 2
    with closing(sqlite3.connect(found[-1].file)) as connection:
        assert connection.execute("SELECT id FROM trades").fetchall() == [("one",)]
    state = json.loads((kept.schedule.root / "state.json").read_text())
    assert state["data of dev"]["said"] == str(found[-1].file)
    assert "data of prod" not in state


def test_the_oldest_copies_go(project: Project) -> None:
    file = used_database(project)
    kept = keeper(project, data_keep=2)

    for number in range(4):
        write(file, f"INSERT INTO trades VALUES ('{number}')")
        kept.look()

    assert len(copies(schedule.data_folder(kept.schedule, "dev"))) == 2


def test_what_fails_is_noted_beside_what_was_done_last(project: Project) -> None:
    file = used_database(project)
    kept = keeper(project)
    kept.look()
    file.write_bytes(b"no database any more" * 100)

    kept.look()

    noted = json.loads((kept.schedule.root / "state.json").read_text())["data of dev"]
    assert "cannot be read" in noted["error"] or "not a database" in noted["error"]
    assert Path(noted["said"]).exists()


def test_a_hub_that_does_not_run_is_neither_started_nor_backed_up(project: Project) -> None:
    keeper(project).look()

    assert not (project.data / "hub").exists()


def test_the_next_backup_is_due_an_hour_after_the_last_also_for_a_new_process(project: Project) -> None:
    kept = keeper(project)
    assert kept._remaining_s() == 0
    half_an_hour_ago = datetime.now(UTC) - timedelta(minutes=30)
    kept.schedule.root.mkdir()
    (kept.schedule.root / "state.json").write_text(json.dumps({"hub": {"at": half_an_hour_ago.isoformat()}}))

    assert 1700 < kept._remaining_s() <= 1800


def test_a_schedule_that_nobody_made_is_told(project: Project) -> None:
    assert schedule.schedule_of(project) is None
    with pytest.raises(NotFound, match="no backups are scheduled"):
        schedule.run(str(project.data), lambda _: None)


def test_the_journal_counts_before_backups_and_a_newer_backup_before_older_ones(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="holds no backup"):
        source_in(tmp_path)
    note = json.dumps({"project": "calm-otter-traderx"})
    for moment in ("20261003T100000Z", "20261003T110000Z", "20261003T120000Z"):
        (tmp_path / "backups" / moment).mkdir(parents=True)
        (tmp_path / "backups" / moment / "project.json").write_text(note)
        if moment != "20261003T120000Z":
            (tmp_path / "backups" / moment / "hub.backup").touch()

    assert source_in(tmp_path) == tmp_path / "backups" / "20261003T110000Z" / "hub.backup"
    (tmp_path / "journal").mkdir()
    (tmp_path / "journal" / "project.json").write_text(note)
    (tmp_path / "journal" / "base-00000001.sqlite").touch()
    assert source_in(tmp_path) == tmp_path / "journal"


def test_only_backups_of_the_schedule_are_counted_and_pruned(tmp_path: Path) -> None:
    mine, unfinished = "20261003T100000Z", "20261003T110000Z"
    for name in (mine, unfinished, "2020-photos", "20261003T1000Z"):
        (tmp_path / "backups" / name).mkdir(parents=True)
        if name != unfinished:
            (tmp_path / "backups" / name / "project.json").touch()

    assert schedule.backups_in(tmp_path) == [tmp_path / "backups" / mine]
    assert schedule.backups_in(tmp_path / "nothing") == []


class Failing(Keeper):
    """A keeper whose first copy fails after the journal was begun."""

    def keep_hub(self) -> str:
        (self.project.data / "hub").mkdir(parents=True)
        (self.project.data / "hub" / "journal.json").write_text(json.dumps({"Folder": str(self.schedule.root)}))
        raise OSError("no space left")


def test_a_first_copy_that_fails_leaves_no_journal_on(project: Project) -> None:
    failing = Failing(project, keeper(project).schedule, lambda _: None)

    with pytest.raises(OSError, match="no space left"):
        failing.first()

    assert not (project.data / "hub" / "journal.json").exists()
    assert not (failing.schedule.root / "state.json").exists()
