"""What a person may get wrong ends with one line that says so, never with a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from confighub.errors import BadRequest
from traderx import cli
from traderx.clusters import read_cluster
from traderx.commands.drifting import _policy

SECRET = "very-secret-token"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe\x00kind", "it is not UTF-8"),
        (b"contexts: [a]", "contexts is not a list of maps"),
        (b"contexts: 5", "contexts is not a list of maps"),
        (b"users: [{name: me, user: text}]", "users is not a list of maps with name and user"),
        (f"users:\n- token: {SECRET}: [".encode(), "it is not YAML at line 2"),
        (b"\x00", "it is not YAML"),
        (b"- a", "is no kubeconfig"),
    ],
)
def test_a_file_that_is_no_kubeconfig_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, said: str
) -> None:
    file = tmp_path / "config"
    file.write_bytes(content)

    status = cli.main(["setup-worker", "prod", "--kubeconfig", str(file), "--explain", "--data", str(tmp_path)])

    shown = capsys.readouterr().err
    assert status == 1
    assert said in shown
    assert SECRET not in shown
    assert len(shown.splitlines()) == 1


def test_a_folder_is_no_kubeconfig(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"cannot be read: .*: Is a directory"):
        read_cluster(str(tmp_path), None)


def test_a_policy_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "policy"
    file.write_bytes(b"\xff")

    with pytest.raises(BadRequest, match="it is not UTF-8"):
        _policy(str(file), "low")


@pytest.mark.parametrize(
    "words",
    [
        ["drift-detector", "--space", "dev", "--interval", "-1"],
        ["drift-detector", "--space", "dev", "--interval", "0"],
        ["drift-detector", "--space", "dev", "--interval", "inf"],
        ["drift-detector", "--space", "dev", "--window", "nan"],
        ["drift-detector", "--space", "dev", "--window", "1e300"],
        ["drift-detector", "--space", "dev", "--max-corrections", "-1"],
        ["setup-worker", "dev", "--timeout", "nan"],
        ["ordered-apply", "dev", "--timeout", "-1"],
        ["apply-all", "dev", "--timeout", "nan"],
        ["rollback", "dev", "--to", "1", "--timeout", "inf"],
    ],
)
def test_a_number_that_cannot_be_is_refused(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*words, "--data", str(tmp_path)]) == 2
    assert f"Invalid value for '{words[-2]}'" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "file"
    file.write_text("")

    status = cli.main(["install-base", "--data", str(file / "below")])

    assert status == 1
    assert capsys.readouterr().err == f"error: {file / 'below' / 'ports.json'}: Not a directory\n"
