"""What a shell may complete: slugs from the hub, names of functions.

Completion never fails and never waits: an absent hub has nothing to offer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from click.shell_completion import CompletionItem

from confighub.errors import ConfigHubError

if TYPE_CHECKING:
    from confighub.cli.call import Call
    from confighub.client.collection import Collection
    from confighub.client.hub import HubClient

_IMPATIENT_S = 2.0

_COLLECTIONS: dict[str, Callable[[HubClient], Collection]] = {
    "changesets": lambda hub: hub.change_sets,
    "filters": lambda hub: hub.filters,
    "invocations": lambda hub: hub.invocations,
    "links": lambda hub: hub.links,
    "sets": lambda hub: hub.sets,
    "spaces": lambda hub: hub.spaces,
    "tags": lambda hub: hub.tags,
    "targets": lambda hub: hub.targets,
    "triggers": lambda hub: hub.triggers,
    "units": lambda hub: hub.units,
    "views": lambda hub: hub.views,
    "workers": lambda hub: hub.workers,
}


def candidates(kind: str, call: Call, incomplete: str) -> list[CompletionItem]:
    """Return what begins with the incomplete word; empty for an unknown kind or when the hub is away."""
    try:
        call.hub.transport.timeout_s = _IMPATIENT_S
        names = _names(kind, call)
    except (ConfigHubError, OSError):
        return []
    before, comma, last = incomplete.rpartition(",")
    return [CompletionItem(f"{before}{comma}{name}") for name in names if name.startswith(last)]


def _names(kind: str, call: Call) -> list[str]:
    if kind == "functions":
        found = call.hub.functions.list()
        return sorted({name for functions in found.values() for name in functions})
    if kind not in _COLLECTIONS:
        return []
    records = _COLLECTIONS[kind](call.hub)
    space_id = "" if kind == "spaces" else call.scope.space_id
    listed = records.list(space_id=space_id, select="Slug", include="")
    return sorted(str(one.get(records.noun.entity, one)["Slug"]) for one in listed)
