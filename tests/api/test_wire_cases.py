"""What the public client was seen to send, and what it must be answered: one case file a command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.api.cases import prepared, replay
from tests.api.running import HubProcess

CASES = sorted((Path(__file__).parent.parent / "cases/wire").glob("*.json"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_public_client_is_answered(either_hub: HubProcess, path: Path) -> None:
    case = json.loads(path.read_text())

    with prepared(either_hub, case["given"]) as names:
        replay(either_hub, case, names)


def test_every_observed_command_has_its_case(shared: Path) -> None:
    text = (shared / "spec/cases-observed.md").read_text()
    observed = [line.strip("# `").strip() for line in text.splitlines() if line.startswith("### `")]

    assert len(CASES) == len(observed)
