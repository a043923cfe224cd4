"""A hub for each test: on an SQLite file of its own, and the same test on PostgreSQL."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from confighub.hub.caller import Caller
from confighub.hub.hub import Hub
from confighub.hub.usecases import people
from confighub.settings import HubSettings
from tests.hub.databases import PostgreSQL, migrated_file
from tests.hub.scene import Scene


@dataclass
class Clock:
    """A clock that goes on by a second at each look, so that times differ and are known."""

    now: datetime = field(default_factory=lambda: datetime(2026, 1, 1, tzinfo=UTC))

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    return migrated_file(tmp_path_factory.mktemp("template"))


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> HubSettings:
    """Where the test's hub keeps its things."""
    if request.param == "postgresql":
        server: PostgreSQL = request.getfixturevalue("postgresql")
        return HubSettings(data_dir=tmp_path / "data", database_url=server.emptied())
    (tmp_path / "data").mkdir()
    shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "data" / "hub.sqlite")
    return HubSettings(data_dir=tmp_path / "data")


@pytest.fixture
def clock() -> Clock:
    """The hub's clock."""
    return Clock()


@pytest.fixture
def hub(settings: HubSettings, clock: Clock) -> Iterator[Hub]:
    """An open hub with its first organization."""
    opened = Hub(settings, clock=clock)
    people.found(opened)
    yield opened
    opened.close()


@pytest.fixture
def caller_as(hub: Hub) -> Callable[[str], Caller]:
    """Make a user with a role and return them as caller."""

    def make(role: str) -> Caller:
        user = people.add_user(hub, f"{role}-person", "", role=role)
        organization = people.found(hub)
        assert user.user_id
        assert organization.organization_id
        return Caller(user.user_id, user.username, organization.organization_id, frozenset({role}), "test")

    return make


@pytest.fixture
def alice(caller_as: Callable[[str], Caller]) -> Caller:
    """Somebody who may do everything."""
    return caller_as("admin")


@pytest.fixture
def scene(hub: Hub, alice: Caller) -> Scene:
    """Short ways to put things into the hub, as Alice."""
    return Scene(hub, alice)
