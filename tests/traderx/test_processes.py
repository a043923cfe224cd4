"""Background processes are started once, found again, told apart from strangers, and ended with proof."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from confighub.errors import Conflict
from traderx.processes import Processes, end_at_once, holder_of, refuse_taken, strays

SLEEP = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)",
]


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    made = Processes(tmp_path, grace_s=2.0)
    yield made
    made.stop_all(list(made.known()))


def pid_of(processes: Processes, name: str) -> int:
    return processes.known()[name].pid


def until(is_done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_done():
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.01)


def test_a_process_is_started_once(processes: Processes) -> None:
    first = processes.start("hub", SLEEP)
    again = processes.start("hub", SLEEP)

    assert (first, again, processes.is_alive("hub")) == (True, False, True)


def test_it_lives_in_a_session_of_its_own_and_prints_into_its_log(processes: Processes) -> None:
    processes.start("hub", SLEEP)
    until(lambda: processes.last_lines("hub") == ["here"])

    assert os.getsid(pid_of(processes, "hub")) != os.getsid(0)


def test_another_start_finds_it_again(processes: Processes, tmp_path: Path) -> None:
    processes.start("hub", SLEEP)

    assert Processes(tmp_path).is_alive("hub")


def test_a_killed_process_is_known_to_be_dead_and_can_be_started_again(processes: Processes) -> None:
    processes.start("hub", SLEEP)
    first = pid_of(processes, "hub")
    os.kill(first, signal.SIGKILL)
    until(lambda: not processes.is_alive("hub"))

    assert processes.start_again("hub")
    assert processes.is_alive("hub")
    assert pid_of(processes, "hub") != first


def test_a_stranger_with_the_same_id_is_not_taken_for_ours(processes: Processes, tmp_path: Path) -> None:
    entry = {"command": SLEEP, "pid": os.getpid(), "started": 1.0, "environment": {}}
    (tmp_path / "processes.json").write_text(json.dumps({"hub": entry}))

    assert not processes.is_alive("hub")
    assert processes.stop_all(["hub"]) == []


def test_stopping_ends_it_and_keeps_how_it_is_started(processes: Processes) -> None:
    processes.start("hub", SLEEP, {"COLOUR": "green"})
    process = psutil.Process(pid_of(processes, "hub"))

    killed = processes.stop_all(["hub"])

    assert killed == []
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    assert processes.known()["hub"].pid == 0
    assert processes.known()["hub"].environment == {"COLOUR": "green"}


def test_one_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    processes = Processes(tmp_path, grace_s=0.5)
    processes.start("hub", STUBBORN)
    until(lambda: processes.last_lines("hub") == ["deaf"])
    process = psutil.Process(pid_of(processes, "hub"))

    processes.stop_all(["hub"])

    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_a_taken_port_is_reported_with_its_holder() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(Conflict, match=f"port {port}, which the hub needs, is in use by process {os.getpid()}"):
            refuse_taken(port, what="the hub", hint="end it")

    assert holder_of(port) == ""


def test_a_forgotten_process_is_not_started_again(processes: Processes) -> None:
    processes.start("hub", SLEEP)
    processes.stop_all(["hub"])
    processes.forget("hub")

    assert not processes.start_again("hub")


def test_what_a_process_started_ends_with_it(processes: Processes) -> None:
    parent = f"import subprocess, sys, time; subprocess.Popen({SLEEP!r}); time.sleep(60)"
    processes.start("runtime", [sys.executable, "-c", parent])
    process = psutil.Process(pid_of(processes, "runtime"))
    until(lambda: len(process.children()) == 1)
    (child,) = process.children()

    killed = processes.stop_all(["runtime"])

    assert killed == [f"runtime: process {child.pid} did not end by itself and was killed"]
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


@pytest.mark.timeout(60)
def test_one_that_nobody_buries_has_ended_all_the_same(tmp_path: Path) -> None:
    careless = (
        "import time; from pathlib import Path; from traderx.processes import Processes; "
        f"Processes(Path({str(tmp_path)!r})).start('hub', {SLEEP!r}); time.sleep(600)"
    )
    processes = Processes(tmp_path, grace_s=600)
    with subprocess.Popen([sys.executable, "-c", careless]) as parent:
        try:
            until(lambda: "hub" in processes.known())
            process = psutil.Process(pid_of(processes, "hub"))

            killed = processes.stop_all(["hub"])

            assert killed == []
            assert process.status() == psutil.STATUS_ZOMBIE
        finally:
            parent.kill()


def test_a_program_on_our_folder_that_nobody_keeps_is_found(processes: Processes, tmp_path: Path) -> None:
    program = tmp_path / "confighub"
    program.write_text("import time; time.sleep(60)")
    processes.start("editor", [*SLEEP, str(tmp_path / "hub" / "notes")])
    processes.start("hub", [sys.executable, str(program), "serve", "--data", str(tmp_path / "hub")])
    pid, editor = pid_of(processes, "hub"), psutil.Process(pid_of(processes, "editor"))
    (tmp_path / "processes.json").unlink()

    (found,) = strays(tmp_path)

    assert found.pid == pid
    end_at_once(found, what="a test")
    assert strays(tmp_path) == []
    assert editor.is_running()
    end_at_once(editor, what="a test")
