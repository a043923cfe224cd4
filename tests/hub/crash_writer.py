"""A process that changes units without end and says on its standard output what is done; made to be killed."""

from __future__ import annotations

import sys
from pathlib import Path

from confighub.hub.caller import Caller
from confighub.hub.hub import Hub
from confighub.hub.usecases import people
from confighub.settings import HubSettings
from tests.hub.scene import WEB, Scene


def main(data_dir: Path, name: str, database_url: str) -> None:
    """Create units and edit each twice; print ``slug revision`` after each answer."""
    hub = Hub(HubSettings(data_dir=data_dir, database_url=database_url))
    organization = people.found(hub)
    caller = Caller("", "writer", organization.organization_id or "", frozenset({"admin"}), "test")
    scene = Scene(hub, caller)
    space = scene.space(name)
    number = 0
    while True:
        number += 1
        unit = scene.unit(space, f"{name}-{number}")
        print(unit.slug, 1, flush=True)
        for replicas in (2, 3):
            scene.edit(unit, f"replicas: {replicas - 1}", f"replicas: {replicas}")
            print(unit.slug, replicas, flush=True)


def text_at(revision: int) -> str:
    """Return the text of that revision of every unit."""
    return WEB.replace("replicas: 1", f"replicas: {revision}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
