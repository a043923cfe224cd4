"""``cub revision``: the immutable states of a unit's text, newest first."""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING

from confighub.cli.command import Group, argument, command, flag, space_option
from confighub.cli.kinds import Column, Kind
from confighub.cli.output import moment_utc, one_of_map, table
from confighub.cli.revisions import revision_of
from confighub.cli.selecting import WHERE, the_unit
from confighub.cli.showing import CONTAINS, DATA_OUTPUT, LIST_OUTPUT, SELECT, show_list, show_record
from confighub.client.collection import Noun

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
    space_option(),
    WHERE,
    CONTAINS,
    SELECT,
    LIST_OUTPUT,
    example="cub revision list trade-service --space my-traderx-prod",
)
def list_revisions(call: Call) -> None:
    """List the revisions of a unit, newest first: who changed what, and when."""
    unit = the_unit(call, call.arg("unit"))["Unit"]
    chosen = call.text("select") or ("" if call.out.is_flat else KIND.select)
    records = call.hub.units.revisions(
        unit["UnitID"],
        space_id=unit["SpaceID"],
        where=call.text("where"),
        contains=call.text("contains"),
        select="" if chosen == "*" else chosen,
    )
    if call.out.how == "names":
        call.out.write(table(None, [[str(one["Revision"]["RevisionNum"])] for one in records]))
        return
    show_list(call, KIND, records)


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
        call.out.stream.write(b64decode(record["Revision"].get("Data") or "").decode())
        return
    show_record(call, KIND, record)


GROUP = Group(
    "Revisions: the immutable states of a unit's text.",
    {"list": list_revisions, "get": get},
    options=[space_option()],
)
