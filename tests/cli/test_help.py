"""Every command explains itself."""

import pytest

from confighub.cli.command import Command
from confighub.cli.main import main
from confighub.cli.tree import every_command

COMMANDS = dict(every_command())


def test_there_are_commands_for_every_noun() -> None:
    assert {"unit list", "unit apply", "unit revision list", "set add-units", "worker run"} <= set(COMMANDS)


@pytest.mark.parametrize("path", sorted(COMMANDS))
def test_a_command_has_help_and_each_option_says_what_it_does(path: str) -> None:
    found = COMMANDS[path]

    assert found.help
    assert all(one.help for one in found.params if one.sort != "argument" and not one.hidden)


@pytest.mark.parametrize("path", sorted(path for path, one in COMMANDS.items() if isinstance(one, Command)))
def test_an_example_can_be_typed(path: str) -> None:
    found = COMMANDS[path]
    assert isinstance(found, Command)

    typed = path.removeprefix("unit ") if path.startswith("unit revision") else path
    assert any(f"cub {typed}" in line for line in found.example.splitlines())


@pytest.mark.parametrize("path", sorted(path for path, one in COMMANDS.items() if isinstance(one, Command)))
def test_no_two_parameters_share_a_name(path: str) -> None:
    names = [one.key for one in COMMANDS[path].params]

    assert len(names) == len(set(names))


def test_powershell_gets_the_names_with_their_help(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_CUB_COMPLETE", "powershell_complete")
    monkeypatch.setenv("COMP_WORDS", "cub unit get-l")
    monkeypatch.setenv("COMP_CWORD", "get-l")

    with pytest.raises(SystemExit):
        main([])

    assert capsys.readouterr().out.splitlines() == ["get-live-state\tShow what runs: Status, Replicas,..."]
