"""The second day of a project: back in time, drift, and everything lost, with what users type."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from confighub.runtime.client import RuntimeClient
from confighub.runtime.state import ObjectKey
from tests.acceptance.system import System, call, eventually
from tests.acceptance.trading import settled
from tests.hub.databases import is_on_postgresql

UNIT = "trade-service-deployment"
STAGES = ("base", "dev", "staging", "prod")


def change_live(system: System, name: str, patch: dict[str, Any]) -> None:
    """Change a Deployment past the hub, as somebody with access to the place would."""

    async def call() -> None:
        async with RuntimeClient(system.data / "runtime") as client:
            await client.patch("dev", ObjectKey("apps", "Deployment", "traderx-dev", name), patch)

    asyncio.run(call())


def end(system: System, process: str) -> None:
    """Kill one of the project's processes as a power cut would, and wait until it is gone."""
    pid = json.loads((system.data / "processes.json").read_text())[process]["pid"]
    os.kill(pid, signal.SIGKILL)
    eventually(f"{process} gone", lambda: not Path(f"/proc/{pid}/cmdline").exists() or not cmdline(pid))


def cmdline(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def exports(system: System) -> dict[str, str]:
    """Return every space's units as they are exported."""
    return {
        stage: system.must("cub", "unit", "export", "--space", system.space(stage), "--format", "yaml").out
        for stage in STAGES
    }


def has_drift(system: System) -> list[dict[str, Any]]:
    answer = json.loads(system.run("drift-detector", "--space", "dev", "--once", "--dry-run", "--json").out)
    return list(answer["drift"])


@pytest.mark.skipif(is_on_postgresql(), reason="a hub on PostgreSQL is not lost with its folder")
@pytest.mark.requirement("R-204", "R-271", "R-277", "R-280", "R-283", "R-285", "R-286", "R-297", "R-300", "R-301")
def test_a_project_goes_back_is_corrected_and_comes_back_from_nothing(
    new_system: Callable[[], System], capsys: pytest.CaptureFixture[str]
) -> None:
    system = new_system()
    system.must("up")

    # a release that turns out bad is taken back, and stays out
    moment = datetime.now(UTC).isoformat()
    image = ["set-image-reference", "--container-name", "trade-service", "--image-reference", ":v1.1.0"]
    system.must("cub", "run", *image, "--space", system.space("dev"))
    eventually("v1.1.0 live", lambda: system.unit(UNIT)["LiveRevisionNum"] == system.unit(UNIT)["HeadRevisionNum"])
    bad = system.unit(UNIT)["LiveRevisionNum"]
    went = json.loads(system.must("traderx", "rewind", "dev", "--to", moment, "--reason", "slow", "--json").out)
    assert [(one["unit"], one["quarantined"]) for one in went["units"] if one["newHead"]] == [(UNIT, [bad])]
    assert went["done"]
    again = ["unit", "apply", UNIT, "--space", system.space("dev"), "--revision", str(bad), "--dry-run"]
    refused = system.run("cub", *again)
    assert refused.code == 1
    assert "quarantine" in refused.text
    system.must("cub", *again, "--despite-quarantine", "a rehearsal")

    # somebody scales a service by hand
    change_live(system, "trade-service", {"spec": {"replicas": 3}})
    eventually("drift seen", lambda: has_drift(system))
    fixed = json.loads(
        system.must("drift-detector", "--sets", "critical-services", "--space", "dev", "--once", "--json").out
    )
    assert [(one["unit"], one["action"], one["risk"]) for one in fixed["drift"]] == [(UNIT, "corrected", "LOW")]

    # the hub and everything it knows is lost; what runs goes on
    before = exports(system)
    system.must("traderx", "backup", str(system.data / "kept"))
    end(system, "hub")
    shutil.rmtree(system.data / "hub")
    began = time.monotonic()
    system.must("traderx", "restore", str(system.data / "kept"))
    measured = {"hub lost": (time.monotonic() - began, "4 h")}
    assert exports(system) == before
    assert has_drift(system) == []
    assert "intact" in system.must("cub", "audit", "verify").text
    assert system.status()["ready"]

    assert "all 5 checks are well" in system.must("../test/verify-data-integrity.sh", "dev").out

    # the environment and everything that ran in it is lost
    end(system, "runtime")
    shutil.rmtree(system.data / "runtime")
    began = time.monotonic()
    system.must("setup-worker", "dev")
    eventually("loss seen", lambda: not system.status()["ready"])
    assert system.run("../monitor/check-health.sh", "dev").code == 1
    system.must("apply-all", "dev")
    measured["dev lost"] = (time.monotonic() - began, "5 min")
    assert system.status()["ready"]
    assert has_drift(system) == []
    ingress = system.status()["ingress"]
    order = {"symbol": "AAPL", "qty": 10, "side": "BUY", "accountId": 22214}
    assert settled(ingress, call(f"{ingress}/api/trades/new", order)["id"])

    assert "checks are well" in system.must("../monitor/check-health.sh", "dev").out
    written = system.must("../incidents/create-postmortem.sh", "dev", "--folder", str(system.data / "kept")).out
    assert "| roll back: slow |" in Path(written.strip()).read_text()

    with capsys.disabled():
        for what, (seconds, target) in measured.items():
            print(f"\n{what}: back after {seconds:.1f} s (target {target})", end="")
