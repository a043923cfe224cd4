"""Rollback: units go back to what they were, all in one transaction; what they were rolled back from is quarantined.

A rollback adds: a new head with the old text, and a change set whose start is where the units stood and whose end
is where they are now, so that it can itself be taken back. Nothing is applied here, and the units are held from
applying by themselves until whoever rolls back has applied them in order, or ``HOLD_S`` is over.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from confighub.errors import BadRequest, ConfigHubError
from confighub.hub.caller import Caller
from confighub.hub.domain.mutations import Origin, Step, compared
from confighub.hub.domain.rolling_back import divided
from confighub.hub.hub import Hub
from confighub.hub.kinds import CHANGE_SET, TAG, UNIT
from confighub.hub.store.history import mutations, revision_tags
from confighub.hub.store.quarantine import is_quarantined
from confighub.hub.usecases import entities, heads, holds, quarantine
from confighub.hub.usecases.access import require_space
from confighub.hub.usecases.audit import note
from confighub.hub.usecases.fillings import rebuilt_sources, revision_text
from confighub.hub.usecases.gates import closed_gates
from confighub.hub.usecases.listing import Listing, choose, choose_units
from confighub.hub.usecases.unit_changes import Change, Proposal, carry_out, fill_text, restored_number
from confighub.records.answers import Rollback, RolledBack
from confighub.records.groups import ChangeSet, Tag
from confighub.records.spaces import Space
from confighub.records.units import Unit

HOLD_S = 600
"""How long units wait for the one who rolled them back; long enough to start a killed program again."""


@dataclass(frozen=True)
class _Step:
    """A unit with the revision that it goes back to, 0 for none, and why none."""

    unit: Unit
    number: int
    why_not: str = ""


def roll_back(hub: Hub, caller: Caller, selection: Listing, *, to: str, reason: str) -> Rollback:
    """Bring the selected units of one space back to the revision that ``to`` names for each; all or none.

    ``to`` is a number, ``Tag:x``, ``ChangeSet:x``, ``Before:`` either, or ``Time:x``. Units that have no such
    revision stay as they are and say why; units whose text is that already are not changed.
    Raises: BadRequest when no unit has such a revision, they are of several spaces, or no reason is given.
    """
    if not reason.strip():
        raise BadRequest("a rollback needs a reason, for what it quarantines", hint="say why")
    with hub.write() as tx:
        found = choose_units(tx, hub, caller, selection)
        if len({unit.space_id for unit in found}) != 1:
            raise BadRequest(f"a rollback is of units of one space, and {len(found)} units of none or several match")
        space = require_space(tx, caller, found[0].space_id, "write")
        require_space(tx, caller, found[0].space_id, "apply")
        steps = [_step(tx, unit, to) for unit in found]
        if all(step.number == 0 for step in steps):
            raise BadRequest(f"nothing in {space.slug} can go back to {to}: {steps[0].why_not}")
        for step in steps:
            fill_text(tx, step.unit)
        changing = [step for step in steps if step.number and _differs(tx, step)]
        change_set = _begin(tx, hub, caller, space, to, reason) if changing else None
        done = [_roll_back(tx, hub, caller, space, step, reason, step in changing) for step in steps]
        if change_set is not None:
            _end(tx, hub, caller, space, change_set)
        return Rollback(change_set=change_set.slug if change_set else "", units=done)


def _step(tx: Connection, unit: Unit, to: str) -> _Step:
    try:
        return _Step(unit, restored_number(tx, unit, Change(restore=to)))
    except ConfigHubError as error:
        return _Step(unit, 0, error.message)


def _differs(tx: Connection, step: _Step) -> bool:
    return revision_text(tx, step.unit.unit_id or "", step.number).encode() != step.unit.data


def _roll_back(
    tx: Connection, hub: Hub, caller: Caller, space: Space, step: _Step, reason: str, is_changing: bool
) -> RolledBack:
    unit = step.unit
    answer = RolledBack(
        unit_id=unit.unit_id,
        slug=unit.slug,
        head_revision_num=unit.head_revision_num,
        live_revision_num=unit.live_revision_num,
        to_revision_num=step.number,
        why_not=step.why_not,
    )
    if not is_changing:
        answer.apply_gates = closed_gates(tx, unit.unit_id or "", unit.head_revision_num)
        return answer
    text = revision_text(tx, unit.unit_id or "", step.number)
    answer.quarantined = _quarantine_what_ran(tx, hub, caller, unit, text, reason)
    holds.hold(tx, hub, caller, unit.unit_id, kind=holds.ROLLBACK, reason=f"rollback: {reason}", ttl_s=HOLD_S)
    head = carry_out(tx, hub, caller, _proposal(tx, unit, space, step.number, text, reason)).unit
    note(tx, hub, caller, "roll back", UNIT, head, message=reason, revision=step.number)
    answer.new_revision_num = head.head_revision_num
    answer.apply_gates = closed_gates(tx, unit.unit_id or "", head.head_revision_num)
    return answer


def _proposal(tx: Connection, unit: Unit, space: Space, number: int, text: str, reason: str) -> Proposal:
    """Return the unit with the old text, and with the upstream revision that it had then."""
    old = unit.data.decode()
    records = compared(old, text, unit.toolchain_type)
    restored = Origin(restored_revision_num=number)
    steps = [Step(restored, records)]
    after = heads.replace_unit(unit)
    if unit.upstream_unit_id and (upstream_num := _upstream_at(tx, unit, number)):
        sources = rebuilt_sources(tx, unit.unit_id or "", {number}).get(number, [])
        theirs, ours = divided(records, sources)
        again = Origin(restored_revision_num=number, upgraded_from_upstream_revision_num=upstream_num)
        steps = [Step(again, theirs, is_upstream=True)] + ([Step(restored, ours)] if ours else [])
        after.upstream_revision_num = upstream_num
    draft = heads.Draft(text, tuple(steps), "Restore", f"rolled back to revision {number}: {reason}")
    return Proposal(unit, after, space, heads.plan(tx, unit, space, draft), [])


def _upstream_at(tx: Connection, unit: Unit, number: int) -> int:
    c = mutations.c
    own = c.unit_id == unit.unit_id, c.revision_num <= number, c.upgraded_from_upstream_revision_num > 0
    query = select(c.upgraded_from_upstream_revision_num).where(*own).order_by(c.mutation_num.desc()).limit(1)
    return int(tx.execute(query).scalar() or 0)


def _quarantine_what_ran(tx: Connection, hub: Hub, caller: Caller, unit: Unit, text: str, reason: str) -> list[int]:
    """Quarantine what is live and what was last sent; the head when neither differs from where the unit goes."""
    ran = [unit.live_revision_num, unit.last_applied_revision_num]
    texts = {number: revision_text(tx, unit.unit_id or "", number) for number in ran if number}
    bad = {found: number for number, found in texts.items() if found != text}
    if not bad:
        bad = {unit.data.decode(): unit.head_revision_num}
    put = []
    for found, number in bad.items():
        if not is_quarantined(tx, unit.unit_id, found):
            quarantine.put(tx, hub, caller, unit, number, reason=reason)
            put.append(number)
    return sorted(put)


def _begin(tx: Connection, hub: Hub, caller: Caller, space: Space, to: str, reason: str) -> ChangeSet:
    """Make the change set, which records where every unit of the space stands."""
    moment = hub.now()
    slug = f"rollback-{moment:%Y%m%d-%H%M%S}-{moment.microsecond // 1000:03}"
    body = ChangeSet(slug=slug, display_name=slug, description=f"rollback to {to}: {reason}")
    made: ChangeSet = entities.create_in(tx, hub, caller, CHANGE_SET, body, space.space_id)
    return made


def _end(tx: Connection, hub: Hub, caller: Caller, space: Space, change_set: ChangeSet) -> None:
    """Tag where every unit of the space stands now as the end of the change set."""
    slug = f"{change_set.slug}-end"
    tag = entities.create_in(tx, hub, caller, TAG, Tag(slug=slug, display_name=slug), space.space_id)
    rows = [
        {
            "unit_id": unit.unit_id,
            "revision_num": unit.head_revision_num,
            "tag_id": tag.tag_id,
            "tagged_at": hub.now(),
        }
        for unit in choose(tx, hub, caller, UNIT, "", UNIT.table.c.space_id == space.space_id)
    ]
    tx.execute(insert(revision_tags), rows)
    entities.patch_in(tx, hub, caller, CHANGE_SET, change_set, {"EndTagID": tag.tag_id})
