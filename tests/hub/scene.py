"""Short ways for tests to put things into a hub and to look at them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from confighub.hub.caller import Caller
from confighub.hub.hub import Hub
from confighub.hub.kinds import KINDS, SPACE
from confighub.hub.usecases import entities, history, units
from confighub.hub.usecases.listing import Listing
from confighub.hub.usecases.unit_changes import PLAIN, Change, Changed
from confighub.records.functions import FunctionArgument, FunctionInvocation
from confighub.records.spaces import Space
from confighub.records.units import Revision, Unit
from tests.manifests import WEB as WEB


@dataclass
class Scene:
    """A hub and the one who acts on it."""

    hub: Hub
    caller: Caller

    def space(self, slug: str, **labels: str) -> str:
        """Make a space; return its id."""
        made = entities.create_entity(self.hub, self.caller, SPACE, Space(slug=slug, labels=labels))
        return str(made.space_id)

    def make(self, kind: str, space_id: str, **attributes: Any) -> Any:
        """Make an entity of the kind; return its record."""
        row = KINDS[kind]
        return entities.create_entity(self.hub, self.caller, row, row.record(**attributes), space_id)

    def unit(self, space_id: str, slug: str, data: str = WEB, **attributes: Any) -> Unit:
        """Make a unit; return it."""
        body = Unit(slug=slug, data=data.encode(), **attributes)
        return units.create_unit(self.hub, self.caller, space_id, body)

    def clone(self, upstream: Unit, space_id: str, slug: str = "") -> Unit:
        """Clone a unit; return the clone."""
        body = Unit(slug=slug or upstream.slug)
        return units.create_unit(self.hub, self.caller, space_id, body, upstream_unit_id=upstream.unit_id)

    def edit(self, unit: Unit, old: str, new: str, *, change: Change = PLAIN) -> Changed:
        """Replace a piece of the unit's text, which must be there."""
        text = self.text(unit)
        assert old in text
        body = self.get(unit)
        body.data = text.replace(old, new).encode()
        body.version = 0
        return units.update_unit(self.hub, self.caller, unit.unit_id or "", body, change=change)

    def change(self, unit: Unit, change: Change) -> Changed:
        """Change a unit by a plain PATCH with an order: upgrade, restore …"""
        return units.patch_unit(self.hub, self.caller, unit.unit_id or "", None, change=change)

    def get(self, unit: Unit) -> Unit:
        """Return the unit as it is now."""
        found = units.get_unit(self.hub, self.caller, unit.unit_id or "").unit
        assert found is not None
        return found

    def by_slug(self, slug: str) -> Unit:
        """Return the one unit of that slug."""
        found = units.list_units(self.hub, self.caller, Listing(where=f"Slug = '{slug}'"))
        assert len(found) == 1
        assert found[0].unit is not None
        return found[0].unit

    def text(self, unit: Unit) -> str:
        """Return the text of the unit's head."""
        return self.get(unit).data.decode()

    def revisions(self, unit: Unit, where: str = "") -> list[Revision]:
        """Return the unit's revisions, oldest first."""
        found = history.list_revisions(self.hub, self.caller, unit.unit_id or "", Listing(where=where))
        return [one.revision for one in found if one.revision is not None]

    def slugs(self, kind: str, where: str = "", **more: Any) -> list[str]:
        """Return the slugs of what matches, in order."""
        row = KINDS[kind]
        found = entities.list_entities(self.hub, self.caller, row, Listing(where=where, **more))
        return [getattr(one, row.own_attribute).slug for one in found]


def call(name: str, *values: str | int | bool) -> FunctionInvocation:
    """Return a call of the function with arguments by position."""
    return FunctionInvocation(function_name=name, arguments=[FunctionArgument(value=value) for value in values])


def names(found: Iterable[Any]) -> list[str]:
    """Return the slugs of plain records."""
    return [one.slug for one in found]
