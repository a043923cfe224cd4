"""What people type, resolved to what the hub stores.

Source: the seed's commands name units by service (C-41), filters as ``${PROJECT}/x`` although
they live in ``${PROJECT}-filters`` (C-05, C-10), and sets in any space of the project (C-08).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from confighub.client.collection import Collection, conjoined, is_id, quoted
from confighub.client.transport import Wire
from confighub.errors import BadRequest, NotFound

_OPERATOR = re.compile(r"[=<>~?()]|\s(?:NOT\s+)?(?:IN|LIKE|ILIKE|IS)\b")
_DEPLOYMENT = "apps/v1/Deployment"

FindSpace = Callable[[str], Wire]


class Selection(NamedTuple):
    """Which records: a where-expression, and for units a look into their data."""

    where: str = ""
    where_data: str = ""
    resource_type: str = ""

    def narrowed(self, *terms: str) -> Selection:
        """Return the selection of those that also fulfil the terms."""
        return Selection(conjoined(self.where, *terms), self.where_data, self.resource_type)

    @property
    def query(self) -> dict[str, str]:
        """The query parameters of a list call that answers this selection."""
        return {"where": self.where, "where_data": self.where_data, "resource_type": self.resource_type}


def is_expression(text: str) -> bool:
    """Tell whether a ``--filter`` argument is a where-expression rather than a name."""
    return _OPERATOR.search(text) is not None


def find_unit(units: Collection, name: str, *, space_id: str) -> Wire:
    """Return the extended unit with that slug or id, else the one Deployment labelled ``service=name``.

    Of several Deployments the one labelled ``active=true`` is meant.
    Raises: NotFound; BadRequest listing the candidates.
    """
    try:
        return units.find(name, space_id=space_id)
    except NotFound:
        if is_id(name):
            raise
        candidates = units.list(where=f"Labels.service = {quoted(name)}", space_id=space_id, resource_type=_DEPLOYMENT)
        if not candidates:
            raise
    active = [one for one in candidates if (one["Unit"].get("Labels") or {}).get("active") == "true"]
    chosen = active if len(active) == 1 else candidates
    if len(chosen) > 1:
        slugs = ", ".join(sorted(str(one["Unit"]["Slug"]) for one in chosen))
        raise BadRequest(f"{name} is no unit, and several have the label service={name}: {slugs}", hint="name one")
    return chosen[0]


def find_filter(
    filters: Collection, find_space: FindSpace, text: str, *, space: str = "", entity: str = "Unit"
) -> Selection:
    """Return what ``text`` selects: an expression, a filter's slug or id, or ``space/slug``.

    Raises: NotFound for an unknown filter; BadRequest for one that selects something else.
    """
    if is_expression(text):
        return Selection(where=text)
    if "/" in text:
        owner, _, slug = text.rpartition("/")
        found = find_in_project(filters, find_space, slug, space=owner)
    else:
        found = find_in_project(filters, find_space, text, space=space)
    record = found["Filter"]
    selected = record.get("From", "Unit")
    if selected != entity:
        raise BadRequest(f"filter {text} selects {selected}, not {entity}")
    selection = Selection(record.get("Where") or "", record.get("WhereData") or "", record.get("ResourceType") or "")
    only = record.get("FromSpaceID")
    return selection.narrowed(f"SpaceID = {quoted(only)}") if only else selection


def find_in_project(records: Collection, find_space: FindSpace, name: str, *, space: str) -> Wire:
    """Return the extended record from the space, else from the filters space of its project.

    ``space`` may also be a project's name (``fluffy-bunny-traderx``). Without space or project the
    name must be the only one of its kind in the organization. Raises: NotFound, BadRequest when it is not.
    """
    if not space or is_id(name):
        return records.find(name)
    try:
        home = find_space(space)
    except NotFound:
        shared = f"{space}-filters"
    else:
        space = home.get("Slug") or space
        try:
            return records.find(name, space_id=home["SpaceID"])
        except NotFound:
            project = (home.get("Labels") or {}).get("project")
            if not project:
                return records.find(name)
            shared = f"{project}-filters"
    try:
        return records.find(name, space_id=find_space(shared)["SpaceID"])
    except NotFound as error:
        word = records.noun.word
        raise NotFound(f"no such {word}: {name}, neither in {space} nor in {shared}", hint=error.hint) from error
