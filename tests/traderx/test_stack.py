"""The project's own hub: started on first use, logged in to, started again when dead, ended."""

from __future__ import annotations

import os
import signal
import socket
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from confighub.errors import Conflict
from traderx.project import find_project, replace_file
from traderx.stack import HUB, Stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack with its hub running; tests leave it running."""
    made = Stack(find_project(str(tmp_path_factory.mktemp("stack")), environ={}), print)
    made.client()
    yield made
    made.stop()


def hub_pid(stack: Stack) -> int:
    return stack.processes.known()[HUB].pid


def test_the_client_is_logged_in_as_the_first_user(stack: Stack) -> None:
    assert stack.client().me()["Username"] == "admin"


def test_the_login_is_for_its_owner_only(stack: Stack) -> None:
    for name in ("session.json", "testusers.csv"):
        assert stat.S_IMODE((stack.project.login_folder / name).stat().st_mode) == 0o600


def test_a_hub_that_runs_is_left_alone(stack: Stack) -> None:
    before = hub_pid(stack)
    said: list[str] = []

    Stack(stack.project, said.append).client()

    assert hub_pid(stack) == before
    assert said == []


def test_a_killed_hub_is_started_again_at_the_same_address_with_its_data(stack: Stack) -> None:
    before, url = hub_pid(stack), stack.client().transport.url
    space = stack.client().spaces.create({"Slug": "kept"})
    os.kill(before, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(before)] if psutil.pid_exists(before) else [], timeout=20)

    client = stack.client()

    assert hub_pid(stack) != before
    assert client.transport.url == url
    assert client.space_id("kept") == space["SpaceID"]


def test_a_taken_port_is_told_with_its_holder(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        stack = Stack(find_project(str(tmp_path), environ={}), print)
        replace_file(tmp_path / "ports.json", f'{{"hub": {port}}}')

        with pytest.raises(Conflict, match=f"port {port}, which the hub needs, is in use by process {os.getpid()}"):
            stack.client()

    assert not stack.processes.is_alive(HUB)


def test_stopping_leaves_no_process_and_says_what_ran(tmp_path: Path) -> None:
    stack = Stack(find_project(str(tmp_path), environ={}), print)
    stack.client()
    process = psutil.Process(hub_pid(stack))

    ended = stack.stop()

    assert ended == [HUB]
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    assert stack.stop() == []


def test_two_projects_brought_up_at_once_take_two_ports(tmp_path: Path) -> None:
    stacks = [Stack(find_project(str(tmp_path / name), environ={}), print) for name in ("one", "other")]
    try:
        with ThreadPoolExecutor(len(stacks)) as pool:
            clients = list(pool.map(Stack.client, stacks))

        assert len({client.transport.url for client in clients}) == len(stacks)
        assert [client.me()["Username"] for client in clients] == ["admin", "admin"]
    finally:
        for stack in stacks:
            stack.stop()
