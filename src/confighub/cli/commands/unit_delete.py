"""``cub unit delete``: units go, their history stays in the hub."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confighub.cli.changing import delete_one, report_many
from confighub.cli.command import argument, command, flag, space_option
from confighub.cli.commands.unit_create import KIND
from confighub.cli.record_input import DRY_RUN
from confighub.cli.selecting import MANY_UNITS, the_unit, wants_many, where_of
from confighub.cli.showing import DATA_OUTPUT
from confighub.errors import BadRequest

if TYPE_CHECKING:
    from confighub.cli.call import Call


@command(
    argument("unit", required=False, complete="units"),
    space_option(),
    *MANY_UNITS,
    *DATA_OUTPUT,
    DRY_RUN,
    flag("yes", "Accepted; the selection is the confirmation.", hidden=True),
    example="cub unit delete web --space my-dev",
)
def delete(call: Call) -> None:
    """Delete a unit, or every unit selected. What runs goes on: destroy first."""
    if call.arg("unit"):
        unit = the_unit(call, call.arg("unit"))["Unit"]
        delete_one(call, KIND, unit["UnitID"], slug=unit["Slug"], space_id=unit["SpaceID"])
        return
    if not wants_many(call):
        raise BadRequest("which units?", hint="name one, or give --unit, --where or --filter")
    report_many(call, KIND, "delete", call.hub.units.delete_all(where=where_of(call)))
