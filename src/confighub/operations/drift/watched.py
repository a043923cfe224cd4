"""Which units are looked at for drift."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from confighub.client.collection import conjoined, quoted
from confighub.client.hub import HubClient
from confighub.client.names import Selection
from confighub.client.transport import Wire
from confighub.errors import ConfigHubError
from confighub.operations.guard import Say


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


def live_records(hub: HubClient, watched: Watched, *, select: str) -> Iterator[Wire]:
    """Yield the extended units that are looked at and live, each once, with its space."""
    seen: set[str] = set()
    for space in watched.spaces:
        for chosen in watched.selections or (Selection(),):
            query = {**chosen.query, "where": conjoined(chosen.where, "LiveRevisionNum > 0")}
            for record in hub.units.list(space_id=str(space["SpaceID"]), select=select, **query):
                unit_id = str(record["Unit"]["UnitID"])
                if unit_id not in seen:
                    seen.add(unit_id)
                    yield {**record, "Space": space}


def ask_workers(hub: HubClient, watched: Watched, say: Say, *, timeout_s: float) -> None:
    """Have the workers compare what they run; what they find is then in the hub.

    ``timeout_s`` is for all of them together. A unit whose worker is away, or that is refused, is told and passed over.
    """
    deadline = time.monotonic() + timeout_s
    asked: list[tuple[str, Wire]] = []
    for record in live_records(hub, watched, select="Slug,TargetID"):
        unit = record["Unit"]
        name = f"{record['Space']['Slug']}/{unit['Slug']}"
        try:
            asked.append((name, hub.units.refresh(unit["UnitID"], space_id=unit["SpaceID"])))
        except ConfigHubError as error:
            say(f"{name} is not compared by its worker: {error}")
    for name, operation in asked:
        try:
            hub.units.wait(operation, timeout_s=max(0.0, deadline - time.monotonic()))
        except ConfigHubError as error:
            say(f"{name} is not compared by its worker: {error.message}")
