"""What disaster commands refuse before anything is started, made or removed."""

from __future__ import annotations

from pathlib import Path

import pytest

from confighub.errors import BadRequest
from tests.traderx.conftest import Installed
from traderx import cli
from traderx.drill import Drill, Options
from traderx.rebuilding import destroy, explain, stage_before
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
        (["data", "copy", "dev", "kept"], 1, "dev has no database that this machine knows"),
        (
            ["regions", "promote", "--from", "eu-central-1", "--to", "us-east-1"],
            1,
            "us-east-1 comes before eu-central-1",
        ),
        (["regions", "validate", "mars-1"], 1, "no such region: mars-1"),
        (["rebuild", "base", "--yes"], 1, "base has no stage before it"),
        (["restore", "."], 1, "holds no backup of a project"),
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

    assert "0 units would be removed" in explain(site, "staging")[0]
    assert destroy(site, "staging", timeout_s=1) == 0
    assert stage_before("prod") == "staging"
