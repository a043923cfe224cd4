"""What callers ask of clusters: apply, destroy, refresh and import a unit; holds. Many are applied by ``applying``.

An operation is queued and its event shown in the transaction of the request; a worker takes it
from there (``deliveries``). Heads that apply by themselves are queued here too, by one rule
(``lifecycle.reason_not_to_apply``).
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable

from sqlalchemy import Connection, select

from confighub.errors import BadRequest, Gated, NotFound
from confighub.hub.caller import Caller, Right
from confighub.hub.domain import import_filter, lifecycle
from confighub.hub.hub import Hub
from confighub.hub.kinds import SPACE, TARGET, UNIT
from confighub.hub.store.entities import bridge_workers, spaces, targets, units
from confighub.hub.store.many import portions
from confighub.hub.store.quarantine import GATE as QUARANTINE
from confighub.hub.store.rows import columns, own_id, record
from confighub.hub.usecases import holds, queue, revision_names, trigger_calls
from confighub.hub.usecases.access import require_space, visible
from confighub.hub.usecases.audit import note
from confighub.hub.usecases.gates import closed_gates, environment_of
from confighub.hub.usecases.listing import Listing, choose_units
from confighub.records.base import to_wire
from confighub.records.units import Unit
from confighub.records.work import ImportRequest, QueuedOperation, Target

AUTO_APPLY = "applied by itself: a new head of a live unit"
CORRECTION = "drift corrected"


def apply_unit(
    hub: Hub, caller: Caller, *, space_id: str, unit_id: str, revision: str = "", despite_quarantine: str = ""
) -> QueuedOperation:
    """Queue the head, or the revision named (see ``lifecycle.revision_number``), for the unit's target.

    An older revision holds the unit from applying by itself until its next head or a plain apply.
    ``despite_quarantine`` is the reason to apply, this once, what was rolled back from.
    Raises: BadRequest without a target or for a revision that is not there; Gated; NotFound; Forbidden.
    """
    with hub.write() as tx:
        unit = _unit(tx, caller, space_id, unit_id, "apply")
        return _apply(tx, hub, caller, unit, revision, despite_quarantine)


def correct_unit(hub: Hub, caller: Caller, *, space_id: str, unit_id: str, reason: str) -> QueuedOperation:
    """Queue what is live once more, since the target differs from it; ``reason`` says how, for the history.

    Nothing about the unit changes, so that nothing is held and nothing downstream follows.
    Raises: BadRequest when the unit is not live or has no target; Gated when what is live is refused now.
    """
    with hub.write() as tx:
        unit = _unit(tx, caller, space_id, unit_id, "apply")
        number = unit.live_revision_num
        if not number:
            raise BadRequest(f"unit {unit.slug} is not live, so there is nothing to correct")
        gates = closed_gates(tx, unit.unit_id or "", number)
        if gates:
            raise gated(tx, unit, number, gates)
        return _queue(tx, hub, caller, unit, action="Apply", revision_num=number, reason=f"{CORRECTION}: {reason}")


def destroy_unit(hub: Hub, caller: Caller, *, space_id: str, unit_id: str) -> QueuedOperation:
    """Queue the removal of the unit's objects from its target; the unit itself stays."""
    with hub.write() as tx:
        unit = _unit(tx, caller, space_id, unit_id, "apply")
        return _queue(tx, hub, caller, unit, action="Destroy")


def refresh_unit(hub: Hub, caller: Caller, *, space_id: str, unit_id: str) -> QueuedOperation:
    """Queue a comparison of the live revision with what the target holds."""
    with hub.write() as tx:
        unit = _unit(tx, caller, space_id, unit_id, "apply")
        return _queue(tx, hub, caller, unit, action="Refresh")


def import_unit(hub: Hub, caller: Caller, request: ImportRequest, *, space_id: str, unit_id: str) -> QueuedOperation:
    """Queue the reading of objects from the target into the unit.

    Raises: BadRequest, also for a filter that cannot be read.
    """
    if request.where:
        request.filters, request.options = import_filter.parse(request.where)
    extra = b64encode(to_wire(request)).decode()
    with hub.write() as tx:
        unit = _unit(tx, caller, space_id, unit_id, "apply")
        return _queue(tx, hub, caller, unit, action="Import", extra_params=extra)


