"""Which units are looked at for drift."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from confighub.client.collection import any_of, conjoined, quoted
from confighub.client.hub import HubClient
from confighub.client.names import Selection
from confighub.client.transport import Wire


@dataclass(frozen=True)
class Watched:
    """Which units are looked at: those of the spaces that one of the selections chooses; none means all of them."""

    spaces: tuple[Wire, ...]
    selections: tuple[Selection, ...] = ()
    namespace: str = ""


def find_watched(
    hub: HubClient, spaces: Sequence[str], *, sets: Sequence[str], filters: Sequence[str], namespace: str = ""
) -> Watched:
    """Return what the names mean; ``*`` as a space is every space that has a target.

    Raises: NotFound for a space, set or filter that is not there.
    """
    if "*" in spaces:
        found = [one["Space"] for one in hub.spaces.list() if hub.targets.list(space_id=one["Space"]["SpaceID"])]
    else:
        found = [hub.space(name) for name in spaces]
    first = str(found[0]["SpaceID"]) if found else ""
    selections = [
        Selection(where=f"SetID = {quoted(str(hub.set(name, space=first)['Set']['SetID']))}") for name in sets
    ]
    if filters:
        chosen = [hub.filter(text, space=first) for text in filters]
        selections = [
            Selection(conjoined(one.where, other.where), other.where_data, other.resource_type)
            for one in selections or [Selection()]
            for other in chosen
        ]
    return Watched(tuple(found), tuple(selections), namespace)


def ask_workers(hub: HubClient, watched: Watched, *, timeout_s: float) -> None:
    """Have the workers compare what they run; what they find is then in the hub. Workers that are away are skipped."""
    where = conjoined("LiveRevisionNum > 0", any_of("SpaceID", [str(space["SpaceID"]) for space in watched.spaces]))
    found = [one["Unit"] for one in hub.units.list(where=where, select="Slug", include="")]
    operations = [hub.units.refresh(unit["UnitID"], space_id=unit["SpaceID"]) for unit in found if unit]
    for operation in operations:
        hub.units.wait(operation, timeout_s=timeout_s)
