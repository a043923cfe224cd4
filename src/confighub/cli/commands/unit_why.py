"""``cub unit why``: what a unit waits for, and the command that resolves it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confighub.cli.command import argument, command, space_option
from confighub.cli.selecting import the_unit
from confighub.cli.showing import DATA_OUTPUT

if TYPE_CHECKING:
    from confighub.cli.call import Call


@command(
    argument("unit", complete="units"),
    space_option(),
    *DATA_OUTPUT,
    example="cub unit why trade-service --space my-prod",
)
def why(call: Call) -> None:
    """Say why the head of a unit is not live and ready: gates, holds, workers, probes; and what resolves each."""
    from confighub.operations.why import why as explain

    answer = explain(call.hub, the_unit(call, call.arg("unit")))
    call.out.show(answer.as_json(), lambda: "\n".join(answer.lines()))
