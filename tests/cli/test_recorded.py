"""What the public client printed, against what ours prints of the same answers.

The recording lies beside the project; nothing of it is kept here.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Terminal
from tests.client.answering import AnsweringHub, Asked

LISTS = [
    "space list",
    "space list --names",
    "space get traderx-dev",
    "unit list --space traderx-dev",
    "unit list --space traderx-dev --no-header",
    "unit list --space traderx-dev --names",
    "unit list --space traderx-dev --quiet --jq .[].Unit.Slug",
    "worker list --space traderx-dev",
    "target list --space traderx-dev",
    "link list --space traderx-dev",
    "trigger list --space traderx-dev",
    "filter list --space traderx-dev",
    "tag list --space traderx-dev",
    "set list --space traderx-dev",
    "revision list trade-service --space traderx-dev",
]
"""Commands whose output is only a matter of layout."""

ENTITIES = {"bridge_worker": "BridgeWorker", "change_set": "ChangeSet"}


@pytest.fixture
def recorded(shared: Path, hub: AnsweringHub) -> dict[str, str]:
    """Serve the recorded answers and return what the public client printed, by command."""
    folder = shared / "spec" / "cli"
    collections: dict[str, list[Any]] = json.loads((folder / "fixture.json").read_text())["collections"]
    for unit in collections["unit"]:
        # the public client cannot name the last action and prints a question mark
        unit["UnitStatus"] = {**unit.get("UnitStatus", {}), "Action": "?"}
    for noun, records in collections.items():
        entity = ENTITIES.get(noun, noun.capitalize())

        def listed(asked: Asked, records: list[Any] = records, entity: str = entity) -> list[Any]:
            slug = re.search(r"Slug = '([^']*)'", asked.query.get("where", ""))
            return [one for one in records if not slug or one[entity]["Slug"] == slug[1]]

        hub.on(f"GET /api/{noun}", listed)
        for space in collections["space"]:
            hub.on(f"GET /api/space/{space['Space']['SpaceID']}/{noun}", listed)
            hub.on(f"GET /api/space/{space['Space']['SpaceID']}", space)
            for unit in collections["unit"]:
                path = f"/api/space/{space['Space']['SpaceID']}/unit/{unit['Unit']['UnitID']}/revision"
                hub.on(f"GET {path}", collections.get("revision", []))
    steps = json.loads((folder / "trace.json").read_text())["steps"]
    return {" ".join(step["args"]): step["stdout"] for step in steps}


@pytest.mark.parametrize("typed", LISTS)
def test_tables_are_drawn_as_the_public_client_draws_them(cub: Terminal, recorded: dict[str, str], typed: str) -> None:
    ran = cub.run(*typed.split())

    assert ran.status == 0, ran.err
    assert ran.out == recorded[typed]
