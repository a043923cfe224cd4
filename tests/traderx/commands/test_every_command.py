"""What holds for every command of ``traderx``, those below groups included."""

from __future__ import annotations

import click
import pytest

from traderx.cli import _COMMANDS
from traderx.commands.lazy import LazyGroup
from traderx.commands.parameters import Environment


def every_command(group: click.Group, name: str = "traderx") -> list[tuple[str, click.Command]]:
    """Return the commands below the group with the words that name them."""
    found = []
    for word in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), word)
        assert command is not None
        found.append((f"{name} {word}", command))
        found += every_command(command, f"{name} {word}") if isinstance(command, click.Group) else []
    return found


COMMANDS = every_command(LazyGroup("traderx", _COMMANDS, help="all"))


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_every_environment_is_refused_in_one_way(name: str, command: click.Command) -> None:
    loose = [one.name for one in command.params if one.name == "environment" and not isinstance(one.type, Environment)]

    assert loose == [], name


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_every_command_has_an_example(name: str, command: click.Command) -> None:
    if isinstance(command, click.Group) and not command.invoke_without_command:
        return

    _, _, example = (command.help or "").partition("Example: ")

    assert example, name
