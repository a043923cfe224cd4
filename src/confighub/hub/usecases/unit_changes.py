"""How a unit changes: edit, merge patch, patch of the data, restore, upgrade. One way in, ``change_unit``.

The new text is computed on a read; a short transaction then checks that the unit is still the one
that was read and writes. When it is not, an explicit ``Version`` is a Conflict, and everything else
is computed again on what is there now.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from confighub.errors import BadRequest, Conflict, Gated, NotFound
from confighub.hub.caller import Caller
from confighub.hub.domain import content
from confighub.hub.domain.describing import changes as told_changes
from confighub.hub.domain.describing import described
from confighub.hub.domain.mutations import Origin, Step, compared
from confighub.hub.domain.slugs import check_slug
from confighub.hub.hub import Hub
from confighub.hub.kinds import UNIT
from confighub.hub.store.history import mutation_sources, revisions
from confighub.hub.store.quarantine import GATE as QUARANTINE
from confighub.hub.store.quarantine import is_quarantined
from confighub.hub.store.rows import own_id
from confighub.hub.usecases import audit, authors, entities, gates, heads, revision_names
from confighub.hub.usecases.access import require_space
from confighub.hub.usecases.fillings import revision_text
from confighub.records.mutations import ResourceMutation
from confighub.records.spaces import Space
from confighub.records.units import HeldChange, Unit

if TYPE_CHECKING:
    from confighub.data.merge import Held

RESTORE_POINTS = {
    "LiveRevisionNum": "live_revision_num",
    "LastAppliedRevisionNum": "last_applied_revision_num",
    "PreviousLiveRevisionNum": "previous_live_revision_num",
    "HeadRevisionNum": "head_revision_num",
}


@dataclass(frozen=True)
class Change:
    """What a PUT or PATCH of a unit asks for beyond its body.

    ``upgrade`` merges the upstream head. ``restore`` names a revision attribute or number, ``revision_id``
    a revision. ``data_patch``: the patch is one of the data, so why it is made is ``description``.
    ``is_dry_run`` shows and stores nothing.
    """

    upgrade: bool = False
    restore: str = ""
    revision_id: str | None = None
    data_patch: bool = False
    description: str = ""
    is_dry_run: bool = False


PLAIN = Change()

MAX_TOLD = 50
"""Changes that one audit row tells of."""


@dataclass(frozen=True)
class Changed:
    """A unit after a change, and what an upgrade left as it was although upstream changed it."""

    unit: Unit
    held: list[Held] = field(default_factory=list)
    has_new_revision: bool = False


def held_changes(changed: Changed) -> list[HeldChange]:
    """Return what an upgrade left out, as the wire shows it."""
    return [HeldChange(resource=one.resource, path=one.path, ours=one.ours, theirs=one.theirs) for one in changed.held]


@dataclass(frozen=True)
class Proposal:
    """A unit as it shall be, computed from the version that was read."""

    before: Unit
    after: Unit
    space: Space
    planned: heads.Planned | None
    held: list[Held]


def change_unit(
    hub: Hub,
    caller: Caller,
    unit_id: str,
    body: Unit | dict[str, Any],
    *,
    space_id: str | None = None,
    change: Change = PLAIN,
) -> Changed:
    """Change one unit by a whole body (PUT) or a merge patch (a dict).

    Raises: NotFound, Forbidden; BadRequest, NotYaml for what is refused; Conflict when ``Version`` is not
    the present one, or when upstream's and our changes do not fit. Nothing is written then.
    """
    scope = entities.scope(UNIT, space_id)
    with hub.read() as tx:
        before = entities.load(tx, caller, UNIT, unit_id, *scope)
        proposal = propose(tx, caller, before, body, change)
    if change.is_dry_run:
        return preview(proposal)
    with hub.write() as tx:
        return settle(tx, hub, caller, proposal, lambda now: propose(tx, caller, now, body, change))


def propose(tx: Connection, caller: Caller, before: Unit, body: Unit | dict[str, Any], change: Change) -> Proposal:
    """Return what the change makes of the unit; writes nothing."""
    space = require_space(tx, caller, before.space_id, "write")
    fill_text(tx, before)
    after, text = wished(before, body, change)
    draft, upstream_num, held = _draft(tx, caller, before, after, text, body, change)
    after.upstream_revision_num = upstream_num
    planned = None
    if draft is not None and (draft.text.encode() != before.data or not before.head_revision_num):
        planned = heads.plan(tx, before, space, draft)
    return Proposal(before, after, space, planned, held)


def settle(
    tx: Connection, hub: Hub, caller: Caller, proposal: Proposal, again: Callable[[Unit], Proposal | None]
) -> Changed:
    """Write the proposal if the unit is still the one it was made for, else what ``again`` makes of it now."""
    now = entities.load(tx, caller, UNIT, proposal.before.unit_id or "", for_change=True)
    if now.version == proposal.before.version:
        return carry_out(tx, hub, caller, proposal)
    renewed = again(now)
    return Changed(now) if renewed is None else carry_out(tx, hub, caller, renewed)


def preview(proposal: Proposal) -> Changed:
    """Return the unit as it would be."""
    unit = proposal.after
    if proposal.planned is not None:
        data = proposal.planned.draft.text.encode()
        closed = {gate: True for gate, is_closed in proposal.planned.gates.items() if is_closed}
        unit = heads.replace_unit(
            unit, data=data, apply_gates=closed, approved_by=[], head_revision_num=unit.head_revision_num + 1
        )
    return Changed(unit, proposal.held, has_new_revision=proposal.planned is not None)


def carry_out(tx: Connection, hub: Hub, caller: Caller, proposal: Proposal) -> Changed:
    """Write the proposal inside a transaction; nothing is written when nothing differs."""
    from confighub.hub.usecases.units import check_references

    before, after = proposal.before, proposal.after
    changed = [
        name
        for name in (*UNIT.writable, "upstream_revision_num")
        if name != "last_change_description" and getattr(after, name) != getattr(before, name)
    ]
    if not changed and proposal.planned is None:
        return Changed(before, proposal.held)
    if after.target_id != before.target_id or after.set_id != before.set_id:
        check_references(tx, caller, after)
    after.version, after.updated_at = before.version + 1, hub.now()
    if proposal.planned is None:
        after.last_change_description = before.last_change_description
    entities.update_entity_row(tx, UNIT, after, before)
    if proposal.planned is not None:
        after = heads.write(tx, hub, caller, after, proposal.planned)
        changed.append("data")
    draft = proposal.planned.draft if proposal.planned else None
    audit.note(
        tx,
        hub,
        caller,
        "update",
        UNIT,
        after,
        message=draft.description if draft else "",
        changed=changed,
        **(_detail(before, after, draft) if draft else {}),
    )
    return Changed(after, proposal.held, has_new_revision=proposal.planned is not None)


def _detail(before: Unit, after: Unit, draft: heads.Draft) -> dict[str, Any]:
    """Return what the audit log keeps of a new revision; long lists of changes are cut."""
    told = [each for step in draft.steps for each in told_changes(step.records, before.data.decode())]
    return {"revision": after.head_revision_num, "source": draft.source, "changes": told[:MAX_TOLD]}


def first_draft(tx: Connection, unit: Unit, space: Space, upstream: Unit | None, text: str) -> heads.Draft:
    """Return the draft of a unit's first revision: its own text, or a clone's, after the clone triggers."""
    if upstream is None:
        heads.refuse_text(text, unit.toolchain_type)
        records = compared("", text, unit.toolchain_type)
        description = unit.last_change_description or "created"
        return heads.Draft(text, (Step(Origin(), records),), "Create", description)
    text = upstream.data.decode()
    unit.toolchain_type = upstream.toolchain_type
    unit.upstream_organization_id = upstream.organization_id
    unit.upstream_space_id, unit.upstream_unit_id = upstream.space_id, upstream.unit_id
    unit.upstream_revision_num = upstream.head_revision_num
    origin = Origin(upgraded_from_upstream_revision_num=upstream.head_revision_num)
    steps = [Step(origin, compared("", text, unit.toolchain_type), is_upstream=True)]
    context = gates.context_of(tx, unit, space, text)
    for event, space_id in (("PreClone", upstream.space_id), ("PostClone", space.space_id)):
        calls = gates.triggers_of(tx, space_id, event, unit.toolchain_type)
        text, more = gates.run_mutating(calls, text, context, unit.toolchain_type)
        steps += more
    description = unit.last_change_description or f"cloned from {upstream.slug} revision {upstream.head_revision_num}"
    return heads.Draft(text, tuple(steps), heads.CLONE, description)


def wished(before: Unit, body: Unit | dict[str, Any], change: Change) -> tuple[Unit, str | None]:
    """Return the unit with the body's attributes, and the text that the body asks for, if it does."""
    text: str | None = None
    if isinstance(body, Unit):
        entities.check_version(UNIT, before, body.version)
        after = heads.replace_unit(before, **{name: getattr(body, name) for name in UNIT.writable})
        text = content.decoded(body.data) if body.data else None
    elif change.data_patch:
        after = heads.replace_unit(before)
    else:
        entities.check_version(UNIT, before, body.get("Version") or 0)
        merged = entities.merged(UNIT, before, body)
        after = heads.replace_unit(before, **{name: getattr(merged, name) for name in UNIT.writable})
        text = _patched_text(body)
    entities.tidy(UNIT, after)
    after.slug = check_slug(after.slug) if after.slug else before.slug
    after.toolchain_type = after.toolchain_type or before.toolchain_type
    if after.toolchain_type != before.toolchain_type:
        raise BadRequest(f"the ToolchainType of a unit stays as it is: {before.toolchain_type}")
    return after, text


