"""The commands as Click commands: for help, for completion, and to say what is wrong with a line.

What a line means is declared in ``command``; ``typed`` reads the plain ones without Click, which takes longer to
import than a short command may run.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from confighub.cli import command as declared
from confighub.cli.call import Call, Typed
from confighub.cli.tree import ROOT as TREE
from confighub.cli.tree import every_command
from confighub.cli.typed import FALSE, TRUE
from confighub.errors import BadRequest

_WIDE = {"max_content_width": 120}
_NEAR = 0.75
"""How alike a flag must be to be suggested; below it suggestions are noise."""


class Command(click.Command):
    """A declared command; its example is shown at the end of its help."""

    def __init__(self, name: str, given: declared.Command) -> None:
        params = [_parameter(one) for one in given.params]
        super().__init__(name, params=params, help=given.help, context_settings=_WIDE)
        self.declared = given

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, understanding ``--flag=false``."""
        return super().parse_args(ctx, _spelled_out(args, self.params))

    def invoke(self, ctx: click.Context) -> None:
        """Run the body."""
        self.declared.run(Call(typed_of(ctx)))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the example as it was typed, since Click would fill its lines."""
        with formatter.section("Example"):
            for line in self.declared.example.splitlines():
                formatter.write(f"{' ' * formatter.current_indent}{line}\n")


class Group(click.Group):
    """A declared group; its commands are made when they are named."""

    def __init__(self, name: str, given: declared.Group) -> None:
        params = [_parameter(one) for one in given.params]
        super().__init__(name, help=given.help, params=params, context_settings=_WIDE)
        self.declared = given

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, sorted."""
        return self.declared.names(Call(typed_of(ctx)))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command; None for an unknown name."""
        found = self.declared.find(cmd_name, Call(typed_of(ctx)))
        if isinstance(found, declared.Group):
            return Group(cmd_name, found)
        return None if found is None else Command(cmd_name, found)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command and what is left for it; an unknown name is an error with a suggestion."""
        name = args[0]
        if name.startswith("-") or self.get_command(ctx, name) is not None:
            return super().resolve_command(ctx, args)
        import difflib

        close = difflib.get_close_matches(name, self.list_commands(ctx), n=1)
        hint = f" (did you mean {close[0]}?)" if close else f" (see: {ctx.command_path} --help)"
        raise click.UsageError(f'unknown command "{name}" for "{ctx.command_path}"{hint}')

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, understanding ``--flag=false``."""
        return super().parse_args(ctx, _spelled_out(args, self.params))


class Program(Group):
    """The program itself."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse; ``--help-overview`` prints every command with what it does, and ends."""
        left = super().parse_args(ctx, args)
        if ctx.params.get("help_overview"):
            for path, found in every_command():
                if isinstance(found, declared.Command):
                    print(f"{path:<32} {Command(path, found).get_short_help_str(80)}")
            ctx.exit()
        return left


def run_with_click(args: Sequence[str]) -> int:
    """Run one command line and return its exit status; raises BadRequest for a line that cannot be understood."""
    if os.environ.get("_CUB_COMPLETE", "").startswith("powershell"):
        from confighub.cli.powershell import know_powershell

        know_powershell()
    try:
        ROOT.main(list(args), prog_name="cub", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as shown:
        print(shown.format_message())
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.Abort:
        raise KeyboardInterrupt from None
    except click.ClickException as wrong:
        raise BadRequest(_usage(wrong)) from wrong
    return 0


def typed_of(ctx: click.Context) -> Typed:
    """Return what Click read."""
    given = {key for key in ctx.params if ctx.get_parameter_source(key) is ParameterSource.COMMANDLINE}
    above = typed_of(ctx.parent) if ctx.parent else None
    path, name = ctx.command_path, ctx.info_name or ""
    return Typed(path, name, ctx.params, frozenset(given), ctx.find_root().meta, above, ctx.resilient_parsing)


def _parameter(one: declared.Parameter) -> click.Parameter:
    offer = _offers(one.complete)
    if one.sort == "argument":
        count = -1 if one.many else 1
        return click.Argument(
            [one.key],
            required=one.required,
            nargs=count,
            metavar=one.metavar,
            type=click.UNPROCESSED,
            shell_complete=offer,
        )
    long, *short = one.opts
    if one.sort == "switch":
        spelling = f"{long}/{one.off}" if one.off else long
        is_on = bool(one.default)
        return click.Option(
            [*short, spelling, one.key],
            is_flag=True,
            default=is_on,
            help=one.help,
            hidden=one.hidden,
            show_default=is_on,
        )
    more: dict[str, Any] = {"multiple": True} if one.many else {"default": one.default}
    if one.bare:
        more |= {"is_flag": False, "flag_value": one.bare}
    return click.Option(
        [long, *short, one.key],
        help=one.help,
        metavar=one.metavar,
        hidden=one.hidden,
        show_default=bool(one.default),
        shell_complete=offer,
        **more,
    )


def _offers(kind: str) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]] | None:
    if not kind:
        return None

    def offer(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from confighub.cli.completion import candidates

        return candidates(kind, Call(typed_of(ctx)), incomplete)

    return offer


def _spelled_out(args: list[str], params: Sequence[click.Parameter]) -> list[str]:
    """Return the arguments with ``--flag=true`` and ``--flag=false`` as the switches that Click knows."""
    switches = {
        spelling: one
        for one in params
        if isinstance(one, click.Option) and one.is_flag
        for spelling in one.opts
        if spelling.startswith("--")
    }
    spelled: list[str] = []
    for position, word in enumerate(args):
        if word == "--":
            return spelled + args[position:]
        name, equals, value = word.partition("=")
        if not equals or name not in switches:
            spelled.append(word)
        elif value.lower() in TRUE:
            spelled.append(name)
        elif value.lower() in FALSE:
            spelled += switches[name].secondary_opts[:1]
        else:
            raise click.UsageError(f'invalid argument "{value}" for "{name}": true or false')
    return spelled


def _usage(wrong: click.ClickException) -> str:
    """Return a usage error in the words of the public client where it has some."""
    if isinstance(wrong, click.NoSuchOption):
        import difflib

        near = difflib.get_close_matches(wrong.option_name, wrong.possibilities or (), n=1, cutoff=_NEAR)
        return f"unknown flag: {wrong.option_name}" + (f" (did you mean {near[0]}?)" if near else "")
    message = wrong.format_message()
    return message[0].lower() + message[1:].rstrip(".")


ROOT = Program("cub", TREE)
