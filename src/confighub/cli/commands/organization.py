"""``cub organization`` and ``cub organization-member``: who owns the spaces, and who belongs to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confighub.cli.changing import create_command, delete_command, update_command
from confighub.cli.command import Group, argument, command
from confighub.cli.kinds import Column, Kind
from confighub.cli.output import pairs
from confighub.cli.record_input import DRY_RUN, RECORD_INPUT, given_record
from confighub.cli.selecting import WHERE
from confighub.cli.showing import CONTAINS, DATA_OUTPUT, LIST_OUTPUT, SELECT, VERBOSE, show_list
from confighub.client.collection import ORGANIZATION, USER
from confighub.errors import NotFound

if TYPE_CHECKING:
    from confighub.cli.call import Call
    from confighub.client.transport import Wire

KIND = Kind(
    ORGANIZATION,
    lambda hub: hub.organizations,
    in_space=False,
    columns=(
        Column("DISPLAY-NAME", "DisplayName"),
        Column("ID", "OrganizationID"),
        Column("BILLING-ID", "BillingAccountID"),
        Column("EXTERNAL-ID", "ExternalID"),
    ),
    select="",
)
MEMBER_KIND = Kind(
    USER,
    lambda hub: hub.users,
    in_space=False,
    columns=(
        Column("USER-ID", "UserID"),
        Column("EXTERNAL-ID", "ExternalID"),
        Column("NAME", "DisplayName"),
        Column("USERNAME", "Username"),
        Column("ORG-ID", "OrganizationID"),
        Column("ORG-EXT-ID", "ExternalOrganizationID"),
    ),
    select="",
)


def show_flat(call: Call, kind: Kind, record: Wire) -> None:
    """Print a record that the wire does not extend."""
    call.out.show(
        record, lambda: pairs((one.title.title().replace("-", " "), one.cell(record)) for one in kind.columns)
    )


def named(records: list[Wire], name: str, word: str) -> Wire:
    """Return the record with that slug, id, name or external id; raises NotFound."""
    keys = ("Slug", "OrganizationID", "UserID", "Username", "ExternalID", "DisplayName")
    for record in records:
        if any(record.get(key) == name for key in keys):
            return record
    raise NotFound(f"no such {word}: {name}")


@command(WHERE, CONTAINS, SELECT, LIST_OUTPUT, example="cub organization list")
def list_all(call: Call) -> None:
    """List organizations."""
    show_list(call, KIND, call.hub.organizations.list(where=call.text("where"), contains=call.text("contains")))


@command(argument("name"), SELECT, DATA_OUTPUT, example="cub organization get acme")
def get(call: Call) -> None:
    """Show one organization."""
    show_flat(call, KIND, named(call.hub.organizations.list(), call.arg("name"), "organization"))


def _members_path(call: Call) -> str:
    return f"/organization/{call.hub.me()['OrganizationID']}/organization_member"


def _members(call: Call) -> list[Wire]:
    query = {"where": call.text("where"), "contains": call.text("contains")}
    return call.hub.transport.request("GET", _members_path(call), query) or []


@command(WHERE, CONTAINS, SELECT, LIST_OUTPUT, example="cub organization-member list")
def list_members(call: Call) -> None:
    """List the members of the organization."""
    show_list(call, MEMBER_KIND, _members(call))


@command(argument("name"), SELECT, DATA_OUTPUT, example="cub organization-member get alice")
def get_member(call: Call) -> None:
    """Show one member of the organization."""
    show_flat(call, MEMBER_KIND, named(_members(call), call.arg("name"), "member"))


@command(argument("name"), RECORD_INPUT, DATA_OUTPUT, VERBOSE, DRY_RUN, example="cub organization-member create alice")
def create_member(call: Call) -> None:
    """Make a user a member of the organization."""
    body = {**given_record(call), "Username": call.arg("name")}
    member = call.hub.transport.request("POST", _members_path(call), body=body) or body
    sentence = f"Successfully created organization-member {call.arg('name')}"
    if call.is_dry_run:
        sentence = f"dry run: organization-member {call.arg('name')} would be created; nothing is stored"
    call.out.show(member, lambda: sentence)


@command(argument("name"), DATA_OUTPUT, DRY_RUN, example="cub organization-member delete alice")
def delete_member(call: Call) -> None:
    """End a user's membership of the organization."""
    member = named(_members(call), call.arg("name"), "member")
    answer = call.hub.transport.request("DELETE", f"{_members_path(call)}/{member['UserID']}") or {}
    sentence = f"Successfully deleted organization-member {member.get('Username')} ({member['UserID']})"
    if call.is_dry_run:
        sentence = f"dry run: organization-member {member.get('Username')} would be deleted; nothing is stored"
    call.out.show(answer, lambda: sentence)


GROUP = Group(
    "Organizations: the owners of spaces.",
    {
        "list": list_all,
        "get": get,
        "create": create_command(KIND, bulk=False, example="cub organization create acme"),
        "update": update_command(KIND, bulk=False, example="cub organization update acme --label plan=free"),
        "delete": delete_command(KIND, bulk=False, example="cub organization delete acme"),
    },
)
MEMBERS = Group(
    "Members of the organization.",
    {"list": list_members, "get": get_member, "create": create_member, "delete": delete_member},
)
