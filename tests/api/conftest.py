"""One server process for the tests that leave it as it is, and fresh ones for those that kill it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.api.running import HubProcess, fresh_store
from tests.hub.databases import PostgreSQL, is_on_postgresql

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def store_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one user, to copy."""
    folder = tmp_path_factory.mktemp("template") / "hub"
    fresh_store(folder)
    return folder


@pytest.fixture(scope="session")
def shared_hub(store_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A running hub that tests share; each works in spaces of its own."""
    hub = HubProcess.on(store_template, tmp_path_factory.mktemp("shared") / "hub", _port())
    yield hub
    hub.close()


@pytest.fixture(scope="session")
def postgresql_hub(postgresql: PostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A running hub on PostgreSQL."""
    with postgresql.fresh() as url:
        folder = tmp_path_factory.mktemp("on-postgresql") / "hub"
        fresh_store(folder, url)
        hub = HubProcess(folder, _port(), database_url=url)
        hub.start()
        yield hub
        hub.close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what takes ``either_hub`` on both databases; once where every hub is on PostgreSQL."""
    if "either_hub" in metafunc.fixturenames:
        hubs = {"sqlite": "shared_hub", "postgresql": "postgresql_hub"}
        hubs = {"postgresql": "shared_hub"} if is_on_postgresql() else hubs
        metafunc.parametrize("either_hub", list(hubs.values()), ids=list(hubs), indirect=True)


@pytest.fixture
def either_hub(request: pytest.FixtureRequest) -> HubProcess:
    """The shared hub, and one on the other database."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, HubProcess)
    return found


@pytest.fixture
def hub_process(store_template: Path, tmp_path: Path) -> Iterator[HubProcess]:
    """A running hub for one test."""
    hub = HubProcess.on(store_template, tmp_path / "hub", _port())
    yield hub
    hub.close()


@pytest.fixture
def new_space(shared_hub: HubProcess) -> Callable[..., tuple[str, str]]:
    """Make a space in the shared hub; return its id and slug."""

    def make(**labels: str) -> tuple[str, str]:
        slug = f"space-{next(_NUMBERS)}"
        return shared_hub.space(slug, **labels), slug

    return make


def _port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
