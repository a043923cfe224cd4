"""Processes that cannot outlive the daemon, and the list of them that survives it.

Every process leads a session of its own, so that it ends with all it has started. On Linux the kernel
ends it when the daemon dies; elsewhere, and for what it left behind, the next daemon finds process
numbers and start times on disk and ends exactly those.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec
import psutil

from confighub.runtime import files, logs

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_START_TIME_TOLERANCE_S = 0.05  # the clock ticks of /proc are 10 ms
_LONGEST_END_S = 5.0


class Entry(msgspec.Struct, frozen=True):
    """One process on disk: number and start time together name it for good."""

    pid: int
    started_at: float
    name: str = ""


class Process:
    """One running program. ``ended`` is set once ``exit_code`` is known (negative: killed by that signal).

    ``was_killed`` tells that it was killed from here.
    """

    def __init__(self, child: subprocess.Popen[bytes], on_end: Callable[[Process], None]) -> None:
        self.pid = child.pid
        self.ended = asyncio.Event()
        self.exit_code: int | None = None
        self.was_killed = False
        self._child = child
        self._on_end = on_end
        self._watch()

    async def stop(self, grace_s: float) -> None:
        """End the program and its whole session: politely, after the grace by force."""
        self.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(grace_s):
                await self.ended.wait()
        except TimeoutError:
            self.was_killed = True
            self.signal(signal.SIGKILL)
            await self.ended.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program and everything in its group."""
        if not self.ended.is_set():
            _signal_group(self.pid, number)

    def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        if hasattr(os, "pidfd_open"):
            descriptor = os.pidfd_open(self.pid)
            loop.add_reader(descriptor, self._reap, loop, descriptor)
        else:
            waiting = loop.run_in_executor(None, self._child.wait)
            waiting.add_done_callback(lambda _: self._finish())

    def _reap(self, loop: asyncio.AbstractEventLoop, descriptor: int) -> None:
        loop.remove_reader(descriptor)
        os.close(descriptor)
        self._finish()

    def _finish(self) -> None:
        self.exit_code = self._child.wait()
        # What it started may still be there: the group keeps the leader's number after the leader is gone.
        _signal_group(self.pid, signal.SIGKILL)
        self.ended.set()
        self._on_end(self)


class Supervisor:
    """Starts processes and remembers them in ``processes.json``."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "processes.json"
        self._running: dict[int, Entry] = {}

    def end_leftovers(self) -> list[Entry]:
        """End what an earlier daemon left running; return those that were still there."""
        if not self._path.exists():
            return []
        found = []
        for entry in msgspec.json.decode(self._path.read_bytes(), type=list[Entry]):
            if _is_same(entry):
                found.append(entry)
            elif psutil.pid_exists(entry.pid):
                continue  # the number has a new owner, who has nothing to do with us
            _signal_group(entry.pid, signal.SIGKILL)
        for entry in found:
            _wait_gone(entry.pid)
        self._save()
        return found

    def start(self, command: Sequence[str], *, env: Mapping[str, str], folder: Path, log: Path, name: str) -> Process:
        """Start a program that writes to the log. Raises OSError when it cannot be started."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            child = subprocess.Popen(
                list(command),
                env=dict(env),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent(),
            )
        logs.note(log, f"started {name} as pid {child.pid}: {' '.join(command)}")
        self._running[child.pid] = Entry(child.pid, _start_time(child.pid), name)
        self._save()
        return Process(child, self._ended)

    def _ended(self, process: Process) -> None:
        self._running.pop(process.pid, None)
        self._save()

    def _save(self) -> None:
        files.replace(self._path, msgspec.json.encode(list(self._running.values())), synced=False)


def _die_with_parent() -> Callable[[], None] | None:
    """Return what the child does before it becomes the program: ask the kernel to end it with us."""
    if sys.platform != "linux":
        return None
    parent, prctl = os.getpid(), ctypes.CDLL(None).prctl

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the daemon died before the request counted
            os._exit(1)

    return ask


def _signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return  # all gone, or what is left belongs to somebody else by now


def _start_time(pid: int) -> float:
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return 0.0


def _is_same(entry: Entry) -> bool:
    return abs(_start_time(entry.pid) - entry.started_at) < _START_TIME_TOLERANCE_S


def _wait_gone(pid: int) -> None:
    """Wait until the process holds nothing any more; a zombie only waits for its parent to notice."""
    deadline = time.monotonic() + _LONGEST_END_S
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return
        except psutil.NoSuchProcess:
            return
        time.sleep(0.01)
