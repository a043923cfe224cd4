"""A project installed once in a running hub; tests that change it work on copies of what they need."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from confighub.client.hub import HubClient
from confighub.client.transport import Transport, Wire
from tests.api.conftest import store_template  # noqa: F401 - a fixture
from tests.api.running import HubProcess, basic
from traderx.environments import install_envs
from traderx.install import install_base
from traderx.project import Project, find_project


@dataclass
class Installed:
    """A project with its five spaces, as ``bin/install-base`` and ``bin/install-envs`` leave them."""

    project: Project
    hub: HubClient
    said: list[str]

    @property
    def name(self) -> str:
        """The project's name."""
        return self.project.name()

    def space_id(self, stage: str) -> str:
        """Return the id of the stage's space."""
        return self.hub.space_id(self.project.space(stage))

    def units(self, stage: str, where: str = "") -> dict[str, Wire]:
        """Return the plain units of a stage by slug, addons too."""
        return {
            one["Unit"]["Slug"]: one["Unit"] for one in self.hub.units.list(space_id=self.space_id(stage), where=where)
        }

    def text(self, stage: str, slug: str) -> str:
        """Return a unit's text."""
        return self.hub.units.data(self.units(stage)[slug]["UnitID"], space_id=self.space_id(stage))


@pytest.fixture(scope="session")
def installed(store_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:  # noqa: F811
    """The project as it is after installation; nobody changes what others look at."""
    folder = tmp_path_factory.mktemp("installed")
    process = HubProcess.on(store_template, folder / "hub", _port())
    hub = HubClient(Transport(process.url, basic()))
    project = find_project(str(folder / "state"), environ={})
    said: list[str] = []
    install_base(hub, project, said.append)
    install_envs(hub, project, said.append)
    yield Installed(project, hub, said)
    process.close()


def documents(text: str) -> list[Any]:
    """Return the documents of a text."""
    import yaml

    return list(yaml.safe_load_all(text))


def _port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
