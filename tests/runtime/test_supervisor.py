"""Processes end with everything they started."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from confighub.runtime.supervisor import Process, Supervisor

PARENT = (
    "import subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    "print(child.pid, flush=True)\n"
)


def run(tmp_path: Path, code: str) -> Process:
    return Supervisor(tmp_path).start(
        [sys.executable, "-c", code], env=dict(os.environ), folder=tmp_path, log=tmp_path / "out.log", name="test"
    )


def finished(scenario: Coroutine[Any, Any, int | None]) -> int | None:
    """Return what the scenario does, which has 20 seconds."""

    async def bounded() -> int | None:
        async with asyncio.timeout(20):
            return await scenario

    return asyncio.run(bounded())


async def eventually(condition: Callable[[], int | bool]) -> int:
    """Return the first true answer; whoever waits has a deadline."""
    while not (found := condition()):  # noqa: ASYNC110  (another process cannot set an event of ours)
        await asyncio.sleep(0.01)
    return int(found)


def printed_pid(log: Path) -> int:
    return next((int(line) for line in log.read_text().splitlines() if line.isdigit()), 0)


def is_gone(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    return not status.exists() or "\nState:\tZ" in status.read_text()


def test_stopping_ends_the_children_too(tmp_path: Path) -> None:
    async def scenario() -> int | None:
        process = run(tmp_path, PARENT + "time.sleep(600)")
        child = await eventually(lambda: printed_pid(tmp_path / "out.log"))
        await process.stop(grace_s=5)
        await eventually(lambda: is_gone(child))
        return process.exit_code

    assert finished(scenario()) == -15


def test_a_program_that_ends_takes_its_children_with_it(tmp_path: Path) -> None:
    async def scenario() -> int | None:
        process = run(tmp_path, PARENT + "sys.exit(4)")
        await process.ended.wait()
        await eventually(lambda: is_gone(printed_pid(tmp_path / "out.log")))
        return process.exit_code

    assert finished(scenario()) == 4


def test_a_program_that_ignores_the_request_is_ended_by_force(tmp_path: Path) -> None:
    async def scenario() -> int | None:
        deaf = "import os, signal, time; signal.signal(15, signal.SIG_IGN); print(os.getpid(), flush=True); "
        process = run(tmp_path, deaf + "time.sleep(600)")
        await eventually(lambda: printed_pid(tmp_path / "out.log"))
        await process.stop(grace_s=0.05)
        return process.exit_code

    assert finished(scenario()) == -9


def test_a_program_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    async def scenario() -> None:
        Supervisor(tmp_path).start(["/no/such/program"], env={}, folder=tmp_path, log=tmp_path / "out.log", name="x")

    with pytest.raises(FileNotFoundError):
        finished(scenario())
