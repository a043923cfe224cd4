"""How commands are written here, on top of Click.

A command is a function of one ``Call``, decorated with its options:

    @command(argument("unit"), WAIT, example="cub unit apply web --space dev")
    def apply(call: Call) -> None:
        \"\"\"Send the head of a unit to its target.\"\"\"

Groups import a command's module only when the command is named, so a command pays for nothing
but itself. Flags are spelled as the public client spells them: ``--wait=false`` is understood.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import click

from confighub.cli.call import Call, argument_key
from confighub.errors import NotFound

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Body = Callable[[Call], None]

_WIDE = {"max_content_width": 120}
_TRUE = frozenset({"true", "t", "1", "yes"})
_FALSE = frozenset({"false", "f", "0", "no"})


class Command(click.Command):
    """A command whose body takes one ``Call``; ``example`` is shown at the end of its help."""

    def __init__(self, body: Body, params: Sequence[click.Parameter], *, example: str, help_text: str) -> None:
        super().__init__(None, params=[*params, *_everywhere()], help=help_text, context_settings=_WIDE)
        self.body = body
        self.example = example

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, understanding ``--flag=false``."""
        return super().parse_args(ctx, _spelled_out(args, self.params))

    def invoke(self, ctx: click.Context) -> None:
        """Run the body; a current space that is gone is said so, whoever noticed it."""
        call = Call(ctx)
        try:
            self.body(call)
        except NotFound as error:
            if not call.is_current_space(error.message):
                raise
            slug, url = call.scope.slug, call.hub.transport.url
            message = f"the current space {slug} is not in the hub at {url}"
            raise NotFound(message, hint="cub context set --space SPACE") from error

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the example as it was typed, since Click would fill its lines."""
        with formatter.section("Example"):
            for line in self.example.splitlines():
                formatter.write(f"{' ' * formatter.current_indent}{line}\n")


class Group(click.Group):
    """Commands by name; each is given as ``module:attribute`` and imported when it is named."""

    def __init__(
        self,
        help_text: str,
        commands: dict[str, str | click.Command],
        *,
        options: Sequence[click.Parameter] = (),
        hidden: Iterable[str] = (),
    ) -> None:
        super().__init__(None, help=help_text, params=[*options, *_everywhere()], context_settings=_WIDE)
        self.lazy = commands
        self.hidden_names = frozenset(hidden)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names, sorted."""
        return sorted(set(self.lazy) - self.hidden_names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and return the command; None for an unknown name."""
        found = self.lazy.get(cmd_name)
        if isinstance(found, str):
            module, _, attribute = found.partition(":")
            found = getattr(importlib.import_module(f"confighub.cli.commands.{module}"), attribute)
            self.lazy[cmd_name] = found
        if found is not None:
            found.name = cmd_name
        return found

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


class LiveGroup(Group):
    """A group whose commands are known to the hub only."""


def command(*params: click.Parameter | Sequence[click.Parameter], example: str) -> Callable[[Body], Command]:
    """Make a function of a ``Call`` a command; its docstring is the help."""

    def made(body: Body) -> Command:
        flat = [one for given in params for one in ([given] if isinstance(given, click.Parameter) else given)]
        return Command(body, flat, example=example, help_text=body.__doc__ or "")

    return made


def flag(name: str, help_text: str, *, short: str = "", on: bool = False, hidden: bool = False) -> click.Option:
    """A switch; one that is on by default is turned off by ``--no-NAME`` or ``--NAME=false``."""
    spelling = f"--{name}/--no-{name}" if on else f"--{name}"
    declared = [f"-{short}", spelling] if short else [spelling]
    return click.Option(declared, is_flag=True, default=on, help=help_text, hidden=hidden, show_default=on)


def option(
    name: str,
    help_text: str,
    *,
    metavar: str = "TEXT",
    short: str = "",
    default: str | None = None,
    complete: str = "",
    hidden: bool = False,
) -> click.Option:
    """An option with one value; ``complete`` names what shell completion offers."""
    declared = [f"--{name}"] + ([f"-{short}"] if short else [])
    return click.Option(
        declared,
        help=help_text,
        metavar=metavar,
        default=default,
        hidden=hidden,
        show_default=bool(default),
        shell_complete=_offers(complete),
    )


def options(name: str, help_text: str, *, metavar: str, complete: str = "", short: str = "") -> click.Option:
    """An option that may be repeated, or hold a comma list."""
    declared = [f"--{name}"] + ([f"-{short}"] if short else [])
    return click.Option(declared, multiple=True, help=help_text, metavar=metavar, shell_complete=_offers(complete))


def argument(name: str, *, required: bool = True, many: bool = False, complete: str = "") -> click.Argument:
    """A positional argument; ``many`` takes all that are left. An option may have the same name."""
    return click.Argument(
        [argument_key(name)],
        required=required,
        nargs=-1 if many else 1,
        metavar=name.upper() if required else f"[{name.upper()}]",
        type=click.UNPROCESSED,
        shell_complete=_offers(complete),
    )


def space_option() -> click.Option:
    """The ``--space`` of every command that works in one."""
    return option("space", "Space by slug or id; '*' means all of them.", metavar="SPACE", complete="spaces")


def _everywhere() -> list[click.Parameter]:
    return [flag("debug", "Show the HTTP exchange on standard error.")]


def _offers(kind: str) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]] | None:
    if not kind:
        return None

    def offer(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from confighub.cli.completion import candidates

        return candidates(kind, Call(ctx), incomplete)

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
        elif value.lower() in _TRUE:
            spelled.append(name)
        elif value.lower() in _FALSE:
            spelled += switches[name].secondary_opts[:1]
        else:
            raise click.UsageError(f'invalid argument "{value}" for "{name}": true or false')
    return spelled
