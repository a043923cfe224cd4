"""Commands that bring everything up and down."""

from __future__ import annotations

import click

from traderx.commands.parameters import data_option
from traderx.commands.printing import saying


@click.command()
@click.option("--yes", is_flag=True, help="Ask nothing (nothing is asked anyway; for scripts that say it).")
@data_option
def up(yes: bool, data: str | None) -> None:  # noqa: ARG001
    """Bring everything up and book a trade.

    Starts hub, runtime and worker, makes the five spaces with all units, and deploys dev in order.
    Run again, it changes nothing and starts what has died.

    Example: bin/up
    """
    from traderx.up import bring_up

    bring_up(data, saying(as_json=False))


@click.command()
@data_option
def down(data: str | None) -> None:
    """End everything and keep the data.

    Whatever bin/up and bin/setup-worker started ends, in all environments.

    Example: bin/down
    """
    from traderx.project import find_project
    from traderx.stack import Stack

    say = saying(as_json=False)
    project = find_project(data)
    ended = Stack(project, say).stop()
    say(f"ended: {', '.join(ended)}" if ended else "nothing was running")
    say(f"the data is kept in {project.data}; start again with bin/up")
