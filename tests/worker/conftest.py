"""A worker connected to a hub, with a runtime."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.runtime.running import Running
from tests.worker.scene import Scene


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The processes, kept over the tests of a module."""
    folder = tmp_path_factory.mktemp("scene")
    (folder / "project").mkdir()
    found = Scene(folder, Running(folder / "project"))
    yield found
    found.stop()
    found.runtime.stop()


@pytest.fixture
def scene(stage: Scene) -> Scene:
    """Hub, runtime and worker, all up and empty."""
    stage.ready()
    return stage
