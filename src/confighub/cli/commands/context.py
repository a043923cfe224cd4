"""``cub context``: which hub and which space are meant when a command does not say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confighub.cli.command import Group, argument, command, flag, option, space_option
from confighub.cli.output import pairs
from confighub.cli.showing import DATA_OUTPUT
from confighub.client.session import Context, hub_url
from confighub.errors import BadRequest, NotFound

if TYPE_CHECKING:
    from confighub.cli.call import Call


@command(
    flag("space-slug-only", "Print the slug of the current space and nothing else."),
    *DATA_OUTPUT,
    example="cub context get",
)
def get(call: Call) -> None:
    """Show user, hub and current space; nothing is asked of the hub."""
    context, session = call.home.context(), call.home.session()
    if call.yes("space-slug-only"):
        call.out.write(context.space)
        return
    url = hub_url(call.settings)
    rows = [
        ("User Email", session.username),
        ("IDP User ID", str(session.user.get("external_id") or "")),
        ("IDP Organization ID", session.organization_id),
        ("ConfigHub URL", url),
        ("Space", f"{context.space} ({context.space_id})" if context.space else ""),
        ("Organization", context.organization_id),
    ]
    value = {
        "User": session.username,
        "ConfigHubURL": url,
        "Space": context.space,
        "SpaceID": context.space_id,
        "OrganizationID": context.organization_id,
    }
    call.out.show(value, lambda: pairs(rows))


@command(
    space_option(),
    option("url", "The hub, when CONFIGHUB_URL is not set.", metavar="URL"),
    example="cub context set --space my-traderx-dev",
)
def set_context(call: Call) -> None:
    """Choose the current space."""
    if not call.text("space") and not call.text("url"):
        raise BadRequest("nothing to set", hint="--space SPACE")
    context = call.home.context()
    if call.text("url"):
        context = Context(url=call.text("url"))
        call.home.keep_context(context)
    if call.text("space"):
        space = call.hub.space(call.text("space"))
        context = Context(
            url=hub_url(call.settings),
            space=str(space["Slug"]),
            space_id=str(space["SpaceID"]),
            organization_id=str(space.get("OrganizationID") or ""),
        )
    call.home.keep_context(context)


@command(argument("name"), flag("overwrite", "Replace one of that name."), example="cub context save laptop")
def save(call: Call) -> None:
    """Keep the current context and login under a name."""
    name = call.arg("name")
    if call.home.has(name) and not call.yes("overwrite"):
        raise BadRequest(f"context {name} exists", hint="--overwrite")
    call.home.keep_context(call.home.context(), name)
    call.home.keep_session(call.home.session(), name)
    call.out.say(f"Context saved as {name}")


@command(argument("name"), example="cub context use laptop")
def use(call: Call) -> None:
    """Make a kept context and login the current ones."""
    name = call.arg("name")
    if not call.home.has(name):
        raise NotFound(f"no context is kept as {name}", hint=f"cub context save {name}")
    call.home.keep_context(call.home.context(name))
    call.home.keep_session(call.home.session(name))
    call.out.say(f"Context {name} is current")


GROUP = Group(
    "The hub and the space that are meant when a command does not say.",
    {"get": get, "set": set_context, "save": save, "use": use},
)
