"""Revisions by the names that people give them: ``7``, ``-1``, ``N-1``, ``head``, ``live``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from confighub.errors import BadRequest, NotFound

if TYPE_CHECKING:
    from confighub.client.hub import HubClient
    from confighub.client.transport import Wire

_ATTRIBUTES = {
    "head": "HeadRevisionNum",
    "n": "HeadRevisionNum",
    "headrevisionnum": "HeadRevisionNum",
    "live": "LiveRevisionNum",
    "liverevisionnum": "LiveRevisionNum",
    "applied": "LastAppliedRevisionNum",
    "lastappliedrevisionnum": "LastAppliedRevisionNum",
    "previous-live": "PreviousLiveRevisionNum",
    "previousliverevisionnum": "PreviousLiveRevisionNum",
}
_BACK = re.compile(r"[Nn]?-(?P<count>\d+)")


def is_marked(name: str) -> bool:
    """Tell whether the name is that of a mark on a revision, which the hub resolves: ``Tag:x``, ``Before:…``."""
    return ":" in name


def revision_number(unit: Wire, name: str) -> int:
    """Return the number that a name means for this unit.

    ``N-1`` and ``-1`` count back from the head. Raises: NotFound when the unit has no such
    revision; BadRequest for a name that is none.
    """
    head = int(unit.get("HeadRevisionNum") or 0)
    back = _BACK.fullmatch(name)
    if name.isdigit():
        number = int(name)
    elif back:
        number = head - int(back["count"])
    elif name.lower() in _ATTRIBUTES:
        number = int(unit.get(_ATTRIBUTES[name.lower()]) or 0)
    else:
        raise BadRequest(
            f"not the name of a revision: {name}", hint="a number, N-1, head, live, applied, Tag:x or ChangeSet:x"
        )
    if number < 1 or number > head:
        raise NotFound(f"unit {unit['Slug']} has no revision {name}; its head is {head}")
    return number


def attribute_of(name: str) -> str:
    """Return the attribute of a unit that a name means, such as ``LiveRevisionNum``; raises BadRequest."""
    found = _ATTRIBUTES.get(name.lower())
    if found is None:
        raise BadRequest(f"not the name of a revision: {name}", hint="head, live, applied or previous-live")
    return found


def revision_of(hub: HubClient, unit: Wire, name: str) -> Wire:
    """Return the extended revision that a name means for this unit; raises as ``revision_number``."""
    number = revision_number(unit, name)
    found = hub.units.revisions(unit["UnitID"], space_id=unit["SpaceID"], where=f"RevisionNum = {number}")
    if not found:
        raise NotFound(f"rev {number} of unit {unit['Slug']} not found")
    return found[0]
