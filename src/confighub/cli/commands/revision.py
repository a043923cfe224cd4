"""``cub revision``: the immutable states of a unit's text, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confighub.cli.command import Group, argument, command, flag, space_option
from confighub.cli.kinds import Column, Kind
from confighub.cli.output import moment_utc, one_of_map
from confighub.cli.revisions import revision_of
from confighub.cli.selecting import the_unit
from confighub.cli.showing import DATA_OUTPUT, SELECT, show_record
from confighub.cli.unit_history import history_command
from confighub.client.collection import Noun
from confighub.client.units import text_of

if TYPE_CHECKING:
    from confighub.cli.call import Call

KIND = Kind(
    Noun("revision", "Revision", "revision"),
    lambda hub: hub.units,
    columns=(
        Column("NUM", "Revision.RevisionNum"),
        Column("TIME", "Revision.CreatedAt", moment_utc),
        Column("USER", "User.Username"),
        Column("SOURCE", "Revision.Source"),
        Column("DESCRIPTION", "Revision.Description"),
        Column("APPLY-GATES", "Revision.ApplyGates", one_of_map),
    ),
    select=(
        "ApplyGates,CreatedAt,Description,OrganizationID,RevisionID,RevisionNum,Source,SpaceID,UnitID,User.Username,"
        "UserID"
    ),
    named_by="RevisionNum",
    details=(
        Column("ID", "Revision.RevisionID"),
        Column("Num", "Revision.RevisionNum"),
        Column("Unit ID", "Revision.UnitID"),
        Column("Created At", "Revision.CreatedAt", moment_utc),
        Column("User", "User.Username"),
        Column("Source", "Revision.Source"),
        Column("Description", "Revision.Description"),
        Column("Live At", "Revision.LiveAt", moment_utc),
        Column("Apply Gates", "Revision.ApplyGates", one_of_map),
        Column("Content Hash", "Revision.ContentHash"),
    ),
)


@command(
    argument("unit", complete="units"),
    argument("revision"),
    space_option(),
    SELECT,
    DATA_OUTPUT,
    flag("data-only", "Print the text only, byte for byte."),
    example="cub revision get trade-service 3 --data-only",
)
def get(call: Call) -> None:
    """Show one revision: a number, N-1 (the one before the head), head or live."""
    unit = the_unit(call, call.arg("unit"))["Unit"]
    record = revision_of(call.hub, unit, call.arg("revision"))
    if call.yes("data-only"):
        call.out.stream.write(text_of(record["Revision"]))
        return
    show_record(call, KIND, record)


GROUP = Group(
    "Revisions: the immutable states of a unit's text.",
    {
        "list": history_command(
            KIND,
            lambda units: units.revisions,
            help_text="List the revisions of a unit, newest first: who changed what, and when.",
            example="cub revision list trade-service --space my-traderx-prod",
        ),
        "get": get,
    },
    options=[space_option()],
)
