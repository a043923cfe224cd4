"""The ``cub`` program: finds the command, runs it, turns every failure into one line.

Exit status: 0 done, 1 anything else, whatever the public client does with it.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from typing import NoReturn

import click

from confighub.cli.command import Group, LiveGroup
from confighub.errors import ConfigHubError

_PLACE = re.compile(r"^(?P<reason>.*) at column (?P<column>\d+): (?P<text>.*)$", re.DOTALL)
_SIGNALLED = 130
_COMPLETE = "_CUB_COMPLETE"
"""The variable by which a shell asks for completions, as Click calls it."""

_NEAR = 0.75
"""How alike a flag must be to be suggested; below it suggestions are noise."""


def _overview(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    """Print every command with what it does, and end."""
    if wanted:
        for path, found in every_command(ROOT, ctx):
            if not isinstance(found, click.Group):
                print(f"{path:<32} {found.get_short_help_str(80)}")
        ctx.exit()


def every_command(group: click.Group, ctx: click.Context) -> Iterator[tuple[str, click.Command]]:
    """Yield every command below the group with its path, such as ``unit list``, groups too."""
    for name in group.list_commands(ctx):
        found = group.get_command(ctx, name)
        if found is None or isinstance(found, LiveGroup):
            continue
        yield name, found
        if isinstance(found, click.Group):
            yield from ((f"{name} {path}", inner) for path, inner in every_command(found, ctx))


ROOT = Group(
    """Work with a configuration hub.

    The hub is the one CONFIGHUB_URL names. Log in with `cub auth test-login NAME`,
    choose a space with `cub context set --space SPACE`, look around with `cub unit list`.
    """,
    {
        "audit": "audit:GROUP",
        "auth": "auth:GROUP",
        "changeset": "changeset:GROUP",
        "completion": "completion:GROUP",
        "context": "context:GROUP",
        "filter": "filter:GROUP",
        "function": "function:GROUP",
        "helm": "helm:GROUP",
        "info": "info:show_info",
        "invocation": "invocation:GROUP",
        "link": "link:GROUP",
        "mutation": "mutation:GROUP",
        "organization": "organization:GROUP",
        "organization-member": "organization:MEMBERS",
        "revision": "revision:GROUP",
        "run": "run:GROUP",
        "set": "set:GROUP",
        "space": "space:GROUP",
        "tag": "tag:GROUP",
        "target": "target:GROUP",
        "trigger": "trigger:GROUP",
        "unit": "unit:GROUP",
        "unit-event": "unit_event:GROUP",
        "user": "user:GROUP",
        "version": "info:show_version",
        "view": "view:GROUP",
        "worker": "worker:GROUP",
    },
    options=[
        click.Option(
            ["--help-overview"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_overview,
            help="Show every command on one line, and exit.",
        )
    ],
)


def run() -> NoReturn:
    """Run the command line that this process was started with."""
    sys.exit(main(sys.argv[1:]))


def main(args: Sequence[str]) -> int:
    """Run one command line and return its exit status; failures are printed, never raised."""
    try:
        if os.environ.get(_COMPLETE, "").startswith("powershell"):
            from confighub.cli.powershell import know_powershell

            know_powershell()
        ROOT.main(list(args), prog_name="cub", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as shown:
        print(shown.format_message())
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as wrong:
        return _failed(_usage(wrong))
    except ConfigHubError as error:
        return _failed(*_told(error))
    except (KeyboardInterrupt, click.Abort):
        print("interrupted", file=sys.stderr)
        return _SIGNALLED
    except BrokenPipeError:
        # whoever read our output has seen enough; the interpreter must not complain at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _failed(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except Exception as error:
        if os.environ.get("CONFIGHUB_DEBUG", "") not in ("", "0"):
            raise
        return _failed(f"{type(error).__name__}: {error} (a defect of cub; CONFIGHUB_DEBUG=1 shows where)")
    return 0


def _failed(line: str, *more: str) -> int:
    mark = "Failed:"
    if sys.stderr.isatty() and not os.environ.get("NO_COLOR"):
        mark = click.style(mark, fg="red", bold=True)
    sys.stdout.flush()
    print(f"{mark} {line}", *more, sep="\n", file=sys.stderr)
    return 1


def _told(error: ConfigHubError) -> list[str]:
    """Return the lines that tell the error; one, unless a where-expression can be drawn."""
    place = _PLACE.match(error.message)
    answered = f" [HTTP {error.status}, request {error.request_id}]" if error.request_id else ""
    if place is None:
        details = [f"  {line}" for line in error.details if line not in error.message]
        return [f"{error}{answered}", *details]
    hint = f" ({error.hint})" if error.hint else ""
    mark = " " * (int(place["column"]) - 1) + "^"
    return [f"{place['reason']}{hint}{answered}", place["text"], mark]


def _usage(wrong: click.ClickException) -> str:
    """Return a usage error in the words of the public client where it has some."""
    if isinstance(wrong, click.NoSuchOption):
        import difflib

        near = difflib.get_close_matches(wrong.option_name, wrong.possibilities or (), n=1, cutoff=_NEAR)
        return f"unknown flag: {wrong.option_name}" + (f" (did you mean {near[0]}?)" if near else "")
    message = wrong.format_message()
    return message[0].lower() + message[1:].rstrip(".")
