"""The five verbs for every noun in ``kinds.KINDS`` that users create; units have their own module.

create_entity(hub, caller, kind, body, space_id=None) -> record
get_entity(hub, caller, kind, entity_id, listing=ALL, *, space_id=None) -> extended record
list_entities(hub, caller, kind, listing=ALL, *, space_id=None) -> list of extended records, by CursorID
update_entity(hub, caller, kind, entity_id, body, *, space_id=None) -> record          (PUT)
patch_entity(hub, caller, kind, entity_id, patch, *, space_id=None) -> record          (RFC 7396)
delete_entity(hub, caller, kind, entity_id, *, space_id=None) -> DeleteResponse

``kind`` is a row of ``kinds`` (FILTER, SET, TAG, …; SPACE too), ``body`` its record, ``patch`` the
decoded JSON object or None. Bulk forms are in ``bulk``. ``listing.shown(kind, found, listing)`` trims
what goes onto the wire. Errors: NotFound, Forbidden, BadRequest (also for a slug in use), Conflict
(``Version`` is not the present one).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, select, update
from sqlalchemy.exc import IntegrityError

from confighub.errors import BadRequest, Conflict, NotFound
from confighub.hub.caller import Caller
from confighub.hub.domain.patching import merge_patch
from confighub.hub.domain.slugs import check_slug, slugify, two_words
from confighub.hub.hub import Hub
from confighub.hub.kinds import SPACE, Kind
from confighub.hub.store.rows import columns, index_labels, insert_row, own_id, record
from confighub.hub.usecases import audit, rules
from confighub.hub.usecases.access import may_in, require_space, visible
from confighub.hub.usecases.listing import ALL, Listing, find, find_one
from confighub.records.answers import DeleteResponse


def create_entity(hub: Hub, caller: Caller, kind: Kind, body: Any, space_id: str | None = None) -> Any:
    """Return the new record."""
    with hub.write() as tx:
        return create_in(tx, hub, caller, kind, body, space_id)


def get_entity(
    hub: Hub, caller: Caller, kind: Kind, entity_id: str, listing: Listing = ALL, *, space_id: str | None = None
) -> Any:
    """Return the extended record."""
    with hub.read() as tx:
        return find_one(hub, tx, caller, kind, entity_id, listing, *scope(kind, space_id))


def list_entities(
    hub: Hub, caller: Caller, kind: Kind, listing: Listing = ALL, *, space_id: str | None = None
) -> list[Any]:
    """Return the extended records that the listing chooses, in one space or in all that the caller sees."""
    with hub.read() as tx:
        if space_id is not None and kind.is_in_space:
            require_space(tx, caller, space_id)
        return find(hub, tx, caller, kind, listing, *scope(kind, space_id))


def update_entity(
    hub: Hub, caller: Caller, kind: Kind, entity_id: str, body: Any, *, space_id: str | None = None
) -> Any:
    """Return the record with everything that callers set replaced by the body's; ``Version`` 0 is not checked."""
    with hub.write() as tx:
        before = load(tx, caller, kind, entity_id, *scope(kind, space_id), for_change=True)
        return change_in(tx, hub, caller, kind, before, body, version=body.version)


def patch_entity(
    hub: Hub,
    caller: Caller,
    kind: Kind,
    entity_id: str,
    patch: dict[str, Any] | None,
    *,
    space_id: str | None = None,
) -> Any:
    """Return the record with the merge patch applied; a null patch changes nothing."""
    with hub.write() as tx:
        before = load(tx, caller, kind, entity_id, *scope(kind, space_id), for_change=True)
        return patch_in(tx, hub, caller, kind, before, patch or {})


def delete_entity(
    hub: Hub, caller: Caller, kind: Kind, entity_id: str, *, space_id: str | None = None
) -> DeleteResponse:
    """Delete the entity; its slug is free again, its history stays."""
    with hub.write() as tx:
        before = load(tx, caller, kind, entity_id, *scope(kind, space_id), for_change=True)
        return delete_in(tx, hub, caller, kind, before)


def scope(kind: Kind, space_id: str | None) -> list[ColumnElement[bool]]:
    """Return the condition that narrows a query to one space; none for the whole organization."""
    return [] if space_id is None or not kind.is_in_space else [kind.table.c.space_id == own_id(space_id)]


