"""Ways to name many things at once: filters, sets, tags, views, change sets."""

from __future__ import annotations

from confighub.records.base import Record, SpaceEntity


class Filter(SpaceEntity):
    """A stored where-expression over one kind of entity (``from_``, on the wire ``From``)."""

    filter_id: str | None = None
    from_: str = "Unit"
    where: str = ""
    where_data: str = ""
    resource_type: str = ""
    from_space_id: str | None = None
    hash: str = ""


class Set(SpaceEntity):
    """A group of units: those that match ``where`` and those whose ``SetID`` names it.

    ``where`` is ours; the public model knows members by ``Unit.SetID`` only.
    """

    set_id: str | None = None
    where: str = ""


class Tag(SpaceEntity):
    """A name that revisions can carry."""

    tag_id: str | None = None


class Column(Record):
    """One column of a view, a field path."""

    name: str = ""


class View(SpaceEntity):
    """How to show what a filter selects."""

    view_id: str | None = None
    filter_id: str | None = None
    columns: list[Column] = []
    group_by: str = ""
    order_by: str = ""
    order_by_direction: str = ""


class ChangeSet(SpaceEntity):
    """The start and the end, as tags, of a change to the units that a filter selects."""

    change_set_id: str | None = None
    filter_id: str | None = None
    start_tag_id: str | None = None
    end_tag_id: str | None = None
    description: str = ""