def fill_text(tx: Connection, unit: Unit) -> None:
    """Set the unit's data in place."""
    unit.data = revision_text(tx, unit.unit_id or "", unit.head_revision_num).encode()


def sources_of(tx: Connection, unit_id: str | None) -> list[ResourceMutation]:
    """Return the accumulated sources of the unit's head."""
    found = tx.execute(select(mutation_sources.c.sources).where(mutation_sources.c.unit_id == unit_id)).scalar()
    return found or []


def _draft(
    tx: Connection,
    caller: Caller,
    before: Unit,
    after: Unit,
    text: str | None,
    body: Unit | dict[str, Any],
    change: Change,
) -> tuple[heads.Draft | None, int, list[Held]]:
    """Return the draft, the upstream revision that it is merged with, and what is held back."""
    said = change.description
    if not said and after.last_change_description != before.last_change_description:
        said = after.last_change_description
    kept = before.upstream_revision_num
    if change.upgrade:
        return _upgrade(tx, caller, before, said)
    if change.restore or change.revision_id:
        return _restore(tx, before, change, said), kept, []
    if change.data_patch:
        assert isinstance(body, dict)
        return _patch(before, body, said), kept, []
    if text is None or text.encode() == before.data:
        return None, kept, []
    heads.refuse_text(text, before.toolchain_type)
    old = before.data.decode()
    step = Step(Origin(), compared(old, text, before.toolchain_type))
    return heads.Draft(text, (step,), "Update", said or described(step.records, old) or "edited"), kept, []


