"""``cub mutation``: what made each change of a unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confighub.cli.command import Group, argument, command, flag, space_option
from confighub.cli.kinds import Column, Kind
from confighub.cli.output import moment_utc
from confighub.cli.selecting import the_unit
from confighub.cli.showing import DATA_OUTPUT, SELECT, show_record
from confighub.cli.unit_history import history_command
from confighub.client.collection import Noun
from confighub.errors import BadRequest, NotFound

if TYPE_CHECKING:
    from confighub.cli.call import Call

KIND = Kind(
    Noun("mutation", "Mutation", "mutation"),
    lambda hub: hub.units,
    columns=(
        Column("NUM", "Mutation.MutationNum"),
        Column("REVISIONNUM", "Mutation.RevisionNum"),
        Column("LINK", "Link.Slug"),
        Column("PROVIDEDRESOURCE", "Mutation.ProvidedResource.ResourceName"),
        Column("PROVIDEDPATH", "Mutation.ProvidedPath"),
        Column("TRIGGER", "Trigger.Slug"),
        Column("FUNCTIONNAME", "Mutation.FunctionInvocation.FunctionName"),
    ),
    select=(
        "FunctionInvocation,Link.Slug,LinkID,MutationID,MutationNum,OrganizationID,ProvidedPath,ProvidedResource,"
        "RevisionID,RevisionNum,SpaceID,Trigger.Slug,TriggerID,UnitID"
    ),
    is_got_extended=True,
    named_by="MutationNum",
    details=(
        Column("ID", "Mutation.MutationID"),
        Column("Num", "Mutation.MutationNum"),
        Column("Revision Num", "Mutation.RevisionNum"),
        Column("Created At", "Mutation.CreatedAt", moment_utc),
        Column("Function", "Mutation.FunctionInvocation.FunctionName"),
        Column("Link", "Link.Slug"),
        Column("Trigger", "Trigger.Slug"),
        Column("Restored Revision Num", "Mutation.RestoredRevisionNum"),
        Column("Upgraded From Upstream Revision Num", "Mutation.UpgradedFromUpstreamRevisionNum"),
    ),
)


@command(
    argument("unit", complete="units"),
    argument("number"),
    space_option(),
    SELECT,
    DATA_OUTPUT,
    example="cub mutation get trade-service 2",
)
def get(call: Call) -> None:
    """Show one mutation by its number."""
    unit, number = the_unit(call, call.arg("unit"))["Unit"], call.arg("number")
    if not number.isdigit():
        raise BadRequest(f"not a mutation's number: {number}")
    found = call.hub.units.mutations(unit["UnitID"], space_id=unit["SpaceID"], where=f"MutationNum = {number}")
    if not found:
        raise NotFound(f"mutation {number} of unit {unit['Slug']} not found")
    show_record(call, KIND, found[0])


GROUP = Group(
    "Mutations: what made each change of a unit.",
    {
        "list": history_command(
            KIND,
            lambda units: units.mutations,
            flag("by-unit-id", "The unit is given by its id."),
            help_text="List what made each change of a unit, newest first.",
            example="cub mutation list trade-service",
        ),
        "get": get,
    },
    options=[space_option()],
)