def hold_units(hub: Hub, caller: Caller, selection: Listing, *, reason: str, ttl_s: int, holder: str = "") -> list[str]:
    """Keep every unit of the selection from applying by itself; return their ids. ``ttl_s`` of 0 never expires.

    ``holder`` names the operation that holds them, in place of an earlier hold of it; empty for a person.
    """
    kind = holds.kind_of(holder)
    with hub.write() as tx:
        found = choose_units(tx, hub, caller, selection)
        for unit in found:
            require_space(tx, caller, unit.space_id, "apply")
            holds.hold(tx, hub, caller, unit.unit_id, kind=kind, reason=reason, ttl_s=ttl_s)
            note(tx, hub, caller, "hold", UNIT, unit, message=reason)
        return [unit.unit_id for unit in found]


def release_units(hub: Hub, caller: Caller, selection: Listing, *, holder: str = "") -> list[str]:
    """End the holds of every unit of the selection and apply the heads that are due; return all ids.

    With a ``holder`` only those of that operation end, else all but the hand-brake of an older revision.
    """
    kind = holds.kind_of(holder)
    with hub.write() as tx:
        found = choose_units(tx, hub, caller, selection)
        for unit in found:
            require_space(tx, caller, unit.space_id, "apply")
            ended = holds.release(tx, unit.unit_id, kind=kind) if holder else holds.release_all(tx, unit.unit_id)
            if ended:
                note(tx, hub, caller, "release", UNIT, unit)
                apply_if_due(tx, hub, caller, unit.unit_id)
        return [unit.unit_id for unit in found]


def head_changed(tx: Connection, hub: Hub, caller: Caller, unit_id: str) -> QueuedOperation | None:
    """Tell that the unit has a new head, in the transaction that made it; return the operation that applies it.

    The hold of an older revision ends. None means: not applied by itself.
    """
    holds.release(tx, unit_id, kind=holds.OLDER_REVISION)
    return apply_if_due(tx, hub, caller, unit_id)


def apply_if_due(tx: Connection, hub: Hub, caller: Caller, unit_id: str) -> QueuedOperation | None:
    """Queue the head if the rule of auto-apply says so; None when it does not."""
    if reason_not_to_apply(tx, hub, unit_id):
        return None
    unit = queue.unit_by_id(tx, unit_id)
    assert unit is not None
    return _queue(tx, hub, caller, unit, action="Apply", revision_num=unit.head_revision_num, reason=AUTO_APPLY)


def apply_all_due(tx: Connection, hub: Hub, caller: Caller, unit_ids: Iterable[str]) -> None:
    """Queue the head of each of the units whose head the rule of auto-apply says to queue."""
    u = units.c
    # Most heads are live, or have been sent, and need no further question.
    is_new = u.head_revision_num != u.live_revision_num, u.head_revision_num != u.last_applied_revision_num
    for some in portions(sorted(set(unit_ids))):
        new = select(u.unit_id).where(u.unit_id.in_(some), u.deleted_at.is_(None), *is_new)
        for unit_id in tx.execute(new).scalars().all():
            apply_if_due(tx, hub, caller, unit_id)


def reason_not_to_apply(tx: Connection, hub: Hub, unit_id: str) -> str:
    """Return why the head of the unit is not applied by itself; empty when it is, or would be."""
    unit = queue.unit_by_id(tx, unit_id)
    if unit is None:
        return "it is deleted"
    # Most edits end here, so the cheap question is asked first.
    if unit.live_revision_num == 0 or unit.target_id is None:
        return "it is not live yet"
    space = record(SPACE, tx.execute(select(*columns(SPACE)).where(spaces.c.space_id == unit.space_id)).one())
    candidate = lifecycle.Candidate(
        head=unit.head_revision_num,
        numbers=queue.numbers_of(unit),
        has_auto_apply=_has_auto_apply(tx, unit.target_id),
        is_in_production=environment_of(space) == "prod",
        is_held=holds.is_held(tx, hub, unit_id),
        is_busy=queue.is_busy(tx, unit_id),
        closed_gates=tuple(closed_gates(tx, unit_id, unit.head_revision_num)),
    )
    return lifecycle.reason_not_to_apply(candidate)


