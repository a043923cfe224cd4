"""The public client's grammar, command by command, and the seed's command lines."""

import itertools
import json
import re
import shlex
from pathlib import Path

import click

from confighub.cli.main import ROOT

NOT_OURS = ("upgrade",)
"""Left out on purpose: this program is updated with its project."""


def command_at(path: str) -> tuple[click.Command, list[click.Command]]:
    """Return the command at a path, and the groups above it; raises KeyError."""
    found: click.Command = ROOT
    above: list[click.Command] = []
    ctx = click.Context(ROOT, info_name="cub")
    for name in path.split():
        assert isinstance(found, click.Group)
        above.append(found)
        inner = found.get_command(ctx, name)
        if inner is None:
            raise KeyError(path)
        found = inner
    return found, above


def spellings(*commands: click.Command) -> set[str]:
    return {spelling for one in commands for param in one.params for spelling in param.opts}


def public_commands(shared: Path) -> list[dict[str, object]]:
    described = json.loads((shared / "spec" / "cli.json").read_text())["commands"]
    return [one for one in described if not str(one["path"]).startswith(NOT_OURS)]


def test_every_public_command_and_flag_is_accepted(shared: Path) -> None:
    missing = []
    for described in public_commands(shared):
        path = str(described["path"])
        try:
            found, above = command_at(path)
        except KeyError:
            missing.append(path)
            continue
        known = spellings(found, *above)
        flags = described["flags"]
        assert isinstance(flags, list)
        missing += [f"{path} --{flag['name']}" for flag in flags if f"--{flag['name']}" not in known]
        missing += [
            f"{path} -{flag['shorthand']}"
            for flag in flags
            if flag["shorthand"] and f"-{flag['shorthand']}" not in known
        ]

    assert missing == []


def test_public_switches_are_switches_and_public_options_take_values(shared: Path) -> None:
    wrong = []
    for described in public_commands(shared):
        found, above = command_at(str(described["path"]))
        params = {spelling: param for one in (*above, found) for param in one.params for spelling in param.opts}
        flags = described["flags"]
        assert isinstance(flags, list)
        for flag in flags:
            param = params[f"--{flag['name']}"]
            assert isinstance(param, click.Option)
            repeats = flag["type"] in ("strings", "stringArray")
            if param.is_flag != (flag["type"] == "bool") or (repeats and not param.multiple):
                wrong.append(f"{described['path']} --{flag['name']} ({flag['type']})")

    assert wrong == []


def test_public_commands_take_as_many_arguments(shared: Path) -> None:
    wrong = []
    for described in public_commands(shared):
        usage = re.sub(r"\[?--\S+ <[^>]+>\]?(\.\.\.)?", "", str(described["args"]).split("|")[0])
        usage = usage.replace("<repo>/<chartname>", "<chart>").replace("[options...]", "").replace("[options]", "")
        public = len(re.findall(r"[<\[]*[a-zA-Z][\w #/-]*[>\]]+|\bfile\b|\bset-target\b", usage))
        found, _ = command_at(str(described["path"]))
        arguments = [one for one in found.params if isinstance(one, click.Argument)]
        ours = sum(1 if one.nargs > 0 else 99 for one in arguments)
        if not isinstance(found, click.Group) and ours < public:
            wrong.append(f"{described['path']}: {public} in {usage!r}, ours {ours}")

    assert wrong == []


def seed_lines(shared: Path) -> list[list[str]]:
    """Return the words of every ``cub`` command line of the seed, joined over its backslashes."""
    text = (shared / "seed" / "architecture.md").read_text().replace("\\\n", " ")
    found = []
    for block in re.findall(r"```bash\n(.*?)```", text, re.DOTALL):
        for match in re.finditer(r"(?:^|\$\()\s*cub (.*)", block, re.MULTILINE):
            words = shlex.shlex(match[1], posix=True, punctuation_chars="|>)")
            words.whitespace_split = True
            line = list(itertools.takewhile(lambda word: word[0] not in "|>)", words))
            found.append([word.replace("${PROJECT}", "calm-otter-traderx") for word in line])
    return found


def test_every_command_line_of_the_seed_is_accepted(shared: Path) -> None:
    lines = seed_lines(shared)
    wrong = []
    for words in lines:
        if words[0] == "run":
            continue  # its sub-commands come from a hub
        depth = 3 if words[:2] == ["unit", "revision"] else 2
        found, above = command_at(" ".join(words[:depth]))
        parent = None
        for name, one in zip(["cub", *words], above, strict=False):
            parent = click.Context(one, info_name=name, parent=parent)
        try:
            found.make_context(words[depth - 1], words[depth:], parent=parent)
        except click.UsageError as error:
            wrong.append(f"{shlex.join(words)}: {error.format_message()}")

    assert len(lines) > 25
    assert wrong == []