def _restore(tx: Connection, before: Unit, change: Change, said: str) -> heads.Draft:
    number = restored_number(tx, before, change)
    text = revision_text(tx, before.unit_id or "", number)
    old = before.data.decode()
    step = Step(Origin(restored_revision_num=number), compared(old, text, before.toolchain_type))
    told = _told(f"restored revision {number}", step, old)
    return heads.Draft(text, (step,), "Restore", said or told)


def restored_number(tx: Connection, before: Unit, change: Change) -> int:
    """Return the number of the revision that the change goes back to.

    Raises: BadRequest, NotFound when there is none.
    """
    c = revisions.c
    query = select(c.revision_num).where(c.unit_id == before.unit_id)
    if change.revision_id:
        found = tx.execute(query.where(c.revision_id == own_id(change.revision_id))).scalar()
        if found is None:
            raise NotFound(f"unit {before.slug} has no revision {change.revision_id}")
        return int(found)
    if change.restore in RESTORE_POINTS:
        number = int(getattr(before, RESTORE_POINTS[change.restore]))
        if not number:
            raise BadRequest(f"unit {before.slug} has no {change.restore.removesuffix('Num')} to restore")
        return number
    if revision_names.is_name(change.restore):
        return revision_names.named_revision(tx, before, change.restore)
    found = int(change.restore) if change.restore.isdecimal() else 0
    if not 1 <= found <= before.head_revision_num:
        raise BadRequest(
            f"unit {before.slug} has no such revision: {change.restore}",
            hint=f"one of {', '.join(RESTORE_POINTS)}, a number, {revision_names.HINT}",
        )
    return found


