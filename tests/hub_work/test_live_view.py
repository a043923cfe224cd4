from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from confighub.hub.domain.live_view import live_status

CASES = json.loads((Path(__file__).parent.parent / "cases/live_view/cases.json").read_text())


def described(case: dict[str, Any]) -> str:
    return str(case["description"])


@pytest.mark.requirement("R-142")
@pytest.mark.parametrize("case", CASES, ids=described)
def test_live_state_is_shown_as_the_seed_shows_it(case: dict[str, Any]) -> None:
    found = live_status(json.dumps(case["objects"]).encode(), revision_num=7)

    assert found.status == case["status"]
    # The order of the seed's JSON: wanted, ready, updated.
    assert [found.replicas, found.ready_replicas, found.updated_replicas] == case["replicas"]
    assert case.get("message", "") in found.message
    assert [[c.type, c.status, c.reason] for c in found.conditions] == case.get("conditions", [])
    assert [[a.kind, a.name, a.host, a.port] for a in found.addresses] == case.get("addresses", [])
    assert found.revision_num == 7


def test_a_ready_unit_has_nothing_to_explain() -> None:
    ready = next(case for case in CASES if case["description"] == "a deployment that is ready")

    assert live_status(json.dumps(ready["objects"]).encode()).message == ""


@pytest.mark.parametrize("case", CASES, ids=described)
def test_yaml_documents_and_a_list_say_the_same_as_json(case: dict[str, Any]) -> None:
    objects = case["objects"]

    expected = live_status(json.dumps(objects).encode())
    assert live_status(yaml.safe_dump_all(objects).encode()) == expected
    assert live_status(json.dumps({"kind": "List", "items": objects}).encode()) == expected


@pytest.mark.parametrize("blob", [b"{", b"just text", b"[1, 2]", b"a: [", b"\xff\x00"])
def test_what_cannot_be_read_is_degraded_and_says_so(blob: bytes) -> None:
    found = live_status(blob)

    assert found.status == "Degraded"
    assert "unreadable" in found.message


def test_an_ingress_that_no_controller_of_its_class_can_serve_is_as_accepted_as_it_will_be() -> None:
    accepted = {"type": "Accepted", "status": "True", "reason": "NoController", "message": "served by nobody"}
    ingress = {"kind": "Ingress", "metadata": {"name": "way-in"}, "status": {"conditions": [accepted]}}

    found = live_status(json.dumps([ingress]).encode())

    assert found.status == "Running"
    assert found.message == "Ingress/way-in: served by nobody"
