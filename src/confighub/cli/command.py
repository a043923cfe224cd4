"""How commands are written here, and what one is: a function of one ``Call``, decorated with its parameters.

    @command(argument("unit"), WAIT, example="cub unit apply web --space dev")
    def apply(call: Call) -> None:
        \"\"\"Send the head of a unit to its target.\"\"\"

What is declared here is plain data. ``typed`` reads a command line by it; ``clicked`` makes Click commands of it,
for help, for completion, and to say what is wrong with a line. Groups import a command's module only when the
command is named. Nothing here imports Click, which would take as long as a whole ``cub unit list`` may.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from confighub.errors import NotFound

if TYPE_CHECKING:
    from confighub.cli.call import Call

Body = Callable[["Call"], None]
Sort = Literal["switch", "option", "argument"]


class Parameter:
    """A switch, an option or a positional argument. ``opts`` are its spellings, ``off`` the one that turns it off."""

    def __init__(
        self,
        sort: Sort,
        name: str,
        help_text: str = "",
        *,
        short: str = "",
        metavar: str = "",
        default: str | bool | None = None,
        many: bool = False,
        required: bool = False,
        complete: str = "",
        hidden: bool = False,
        bare: str = "",
    ) -> None:
        self.sort = sort
        self.key = argument_key(name) if sort == "argument" else name.replace("-", "_")
        """Under which its value is kept; an option and an argument may have the same name."""
        self.help = help_text
        self.metavar = metavar
        self.default = default
        self.many = many
        self.required = required
        self.complete = complete
        self.hidden = hidden
        self.bare = bare
        """What an option without a value means; empty when it needs one."""
        dashed = [f"--{name}"] + ([f"-{short}"] if short else [])
        self.opts = [] if sort == "argument" else dashed
        self.off = f"--no-{name}" if sort == "switch" and default else ""

    @property
    def unset(self) -> object:
        """The value when it is not typed."""
        return () if self.many else self.default


class Command:
    """A command whose body takes one ``Call``; ``example`` is shown at the end of its help."""

    def __init__(self, body: Body, params: Sequence[Parameter], *, example: str, help_text: str) -> None:
        self.body = body
        self.params = [*params, *_EVERYWHERE]
        self.example = example
        self.help = help_text

    def run(self, call: Call) -> None:
        """Run the body; a current space that is gone is said so, whoever noticed it."""
        try:
            self.body(call)
        except NotFound as error:
            if not call.is_current_space(error.message):
                raise
            slug, url = call.scope.slug, call.hub.transport.url
            message = f"the current space {slug} is not in the hub at {url}"
            raise NotFound(message, hint="cub context set --space SPACE") from error


class Group:
    """Commands by name; each is given as ``module:attribute`` and imported when it is named."""

    is_live = False
    """Whether the commands are known to the hub only."""

    def __init__(
        self,
        help_text: str,
        commands: dict[str, str | Command | Group],
        *,
        options: Sequence[Parameter] = (),
        hidden: Iterable[str] = (),
    ) -> None:
        self.help = help_text
        self.params = [*options, *_EVERYWHERE]
        self.commands = commands
        self.hidden = frozenset(hidden)

    def names(self, call: Call) -> list[str]:  # noqa: ARG002
        """Return the names that help shows, sorted."""
        return sorted(set(self.commands) - self.hidden)

    def find(self, name: str, call: Call) -> Command | Group | None:  # noqa: ARG002
        """Import and return the command; None for an unknown name."""
        found = self.commands.get(name)
        if isinstance(found, str):
            module, _, attribute = found.partition(":")
            found = getattr(importlib.import_module(f"confighub.cli.commands.{module}"), attribute)
            assert isinstance(found, Command | Group)
            self.commands[name] = found
        return found


def command(*params: Parameter | Sequence[Parameter], example: str) -> Callable[[Body], Command]:
    """Make a function of a ``Call`` a command; its docstring is the help."""

    def made(body: Body) -> Command:
        flat = [one for given in params for one in ([given] if isinstance(given, Parameter) else given)]
        return Command(body, flat, example=example, help_text=body.__doc__ or "")

    return made


def flag(name: str, help_text: str, *, short: str = "", on: bool = False, hidden: bool = False) -> Parameter:
    """A switch; one that is on by default is turned off by ``--no-NAME`` or ``--NAME=false``."""
    return Parameter("switch", name, help_text, short=short, default=on, hidden=hidden)


def option(
    name: str,
    help_text: str,
    *,
    metavar: str = "TEXT",
    short: str = "",
    default: str | None = None,
    complete: str = "",
    bare: str = "",
) -> Parameter:
    """An option with one value; ``complete`` names what completion offers, ``bare`` is the value of a mere NAME."""
    return Parameter(
        "option", name, help_text, metavar=metavar, short=short, default=default, complete=complete, bare=bare
    )


def options(name: str, help_text: str, *, metavar: str, complete: str = "", short: str = "") -> Parameter:
    """An option that may be repeated, or hold a comma list."""
    return Parameter("option", name, help_text, metavar=metavar, short=short, many=True, complete=complete)


def argument(name: str, *, required: bool = True, many: bool = False, complete: str = "") -> Parameter:
    """A positional argument; ``many`` takes all that are left. An option may have the same name."""
    metavar = name.upper() if required else f"[{name.upper()}]"
    return Parameter("argument", name, metavar=metavar, required=required, many=many, complete=complete)


def space_option() -> Parameter:
    """The ``--space`` of every command that works in one."""
    return option("space", "Space by slug or id; '*' means all of them.", metavar="SPACE", complete="spaces")


def argument_key(name: str) -> str:
    """Return the name under which a positional argument is kept, apart from an option so named."""
    return f"{name.replace('-', '_')}_argument"


_EVERYWHERE = (flag("debug", "Show the HTTP exchange on standard error."),)
