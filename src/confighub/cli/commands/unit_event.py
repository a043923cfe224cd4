"""``cub unit-event``: how far each operation on a unit is, or how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confighub.cli.command import Group, argument, command, space_option
from confighub.cli.kinds import Column, Kind
from confighub.cli.output import moment_utc, pairs
from confighub.cli.selecting import the_unit
from confighub.cli.showing import DATA_OUTPUT, SELECT
from confighub.cli.unit_history import history_command
from confighub.client.collection import Noun
from confighub.errors import NotFound

if TYPE_CHECKING:
    from confighub.cli.call import Call

KIND = Kind(
    Noun("unit_event", "UnitEvent", "unit-event"),
    lambda hub: hub.units,
    columns=(
        Column("ACTION", "Action"),
        Column("RESULT", "Result"),
        Column("STATUS", "Status"),
        Column("CREATED-AT", "CreatedAt", moment_utc),
        Column("TERMINATED-AT", "TerminatedAt", moment_utc),
        Column("MESSAGE", "Message"),
    ),
    select="",
    named_by="UnitEventID",
)


@command(
    argument("unit", complete="units"),
    argument("event"),
    space_option(),
    SELECT,
    DATA_OUTPUT,
    example="cub unit-event get trade-service 7c61626f-ddbe-41af-93f6-b69f4ab6d308",
)
def get(call: Call) -> None:
    """Show one event by its id."""
    unit, event_id = the_unit(call, call.arg("unit"))["Unit"], call.arg("event")
    events = call.hub.units.events(unit["UnitID"], space_id=unit["SpaceID"])
    event = next((one for one in events if one.get("UnitEventID") == event_id), None)
    if event is None:
        raise NotFound(f"unit event {event_id} not found on unit {unit['Slug']}")
    rows = [("ID", event_id), *((one.title.title(), one.cell(event)) for one in KIND.columns)]
    call.out.show(event, lambda: pairs(rows))


GROUP = Group(
    "Unit events: how far each operation on a unit is.",
    {
        "list": history_command(
            KIND,
            lambda units: units.events,
            help_text="List the operations on a unit, newest first, and how each ended.",
            example="cub unit-event list trade-service",
        ),
        "get": get,
    },
    options=[space_option()],
)
