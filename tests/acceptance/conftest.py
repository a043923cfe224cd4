"""Projects for the acceptance tests: one that is only looked at, and new ones for tests that break things."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest

from tests.acceptance.system import System, eventually
from tests.folders import short_folder


def end(system: System) -> None:
    """End the project and make sure that nothing of it is left."""
    system.must("down")
    left = eventually("no process left", lambda: None if system.processes() else ["none"], timeout_s=10)
    assert left == ["none"]
    shutil.rmtree(system.data.parent)


@pytest.fixture(scope="package")
def dev() -> Iterator[System]:
    """A project with dev deployed, for tests that change no unit."""
    system = System(short_folder() / "data")
    try:
        system.must("up")
        yield system
    finally:
        end(system)


@pytest.fixture
def new_system() -> Iterator[Callable[[], System]]:
    """Make projects of the test's own; all of them end with the test."""
    made: list[System] = []

    def make() -> System:
        system = System(short_folder() / "data")
        made.append(system)
        return system

    yield make
    for system in made:
        end(system)


@pytest.fixture(scope="package")
def rolled() -> Iterator[System]:
    """A project with dev deployed, for rollouts of trade-service one after the other."""
    system = System(short_folder() / "data")
    try:
        system.must("up")
        yield system
    finally:
        end(system)
