"""Units, one at a time. The bulk forms are in ``bulk_units``.

create_unit(hub, caller, space_id, body, *, upstream_unit_id=None, upstream_space_id=None) -> Unit
get_unit(hub, caller, unit_id, listing=ALL, *, space_id=None) -> ExtendedUnit
list_units(hub, caller, listing=ALL, *, space_id=None) -> list[ExtendedUnit]
update_unit(hub, caller, unit_id, body, *, space_id=None, change=PLAIN) -> Changed            (PUT)
patch_unit(hub, caller, unit_id, patch, *, space_id=None, change=PLAIN) -> Changed            (merge patch)
delete_unit(hub, caller, unit_id, *, space_id=None) -> DeleteResponse
approve_unit(hub, caller, unit_id, *, space_id=None, revision="") -> str

``change`` is a ``unit_changes.Change``: upgrade, restore, revision_id, data_patch, dry_run. ``Changed`` holds
the unit as it is now (or would be), and what an upgrade held back or found in conflict.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select, update

from confighub.errors import BadRequest
from confighub.hub.caller import Caller
from confighub.hub.domain import content, lifecycle
from confighub.hub.domain.slugs import check_slug
from confighub.hub.hub import Hub
from confighub.hub.kinds import UNIT
from confighub.hub.store.entities import units
from confighub.hub.store.history import approvals
from confighub.hub.store.rows import insert_if_absent, own_id
from confighub.hub.usecases import audit, entities, heads, rechecks, rules
from confighub.hub.usecases.access import require_space
from confighub.hub.usecases.fillings import revision_text
from confighub.hub.usecases.listing import ALL, Listing
from confighub.hub.usecases.unit_changes import PLAIN, Change, Changed, change_unit, first_draft
from confighub.records.answers import DeleteResponse
from confighub.records.extended import ExtendedUnit
from confighub.records.spaces import Space
from confighub.records.units import Unit


def create_unit(
    hub: Hub,
    caller: Caller,
    space_id: str,
    body: Unit,
    *,
    upstream_unit_id: str | None = None,
    upstream_space_id: str | None = None,
) -> Unit:
    """Return the new unit at revision 1: with the body's data, or cloned from the upstream unit.

    Raises: BadRequest, NotYaml for data that is refused, and for a slug in use; NotFound.
    """
    upstream_id = own_id(upstream_unit_id) or own_id(body.upstream_unit_id)
    with hub.read() as tx:
        space = require_space(tx, caller, space_id, "write")
        unit = new_unit(hub, caller, space, body)
        upstream = None
        if upstream_id:
            upstream = load_upstream(tx, caller, upstream_id, upstream_space_id or body.upstream_space_id)
        draft = first_draft(tx, unit, space, upstream, content.decoded(body.data))
        planned = heads.plan(tx, unit, space, draft)
    with hub.write() as tx:
        return insert_unit(tx, hub, caller, unit, space, planned)


def get_unit(
    hub: Hub, caller: Caller, unit_id: str, listing: Listing = ALL, *, space_id: str | None = None
) -> ExtendedUnit:
    """Return the unit with what the listing includes."""
    found: ExtendedUnit = entities.get_entity(hub, caller, UNIT, unit_id, listing, space_id=space_id)
    return found


def list_units(hub: Hub, caller: Caller, listing: Listing = ALL, *, space_id: str | None = None) -> list[ExtendedUnit]:
    """Return the units that the listing chooses, by CursorID."""
    return entities.list_entities(hub, caller, UNIT, listing, space_id=space_id)


def update_unit(
    hub: Hub, caller: Caller, unit_id: str, body: Unit, *, space_id: str | None = None, change: Change = PLAIN
) -> Changed:
    """Replace what callers set by the body's; a new revision arises only when the data differs.

    Empty ``Data`` and ``ToolchainType`` keep what is there; ``Version`` 0 is not checked.
    """
    return change_unit(hub, caller, unit_id, body, space_id=space_id, change=change)


def patch_unit(
    hub: Hub,
    caller: Caller,
    unit_id: str,
    patch: dict[str, Any] | None,
    *,
    space_id: str | None = None,
    change: Change = PLAIN,
) -> Changed:
    """Apply a merge patch to the unit, or to its data when the change says ``data_patch``."""
    return change_unit(hub, caller, unit_id, patch or {}, space_id=space_id, change=change)


def delete_unit(hub: Hub, caller: Caller, unit_id: str, *, space_id: str | None = None) -> DeleteResponse:
    """Delete the unit and its links; what runs on a target is left running."""
    return entities.delete_entity(hub, caller, UNIT, unit_id, space_id=space_id)


def approve_unit(hub: Hub, caller: Caller, unit_id: str, *, space_id: str | None = None, revision: str = "") -> str:
    """Approve a revision, the head when none is named; return a sentence. Twice is the same as once."""
    with hub.write() as tx:
        unit = entities.load(tx, caller, UNIT, unit_id, *entities.scope(UNIT, space_id), for_change=True)
        return approve_in(tx, hub, caller, unit, revision)


def approve_in(tx: Connection, hub: Hub, caller: Caller, unit: Unit, revision: str = "") -> str:
    """Approve inside a transaction: the gate of approval opens, triggers that ask for it are run again."""
    space = require_space(tx, caller, unit.space_id, "approve")
    if not own_id(caller.user_id):
        raise BadRequest("only a user can approve")
    numbers = lifecycle.Numbers(
        live=unit.live_revision_num,
        previous_live=unit.previous_live_revision_num,
        last_applied=unit.last_applied_revision_num,
    )
    number = lifecycle.revision_number(revision, head=unit.head_revision_num, numbers=numbers)
    values = {"unit_id": unit.unit_id, "revision_num": number, "user_id": caller.user_id, "approved_at": hub.now()}
    insert_if_absent(tx, approvals, **values)
    named = select(approvals.c.user_id).where(approvals.c.unit_id == unit.unit_id, approvals.c.revision_num == number)
    approved_by = list(tx.execute(named.order_by(approvals.c.approved_at)).scalars())
    is_head = number == unit.head_revision_num
    looked_at = heads.replace_unit(unit, approved_by=approved_by, head_revision_num=number)
    text = revision_text(tx, unit.unit_id or "", number)
    closed = rechecks.look_again(tx, hub, looked_at, space, text, user_id=caller.user_id)
    if is_head:
        changed = {"approved_by": approved_by, "apply_gates": closed, "version": unit.version + 1}
        tx.execute(update(units).where(units.c.unit_id == unit.unit_id).values(**changed))
    message = f"{caller.username} approved revision {number} of unit {unit.slug}"
    audit.note(tx, hub, caller, "approve", UNIT, unit, message=message, revision=number)
    return message


def new_unit(hub: Hub, caller: Caller, space: Space, body: Unit) -> Unit:
    """Return the unit that the body describes, without data and at revision 0."""
    unit = Unit(**{name: getattr(body, name) for name in UNIT.writable})
    unit.unit_id, unit.organization_id, unit.space_id = hub.new_id(), caller.organization_id, space.space_id
    unit.version, unit.created_at = 1, hub.now()
    unit.updated_at = unit.created_at
    unit.toolchain_type = unit.toolchain_type or "Kubernetes/YAML"
    entities.tidy(UNIT, unit)
    return unit


def load_upstream(tx: Connection, caller: Caller, unit_id: str, space_id: str | None) -> Unit:
    """Return the unit to clone, with its data.

    Raises: NotFound, when there is none that the caller sees.
    """
    upstream: Unit = entities.load(tx, caller, UNIT, unit_id, *entities.scope(UNIT, own_id(space_id)))
    fill_data(tx, upstream)
    return upstream


def fill_data(tx: Connection, unit: Unit) -> None:
    """Set the unit's data in place."""
    unit.data = revision_text(tx, unit.unit_id or "", unit.head_revision_num).encode()


