"""``cub user``: the people and machines that the hub knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confighub.cli.command import Group, argument, command
from confighub.cli.commands.organization import MEMBER_KIND, named, show_flat
from confighub.cli.kinds import Kind
from confighub.cli.selecting import WHERE
from confighub.cli.showing import CONTAINS, DATA_OUTPUT, LIST_OUTPUT, SELECT, show_list
from confighub.client.collection import USER

if TYPE_CHECKING:
    from confighub.cli.call import Call

KIND = Kind(USER, lambda hub: hub.users, in_space=False, columns=MEMBER_KIND.columns[:4], select="")


@command(WHERE, CONTAINS, SELECT, LIST_OUTPUT, example="cub user list")
def list_all(call: Call) -> None:
    """List users."""
    show_list(call, KIND, call.hub.users.list(where=call.text("where"), contains=call.text("contains")))


@command(argument("name"), SELECT, DATA_OUTPUT, example="cub user get alice")
def get(call: Call) -> None:
    """Show one user."""
    show_flat(call, KIND, named(call.hub.users.list(), call.arg("name"), "user"))


GROUP = Group("Users: the people and machines that the hub knows.", {"list": list_all, "get": get})
