"""All eight services for the tests that only use them, and databases for those that need their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.postgresql import PostgresqlServer, find_programs
from tests.services.running import Desk, running_desk
from traderx.services.main import SERVICES


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """All eight services, running for the whole session."""
    with running_desk(tmp_path_factory.mktemp("desk"), *SERVICES, APP_VERSION="v1.0.0") as desk:
        yield desk


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresqlServer]:
    """A PostgreSQL server; without its programs the test is skipped, and fails under CI."""
    with PostgresqlServer.running(find_programs()) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a new, empty database of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/traderx.db"
    server: PostgresqlServer = request.getfixturevalue("postgresql_server")
    return server.fresh_url()
