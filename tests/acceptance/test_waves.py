"""Deploying in waves as a person sees it: nothing anew that runs, and a tree where there is a terminal."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from contextlib import suppress

import pytest

from tests.acceptance.system import PROJECT, System

pytestmark = pytest.mark.acceptance


@pytest.mark.requirement("R-005")
def test_links_become_waves_in_the_order_of_dependency(dev: System) -> None:
    stages = json.loads(dev.must("ordered-apply", "dev", "--waves", "--explain", "--json").out)["stages"]

    wave = {unit["unit"]: stage["order"] for stage in stages for unit in stage["units"]}
    orders = {slug: int(unit["Labels"]["order"]) for slug, unit in dev.units().items() if "order" in unit["Labels"]}
    assert set(orders) <= set(wave)
    assert all(wave[need] < wave[unit["unit"]] for stage in stages for unit in stage["units"] for need in unit["needs"])
    assert (wave["namespace"], max(wave.values())) == (1, wave["ingress"])
    assert len(stages) < len(set(orders.values()))


def test_what_runs_is_shown_as_a_tree_on_a_terminal(dev: System) -> None:
    before = dev.units()
    ours, theirs = pty.openpty()
    environment = {**dev.environment(), "TERM": "xterm", "COLUMNS": "100", "LINES": "40", "PYTHONUTF8": "1"}
    words = [str(PROJECT / "bin" / "ordered-apply"), "dev", "--waves"]
    with os.fdopen(ours, "rb", buffering=0) as screen:
        try:
            process = subprocess.Popen(words, env=environment, stdout=theirs, stderr=theirs)
        finally:
            os.close(theirs)
        seen = b""
        try:
            # reading fails when nobody writes to the terminal any more
            with suppress(OSError):
                while part := screen.read(65_536):
                    seen += part
            code = process.wait(60)
        finally:
            process.kill()
            process.wait(60)

    assert code == 0
    last = seen.decode().rpartition("\x1b[J")[2]
    assert "├─ = wave 1: namespace (running already)" in last
    assert "└─ = wave" in last
    assert "All services deployed successfully in waves" in last
    assert dev.units() == before