def insert_unit(tx: Connection, hub: Hub, caller: Caller, unit: Unit, space: Space, planned: heads.Planned) -> Unit:
    """Insert the unit and its first revision inside a transaction."""
    unit.slug = check_slug(unit.slug) if unit.slug else entities.fresh_slug(tx, UNIT, unit)
    check_references(tx, caller, unit)
    data = planned.draft.text.encode()
    sha = heads.keep_blob(tx, data)
    unit.content_hash = content.content_hash(data)
    entities.insert_entity(tx, UNIT, unit, data_sha=sha, head_revision_id="")
    unit = heads.write(tx, hub, caller, unit, planned)
    audit.note(tx, hub, caller, "create", UNIT, unit, message=planned.draft.description, space=space.slug)
    return unit


def check_references(tx: Connection, caller: Caller, unit: Unit) -> None:
    """Refuse a target or a set that the caller does not see.

    Raises: BadRequest.
    """
    from confighub.hub.kinds import SET, TARGET

    if unit.target_id:
        target = rules.referred(tx, caller, TARGET, unit.target_id, "TargetID")
        if target.toolchain_type != unit.toolchain_type:
            raise BadRequest(
                f"target {target.slug} takes {target.toolchain_type}, unit {unit.slug} is {unit.toolchain_type}"
            )
    if unit.set_id:
        rules.referred(tx, caller, SET, unit.set_id, "SetID")
