"""The bulk forms for units. Each answers one element a unit, by CursorID; a failed one leaves the others done.

bulk_patch_units(hub, caller, patch, selection, *, change=PLAIN) -> list[UnitCreateOrUpdateResponse]
bulk_clone_units(hub, caller, patch, selection, *, where_space="", name_prefixes="") -> list[UnitCreateOrUpdateResponse]
bulk_delete_units(hub, caller, selection) -> list[DeleteResponse]
bulk_approve_units(hub, caller, selection) -> list[ApproveResponse]
bulk_tag_units(hub, caller, request, selection) -> list[UnitTagResponse]

``selection`` is a ``listing.Listing`` of which where, contains, filter, where_data and resource_type count.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from confighub.errors import BadRequest, ConfigHubError
from confighub.hub.caller import Caller
from confighub.hub.hub import Hub
from confighub.hub.kinds import LINK, TAG, UNIT
from confighub.hub.store.entities import links, units
from confighub.hub.store.history import revision_tags
from confighub.hub.store.rows import columns, insert_if_absent, record
from confighub.hub.usecases import audit, entities, heads, rules
from confighub.hub.usecases.access import require_space
from confighub.hub.usecases.bulk import destinations_of, prefixes_of
from confighub.hub.usecases.elements import each, failure, first
from confighub.hub.usecases.listing import Listing, choose_units
from confighub.hub.usecases.unit_changes import (
    PLAIN,
    RESTORE_POINTS,
    Change,
    Proposal,
    fill_text,
    first_draft,
    held_changes,
    preview,
    propose,
    settle,
)
from confighub.hub.usecases.units import approve_in, insert_unit, new_unit
from confighub.records.answers import (
    ApproveResponse,
    DeleteResponse,
    ResponseError,
    UnitTagRequest,
    UnitTagResponse,
)
from confighub.records.extended import LinkCreateOrUpdateResponse, UnitCreateOrUpdateResponse
from confighub.records.spaces import Space
from confighub.records.units import Link, Unit

Answers = list[UnitCreateOrUpdateResponse]

Place = tuple[str | None, str | None, str]
"""Where a clone is: id of its original, id of its space, prefix of its slug."""

Made = tuple[Unit, Space, heads.Planned]
"""A clone that is ready to be inserted."""


def bulk_patch_units(
    hub: Hub, caller: Caller, patch: dict[str, Any] | None, selection: Listing, *, change: Change = PLAIN
) -> Answers:
    """Change each match by the merge patch, or as ``change`` says: upgrade, restore, patch of the data."""
    body = patch or {}
    with hub.read() as tx:
        chosen = choose_units(tx, hub, caller, selection)
        prepared = [(unit, _attempt(tx, caller, unit, body, change)) for unit in chosen]
    if change.is_dry_run:
        return [_previewed(found) for _, found in prepared]
    with hub.write() as tx:

        def act(item: tuple[Unit, Proposal | ResponseError]) -> UnitCreateOrUpdateResponse:
            if isinstance(item[1], ResponseError):
                return _failed(item[1])
            changed = settle(tx, hub, caller, item[1], lambda now: propose(tx, caller, now, body, change))
            return UnitCreateOrUpdateResponse(unit=changed.unit, held=held_changes(changed))

        return each(tx, UNIT, prepared, act, _failed, about=first)


def bulk_clone_units(
    hub: Hub,
    caller: Caller,
    patch: dict[str, Any] | None,
    selection: Listing,
    *,
    where_space: str = "",
    name_prefixes: str = "",
) -> Answers:
    """Clone each match into each destination space with each prefix, then apply the patch to the clones.

    Links between the clones' originals are made between the clones; a link to a unit that was not cloned
    now leads to its clone in the destination when there is one, else to the unit itself.
    Without ``where_space`` clones come into the space of their original.
    """
    with hub.read() as tx:
        sources = choose_units(tx, hub, caller, selection)
        homes = destinations_of(tx, hub, caller, where_space)
        prepared = [
            (source, (source.unit_id, home, prefix), _attempt_clone(tx, hub, caller, source, home, prefix, patch or {}))
            for source in sources
            for home in homes or [source.space_id]
            for prefix in prefixes_of(name_prefixes)
        ]
    clones: dict[Place, Unit] = {}
    with hub.write() as tx:

        def act(item: tuple[Unit, Place, Made | ResponseError]) -> UnitCreateOrUpdateResponse:
            _, place, made = item
            if isinstance(made, ResponseError):
                return _failed(made)
            clones[place] = insert_unit(tx, hub, caller, *made)
            return UnitCreateOrUpdateResponse(unit=clones[place])

        answers = each(tx, UNIT, prepared, act, _failed, about=first)
        by_unit = {answer.unit.unit_id: answer for answer in answers if answer.unit}
        for clone, link in _clone_links(tx, hub, caller, clones):
            by_unit[clone.unit_id].links.append(link)
    return answers


def bulk_delete_units(hub: Hub, caller: Caller, selection: Listing) -> list[DeleteResponse]:
    """Delete each match with its links."""
    with hub.write() as tx:
        return each(
            tx,
            UNIT,
            choose_units(tx, hub, caller, selection),
            lambda unit: entities.delete_in(tx, hub, caller, UNIT, unit),
            lambda error: DeleteResponse(error=error),
        )


def bulk_approve_units(hub: Hub, caller: Caller, selection: Listing) -> list[ApproveResponse]:
    """Approve the head of each match."""
    with hub.write() as tx:
        return each(
            tx,
            UNIT,
            choose_units(tx, hub, caller, selection),
            lambda unit: ApproveResponse(message=approve_in(tx, hub, caller, unit)),
            lambda error: ApproveResponse(error=error),
        )


def bulk_tag_units(hub: Hub, caller: Caller, request: UnitTagRequest, selection: Listing) -> list[UnitTagResponse]:
    """Put the tag on a revision of each match: the one that ``request.revision`` names, such as ``LiveRevisionNum``."""
    point = request.revision or "HeadRevisionNum"
    if point not in RESTORE_POINTS:
        raise BadRequest(f"Revision is one of {', '.join(RESTORE_POINTS)}: {point!r}")
    with hub.write() as tx:
        tag = rules.referred(tx, caller, TAG, request.tag_id, "TagID")

        def put(unit: Unit) -> UnitTagResponse:
            require_space(tx, caller, unit.space_id, "write")
            number = getattr(unit, RESTORE_POINTS[point])
            if not number:
                raise BadRequest(f"unit {unit.slug} has no {point.removesuffix('Num')} to tag")
            row = {"unit_id": unit.unit_id, "revision_num": number, "tag_id": tag.tag_id, "tagged_at": hub.now()}
            insert_if_absent(tx, revision_tags, **row)
            message = f"tagged revision {number} of unit {unit.slug} with {tag.slug}"
            audit.note(tx, hub, caller, "tag", UNIT, unit, message=message, revision=number, tag=tag.slug)
            return UnitTagResponse(message=message)

        return each(tx, UNIT, choose_units(tx, hub, caller, selection), put, lambda error: UnitTagResponse(error=error))


def _attempt(
    tx: Connection, caller: Caller, unit: Unit, body: dict[str, Any], change: Change
) -> Proposal | ResponseError:
    try:
        return propose(tx, caller, unit, body, change)
    except ConfigHubError as error:
        return failure(error, UNIT, unit)


def _attempt_clone(
    tx: Connection, hub: Hub, caller: Caller, source: Unit, home: str | None, prefix: str, patch: dict[str, Any]
) -> Made | ResponseError:
    try:
        space = require_space(tx, caller, home, "write")
        fill_text(tx, source)
        # Where a clone is applied, and which set it belongs to, is for its own space to say.
        plain = heads.replace_unit(source, target_id=None, set_id=None, last_change_description="")
        body = entities.merged(UNIT, plain, patch)
        if body.slug == source.slug:
            body.slug = prefix + source.slug
        unit = new_unit(hub, caller, space, body)
        draft = first_draft(tx, unit, space, source, "")
        return unit, space, heads.plan(tx, unit, space, draft)
    except ConfigHubError as error:
        return failure(error, UNIT, source)


def _clone_links(
    tx: Connection, hub: Hub, caller: Caller, clones: dict[Place, Unit]
) -> list[tuple[Unit, LinkCreateOrUpdateResponse]]:
    items: list[tuple[Link, Unit]] = []
    for (source_id, home, prefix), clone in clones.items():
        living = links.c.from_unit_id == source_id, links.c.deleted_at.is_(None)
        for row in tx.execute(select(*columns(LINK)).where(*living).order_by(links.c.cursor_id)).all():
            link = record(LINK, row)
            twin = clones.get((link.to_unit_id, home, prefix)) or _clone_in(tx, link.to_unit_id, home)
            body = Link(
                slug=prefix + link.slug,
                space_id=home,
                display_name=link.display_name,
                labels=link.labels,
                annotations=link.annotations,
                from_unit_id=clone.unit_id,
                to_unit_id=twin.unit_id if twin else link.to_unit_id,
            )
            items.append((body, clone))

    def create(item: tuple[Link, Unit]) -> LinkCreateOrUpdateResponse:
        return LinkCreateOrUpdateResponse(link=entities.create_in(tx, hub, caller, LINK, item[0], item[0].space_id))

    made = each(tx, LINK, items, create, _failed_link, about=first)
    return [(clone, link) for (_, clone), link in zip(items, made, strict=True)]


def _clone_in(tx: Connection, unit_id: str | None, space_id: str | None) -> Unit | None:
    """Return the unit of the space that was cloned from that unit, if there is one."""
    c = units.c
    own = c.upstream_unit_id == unit_id, c.space_id == space_id, c.deleted_at.is_(None)
    row = tx.execute(select(*columns(UNIT)).where(*own).order_by(c.cursor_id).limit(1)).first()
    return None if row is None else record(UNIT, row)


def _previewed(found: Proposal | ResponseError) -> UnitCreateOrUpdateResponse:
    if isinstance(found, ResponseError):
        return _failed(found)
    changed = preview(found)
    return UnitCreateOrUpdateResponse(unit=changed.unit, held=held_changes(changed))


def _failed(error: ResponseError) -> UnitCreateOrUpdateResponse:
    return UnitCreateOrUpdateResponse(error=error)


def _failed_link(error: ResponseError) -> LinkCreateOrUpdateResponse:
    return LinkCreateOrUpdateResponse(error=error)
