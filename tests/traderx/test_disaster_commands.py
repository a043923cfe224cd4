"""What disaster commands refuse before anything is started, made or removed."""

from __future__ import annotations

import io
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import click
import pytest

from confighub.errors import BadRequest
from tests.traderx.conftest import Installed
from traderx import cli
from traderx.commands import disasters, regional, showing
from traderx.commands.parameters import data_option, json_option
from traderx.databases import copy_database, database_of, file_of
from traderx.drill import Drill, Options
from traderx.project import find_project
from traderx.rebuilding import destroy, explain, stage_before
from traderx.secrets import ensure_secrets
from traderx.site import Site
from traderx.stack import Stack


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["backup"], 1, "a backup into which folder?"),
        (["backup", "--every", "1h"], 1, "backups of which folder?"),
        (["backup", "kept", "--every", "5x"], 2, "5x is no time"),
        (["backup", "kept", "--every", "0s"], 2, "0s is not between a second and a year"),
        (["backup", "kept", "--push"], 1, "--push says nothing without --git"),
        (["data", "list", "dev"], 0, ""),
        (["data", "restore", "dev", "--from", "one", "--at", "2026-10-03"], 1, "--from and --at name two copies"),
        (["data", "restore", "dev", "--at", "noon"], 1, "not a moment: noon"),
        (["data", "copy", "dev", "kept"], 1, "dev has no database that this machine knows"),
        (
            ["regions", "promote", "--from", "eu-central-1", "--to", "us-east-1"],
            1,
            "us-east-1 comes before eu-central-1",
        ),
        (["rebuild", "prod-us-east-1", "--yes"], 1, "prod-us-east-1 has no stage before it"),
        (["restore", "."], 1, "holds no backup of a project"),
        (["disaster", "drill", "dev", "--dns-hook", "'unclosed"], 1, "the DNS hook is no command"),
        (["disaster", "return", "dev", "--dns-hook", "'unclosed"], 1, "the DNS hook is no command"),
    ],
)
def test_what_is_said_wrong_is_told_in_one_line(
    words: list[str],
    status: int,
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    state = tmp_path / "state"
    words = [*words, "--data", str(state)] if words[0] != "regions" else words
    monkeypatch.setenv("CONFIGHUB_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("TRADERX_DATA", str(state))

    assert cli.main(words) == status

    shown = capsys.readouterr().err
    assert said in shown
    assert shown.count("\n") <= 1
    assert not (state / "hub").exists()


def test_nothing_that_is_not_live_is_drilled_or_destroyed(installed: Installed) -> None:
    said: list[str] = []
    site = Site(installed.project, installed.hub, Stack(installed.project, said.append), False, said.append)

    with pytest.raises(BadRequest, match="nothing of staging is live"):
        Drill(site, "staging", Options()).run()

    with pytest.raises(BadRequest, match="no name of a place"):
        Drill(site, "staging", Options(target=".."))
    assert "0 units would be removed" in explain(site, "staging")[0]
    assert destroy(site, "staging", timeout_s=1) == 0
    assert stage_before("prod") == "staging"


def test_what_is_piped_is_no_confirmation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    said: list[str] = []

    with pytest.raises(BadRequest, match="nothing was done"):
        disasters._confirmed(["2 units would be removed"], False, said.append)

    assert disasters._confirmed([], True, said.append)
    assert said == ["2 units would be removed"]


def test_a_database_that_is_gone_is_put_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = find_project(str(tmp_path), environ={})
    ensure_secrets(project, "dev")
    file = file_of(database_of(project, "dev"))
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE trades (id TEXT)")
    copy = copy_database(database_of(project, "dev"), tmp_path / "kept").file
    file.unlink()
    words = ["data", "restore", "dev", "--from", str(copy), "--data", str(tmp_path)]

    assert cli.main(words) == 1
    assert not file.exists()
    assert cli.main([*words, "--yes", "--json"]) == 0

    shown = capsys.readouterr()
    assert f"{file} is gone, so nothing of it is kept" in shown.err
    assert json.loads(shown.out) == {"copy": str(copy), "before": None, "lost": None}
    assert file.stat().st_size == copy.stat().st_size


@pytest.mark.parametrize("group", [regional.regions, showing.patterns])
def test_what_is_said_before_a_commands_name_holds_for_it(group: click.Group) -> None:
    told: list[tuple[str | None, bool]] = []

    @click.command("told")
    @json_option
    @data_option
    def tell(as_json: bool, data: str | None) -> None:
        told.append((data, as_json))

    group.add_command(tell)
    try:
        group.main(["--data", "other", "--json", "told"], standalone_mode=False)
        group.main(["--data", "other", "told", "--data", "mine"], standalone_mode=False)
    finally:
        del group.commands["told"]

    assert told == [("other", True), ("mine", False)]
