"""A running daemon, and a second one beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.runtime.running import Running


@pytest.fixture
def daemons(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Start daemons by name; all are stopped at the end."""
    started: list[Running] = []

    def start(name: str = "project", **options: bool) -> Running:
        folder = tmp_path / name
        folder.mkdir()
        started.append(Running(folder, **options))
        return started[-1]

    yield start
    for daemon in started:
        daemon.stop()


@pytest.fixture
def daemon(daemons: Callable[..., Running]) -> Running:
    """One running daemon."""
    return daemons()
