"""Fixtures for every test: folders, free ports, and programs that a machine may lack."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import psutil
import pytest
from hypothesis import HealthCheck, settings

from tests import folders
from tests.hub.databases import CHOICE, PostgreSQL, find_postgresql, is_on_postgresql
from tests.kubernetes.control_plane import Plane, opened
from tests.prometheus import HOW_TO_GET_IT, PROGRAM, Server

# Derandomised and without deadlines: the machine decides how fast an example runs, not whether it passes.
settings.register_profile(
    "house", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("house")

PROJECT = Path(__file__).resolve().parent.parent
BASE = pytest.StashKey[str]()
LEFT = pytest.StashKey[list[str]]()
"""The programs that outlived the run's processes."""


BRIEF = frozenset({"client", "data", "deploy", "hub", "hub_work", "query", "requirements", "traderx"})
"""Folders without a file that takes long."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, in whatever order: a long file at the end leaves all but one process idle."""
    tests = Path(__file__).parent
    items.sort(
        key=lambda item: (
            item.get_closest_marker("acceptance") is None,
            item.path.relative_to(tests).parts[0] in BRIEF,
        )
    )


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let ``--database=postgresql`` run every hub on PostgreSQL."""
    parser.addoption("--database", choices=("sqlite", "postgresql"), help="which database hubs of tests use")


def pytest_configure(config: pytest.Config) -> None:
    """Say it to the programs that tests start, too."""
    if chosen := config.getoption("--database"):
        os.environ[CHOICE] = chosen


@pytest.fixture(scope="session", autouse=True)
def base_folder(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Remember where this process's tests have their folders."""
    pytestconfig.stash[BASE] = str(tmp_path_factory.getbasetemp())


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run when a program that a test started on a folder of its own outlives it.

    Not in a fixture: that would fail the last test only, which passes when it is run once more.
    """
    config = session.config
    left = config.stash.setdefault(LEFT, [])
    left += _left_running(config.stash.get(BASE, ""))
    if hasattr(config, "workeroutput"):  # a process of xdist tells the one that started it
        config.workeroutput["left"] = left
    elif left:
        text = "".join(f"{words}\n" for words in left)
        note = config.rootpath / ".pytest_cache" / "left-running"  # .ci/run looks for it
        note.parent.mkdir(exist_ok=True)
        note.write_text(text)
        config.get_terminal_writer().write(f"\nleft running:\n{text}")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Keep what a process of xdist told when it ended."""
    node.config.stash.setdefault(LEFT, []).extend(getattr(node, "workeroutput", {}).get("left", []))


def _left_running(base: str) -> list[str]:
    """Return what programs that run on this process's folders were started with, after ten seconds for their end."""
    for _ in range(100):
        left = [words for process in psutil.process_iter() if (words := _words_on(process, base))]
        if not left:
            return []
        time.sleep(0.1)
    return left


def _words_on(process: psutil.Process, base: str) -> str:
    with suppress(psutil.Error):
        if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
            return ""
        words = " ".join(process.cmdline())
        if base and base in words:
            return words
        if folders.MADE:
            everything = " ".join([words, *process.environ().values()])
            return words if any(str(folder) in everything for folder in folders.MADE) else ""
    return ""


@pytest.fixture(scope="session", autouse=True)
def chosen_database(request: pytest.FixtureRequest) -> None:
    """Start PostgreSQL first when all hubs are to use it."""
    if is_on_postgresql():
        request.getfixturevalue("postgresql")


@pytest.fixture(scope="session")
def project() -> Path:
    """The project's folder."""
    return PROJECT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the recorded facts beside the project; the test is skipped without it."""
    folder = PROJECT.parent / "shared"
    if not (folder / "spec").is_dir():
        pytest.skip("../shared with the recorded facts is not there")
    return folder


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium; missing, the test is skipped, and fails under CI."""
    return need("chromium", "apt-get install chromium")


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    """A real Kubernetes control plane; without the programs for one the test is skipped, and fails under CI."""
    with opened(tmp_path_factory.mktemp("control-plane")) as plane:
        yield plane


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A PostgreSQL server for the whole run; missing, the test is skipped, and fails under CI."""
    programs = find_postgresql()
    if programs is None:
        miss("postgresql is missing: apt-get install postgresql")
    with PostgreSQL.running(programs) as server:
        yield server


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[Callable[[], Server]]:
    """Start real Prometheus servers; missing, the test is skipped, and fails under CI."""
    program = need(PROGRAM, HOW_TO_GET_IT)
    started: list[Server] = []

    def start() -> Server:
        started.append(Server(program, tmp_path / f"prometheus-{len(started)}").start())
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def free_port() -> int:
    """A TCP port on the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def need(program: str, how_to_get_it: str) -> str:
    """Return the program's path, else skip by name; under CI a missing program is a failure."""
    return shutil.which(program) or miss(f"{program} is missing: {how_to_get_it}")


def miss(message: str) -> NoReturn:
    """Skip the test, saying what is missing; under CI it fails."""
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)
