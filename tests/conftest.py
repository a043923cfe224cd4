"""Fixtures for every test: folders, free ports, and programs that a machine may lack."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import psutil
import pytest
from hypothesis import HealthCheck, settings

from tests.hub.databases import CHOICE, PostgreSQL, find_postgresql, is_on_postgresql
from tests.kubernetes.control_plane import Plane, opened
from tests.prometheus import HOW_TO_GET_IT, PROGRAM, Server

# Derandomised and without deadlines: the machine decides how fast an example runs, not whether it passes.
settings.register_profile(
    "house", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("house")

PROJECT = Path(__file__).resolve().parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let ``--database=postgresql`` run every hub on PostgreSQL."""
    parser.addoption("--database", choices=("sqlite", "postgresql"), help="which database hubs of tests use")


def pytest_configure(config: pytest.Config) -> None:
    """Say it to the programs that tests start, too."""
    if chosen := config.getoption("--database"):
        os.environ[CHOICE] = chosen


@pytest.fixture(scope="session", autouse=True)
def nothing_left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fail the run when a program that a test started on a folder of its own outlives it."""
    yield
    folder = str(tmp_path_factory.getbasetemp())
    for _ in range(100):
        left = [words for process in psutil.process_iter() if folder in (words := _words(process))]
        if not left:
            return
        time.sleep(0.1)
    pytest.fail(f"left running: {left}")


def _words(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        if process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
            return " ".join(process.cmdline())
    return ""


@pytest.fixture(scope="session", autouse=True)
def chosen_database(request: pytest.FixtureRequest, nothing_left: None) -> None:
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
