"""What no unit may hold: the line that a person reads, with its place, and never the secret."""

from __future__ import annotations

from typing import Any

import pytest

from confighub.errors import BadRequest
from confighub.functions import gates
from confighub.functions.refusals import refuse
from tests.data.reading_cases import cases

CASES = cases("refusals")
REFUSED = [(name, case) for name, case in CASES if "error" in case]
ALLOWED = [(name, case) for name, case in CASES if "error" not in case]

WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
        - name: web
          image: example/web:v1
"""


@pytest.mark.requirement("R-243", "R-245")
@pytest.mark.parametrize("case", [case for _, case in REFUSED], ids=[name for name, _ in REFUSED])
def test_a_text_is_refused_with_its_place_and_the_way_out(case: dict[str, Any]) -> None:
    with pytest.raises(BadRequest) as refusal:
        refuse(case["text"])

    if case.get("begins"):
        assert case["error"] in str(refusal.value)
    else:
        assert str(refusal.value) == case["error"]
    assert case.get("hides", "\0") not in str(refusal.value)


@pytest.mark.requirement("R-244", "R-247")
@pytest.mark.parametrize("case", [case for _, case in ALLOWED], ids=[name for name, _ in ALLOWED])
def test_a_text_that_names_its_secrets_is_taken(case: dict[str, Any]) -> None:
    refuse(case["text"])


@pytest.mark.parametrize(
    ("old", "new", "environment", "gate"),
    [
        ("name: web\nspec", "name: confighubplaceholder\nspec", "dev", gates.PLACEHOLDERS),
        ("selector:", "replica: 3\n  selector:", "dev", gates.SCHEMA),
        ("image: example/web:v1", "image: [x]", "dev", gates.SCHEMA),
        ("web:v1", "web:latest", "prod", gates.LATEST_TAG),
        ("web:v1", "web", "prod", gates.LATEST_TAG),
    ],
)
def test_a_gate_closes_for_what_it_watches_and_only_it(old: str, new: str, environment: str, gate: str) -> None:
    assert old in WEB

    closed = gates.closed(WEB.replace(old, new), environment=environment, approved=True)

    assert {name for name, is_closed in closed.items() if is_closed} == {gate}


def test_only_prod_asks_for_an_approval_and_a_fixed_tag() -> None:
    text = WEB.replace("web:v1", "web:latest")

    assert not any(gates.closed(text, environment="dev", approved=False).values())
    assert gates.closed(text, environment="prod", approved=False)[gates.APPROVAL]
