"""A hub process, and a terminal that is logged in to it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.running import PASSWORD, USER, HubProcess, fresh_store
from tests.cli.conftest import Terminal


@pytest.fixture(scope="session")
def function_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    """A running hub for the tests of this folder; each works in a space of its own."""
    folder = tmp_path_factory.mktemp("functions") / "hub"
    fresh_store(folder)
    hub = HubProcess(folder, free_port())
    hub.start()
    yield hub
    hub.close()


@pytest.fixture
def terminal(
    function_hub: HubProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Terminal:
    """A terminal whose user is logged in to the hub."""
    monkeypatch.setenv("CONFIGHUB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CONFIGHUB_URL", function_hub.url)
    monkeypatch.delenv("CONFIGHUB_SPACE", raising=False)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "testusers.csv").write_text(f"{USER},{PASSWORD}{os.linesep}")
    found = Terminal(capsys)
    found.must("auth", "test-login", USER)
    return found


def free_port() -> int:
    """Return a TCP port on the loopback address that nobody listens on."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
