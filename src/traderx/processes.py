"""The project's background processes: started detached, found again, ended, and never mistaken.

``processes.json`` in the state folder keeps, for each name, how it is started and who it was last: process
id and start time, so that a reused id is not taken for ours. A name that was started once is known until
it is forgotten; ``ended`` means that a person ended it.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import psutil

from confighub.errors import ConfigHubError, Conflict
from traderx.project import read_json, replace_file

GRACE_S = 10.0
"""The runtime stops its own children in this time."""
_TOLERANCE_S = 0.05
_LOOK_S = 0.02
_LAST_LINES = 8


@dataclass(frozen=True)
class Known:
    """One process as it is kept on disk. ``pid`` 0 means that it does not run."""

    command: list[str]
    pid: int = 0
    started: float = 0.0
    environment: dict[str, str] = field(default_factory=dict)


class Processes:
    """The background processes of one state folder; ``grace_s`` is how long one may take to end by itself."""

    def __init__(self, folder: Path, *, grace_s: float = GRACE_S) -> None:
        self.folder, self.grace_s = folder, grace_s
        self.file = folder / "processes.json"
        self.logs = folder / "logs"

    def known(self) -> dict[str, Known]:
        """Return every process ever started here and not forgotten, in the order of the first start."""
        return {name: Known(**entry) for name, entry in read_json(self.file).items()}

    def is_alive(self, name: str) -> bool:
        """Tell whether the process of that name runs and is ours."""
        return self._process(self.known().get(name)) is not None

    def log(self, name: str) -> Path:
        """Return the file that takes what the process prints."""
        return self.logs / f"{name}.log"

    def last_lines(self, name: str, count: int = _LAST_LINES) -> list[str]:
        """Return the last lines that the process printed."""
        try:
            with self.log(name).open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - 16_384))
                return file.read().decode("utf-8", "replace").splitlines()[-count:]
        except FileNotFoundError:
            return []

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> bool:
        """Start the process unless it runs, and tell whether it was started.

        It is detached: its own session, nothing to read, its output in its log.
        ``environment`` is added to ours and kept in the file, so it must hold no secret.
        """
        with self._locked():
            if self.is_alive(name):
                return False
            self.logs.mkdir(parents=True, exist_ok=True)
            pid = _spawn(command, {**os.environ, **(environment or {})}, self.log(name))
            started = _start_time(pid) or time.time()
            self._keep(name, Known(list(command), pid, started, dict(environment or {})))
        return True

    def start_again(self, name: str) -> bool:
        """Start a known process as it was started last, unless it runs; tell whether it was started."""
        known = self.known().get(name)
        return known is not None and self.start(name, known.command, known.environment)

    def stop_all(self, names: Sequence[str]) -> list[str]:
        """End the named processes together, and verify that they and all that they started are gone.

        Returns a line for each that had to be killed. Raises: ConfigHubError when one survives even that.
        """
        found = {name: self._process(known) for name, known in self.known().items() if name in names}
        running = {name: process for name, process in found.items() if process is not None}
        families = {name: [process, *_descendants(process)] for name, process in running.items()}
        for process in running.values():
            _signal(process, signal.SIGTERM)
        _wait_ended(running.values(), self.grace_s)
        killed = []
        for name, family in families.items():
            # what the process started may need a moment to notice that it is gone
            _wait_ended(family[1:], self.grace_s / 2)
            for one in filter(_runs, family):
                killed.append(f"{name}: process {one.pid} did not end by itself and was killed")
                end_at_once(one, what=name)
        for name in names:
            self._note_end(name)
        return killed

    def forget(self, name: str) -> None:
        """Remove the process from the file; it is not started again."""
        with self._locked():
            every = self.known()
            every.pop(name, None)
            self._write(every)

    def _note_end(self, name: str) -> None:
        with self._locked():
            every = self.known()
            if name in every:
                every[name] = replace(every[name], pid=0, started=0.0)
                self._write(every)

    def _process(self, known: Known | None) -> psutil.Process | None:
        if known is None or not known.pid:
            return None
        started = _start_time(known.pid)
        if started is None or abs(started - known.started) > _TOLERANCE_S:
            return None
        try:
            process = psutil.Process(known.pid)
            return process if _runs(process) else None
        except psutil.NoSuchProcess:
            return None

    def _keep(self, name: str, known: Known) -> None:
        self._write({**self.known(), name: known})

    def _write(self, every: Mapping[str, Known]) -> None:
        replace_file(self.file, json.dumps({name: asdict(one) for name, one in every.items()}, indent=2) + "\n")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep two commands from starting the same process."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "processes.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def holder_of(port: int) -> str:
    """Return who listens on the TCP port, in words; empty when nobody can be seen to."""
    for connection in psutil.net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port:
            if connection.pid is None:
                return "a process of another user"
            try:
                return f"process {connection.pid} ({' '.join(psutil.Process(connection.pid).cmdline()[:4])})"
            except psutil.Error:
                return f"process {connection.pid}"
    return ""


def refuse_taken(port: int, *, what: str, hint: str) -> None:
    """Return when nobody listens on the port. Raises: Conflict, naming the holder."""
    holder = holder_of(port)
    if holder:
        raise Conflict(f"port {port}, which {what} needs, is in use by {holder}", hint=hint)


def strays(folder: Path) -> list[psutil.Process]:
    """Return the hubs, runtimes and workers that run on something in the folder; never people's own programs."""
    inside = f"{folder.absolute()}/"
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        is_ours = any(Path(word).name in ("confighub", "cub") for word in words[:2])
        if is_ours and {"serve", "runtime", "run"} & set(words) and any(word.startswith(inside) for word in words):
            found.append(process)
    return [process for process in found if _runs(process)]


def end_at_once(process: psutil.Process, *, what: str) -> None:
    """Kill the process and see that it is gone. Raises: ConfigHubError when it is not."""
    _signal(process, signal.SIGKILL)
    _wait_ended([process], GRACE_S)
    if _runs(process):
        raise ConfigHubError(f"process {process.pid} of {what} cannot be ended", hint=f"see: ps -p {process.pid}")


def _spawn(command: Sequence[str], environment: Mapping[str, str], log: Path) -> int:
    """Start a process in a session of its own, so that ending ours, or its terminal, does not end it."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    return os.posix_spawn(command[0], list(command), dict(environment), file_actions=actions, setsid=True)


def _start_time(pid: int) -> float | None:
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return None


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _wait_ended(processes: Iterable[psutil.Process], limit_s: float) -> None:
    """Return when all have ended, or after the limit.

    Not by psutil: that waits until nobody knows the process any more, and in a container the first process may take
    seconds to bury orphans, or never do it.
    """
    left, deadline = list(processes), time.monotonic() + limit_s
    while (left := list(filter(_runs, left))) and time.monotonic() < deadline:
        time.sleep(_LOOK_S)


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
