"""A new image goes from dev to prod; what prod decided for itself stays."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import pytest

from tests.acceptance.system import System, call, eventually
from tests.acceptance.trading import settled

pytestmark = pytest.mark.acceptance

UNIT = "trade-service-deployment"


def text_of(system: System, environment: str) -> list[str]:
    return base64.b64decode(system.unit(UNIT, environment)["Data"]).decode().splitlines()


def changed(before: list[str], after: list[str]) -> list[tuple[str, str]]:
    """The lines that differ; both texts must have as many."""
    assert len(before) == len(after)
    return [(old, new) for old, new in zip(before, after, strict=True) if old != new]


@pytest.mark.requirement("R-003", "R-029", "R-030", "R-136", "R-210", "R-222", "R-248", "R-249", "R-269", "R-326")
def test_an_image_is_promoted_from_dev_to_prod_and_all_three_serve(new_system: Callable[[], System]) -> None:
    system = new_system()
    system.must("up")
    before = {environment: text_of(system, environment) for environment in ("dev", "staging", "prod")}
    assert "  replicas: 3" in [line.split("#")[0].rstrip() for line in before["prod"]]

    system.must(
        *("cub", "run", "set-image-reference", "--container-name", "trade-service"),
        *("--image-reference", ":v1.1.0", "--space", system.space("dev"), "--unit", UNIT),
    )
    system.must("promote", "dev", "staging")
    system.must("promote", "staging", "prod")

    for environment, old in before.items():
        (line,) = changed(old, text_of(system, environment))
        assert line[0].replace(":v1.0.0", ":v1.1.0") == line[1]

    system.must("setup-worker", "staging")
    system.must("ordered-apply", "staging", timeout_s=400)
    guarded = system.run("setup-worker", "prod")
    assert guarded.code == 0, guarded.text
    guarded = system.run("ordered-apply", "prod")
    assert guarded.code == 1
    assert "--approve" in guarded.text
    assert all(unit["LiveRevisionNum"] == 0 for unit in system.units("prod").values())
    system.must("ordered-apply", "prod", "--approve", timeout_s=600)

    for environment, replicas in (("dev", 1), ("staging", None), ("prod", 3)):
        assert eventually(f"{environment} ready", lambda name=environment: system.status(name)["ready"])  # type: ignore[misc]
        live = json.loads(
            system.must("cub", "unit", "get-live-state", "trade-service", "--space", system.space(environment)).out
        )
        assert replicas is None or live["ReadyReplicas"] == replicas
        ingress = system.status(environment)["ingress"]
        order_id = f"promoted-{environment}"
        call(
            f"{ingress}/api/trades/new", {"id": order_id, "symbol": "IBM", "qty": 1, "side": "BUY", "accountId": 22214}
        )
        settled(ingress, order_id)

    story = system.must("cub", "unit", "revision", "list", "trade-service", "--space", system.space("prod")).out
    numbers = [int(row.split()[0]) for row in story.splitlines()[1:] if row.strip()]
    assert numbers == sorted(numbers, reverse=True)
    assert numbers[-1] == 1
    assert "v1.1.0" in story or "pgrade" in story
