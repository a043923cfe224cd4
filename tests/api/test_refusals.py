"""Bad input of every kind: its status, a message that names the place and the way out, and nothing stored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from confighub.hub.store.database import Database
from tests.api.cases import filled, prepared, send
from tests.api.running import HubProcess

CASES = json.loads((Path(__file__).parent.parent / "cases/refused/cases.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["description"])
def test_bad_input_is_refused_in_words(shared_hub: HubProcess, case: dict[str, Any]) -> None:
    with prepared(shared_hub, case["given"]) as names:
        before = contents(shared_hub, names["space"])
        answer = send(shared_hub, case, names)

        assert answer.status == case["expect"], answer.body
        assert answer.headers["x-request-id"]
        body = answer.json
        assert body["Code"] == str(case["expect"])
        for words in filled(case["says"], names):
            assert words in body["Message"]
        assert "Traceback" not in body["Message"]
        assert "\n" not in body["Message"]
        assert case.get("hides", "\0") not in answer.body.decode()
        assert contents(shared_hub, names["space"]) == before


def contents(hub: HubProcess, space_id: str) -> list[Any]:
    """Return everything that the space holds."""
    nouns = ("unit", "filter", "tag", "link", "trigger", "target")
    return [hub.ok("GET", f"/api/space/{space_id}/{noun}") for noun in nouns]


def test_a_body_beyond_all_measure_is_refused(shared_hub: HubProcess) -> None:
    answer = shared_hub.request("POST", "/api/space", raw=b" " * (33 * 1024 * 1024))

    assert answer.status == 400
    assert "larger than 32 MiB" in answer.json["Message"]


def test_a_fault_inside_shows_no_traceback_and_goes_to_the_log(hub_process: HubProcess) -> None:
    database = Database(hub_process.database_url or f"sqlite:///{hub_process.folder / 'hub.sqlite'}")
    with database.write() as connection:
        connection.execute(text("ALTER TABLE tags RENAME TO gone"))
    database.close()
    space_id = hub_process.space("dev")

    answer = hub_process.request("GET", f"/api/space/{space_id}/tag")

    assert answer.status == 500
    assert answer.json["Code"] == "500"
    assert "sqlite" not in answer.json["Message"].lower()
    assert answer.headers["x-request-id"] in answer.json["Message"]
    assert "Traceback" in hub_process.log.read_text()
