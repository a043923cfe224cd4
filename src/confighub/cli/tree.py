"""All commands of ``cub``, by name."""

from __future__ import annotations

from collections.abc import Iterator

from confighub.cli.call import Call, Typed
from confighub.cli.command import Command, Group, flag

ROOT = Group(
    """Work with a configuration hub.

    The hub is the one CONFIGHUB_URL names. Log in with `cub auth test-login NAME`,
    choose a space with `cub context set --space SPACE`, look around with `cub unit list`.
    """,
    {
        "audit": "audit:GROUP",
        "auth": "auth:GROUP",
        "changeset": "changeset:GROUP",
        "completion": "completion:GROUP",
        "context": "context:GROUP",
        "filter": "filter:GROUP",
        "function": "function:GROUP",
        "helm": "helm:GROUP",
        "info": "info:show_info",
        "invocation": "invocation:GROUP",
        "link": "link:GROUP",
        "mutation": "mutation:GROUP",
        "organization": "organization:GROUP",
        "organization-member": "organization:MEMBERS",
        "revision": "revision:GROUP",
        "run": "run:GROUP",
        "set": "set:GROUP",
        "space": "space:GROUP",
        "tag": "tag:GROUP",
        "target": "target:GROUP",
        "trigger": "trigger:GROUP",
        "unit": "unit:GROUP",
        "unit-event": "unit_event:GROUP",
        "user": "user:GROUP",
        "version": "info:show_version",
        "view": "view:GROUP",
        "worker": "worker:GROUP",
    },
    options=[flag("help-overview", "Show every command on one line, and exit.")],
)


def every_command(group: Group = ROOT) -> Iterator[tuple[str, Command | Group]]:
    """Yield every command below the group with its path, such as ``unit list``, groups too; not what a hub adds."""
    nobody = Call(Typed("cub", "cub", {}, frozenset(), {}))
    for name in group.names(nobody):
        found = group.find(name, nobody)
        if found is None or (isinstance(found, Group) and found.is_live):
            continue
        yield name, found
        if isinstance(found, Group):
            yield from ((f"{name} {path}", inner) for path, inner in every_command(found))
