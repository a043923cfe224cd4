"""A Kubernetes bridge on a real API server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kubernetes.control_plane import Plane
from tests.worker.kubernetes.stage import Stage


@pytest.fixture(scope="module")
def stage(control_plane: Plane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One bridge for the tests of a module."""
    found = Stage(control_plane, tmp_path_factory.mktemp("bridge"))
    yield found
    found.end()


@pytest.fixture
def scene(stage: Stage) -> Stage:
    """The bridge, with a namespace of the test's own."""
    stage.new_namespace()
    return stage
