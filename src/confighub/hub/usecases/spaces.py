"""Spaces: what they have beyond the five verbs of ``entities``.

list_spaces(hub, caller, listing=ALL, *, summary=False) -> list[ExtendedSpace]
get_space(hub, caller, space_id, listing=ALL, *, summary=False) -> ExtendedSpace
new_prefix(hub, caller) -> str       two words, such as ``fluffy-bunny``, that no space's slug begins with

Create, update, patch and delete: ``entities.create_entity(hub, caller, SPACE, body)`` and so on.
"""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Text, func, select, type_coerce

from confighub.errors import ConfigHubError
from confighub.hub.caller import Caller
from confighub.hub.domain.slugs import two_words
from confighub.hub.hub import Hub
from confighub.hub.kinds import SPACE
from confighub.hub.store.entities import bridge_workers, links, spaces, targets, triggers, units
from confighub.hub.store.work_queue import unit_events
from confighub.hub.usecases.listing import ALL, Listing, find, find_one
from confighub.records.extended import ExtendedSpace
from confighub.records.work import FINAL

RECENT = timedelta(hours=24)
"""How long a change counts as recent in the summary."""


def list_spaces(hub: Hub, caller: Caller, listing: Listing = ALL, *, summary: bool = False) -> list[ExtendedSpace]:
    """Return the spaces that the listing chooses; with ``summary`` their counters are filled."""
    with hub.read() as tx:
        found: list[ExtendedSpace] = find(hub, tx, caller, SPACE, listing)
        if summary:
            _count(hub, tx, found)
        return found


def get_space(
    hub: Hub, caller: Caller, space_id: str, listing: Listing = ALL, *, summary: bool = False
) -> ExtendedSpace:
    """Return the space; with ``summary`` its counters are filled."""
    with hub.read() as tx:
        found: ExtendedSpace = find_one(hub, tx, caller, SPACE, space_id, listing)
        if summary:
            _count(hub, tx, [found])
        return found


def new_prefix(hub: Hub, caller: Caller) -> str:
    """Return two words joined by a hyphen that no space of the organization begins with."""
    choice = random.SystemRandom()
    with hub.read() as tx:
        for _ in range(1000):
            prefix = two_words(choice)
            begins = spaces.c.slug.startswith(prefix, autoescape=True)
            own = spaces.c.organization_id == caller.organization_id, spaces.c.deleted_at.is_(None)
            if tx.execute(select(spaces.c.space_id).where(*own, begins).limit(1)).first() is None:
                return prefix
    raise ConfigHubError("no free prefix was found")


def _count(hub: Hub, tx: Connection, found: list[ExtendedSpace]) -> None:
    by_id = {one.space.space_id: one for one in found if one.space}
    for attribute, condition in _unit_counters(hub).items():
        for space_id, number in _grouped(tx, units, list(by_id), condition):
            setattr(by_id[space_id], attribute, number)
    for space_id, number in _grouped(tx, bridge_workers, list(by_id)):
        by_id[space_id].total_bridge_worker_count = number
    for space_id, toolchain, number in _grouped(tx, targets, list(by_id), by=targets.c.toolchain_type):
        by_id[space_id].target_count_by_toolchain_type[toolchain] = number
    for space_id, event, number in _grouped(tx, triggers, list(by_id), by=triggers.c.event):
        by_id[space_id].trigger_count_by_event_type[event] = number


def _unit_counters(hub: Hub) -> dict[str, ColumnElement[bool] | None]:
    upstream = units.alias()
    behind = select(upstream.c.unit_id).where(
        upstream.c.unit_id == units.c.upstream_unit_id,
        upstream.c.deleted_at.is_(None),
        upstream.c.head_revision_num > units.c.upstream_revision_num,
    )
    linked = select(links.c.link_id).where(links.c.from_unit_id == units.c.unit_id, links.c.deleted_at.is_(None))
    newest = select(func.max(unit_events.c.cursor_id)).where(unit_events.c.unit_id == units.c.unit_id)
    open_apply = select(unit_events.c.unit_event_id).where(
        unit_events.c.cursor_id == newest.correlate(units).scalar_subquery(),
        unit_events.c.action == "Apply",
        unit_events.c.status.not_in(FINAL - {"Failed"}),
    )
    return {
        "total_unit_count": None,
        "gated_unit_count": type_coerce(units.c.apply_gates, Text) != "{}",
        "upgradable_unit_count": behind.correlate(units).exists(),
        "unapplied_unit_count": units.c.head_revision_num > units.c.live_revision_num,
        "unapproved_unit_count": type_coerce(units.c.approved_by, Text) == "[]",
        "unlinked_unit_count": ~linked.correlate(units).exists(),
        "recent_change_unit_count": units.c.updated_at >= hub.now() - RECENT,
        "incomplete_apply_unit_count": open_apply.correlate(units).exists(),
    }


def _grouped(
    tx: Connection,
    table: Any,
    space_ids: list[Any],
    condition: ColumnElement[bool] | None = None,
    *,
    by: ColumnElement[Any] | None = None,
) -> list[Any]:
    keys = [table.c.space_id] if by is None else [table.c.space_id, by]
    query = select(*keys, func.count()).where(table.c.deleted_at.is_(None), table.c.space_id.in_(space_ids))
    if condition is not None:
        query = query.where(condition)
    return list(tx.execute(query.group_by(*keys)))
