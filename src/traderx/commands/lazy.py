"""A Click group whose commands are imported when they are named, and the options that many share."""

from __future__ import annotations

import difflib
import importlib
import math
import os
import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from confighub.operations.progress import Progress

_Function = TypeVar("_Function", bound=Callable[..., Any])
_YEAR_S = 365 * 86_400


class LazyGroup(click.Group):
    """Commands by name, each given as ``module:attribute`` below ``traderx.commands``."""

    def __init__(self, name: str, places: dict[str, str], *, help: str) -> None:  # noqa: A002 Click's word
        super().__init__(name, help=help)
        self.places = places

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names, sorted."""
        return sorted(self.places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and return the command; None for an unknown name."""
        place = self.places.get(cmd_name)
        if place is None:
            return None
        module, _, attribute = place.partition(":")
        found: click.Command = getattr(importlib.import_module(f"traderx.commands.{module}"), attribute)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command and what is left for it; an unknown name is an error with a suggestion."""
        if args and not args[0].startswith("-") and args[0] not in self.places:
            close = difflib.get_close_matches(args[0], self.places, n=1)
            hint = f" (did you mean {close[0]}?)" if close else " (see: traderx --help)"
            raise click.UsageError(f'unknown command "{args[0]}"{hint}')
        return super().resolve_command(ctx, args)


class Seconds(click.FloatRange):
    """A finite number of seconds, at most a year."""

    def __init__(self, *, is_positive: bool = False) -> None:
        super().__init__(min=0, min_open=is_positive, max=_YEAR_S)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number; what is none, or out of range, is a usage error."""
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            # every comparison with it is false, so no range refuses it
            self.fail(f"{value} is not a number of seconds.", param, ctx)
        return number


class Environment(click.ParamType[str]):
    """An environment of the project: dev, staging, prod, or a region of prod.

    ``allows_spaces`` also takes the name of any one space. What is none is refused before anything is started.
    """

    name = "environment"

    def __init__(self, *, allows_spaces: bool = False) -> None:
        self.allows_spaces = allows_spaces

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name; an unknown one is a usage error."""
        name = str(value)
        if self.allows_spaces and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
            return name
        known = environments()
        if name not in known:
            self.fail(f"there is no environment {name}, there is {', '.join(known)}.", param, ctx)
        return name


def environments() -> tuple[str, ...]:
    """Return the names of all environments: the stages and the regions of prod."""
    from traderx.regions import REGIONS
    from traderx.topology import ENVIRONMENTS

    return (*ENVIRONMENTS, *(one.environment for one in REGIONS))


class Duration(click.ParamType[float]):
    """A time such as ``90s``, ``15m`` or ``1h30m``, in seconds, or a plain number of them; a second to a year."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds; what is no such time is a usage error."""
        if isinstance(value, float):
            return value
        value = f"{value}s" if re.fullmatch(r"\d{1,9}(\.\d{1,3})?", value) else value
        parts = re.findall(r"(\d{1,9}(?:\.\d{1,3})?)([smhd])", value)
        if not parts or "".join(number + unit for number, unit in parts) != value:
            self.fail(f"{value} is no time; write it like 90s, 15m or 1h30m.", param, ctx)
        seconds = sum(float(number) * {"s": 1, "m": 60, "h": 3600, "d": 86_400}[unit] for number, unit in parts)
        if not 1 <= seconds <= _YEAR_S:
            self.fail(f"{value} is not between a second and a year.", param, ctx)
        return seconds


data_option = click.option(
    "--data",
    metavar="DIR",
    help="Keep state, login and project name in this folder instead of .traderx (also TRADERX_DATA).",
)
json_option = click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print the result as JSON on standard output; progress goes to standard error.",
)
explain_option = click.option("--explain", is_flag=True, help="Print what would be done, and do nothing.")


def saying(as_json: bool) -> Callable[[str], None]:
    """Return how progress is printed: line by line as it happens, beside the result when that is JSON."""
    stream = sys.stderr if as_json else sys.stdout

    def say(line: str) -> None:
        print(line, file=stream, flush=True)

    return say


def showing(as_json: bool) -> tuple[Callable[[str], None], Progress | None]:
    """Return how lines are printed and how a deployment is shown: a tree on a terminal, else None for plain lines."""
    if as_json or not sys.stdout.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        return saying(as_json), None
    from confighub.operations.progress import Tree

    tree = Tree(sys.stdout)
    return tree.say, tree
