"""What cannot be read in a file, or was not named, is told with its name and what to type."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import SPACE_ID, Terminal
from tests.client.answering import AnsweringHub


@pytest.mark.parametrize(
    ("words", "content", "said"),
    [
        ("function exec FILE --unit web", "set-replicas 2\nset-label 'tier", "FILE, line 2: No closing quotation"),
        ("function exec FILE --unit web", "# nothing yet\n", "no function calls in FILE"),
        ("unit import web FILE", "{", "FILE is not JSON: "),
        ("unit import web FILE", "5", "FILE is no request (a JSON object, or a list of resources)"),
        ("unit update web --patch --filename FILE", "[]", "FILE holds no JSON object"),
        (
            "link create --filename FILE",
            '{"FromUnitID": "u1", "ToUnitID": "u2"}',
            "no name for the link (cub link create NAME FROM-UNIT TO-UNIT; - has the hub choose one)",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    cub: Terminal, hub: AnsweringHub, tmp_path: Path, words: str, content: str, said: str
) -> None:
    hub.on("GET /api/unit", [{"Unit": {"UnitID": "u1", "SpaceID": SPACE_ID, "Slug": "web"}}])
    hub.on(f"GET /api/space/{SPACE_ID}/unit", [{"Unit": {"UnitID": "u1", "SpaceID": SPACE_ID, "Slug": "web"}}])
    file = tmp_path / "asked.txt"
    file.write_text(content)

    ran = cub.run(*(str(file) if word == "FILE" else word for word in words.split()), "--space", "dev")

    assert ran.status == 1
    assert said.replace("FILE", str(file)) in ran.err
    assert [asked for asked in hub.asked if asked.method != "GET"] == []
