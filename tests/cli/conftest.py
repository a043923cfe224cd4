"""A command line in this process, against a hub of canned answers or a real one."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from confighub.cli.main import main
from confighub.client.session import Context, Home, Session
from confighub.client.transport import Transport
from confighub.errors import ConfigHubError
from tests.client.answering import AnsweringHub, answering_hub
from tests.hub.databases import database_for

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

    def must(self, *args: str) -> Ran:
        """Run one command line that has to succeed."""
        ran = self.run(*args)
        assert ran.status == 0, f"cub {' '.join(args)}: {ran.err}"
        return ran


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


PASSWORD = "correct-horse"


@dataclass(frozen=True)
class RealHub:
    """A hub that runs as a process of its own."""

    url: str
    data_dir: Path
    store: tuple[str, ...]
    """The options that name its store, for `confighub` programs beside it."""


@pytest.fixture(scope="session")
def real_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealHub]:
    """One hub for all tests that need one; each test works in spaces of its own."""
    data_dir = tmp_path_factory.mktemp("hub")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    url = f"http://127.0.0.1:{port}"
    log = (data_dir / "log").open("wb")
    program = [sys.executable, "-c", "from confighub.server import run; run()"]
    store = ("--data", str(data_dir / "hub"), "--database", database_for(data_dir / "hub"))
    served = subprocess.Popen([*program, "serve", "--port", str(port), *store], stdout=log, stderr=log)
    try:
        _wait_until_ready(url, served, data_dir / "log")
        added = [*program, "user", "add", "alice", "--password-stdin", *store]
        subprocess.run(added, input=PASSWORD, text=True, check=True, capture_output=True, timeout=60)
        yield RealHub(url, data_dir, store)
    finally:
        served.terminate()
        served.wait(timeout=30)
        log.close()


def _wait_until_ready(url: str, served: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            Transport(url, timeout_s=5).request("GET", "/info")
        except ConfigHubError:
            if served.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"the hub did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.05)
        else:
            return


@pytest.fixture
def alice(
    real_hub: RealHub, home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Terminal:
    """The terminal of alice, logged in to the real hub."""
    monkeypatch.setenv("CONFIGHUB_URL", real_hub.url)
    home.folder.mkdir(parents=True)
    (home.folder / "testusers.csv").write_text(f"alice,{PASSWORD}\n")
    terminal = Terminal(capsys)
    logged_in = terminal.run("auth", "test-login", "alice")
    assert logged_in.status == 0, logged_in.err
    return terminal
