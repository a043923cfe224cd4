"""Getting in: by password, by token, as a worker; and keeping several logins apart."""

import io
import json
import subprocess
import sys

import pytest

from confighub.client.session import Home
from tests.cli.conftest import PASSWORD, RealHub, Terminal


def type_in(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_a_password_may_come_from_standard_input(alice: Terminal, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    alice.must("auth", "logout")
    type_in(monkeypatch, f"{PASSWORD}\n")

    alice.must("auth", "login", "--username", "alice", "--password-stdin")

    assert json.loads(alice.must("auth", "status", "--json").out)["Username"] == "alice"


def test_a_token_gets_in_and_is_printed_on_request(
    alice: Terminal, real_hub: RealHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = [sys.executable, "-c", "from confighub.server import run; run()", "token", "create", "alice"]
    made = subprocess.run([*program, *real_hub.store], capture_output=True, text=True, check=True, timeout=60)
    token = made.stdout.strip().splitlines()[-1]
    type_in(monkeypatch, token)

    alice.must("auth", "login", "--token-stdin")

    assert alice.must("auth", "get-token").out.strip() == token
    assert alice.must("auth", "status").lines[1].split() == ["User", "alice"]


def test_a_worker_gets_in_with_its_secret(alice: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    alice.must("worker", "create", "entering", "--allow-exists")
    exports = dict(
        line.removeprefix("export ").split("=", 1)
        for line in alice.must("worker", "get-envs", "entering").lines
        if line.startswith("export ")
    )
    for name, value in exports.items():
        monkeypatch.setenv(name, value)

    ran = alice.must("auth", "login", "--as-worker")

    assert ran.out.startswith("Current space set to ")
    alice.must("function", "list", "--names")


def test_contexts_keep_logins_apart(alice: Terminal) -> None:
    alice.must("context", "save", "laptop")
    again = alice.run("context", "save", "laptop")
    alice.must("auth", "logout")

    alice.must("context", "use", "laptop")

    assert "--overwrite" in again.err
    assert alice.must("auth", "status").status == 0


def test_nobody_can_be_asked_without_a_terminal(alice: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    type_in(monkeypatch, "")

    unnamed, unknown = alice.run("auth", "login"), alice.run("auth", "test-login", "bob")

    assert "--username NAME --password-stdin" in unnamed.err
    assert "no password for bob" in unknown.err
    assert {unnamed.status, unknown.status} == {1}
