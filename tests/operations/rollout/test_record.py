"""Who may go on with a rollout."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time

import psutil

from confighub.operations.rollout.record import SILENT_S, Owner


def owner(pid: int, *, started: float, host: str = "", seen: float = 0.0) -> Owner:
    return Owner(host or socket.gethostname(), pid, started, seen or time.time())


def test_a_process_that_runs_keeps_its_rollout_however_long_it_is_silent() -> None:
    mine = owner(os.getpid(), started=psutil.Process().create_time(), seen=1.0)

    assert not mine.is_gone(time.time())


def test_a_process_that_has_ended_loses_it_at_once_also_when_its_number_is_taken_again() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()

    assert owner(ended.pid, started=time.time()).is_gone(time.time())
    assert owner(os.getpid(), started=psutil.Process().create_time() - 1000).is_gone(time.time())


def test_a_process_on_another_machine_loses_it_by_silence() -> None:
    elsewhere = owner(1, started=1.0, host="elsewhere", seen=1_000.0)

    assert not elsewhere.is_gone(1_000.0 + SILENT_S / 2)
    assert elsewhere.is_gone(1_000.0 + SILENT_S * 2)
