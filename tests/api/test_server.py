"""The ``confighub`` program: users, tokens, start, end, and what it costs to keep it running."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.api.running import HubProcess, basic
from tests.hub.databases import database_for

TOO_LONG = ".".join(["a" * 60] * 5)
"""A host's name of more than 255 characters: refused on this machine, without a question to DNS."""

MEMORY_LIMIT_KIB = 150 * 1024
"""What an idle hub may hold: the design's figure for its whole process tree."""


def confighub(*arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run the program to its end, on the database that the run is about."""
    command = [sys.executable, "-m", "confighub.server", *arguments]
    environ = dict(os.environ)
    if "--data" in arguments:
        environ["CONFIGHUB_DATABASE_URL"] = database_for(Path(arguments[arguments.index("--data") + 1]))
    return subprocess.run(command, input=typed, capture_output=True, text=True, timeout=120, check=False, env=environ)


def test_users_and_tokens_are_managed_while_the_hub_serves(hub_process: HubProcess) -> None:
    data = str(hub_process.folder)

    added = confighub("user", "add", "bob", "--password-stdin", "--role", "viewer", "--data", data, typed="first\n")
    assert added.returncode == 0, added.stderr
    assert hub_process.request("GET", "/api/me", authorization=basic("bob", "first")).json["Username"] == "bob"

    confighub("user", "add", "bob", "--password-stdin", "--data", data, typed="second\n")
    assert hub_process.request("GET", "/api/me", authorization=basic("bob", "first")).status == 401
    assert hub_process.request("GET", "/api/me", authorization=basic("bob", "second")).status == 200
    assert "bob" in confighub("user", "list", "--data", data).stdout

    token = confighub("token", "create", "bob", "--name", "ci", "--data", data).stdout.strip()
    bearer = f"Bearer {token}"
    assert hub_process.request("GET", "/api/me", authorization=bearer).json["Username"] == "bob"
    assert hub_process.request("POST", "/api/space", body={"Slug": "x"}, authorization=bearer).status == 403

    listed = confighub("token", "list", "--data", data).stdout
    assert token not in listed
    token_id = next(line.split("\t")[0] for line in listed.splitlines() if "\tci\t" in line)
    assert confighub("token", "revoke", token_id, "--data", data).returncode == 0
    assert hub_process.request("GET", "/api/me", authorization=bearer).status == 401
    assert confighub("token", "revoke", token_id, "--data", data).returncode == 1


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://hub:secret-word@127.0.0.1:1/hub", "port 1 failed: Connection refused"),
        (f"postgresql+psycopg://hub:secret-word@{TOO_LONG}/hub", f"failed to resolve host '{TOO_LONG}'"),
        ("mysql://hub:secret-word@127.0.0.1/hub", "SQLite or PostgreSQL, not in mysql"),
        ("hub:secret-word", "the database's URL cannot be read"),
        ("postgresql://hub:secret-word@127.0.0.1:PORT/hub", "the database's URL cannot be read"),
    ],
)
def test_a_database_that_cannot_be_had_is_told_in_one_line(url: str, says: str) -> None:
    ran = confighub("serve", "--port", "0", "--database", url)

    assert ran.returncode == 1
    assert says in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
    assert "secret-word" not in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "typed", "says"),
    [
        (["user", "add", "bob"], "", "--password-stdin"),
        (["user", "add", "bob", "--password-stdin"], "\n", "password is empty"),
        (["user", "add", "b:b", "--password-stdin"], "secret\n", "colon"),
        (["user", "add", "bob", "--password-stdin", "--role", "king"], "secret\n", "no such role: king"),
        (["token", "create", "nobody"], "", "no such user: nobody"),
        (["serve", "--port", "many"], "", "many"),
        (["fly"], "", "fly"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(tmp_path: Path, arguments: list[str], typed: str, says: str) -> None:
    data = [] if arguments == ["fly"] else ["--data", str(tmp_path)]

    found = confighub(*arguments, *data, typed=typed)

    assert found.returncode == 1
    assert says in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1


def test_help_names_every_command() -> None:
    shown = confighub("--help").stdout

    for name in ("serve", "user", "token", "runtime", "logs", "version"):
        assert name in shown


def test_the_first_start_makes_an_organization_with_a_space(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    folder = tmp_path / "new" / "hub"
    folder.parent.mkdir()
    hub = HubProcess(folder, port)
    hub.start()
    try:
        confighub("user", "add", "alice@example.com", "--password-stdin", "--data", str(folder), typed="wonderland\n")
        assert [one["Space"]["Slug"] for one in hub.ok("GET", "/api/space")] == ["default"]
    finally:
        hub.close()


def test_an_idle_hub_is_small(hub_process: HubProcess) -> None:
    hub_process.unit(hub_process.space("dev"))
    assert hub_process.process is not None

    children = Path(f"/proc/{hub_process.process.pid}/task/{hub_process.process.pid}/children").read_text().split()
    pids = [str(hub_process.process.pid), *children]
    rollups = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids]
    pss_kib = sum(int(line.split()[1]) for text in rollups for line in text.splitlines() if line.startswith("Pss:"))

    assert pss_kib <= MEMORY_LIMIT_KIB


def test_a_stopped_hub_leaves_nothing_half_written(hub_process: HubProcess) -> None:
    space_id = hub_process.space("dev")
    unit_id = hub_process.unit(space_id)

    assert hub_process.stop() == 0
    hub_process.start()

    assert hub_process.ok("GET", f"/api/space/{space_id}/unit/{unit_id}")["Unit"]["HeadRevisionNum"] == 1
    assert "Traceback" not in hub_process.log.read_text()