def _patch(before: Unit, body: dict[str, Any], said: str) -> heads.Draft:
    from confighub.data.patch import merge_patch

    old = before.data.decode()
    text, records = merge_patch(old, body)
    step = Step(Origin(), records)
    return heads.Draft(text, (step,), "Patch", said or described(step.records, old) or "patched")


def _upgrade(tx: Connection, caller: Caller, before: Unit, said: str) -> tuple[heads.Draft | None, int, list[Held]]:
    from confighub.data import merge
    from confighub.data.own_paths import own_paths, with_own_paths

    if not before.upstream_unit_id:
        raise BadRequest(f"unit {before.slug} is no clone, so there is nothing to upgrade from")
    upstream = entities.load(tx, caller, UNIT, before.upstream_unit_id)
    if upstream.head_revision_num == before.upstream_revision_num:
        return None, before.upstream_revision_num, []
    ours = before.data.decode()
    paths = own_paths(before.annotations, upstream.annotations)
    result = merge.upgrade(
        base=revision_text(tx, before.upstream_unit_id, before.upstream_revision_num),
        ours=ours,
        theirs=revision_text(tx, before.upstream_unit_id, upstream.head_revision_num),
        own=with_own_paths(sources_of(tx, before.unit_id), ours, paths),
    )
    if result.conflicts:
        raise Conflict(
            f"unit {before.slug} cannot be upgraded to revision {upstream.head_revision_num} of {upstream.slug}",
            hint="change the unit so that the two fit, then upgrade again",
            details=authors.told(tx, before, upstream, result.conflicts),
        )
    _refuse_quarantined(tx, before, upstream, result.text)
    origin = Origin(upgraded_from_upstream_revision_num=upstream.head_revision_num)
    step = Step(origin, result.mutations, is_upstream=True)
    told = _told(f"upgraded to {upstream.slug} revision {upstream.head_revision_num}", step, before.data.decode())
    return heads.Draft(result.text, (step,), "Upgrade", said or told), upstream.head_revision_num, result.held


def _refuse_quarantined(tx: Connection, unit: Unit, upstream: Unit, text: str) -> None:
    for one, its_text in (
        (unit, text),
        (upstream, revision_text(tx, upstream.unit_id or "", upstream.head_revision_num)),
    ):
        if is_quarantined(tx, one.unit_id, its_text):
            raise Gated(
                f"unit {unit.slug} is not upgraded to {upstream.slug} revision {upstream.head_revision_num}: "
                f"{'it' if one is unit else 'the upstream unit'} was rolled back from what that would make of it",
                gates=[QUARANTINE],
                hint="promote a later revision, or lift the quarantine with a reason: traderx quarantine lift",
            )


def _told(what: str, step: Step, old: str) -> str:
    changes = described(step.records, old)
    return f"{what}: {changes}" if changes else what


def _patched_text(patch: dict[str, Any]) -> str | None:
    """Return the text that ``Data`` in a merge patch holds, as base64."""
    from base64 import b64decode

    data = patch.get("Data")
    if data is None:
        return None
    if not isinstance(data, str):
        raise BadRequest("Data is base64 text")
    try:
        return b64decode(data, validate=True).decode()
    except ValueError as error:
        raise BadRequest(f"Data is no base64 of UTF-8 text: {error}") from error