def load(
    tx: Connection, caller: Caller, kind: Kind, entity_id: str, *more: ColumnElement[bool], for_change: bool = False
) -> Any:
    """Return the plain record; ``for_change`` lets no other process change it until this transaction ends.

    Raises: NotFound, when there is none that the caller sees.
    """
    query = select(*columns(kind)).where(kind.id_column == own_id(entity_id), visible(kind, caller), *more)
    row = tx.execute(query.with_for_update() if for_change else query).first()
    if row is None:
        raise NotFound(f"no such {kind.name.lower()}: {entity_id}")
    return record(kind, row)


def create_in(tx: Connection, hub: Hub, caller: Caller, kind: Kind, body: Any, space_id: str | None) -> Any:
    """Insert the record inside a transaction; what the hub owns is set here, whatever the body says."""
    if kind.is_in_space:
        space_id = require_space(tx, caller, space_id or body.space_id, "write").space_id
    else:
        caller.require("write")
    one = kind.record(**{name: getattr(body, name) for name in kind.writable})
    setattr(one, kind.id_attribute, hub.new_id())
    one.organization_id = caller.organization_id
    if kind.is_in_space:
        one.space_id = space_id
    one.version, one.created_at = 1, hub.now()
    one.updated_at = one.created_at
    tidy(kind, one)
    one.slug = check_slug(one.slug) if one.slug else fresh_slug(tx, kind, one)
    rules.prepare(tx, hub, caller, kind, one, None)
    insert_entity(tx, kind, one)
    rules.written(tx, hub, caller, kind, one, None)
    audit.note(tx, hub, caller, "create", kind, one)
    return rules.for_caller(hub, caller, kind, one)


def change_in(tx: Connection, hub: Hub, caller: Caller, kind: Kind, before: Any, body: Any, *, version: int = 0) -> Any:
    """Replace what callers set by the body's; nothing is written when nothing differs."""
    require_write(tx, caller, kind, before)
    check_version(kind, before, version)
    after = msgspec.structs.replace(before, **{name: getattr(body, name) for name in kind.writable})
    tidy(kind, after)
    after.slug = check_slug(after.slug) if after.slug else before.slug
    rules.prepare(tx, hub, caller, kind, after, before)
    changed = [name for name in kind.stored if getattr(after, name) != getattr(before, name)]
    if changed:
        after.version, after.updated_at = before.version + 1, hub.now()
        update_entity_row(tx, kind, after, before)
        rules.written(tx, hub, caller, kind, after, before)
        audit.note(tx, hub, caller, "update", kind, after, changed=[_wire(kind, name) for name in changed])
    return rules.for_caller(hub, caller, kind, after)


def patch_in(tx: Connection, hub: Hub, caller: Caller, kind: Kind, before: Any, patch: dict[str, Any]) -> Any:
    """Apply a merge patch inside a transaction; ``Version`` in the patch is checked."""
    version = patch.get("Version") or 0
    if not isinstance(version, int):
        raise BadRequest("Version is a number")
    return change_in(tx, hub, caller, kind, before, merged(kind, before, patch), version=version)


def delete_in(tx: Connection, hub: Hub, caller: Caller, kind: Kind, before: Any) -> DeleteResponse:
    """Turn the row into a tombstone inside a transaction."""
    require_write(tx, caller, kind, before)
    rules.check_delete(tx, hub, caller, kind, before)
    bury(tx, hub, kind, before)
    rules.deleted(tx, hub, caller, kind, before)
    audit.note(tx, hub, caller, "delete", kind, before)
    return DeleteResponse(message=f"{kind.name} {before.slug} deleted")


def bury(tx: Connection, hub: Hub, kind: Kind, one: Any) -> None:
    """Mark the row as deleted and take its labels out of the index."""
    own = kind.id_column == getattr(one, kind.id_attribute)
    tx.execute(update(kind.table).where(own).values(deleted_at=hub.now(), version=one.version + 1))
    index_labels(tx, kind, getattr(one, kind.id_attribute), {})


