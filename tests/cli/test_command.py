"""How flags are spelled, and how failures are told."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from confighub.cli import clicked
from confighub.cli.call import Call
from confighub.cli.command import Command, Group, argument, command, flag, option, options
from confighub.cli.typed import read
from tests.cli.conftest import Terminal
from tests.client.answering import AnsweringHub


def probe() -> tuple[Command, dict[str, object]]:
    seen: dict[str, object] = {}

    @command(
        argument("unit", required=False),
        flag("wait", "Wait.", on=True),
        flag("patch", "Patch."),
        options("unit", "Units.", metavar="UNIT"),
        option("restore", "Revision."),
        example="x",
    )
    def body(call: Call) -> None:
        """Do."""
        seen.update(
            unit=call.arg("unit"),
            units=call.many("unit"),
            wait=call.yes("wait"),
            patch=call.yes("patch"),
            restore=call.text("restore"),
        )

    return body, seen


def seen_by(*args: str) -> dict[str, object]:
    """Return what a body sees of the words, read the short way."""
    body, seen = probe()
    line = read(Group("Probe.", {"do": body}), ["do", *args])
    assert line is not None
    line.command.run(Call(line.typed))
    return seen


def seen_through_click(*args: str) -> dict[str, object]:
    """Return what a body sees of the words, read by Click."""
    body, seen = probe()
    clicked.Group("cub", Group("Probe.", {"do": body})).main(["do", *args], standalone_mode=False)
    return seen


@pytest.mark.parametrize(
    ("args", "name", "value"),
    [
        (["--wait=false"], "wait", False),
        (["--wait=true"], "wait", True),
        (["--no-wait"], "wait", False),
        ([], "wait", True),
        (["--patch"], "patch", True),
        (["--patch=false"], "patch", False),
        (["--unit", "a,b", "--unit", "c"], "units", ["a", "b", "c"]),
        (["--patch", "web"], "unit", "web"),
        (["web", "--unit", "a"], "unit", "web"),
        (["--restore", "-1"], "restore", "-1"),
        (["--restore=N-1"], "restore", "N-1"),
    ],
)
def test_flags_are_understood_as_the_public_client_spells_them(args: list[str], name: str, value: object) -> None:
    assert seen_by(*args)[name] == value
    assert seen_through_click(*args)[name] == value


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["bogus"], 'Failed: unknown command "bogus" for "cub"'),
        (["unit", "lst"], 'Failed: unknown command "lst" for "cub unit" (did you mean list?)'),
        (["unit", "list", "--nope"], "Failed: unknown flag: --nope\n"),
        (["unit", "list", "--wher", "x"], "Failed: unknown flag: --wher (did you mean --where?)"),
        (["unit", "get"], "Failed: missing argument 'UNIT'"),
        (["unit", "apply", "x", "--wait=maybe"], 'Failed: invalid argument "maybe" for "--wait"'),
        (["unit", "get", "web", "--space", "*"], "Failed: space wildcard * not permitted for command get"),
        (["unit", "update"], "Failed: which unit?"),
        (["unit", "delete"], "Failed: which units?"),
        (["worker", "create", "--poll-interval", "soon"], "Failed: not a duration: soon"),
    ],
)
def test_wrong_usage_is_one_line_and_status_one(cub: Terminal, args: list[str], told: str) -> None:
    ran = cub.run(*args)

    assert ran.status == 1
    assert ran.err.startswith(told)
    assert ran.err.count("\n") == 1
    assert ran.out == ""


def test_a_group_alone_shows_its_help(cub: Terminal) -> None:
    ran = cub.run("unit")

    assert ran.status == 0
    assert "push-upgrade" in ran.out


def test_an_error_of_the_hub_shows_its_words_its_status_and_the_request(cub: Terminal, hub: AnsweringHub) -> None:
    hub.on("GET /api/unit", (403, {"Code": "403", "Message": "alice may not list units"}))

    ran = cub.run("unit", "list", "--space", "*")

    assert ran.status == 1
    assert ran.err == "Failed: alice may not list units [HTTP 403, request r1]\n"


def test_a_filter_that_cannot_be_read_is_drawn_with_a_mark_under_the_place(cub: Terminal, hub: AnsweringHub) -> None:
    message = "unknown attribute Slog at column 1: Slog = 'a'"
    hub.on("GET /api/unit", (400, {"Code": "400", "Message": message}))

    ran = cub.run("unit", "list", "--space", "*", "--where", "Slog = 'a'")

    told = ran.err.splitlines()
    assert told[0].startswith("Failed: unknown attribute Slog")
    assert told[1:] == ["Slog = 'a'", "^"]


def test_debugging_shows_the_exchange_on_standard_error_only(cub: Terminal) -> None:
    ran = cub.run("space", "list", "--names", "--debug")

    assert "> GET /api/space" in ran.err
    assert ran.lines == ["dev"]


def test_a_slow_answer_is_told_on_standard_error(cub: Terminal, hub: AnsweringHub) -> None:
    def slowly(_: object) -> list[object]:
        time.sleep(1.2)
        return []

    hub.on("GET /api/unit", slowly)

    ran = cub.run("unit", "list", "--space", "*", "--names")

    assert ran.err == "  still waiting for the hub: GET /api/unit\n"


def process(*args: str, home: Path, url: str, **environment: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", "from confighub.cli.main import run; run()", *args]
    env = {**os.environ, "CONFIGHUB_HOME": str(home), "CONFIGHUB_URL": url, **environment}
    return subprocess.run(program, capture_output=True, text=True, env=env, timeout=60)


@pytest.mark.requirement("R-104")
def test_an_absent_hub_is_one_line_that_says_what_to_do(tmp_path: Path, free_port: int) -> None:
    ran = process("space", "list", home=tmp_path, url=f"http://127.0.0.1:{free_port}")

    assert ran.returncode == 1
    assert ran.stdout == ""
    assert ran.stderr.startswith(f"Failed: no answer from the hub at http://127.0.0.1:{free_port}")
    assert "bin/up" in ran.stderr
    assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize("words", ["cub unit get tra", "cub run set", "cub unit list --space a"])
def test_completion_without_a_hub_is_silent(tmp_path: Path, free_port: int, words: str) -> None:
    asked = {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" ")), "_CUB_COMPLETE": "bash_complete"}

    ran = process(home=tmp_path, url=f"http://127.0.0.1:{free_port}", **asked)

    assert (ran.returncode, ran.stderr, ran.stdout.strip()) == (0, "", "")


def test_a_reader_that_has_seen_enough_is_no_failure(tmp_path: Path, hub: AnsweringHub) -> None:
    many = [{"Space": {"Slug": f"space-{number:05}"}} for number in range(5000)]
    hub.on("GET /api/space", many)
    command = f"{sys.executable} -c 'from confighub.cli.main import run; run()' space list --names | head -1"
    env = {**os.environ, "CONFIGHUB_HOME": str(tmp_path), "CONFIGHUB_URL": hub.url}

    ran = subprocess.run(["sh", "-c", command], capture_output=True, text=True, env=env, timeout=60)

    assert ran.stdout.rstrip() == "space-00000"
    assert ran.stderr == ""


def test_a_defect_is_one_line_without_a_traceback(cub: Terminal, hub: AnsweringHub) -> None:
    hub.on("GET /api/space", ["this is no record"])

    ran = cub.run("space", "list", "--names")

    assert ran.status == 1
    assert "Traceback" not in ran.err
    assert ran.err.count("\n") == 1


def test_the_list_path_imports_nothing_heavy(tmp_path: Path, hub: AnsweringHub) -> None:
    hub.on("GET /api/unit", [])
    script = (
        "import sys; from confighub.cli.main import main; main(['unit', 'list', '--space', '*']); "
        "print(sorted({name.split('.')[0] for name in sys.modules}))"
    )
    env = {**os.environ, "CONFIGHUB_HOME": str(tmp_path), "CONFIGHUB_URL": hub.url}

    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=env, timeout=60)

    loaded = set(eval(ran.stdout.splitlines()[-1]))
    assert ran.returncode == 0, ran.stderr
    assert not loaded & {
        *("msgspec", "yaml", "jq", "sqlalchemy", "starlette", "httpx", "httpx2", "aiohttp", "asyncio"),
        *("click", "dataclasses", "inspect", "http", "email", "ssl"),
    }
