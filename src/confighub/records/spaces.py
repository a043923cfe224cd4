"""Spaces: the drawers that hold units, and the unit of ownership and permission."""

from __future__ import annotations

from confighub.records.base import Entity


class Space(Entity):
    """A named drawer of units, filters, sets, targets and workers."""

    space_id: str | None = None