def _apply(
    tx: Connection, hub: Hub, caller: Caller, unit: Unit, revision: str, despite_quarantine: str = ""
) -> QueuedOperation:
    head = unit.head_revision_num
    if revision_names.is_name(revision):
        number = revision_names.named_revision(tx, unit, revision)
    else:
        number = lifecycle.revision_number(revision, head=head, numbers=queue.numbers_of(unit))
    target = _target(tx, unit)
    gates = closed_gates(tx, unit.unit_id or "", number)
    reason = ""
    if despite_quarantine and not despite_quarantine.strip():
        raise BadRequest("what is in quarantine is applied with a reason", hint="say why")
    if despite_quarantine and QUARANTINE in gates:
        gates.remove(QUARANTINE)
        reason = f"applied despite quarantine: {despite_quarantine}"
    if gates:
        raise gated(tx, unit, number, gates)
    if number < head:
        by_hand = f"revision {number} was applied by hand"
        holds.hold(tx, hub, caller, unit.unit_id, kind=holds.OLDER_REVISION, reason=by_hand)
    else:
        holds.release(tx, unit.unit_id, kind=holds.OLDER_REVISION)
    return _queue(tx, hub, caller, unit, action="Apply", revision_num=number, target=target, reason=reason)


def _queue(
    tx: Connection,
    hub: Hub,
    caller: Caller,
    unit: Unit,
    *,
    action: str,
    revision_num: int = 0,
    target: Target | None = None,
    reason: str = "",
    extra_params: str = "",
) -> QueuedOperation:
    """Queue the action; without a revision it is about the live one, or the head of a unit that is not live."""
    number = revision_num or unit.live_revision_num or unit.head_revision_num
    operation = queue.enqueue(
        tx,
        hub,
        caller,
        unit,
        target or _target(tx, unit),
        action=action,
        revision_num=number,
        reason=reason,
        extra_params=extra_params,
    )
    note(tx, hub, caller, action.lower(), UNIT, unit, message=reason, RevisionNum=number)
    return operation


def _unit(tx: Connection, caller: Caller, space_id: str, unit_id: str, right: Right) -> Unit:
    require_space(tx, caller, space_id, right)
    one = units.c.unit_id == own_id(unit_id), units.c.space_id == own_id(space_id)
    row = tx.execute(select(*columns(UNIT)).where(*one, visible(UNIT, caller))).first()
    if row is None:
        raise NotFound(f"no such unit: {unit_id}")
    unit = record(UNIT, row)
    assert isinstance(unit, Unit)
    return unit


def _target(tx: Connection, unit: Unit) -> Target:
    """Return the unit's target, which must have a worker."""
    living = targets.c.target_id == unit.target_id, targets.c.deleted_at.is_(None)
    row = tx.execute(select(*columns(TARGET)).where(*living)).first() if unit.target_id else None
    return target_given(unit, None if row is None else record(TARGET, row))


def target_given(unit: Unit, target: Target | None) -> Target:
    """Return the unit's living target, as it was found or None.

    Raises: BadRequest when the unit has none or nobody serves it.
    """
    if unit.target_id is None:
        raise BadRequest(
            f"unit {unit.slug} has no target, so there is no place to apply it to",
            hint=f"set one: cub unit set-target {unit.slug} TARGET",
        )
    if target is None:
        raise BadRequest(f"the target of unit {unit.slug} was deleted", hint="set another one")
    if target.bridge_worker_id is None:
        raise BadRequest(f"target {target.slug} of unit {unit.slug} has no worker", hint="give the target one")
    return target


def _has_auto_apply(tx: Connection, target_id: str) -> bool:
    joined = select(bridge_workers.c.auto_apply).join(
        targets, targets.c.bridge_worker_id == bridge_workers.c.bridge_worker_id
    )
    living = targets.c.deleted_at.is_(None), bridge_workers.c.deleted_at.is_(None)
    return bool(tx.execute(joined.where(targets.c.target_id == target_id, *living)).scalar())


_OPENERS = {
    "approval/is-approved": "approve it: cub unit approve {slug}",
    "placeholders/no-placeholders": "set the values that still hold a placeholder",
    "latest-tag/vet-no-latest-tag": "use an image with a fixed tag",
    "schema/validate": "correct the configuration",
    QUARANTINE: "it was rolled back from; lift it with a reason: traderx quarantine lift ENV {slug} --reason WHY",
}


def gated(tx: Connection, unit: Unit, number: int, gates: list[str]) -> Gated:
    """Return the refusal of the unit's revision by those gates, with what opens them."""
    reasons = trigger_calls.reasons(tx, unit.unit_id or "", number)
    known = [_OPENERS[gate].format(slug=unit.slug) for gate in gates if gate in _OPENERS]
    known += [f"{gate}: {reasons[gate]}" for gate in gates if gate in reasons]
    message = f"unit {unit.slug} is not applied: revision {number} is refused by {', '.join(gates)}"
    return Gated(message, gates=gates, hint="; ".join(known))
