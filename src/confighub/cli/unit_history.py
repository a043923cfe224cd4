"""Lists of what happened to one unit: revisions, mutations, events."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from confighub.cli.command import Command, Parameter, argument, command, space_option
from confighub.cli.kinds import Kind
from confighub.cli.selecting import WHERE, the_unit
from confighub.cli.showing import CONTAINS, LIST_OUTPUT, SELECT, show_list

if TYPE_CHECKING:
    from confighub.cli.call import Call
    from confighub.client.collection import Records
    from confighub.client.units import Units

Ask = Callable[..., "Records"]


def history_command(
    kind: Kind, ask_of: Callable[[Units], Ask], *extra: Parameter, help_text: str, example: str
) -> Command:
    """Make the list of a unit's records of that kind; ``ask_of`` gives the call that lists them."""

    @command(
        argument("unit", complete="units"),
        space_option(),
        WHERE,
        CONTAINS,
        SELECT,
        LIST_OUTPUT,
        *extra,
        example=example,
    )
    def body(call: Call) -> None:
        unit = the_unit(call, call.arg("unit"))["Unit"]
        chosen = call.text("select") or ("" if call.out.is_flat else kind.select)
        records = ask_of(call.hub.units)(
            unit["UnitID"],
            space_id=unit["SpaceID"],
            where=call.text("where"),
            contains=call.text("contains"),
            select="" if chosen == "*" else chosen,
        )
        show_list(call, kind, records)

    body.help = help_text
    return body
