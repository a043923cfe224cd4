"""The commands can be found, explain themselves, and fail in one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from traderx.cli import main

COMMANDS = [
    "apply-all",
    "backup",
    "blue-green",
    "canary",
    "check-connectivity",
    "check-health",
    "cost",
    "cost-optimizer",
    "data",
    "deliver",
    "destroy",
    "disaster",
    "down",
    "drift-detector",
    "install-base",
    "install-envs",
    "logs",
    "ordered-apply",
    "patterns",
    "postmortem",
    "posture",
    "proj",
    "prometheus",
    "promote",
    "quarantine",
    "rebuild",
    "regions",
    "restore",
    "rewind",
    "rollback",
    "secrets",
    "service",
    "setup-worker",
    "slack-notify",
    "status",
    "up",
    "verify-data",
    "why",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    under = {
        "secrets": "create",
        "quarantine": "lift",
        "disaster": "drill",
        "data": "restore",
        "regions": "promote",
        "cost": "diff",
    }
    words = [command, *([under[command]] if command in under else [])]

    assert main([*words, "--help"]) == 0
    assert "Example:" in capsys.readouterr().out


def test_the_overview_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.split("Commands:")[1].splitlines() if line.strip()]

    assert listed == COMMANDS


def test_an_unknown_command_is_told_with_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ordred-apply"]) == 2
    assert capsys.readouterr().err == 'error: unknown command "ordred-apply" (did you mean ordered-apply?)\n'


def test_an_error_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["proj", "--data", str(tmp_path)]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(
    ("command", "option", "value"),
    [
        ("canary", "--speed", "nan"),
        ("canary", "--speed", "inf"),
        ("canary", "--speed", "-1"),
        ("canary", "--patience", "nan"),
        ("canary", "--patience", "-1"),
        ("blue-green", "--soak", "nan"),
        ("blue-green", "--soak", "-1"),
    ],
)
def test_a_time_that_cannot_be_waited_for_is_refused(
    command: str, option: str, value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [command, "trade-service", "dev", "--image", ":v1", option, value, "--data", str(tmp_path)]

    assert main([*words, "--explain"]) == 1
    told = capsys.readouterr().err
    assert main(words) == 1
    assert capsys.readouterr().err == told
    assert option.removeprefix("--") in told
    assert f"not {value}" in told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.requirement("R-206", "R-208")
def test_install_base_explains_what_it_makes_without_a_hub(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["install-base", "--explain", "--data", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()

    assert sum(line.startswith("  filter ") for line in lines) == 7
    assert sum(line.startswith("  set ") for line in lines) == 2
    assert sum("from confighub/base/" in line for line in lines) == 17
    assert list(tmp_path.iterdir()) == []


@pytest.mark.requirement("R-100", "R-133", "R-136", "R-219", "R-223")
@pytest.mark.parametrize(
    "door",
    [
        "install-base",
        "install-envs",
        "setup-worker",
        "ordered-apply",
        "apply-all",
        "promote",
        "proj",
        "up",
        "down",
        "rollback",
        "drift-detector",
    ],
)
def test_each_door_is_a_program_that_passes_its_arguments_on(project: Path, door: str) -> None:
    path = project / "bin" / door

    assert path.stat().st_mode & 0o111
    assert f'exec traderx {door} "$@"' in path.read_text()


def test_a_single_service_starts_without_the_rest_of_us() -> None:
    """Every replica starts this way, so what is imported here is paid for many times."""
    script = (
        "import sys; sys.argv = ['traderx', 'service', 'no-such-service']\n"
        "from traderx.cli import run\n"
        "try: run()\n"
        "except SystemExit as ended: code = ended.code\n"
        "ours = [m for m in sys.modules if m.startswith(('confighub', 'traderx.commands'))]\n"
        "print(code, ours)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "2 []"
