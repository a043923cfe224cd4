"""The second day of a project: back in time, drift, and everything lost, with what users type."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from confighub.runtime.client import RuntimeClient
from confighub.runtime.state import ObjectKey
from tests.acceptance.system import System, call, eventually
from tests.acceptance.trading import settled
from tests.hub.databases import is_on_postgresql

pytestmark = pytest.mark.acceptance

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


def is_live(system: System, slug: str) -> bool:
    """Tell whether the unit's head is what runs."""
    unit = system.unit(slug)
    return bool(unit["LiveRevisionNum"] == unit["HeadRevisionNum"])


def drill(system: System, kept: Path) -> dict[str, Any]:
    """Run the runbook on dev, with a hook for DNS and somebody to tell, and return its report."""
    sent = kept / "sent.json"
    hook = f"{sys.executable} -c \"import shutil; shutil.copy(r'{{file}}', r'{sent}'); print('INSYNC')\""
    with listening() as (url, told):
        report = json.loads(
            system.must("traderx", "disaster", "drill", "dev", "--dns-hook", hook, "--webhook", url, "--json").out
        )
    change = json.loads(sent.read_text())["Changes"][0]["ResourceRecordSet"]
    assert (change["Name"], change["Type"]) == ("traderx-dev.example.com.", "A")
    assert told[0]["labels"]["channel"] == "#incidents"
    return dict(report)


@contextmanager
def listening() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Give an address that takes alerts, and what it was sent."""
    told: list[dict[str, Any]] = []

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", told
    finally:
        server.shutdown()
        server.server_close()


def has_drift(system: System) -> list[dict[str, Any]]:
    answer = json.loads(system.run("drift-detector", "--space", "dev", "--once", "--dry-run", "--json").out)
    return list(answer["drift"])


@pytest.mark.skipif(is_on_postgresql(), reason="a hub on PostgreSQL is not lost with its folder")
@pytest.mark.requirement("R-204", "R-271", "R-277", "R-279", "R-280", "R-282", "R-283", "R-284", "R-285", "R-286")
@pytest.mark.requirement("R-290", "R-291", "R-297", "R-298", "R-299", "R-300", "R-301")
@pytest.mark.timeout(900)
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

    # backups are kept, and something is changed after the last one
    kept, history = system.data.parent / "kept", system.data.parent / "history"
    schedule = ("--every", "1h", "--data-every", "1s", "--git", str(history))
    system.must("traderx", "backup", str(kept), *schedule)
    image = ["set-image-reference", "--container-name", "people-service", "--image-reference", ":v1.1.0"]
    system.must("cub", "run", *image, "--space", system.space("dev"))
    eventually("v1.1.0 live", lambda: is_live(system, "people-service-deployment"))
    before = exports(system)

    # the hub and everything it knows is lost; what runs goes on
    end(system, "hub")
    shutil.rmtree(system.data / "hub")
    began = time.monotonic()
    system.must("traderx", "restore", str(kept))
    measured = {"hub lost": (time.monotonic() - began, "4 h")}
    assert "people-service:v1.1.0" in before["dev"]
    assert exports(system) == before
    told = system.must("traderx", "backup", "--git", str(history)).out
    assert "1 files changed" in told
    log = subprocess.run(["git", "-C", str(history), "log", "-p", "-1"], capture_output=True, text=True, check=True)
    assert re.search(r"    ConfigHub backup \d{8}\n", log.stdout)
    assert re.search(r"admin: \w+ dev/people-service-deployment", log.stdout)
    assert re.search(r"^\+ +image: .*people-service:v1\.1\.0$", log.stdout, re.MULTILINE)
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
    assert exports(system) == before
    assert system.status()["ready"]
    assert has_drift(system) == []
    ingress = system.status()["ingress"]
    order = {"symbol": "AAPL", "qty": 10, "side": "BUY", "accountId": 22214}
    order_id = call(f"{ingress}/api/trades/new", order)["id"]
    assert settled(ingress, order_id)

    assert "checks are well" in system.must("../monitor/check-health.sh", "dev").out
    written = system.must("../incidents/create-postmortem.sh", "dev", "--folder", str(kept)).out
    assert "| roll back: slow |" in Path(written.strip()).read_text()

    # the runbook, with everything that it measures, and all is as before
    end(system, "runtime")
    drilled = drill(system, kept)
    assert "does not answer" in drilled["steps"][0]["said"]
    assert {row["scenario"]: row["verdict"] for row in drilled["table"]} == {
        "single service failure": "met",
        "environment failure (dev)": "met",
        "environment failure (prod)": "not measured",
        "complete cluster failure": "met",
        "hub unavailable": "met",
        "data corruption": "met",
    }
    assert [step["name"] for step in drilled["steps"] if step["state"] == "skipped"] == ["Velero restore and describe"]
    assert system.status()["ingress"] == ingress
    assert has_drift(system) == []

    # destroyed only when that is said, and back from what it was
    assert system.run("traderx", "destroy", "dev", stdin="no\n").code == 1
    assert system.status()["ready"]
    system.must("traderx", "rebuild", "dev", "--yes")
    assert system.status()["ready"]
    assert settled(system.status()["ingress"], order_id)

    with capsys.disabled():
        print()
        print(
            "\n".join(
                f"{row['scenario']}: {row['rtoSeconds']} s, RPO {row['rpoSeconds']} s" for row in drilled["table"]
            )
        )
        for what, (seconds, target) in measured.items():
            print(f"\n{what}: back after {seconds:.1f} s (target {target})", end="")
