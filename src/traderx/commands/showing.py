"""The command that shows the twelve patterns and proves them."""

from __future__ import annotations

import json

import click

from traderx.commands.parameters import result_options
from traderx.commands.printing import saying


@click.group(invoke_without_command=True)
@result_options
@click.pass_context
def patterns(context: click.Context, as_json: bool, data: str | None) -> None:
    """Show the twelve patterns with their last results.

    Each with the command that shows it. What never ran says so; `patterns run` runs them against dev.

    Example: bin/traderx patterns --json
    """
    from traderx import patterns as checklist
    from traderx.project import find_project

    if context.invoked_subcommand is not None:
        # what was said before the command's name holds for the command
        context.default_map = {context.invoked_subcommand: {"as_json": as_json, "data": data}}
        return
    rows = checklist.listed(find_project(data))
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    for row in rows:
        print(checklist.line_of(row))


@patterns.command()
@click.argument("numbers", nargs=-1, type=int, metavar="[NUMBER]…")
@result_options
def run(numbers: tuple[int, ...], as_json: bool, data: str | None) -> int:
    """Run patterns against dev and keep what came of each.

    All of them without a number. What they change is in spaces of their own, which end with the run; dev's units
    stay as they are. The exit status is 1 when one failed.

    Example: bin/traderx patterns run 9
    """
    from traderx import patterns as checklist
    from traderx.site import open_site

    # before a hub is started for it
    checklist.refuse_unknown(numbers)
    say = saying(as_json)
    rows = checklist.run(open_site(data, say), numbers, say)
    if as_json:
        print(json.dumps(rows, indent=2))
    return int(any(row["last"]["outcome"] != "passed" for row in rows))
