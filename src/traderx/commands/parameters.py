"""What many commands are told: kinds of values, and options that say the same everywhere."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from traderx.regions import Region

_Function = TypeVar("_Function", bound=Callable[..., Any])
_YEAR_S = 365 * 86_400


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

    ``adds`` are names that are taken beside them. ``allows_spaces`` also takes the name of any one space, ``spaces_by``
    does so where that flag is given, which must be eager. What is none is refused before anything is started.
    """

    name = "environment"

    def __init__(self, *, adds: tuple[str, ...] = (), allows_spaces: bool = False, spaces_by: str = "") -> None:
        self.adds, self.allows_spaces, self.spaces_by = adds, allows_spaces, spaces_by

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name; an unknown one is a usage error."""
        name = str(value)
        takes_spaces = self.allows_spaces or bool(ctx and ctx.params.get(self.spaces_by))
        if takes_spaces and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
            return name
        known = (*self.adds, *environments())
        if name not in known:
            self.fail(f"there is no environment {name}, there is {', '.join(known)}.", param, ctx)
        return name


def environments() -> tuple[str, ...]:
    """Return the names of all environments; they are imported when they are needed."""
    from traderx.regions import PLACES

    return PLACES


class RegionName(click.ParamType["Region"]):
    """A region of prod, by its name or its environment's."""

    name = "region"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Region:
        """Return the region; an unknown one is a usage error."""
        from traderx.regions import BY_NAME, SOURCE

        found = BY_NAME.get(str(value).removeprefix(f"{SOURCE}-"))
        if found is None:
            self.fail(f"there is no region {value}, there is {', '.join(BY_NAME)}.", param, ctx)
        return found


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


def together(*options: Callable[[Any], Any]) -> Callable[[_Function], _Function]:
    """Return one decorator for options that go together, in the order in which the help shows them."""

    def add(function: _Function) -> _Function:
        for option in reversed(options):
            function = option(function)
        return function

    return add


def timeout_option(default_s: float, *, what: str = "How long one unit may take.") -> Callable[[_Function], _Function]:
    """Return the option that says how long something may take."""
    return click.option("--timeout", type=Seconds(), default=default_s, show_default=True, metavar="SECONDS", help=what)


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
result_options = together(json_option, data_option)
"""For commands with a result, last: its form, and the project."""
approve_option = click.option(
    "--approve", is_flag=True, help="Approve, in your name, exactly the revisions that are applied (prod)."
)
price_options = together(
    click.option("--provider", default="", metavar="NAME", help="Whose prices, where the space does not say."),
    click.option("--region", default="", metavar="NAME", help="Prices of which region, where it does not say."),
    click.option("--prices", "prices_file", metavar="FILE", help="Prices of your own; the form is in prices.yaml."),
)
