"""A command line that is run in this process against a hub of canned answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from confighub.cli.main import main
from confighub.client.session import Context, Home, Session
from tests.client.answering import AnsweringHub, answering_hub

SPACE_ID = "5ace0000-0000-4000-8000-000000000001"


@dataclass(frozen=True)
class Ran:
    """What a command line came to."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """The lines of standard output without the padding at their ends."""
        return [line.rstrip() for line in self.out.splitlines()]


class Terminal:
    """Runs command lines as the user who is logged in."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def run(self, *args: str) -> Ran:
        """Run one command line."""
        self.capsys.readouterr()
        status = main(args)
        captured = self.capsys.readouterr()
        return Ran(status, captured.out, captured.err)


@pytest.fixture
def hub() -> Iterator[AnsweringHub]:
    with answering_hub() as serving:
        serving.on("GET /api/space", [{"Space": {"SpaceID": SPACE_ID, "Slug": "dev", "Labels": {}}}])
        yield serving


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("CONFIGHUB_HOME", str(tmp_path / "cub"))
    return Home(tmp_path / "cub")


@pytest.fixture
def cub(hub: AnsweringHub, home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    monkeypatch.setenv("CONFIGHUB_URL", hub.url)
    home.keep_session(Session(username="alice", auth_type="Basic", password="pw"))
    home.keep_context(Context(url=hub.url, space="dev", space_id=SPACE_ID))
    return Terminal(capsys)
