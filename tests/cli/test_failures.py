"""What a command says when the hub does not do its part: one line, status one, never a traceback."""

import shlex
from pathlib import Path

import pytest

from confighub.cli.command import Command
from confighub.cli.tree import every_command
from tests.cli.conftest import Terminal
from tests.client.answering import AnsweringHub

ALONE = ("auth", "completion", "context", "version")
"""What works without a hub."""

LINES = [
    line.removeprefix("cub ")
    for path, one in every_command()
    if isinstance(one, Command) and not path.startswith((*ALONE, "worker run", "helm"))
    for line in one.example.splitlines()
    if line.startswith("cub ") and not set("|<>$") & set(line) and ".yaml" not in line
]


def test_most_commands_are_tried() -> None:
    assert len(LINES) > 100


@pytest.mark.parametrize("line", LINES)
def test_a_hub_that_is_away_is_told_in_one_line_with_what_to_do(
    cub: Terminal, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.setenv("CONFIGHUB_URL", "http://127.0.0.1:9")

    ran = cub.run(*shlex.split(line))

    assert ran.status == 1
    assert ran.err.startswith("Failed: no answer from the hub at http://127.0.0.1:9")
    assert "confighub serve" in ran.err
    assert ran.err.count("\n") == 1


def test_an_export_that_is_there_stays_when_the_hub_is_away(
    cub: Terminal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CONFIGHUB_URL", "http://127.0.0.1:9")
    file = tmp_path / "audit.jsonl"
    file.write_text("earlier\n")

    ran = cub.run("audit", "export", "--file", str(file))

    assert (ran.status, file.read_text()) == (1, "earlier\n")


@pytest.mark.parametrize(
    "answer", [(500, b"<html>busy</html>"), (200, b"<html>welcome</html>"), (403, {"Message": "no"})]
)
@pytest.mark.parametrize("line", LINES[::6])
def test_an_answer_that_is_of_no_use_is_told_in_one_line(
    cub: Terminal, hub: AnsweringHub, line: str, answer: object
) -> None:
    class Everything(dict[str, object]):
        def get(self, key: str, default: object = None) -> object:
            return answer

    hub.answers = Everything()

    ran = cub.run(*shlex.split(line))

    assert ran.status == 1
    assert "Traceback" not in ran.err
    assert "a defect of cub" not in ran.err
    assert ran.err.count("\n") == 1