def merged(kind: Kind, before: Any, patch: dict[str, Any]) -> Any:
    """Return the record with the patch applied to what callers set; the rest of the patch is ignored.

    Raises: BadRequest, naming the place, when a value does not fit.
    """
    names = {wire: own for wire, own in kind.by_wire_name.items() if own in kind.writable}
    present = msgspec.to_builtins({wire: getattr(before, own) for wire, own in names.items()})
    chosen = {wire: value for wire, value in patch.items() if wire in names}
    try:
        return msgspec.convert(merge_patch(present, chosen), kind.record)
    except msgspec.ValidationError as error:
        raise BadRequest(f"the patch does not fit a {kind.name.lower()}: {error}") from error


def require_write(tx: Connection, caller: Caller, kind: Kind, one: Any) -> None:
    """Raise Forbidden unless the caller may change the entity."""
    if kind is SPACE:
        if not may_in(tx, caller, "write", one.space_id):
            caller.require("write")
    elif kind.is_in_space:
        require_space(tx, caller, one.space_id, "write")
    else:
        caller.require("administer")


def check_version(kind: Kind, before: Any, version: int) -> None:
    """Raise Conflict when the caller read another version; 0 means that they do not say."""
    if version and version != before.version:
        raise Conflict(
            f"{kind.name.lower()} {before.slug} has changed: it is at version {before.version}, you read {version}",
            hint="read it again and repeat the change",
        )


def tidy(kind: Kind, one: Any) -> None:
    """Turn nil ids and nulls that clients send for "not set" into None and empty values."""
    for name in kind.writable:
        value = getattr(one, name)
        if name.endswith("_id"):
            setattr(one, name, own_id(value))
        elif value is None and name in ("labels", "annotations"):
            setattr(one, name, {})


def insert_entity(tx: Connection, kind: Kind, one: Any, **more: Any) -> None:
    """Insert the row and its labels; set ``cursor_id`` on the record.

    Raises: BadRequest, when the slug is in use.
    """
    values = {name: getattr(one, name) for name in kind.stored if name != "cursor_id"}
    with _unique_slug(kind, one):
        one.cursor_id = insert_row(tx, kind.table, values | more)
    one.entity_type = kind.name
    index_labels(tx, kind, getattr(one, kind.id_attribute), one.labels)


def update_entity_row(tx: Connection, kind: Kind, after: Any, before: Any) -> None:
    """Write the row, if it still has the version that was read, and its labels."""
    own = kind.id_column == getattr(after, kind.id_attribute), kind.table.c.version == before.version
    values = {name: getattr(after, name) for name in kind.stored if getattr(after, name) != getattr(before, name)}
    with _unique_slug(kind, after):
        if tx.execute(update(kind.table).where(*own).values(**values)).rowcount != 1:
            raise Conflict(f"{kind.name.lower()} {before.slug} has changed in between", hint="repeat the change")
    if after.labels != before.labels:
        index_labels(tx, kind, getattr(after, kind.id_attribute), after.labels)


def fresh_slug(tx: Connection, kind: Kind, one: Any) -> str:
    """Return a free slug made of the display name, else of two random words."""
    wished = slugify(one.display_name) if one.display_name else ""
    for number in range(1, 1000):
        slug = f"{wished}-{number}" if wished and number > 1 else wished or two_words(_CHOICE)
        if not slug_is_taken(tx, kind, slug, one):
            return slug
    raise BadRequest(f"no free slug was found for this {kind.name.lower()}", hint="give one")


def slug_is_taken(tx: Connection, kind: Kind, slug: str, one: Any) -> bool:
    """Whether a living entity beside this one has the slug."""
    parent = "space_id" if kind.is_in_space else "organization_id"
    c = kind.table.c
    found = select(c.cursor_id).where(c.slug == slug, c[parent] == getattr(one, parent), c.deleted_at.is_(None))
    return tx.execute(found.limit(1)).first() is not None


_CHOICE = random.SystemRandom()


@contextmanager
def _unique_slug(kind: Kind, one: Any) -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        if "slug" not in str(error.orig):
            raise
        where = "this space" if kind.is_in_space else "this organization"
        raise BadRequest(
            f"{where} has a {kind.name.lower()} with this slug already: {one.slug}", hint="choose another slug"
        ) from error


def _wire(kind: Kind, attribute: str) -> str:
    return next(name for name, own in kind.by_wire_name.items() if own == attribute)
