"""The public client's grammar, command by command, and the seed's command lines."""

import itertools
import json
import re
import shlex
from pathlib import Path

import click

from confighub.cli.clicked import ROOT, typed_of
from confighub.cli.command import Command
from confighub.cli.tree import ROOT as TREE
from confighub.cli.tree import every_command
from confighub.cli.typed import read

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


def example_lines() -> list[list[str]]:
    """Return the words of every example line, and some that are typed often."""
    found = [
        shlex.split(line, comments=True)[1:]
        for _, one in every_command()
        if isinstance(one, Command)
        for line in one.example.splitlines()
        if line.startswith("cub ") and not set("|<>$") & set(line)
    ]
    return [*found, ["unit", "--space", "x", "list", "-q", "--names"], ["--debug", "unit", "get", "web", "-o", "json"]]


def test_lines_are_read_the_short_way_as_click_reads_them() -> None:
    read_short = 0
    for words in example_lines():
        if words[0] == "run":
            continue  # its sub-commands come from a hub
        ctx: click.Context = ROOT.make_context("cub", list(words))
        while isinstance(ctx.command, click.Group):
            name, found, rest = ctx.command.resolve_command(ctx, [*ctx._protected_args, *ctx.args])
            assert found is not None
            ctx = found.make_context(name, rest, parent=ctx)
        through_click, line = typed_of(ctx), read(TREE, words)
        if line is None:
            assert "--auto-apply" in words or words == ["completion", "powershell"]
            continue
        read_short += 1
        for short, other in ((line.typed, through_click), (line.typed.above, through_click.above)):
            assert short is not None
            assert other is not None
            assert (short.path, short.values) == (other.path, other.values), words
            assert {key for key in short.given if not key.endswith("_argument")} <= other.given

    assert read_short > 100
