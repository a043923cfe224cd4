"""The way to another place and back: nothing of others is in the way, and nothing is thrown away unasked."""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from confighub.errors import BadRequest, Conflict
from confighub.operations.disaster import Skipped
from tests.traderx.conftest import Installed
from traderx import moves
from traderx.databases import database_of, file_of
from traderx.drill import Drill, Options
from traderx.elsewhere import OnThisMachine
from traderx.project import find_project
from traderx.secrets import ensure_secrets
from traderx.site import Site
from traderx.stack import Stack

NOTE = {"from": "laptop", "to": "dr-staging", "named": True, "ingress": "http://192.0.2.7:8080", "zone": "Z1"}


@pytest.fixture
def site(installed: Installed, tmp_path: Path) -> Site:
    """The installed project with a state of its own, in which nothing runs."""
    project = find_project(str(tmp_path / "state"), environ={})
    project.keep_name(installed.name)
    ensure_secrets(project, "staging")
    said: list[str] = []
    return Site(project, installed.hub, Stack(project, said.append), False, said.append)


def second_runtime(site: Site) -> OnThisMachine:
    found = moves.find_elsewhere(site, "staging", "", timeout_s=1)
    assert isinstance(found, OnThisMachine)
    return found


def book(file: Path, *names: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE IF NOT EXISTS trades (seq INTEGER PRIMARY KEY, id TEXT, created BIGINT)")
        connection.executemany("INSERT INTO trades (id, created) VALUES (?, 1)", [(name,) for name in names])


@pytest.mark.parametrize("name", ["..", "../../hub", "a/b", ".", "Prod", "-x"])
def test_a_name_that_is_no_slug_is_no_place(site: Site, name: str) -> None:
    with pytest.raises(BadRequest, match="no name of a place"):
        moves.find_elsewhere(site, "staging", name, timeout_s=1)


def test_a_place_that_others_have_is_not_taken(site: Site) -> None:
    elsewhere = second_runtime(site)
    moves.refuse_taken(site, elsewhere, first="laptop")
    with pytest.raises(BadRequest, match="is at dr-staging already"):
        moves.refuse_taken(site, elsewhere, first="dr-staging")

    elsewhere.place.folder.mkdir(parents=True)

    with pytest.raises(Conflict, match="dr-staging is there already"):
        moves.refuse_taken(site, elsewhere, first="laptop")


def test_trades_of_the_other_place_are_kept_and_not_left_unasked(site: Site) -> None:
    place = second_runtime(site).place
    book(file_of(database_of(site.project, "staging")), "both")
    book(file_of(place.database_url), "both", "there")
    note = moves.note_of(site, "staging")
    note.parent.mkdir(parents=True)
    note.write_text(json.dumps(NOTE))

    with pytest.raises(Conflict, match=r"1 trades of dr-staging are not at the first place.*--yes"):
        moves.go_back(site, "staging", 1)

    assert place.folder.exists()
    assert note.exists()
    [copy] = (site.project.data / "drills" / "before-return" / "staging").iterdir()
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT id FROM trades").fetchall() == [("both",), ("there",)]


def test_a_place_without_news_is_left_unasked_and_a_damaged_one_is_not(site: Site, tmp_path: Path) -> None:
    elsewhere = second_runtime(site)
    there = file_of(elsewhere.place.database_url)
    assert elsewhere.what_would_go(tmp_path / "kept") == ""
    book(file_of(database_of(site.project, "staging")), "both", "here")
    book(there, "both")
    assert elsewhere.what_would_go(tmp_path / "kept") == ""

    there.write_bytes(b"no database any more" * 100)

    assert "could not be kept or compared" in elsewhere.what_would_go(tmp_path / "kept")


def test_the_name_is_led_back_by_the_hook_that_led_it_away(site: Site) -> None:
    hook = f'{sys.executable} -c "import sys; print(sys.argv[1:])" {{zone}}'

    said = moves._lead_back(site, "staging", NOTE, hook)
    written = json.loads((site.project.data / "drills" / "dns-update-return.json").read_text())

    assert "traderx-staging.example.com leads back to 192.0.2.7: ['Z1']" in said
    assert written["Changes"][0]["ResourceRecordSet"]["ResourceRecords"] == [{"Value": "192.0.2.7"}]
    assert "not sent" in moves._lead_back(site, "staging", NOTE, "")
    assert moves._lead_back(site, "staging", {**NOTE, "named": False}, hook) == ""


def test_nothing_is_damaged_where_the_environment_stays(site: Site) -> None:
    def damage() -> str:
        return "damaged"

    with pytest.raises(Skipped, match="this place stays"):
        Drill(site, "staging", Options(stays=True))._rehearsed(damage)()

    assert Drill(site, "staging", Options())._rehearsed(damage)() == "damaged"


class Interrupted(Drill):
    """A drill that is ended when it has begun."""

    is_back = False

    def _refuse(self) -> None:
        return None

    def _go(self) -> None:
        self._keep(to="dr-staging")
        raise KeyboardInterrupt

    def _come_back(self) -> None:
        self.is_back = True


@pytest.mark.parametrize("stays", [False, True])
def test_a_drill_comes_back_however_it_ends_unless_it_stays(site: Site, stays: bool) -> None:
    drill = Interrupted(site, "staging", Options(stays=stays))

    with pytest.raises(KeyboardInterrupt):
        drill.run()

    assert drill.is_back is not stays
    assert drill.note.stat().st_mode & 0o777 == 0o600
