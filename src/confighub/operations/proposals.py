"""Changes that are written down to be looked at before they are made: a change set with the calls it will make.

A change set records where its units stand. One with a proposal also says what is to be called on which unit; nothing
is changed by writing it. Making it brings all units along or none: a unit that changed meanwhile, or a closed gate,
refuses the whole, and a failure takes back what was done. Then its end is recorded like that of any change set.
"""

from __future__ import annotations

import difflib
from base64 import b64encode
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Literal

import msgspec

from confighub.client.collection import Collection, any_of, conjoined, quoted
from confighub.client.functions import Scalar, call
from confighub.client.hub import HubClient
from confighub.client.transport import Wire
from confighub.client.units import text_of
from confighub.errors import BadRequest, ConfigHubError, Conflict, Gated, RetryLater
from confighub.operations.guard import APPROVAL_GATE
from confighub.operations.rollout.subject import edited

KEY = "confighub.com/proposal"
_HOLD_S = 600
_HOLDER = "change-set"

Calls = list[tuple[str, tuple[Scalar, ...]]]
Stand = Literal["before", "done", "moved"]


class ProposedUnit(msgspec.Struct, frozen=True):
    """What is to be called on one unit, which stood at ``revision`` when it was proposed."""

    unit_id: str
    slug: str
    revision: int
    calls: Calls


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """A change that is not made yet. ``facts`` are figures that whoever proposed it wants to find again."""

    slug: str
    space: str
    space_id: str
    why: str
    units: list[ProposedUnit]
    facts: dict[str, str] = {}
    change_set_id: str = ""
    is_made: bool = False


@dataclass(frozen=True)
class Shown:
    """What the proposal makes of one unit: the diff of its text, and the gates that would be closed."""

    unit: ProposedUnit
    text: str
    diff: tuple[str, ...]
    gates: tuple[str, ...]
    is_live: bool


def write(hub: HubClient, proposal: Proposal) -> Proposal:
    """Write the proposal down as a change set of its space, with a filter of its units; returns it with its id.

    One with the same slug is taken as it is, since a slug stands for the same change.
    """
    found = hub.change_sets.list(where=f"Slug = {quoted(proposal.slug)}", space_id=proposal.space_id, include="")
    if found:
        return read(found[0]["ChangeSet"], space=proposal.space) or proposal
    where = any_of("UnitID", [one.unit_id for one in proposal.units])
    chosen = {"Slug": proposal.slug, "DisplayName": proposal.slug, "From": "Unit", "Where": where}
    filter_id = _ensured(hub.filters, chosen, space_id=proposal.space_id)
    made = hub.change_sets.create(
        {
            "Slug": proposal.slug,
            "DisplayName": proposal.slug,
            "Description": proposal.why,
            "FilterID": filter_id,
            "Annotations": {KEY: msgspec.json.encode(proposal).decode()},
        },
        space_id=proposal.space_id,
    )
    return msgspec.structs.replace(proposal, change_set_id=str(made["ChangeSetID"]))


def read(change_set: Wire, *, space: str) -> Proposal | None:
    """Return the proposal of a plain change set, None when it has none. Raises: BadRequest for what cannot be read."""
    text = (change_set.get("Annotations") or {}).get(KEY)
    if not text:
        return None
    try:
        found = msgspec.json.decode(text, type=Proposal)
    except msgspec.MsgspecError as error:
        raise BadRequest(f"the proposal of change set {change_set.get('Slug')} cannot be read: {error}") from error
    return msgspec.structs.replace(
        found,
        space=space,
        space_id=str(change_set["SpaceID"]),
        change_set_id=str(change_set["ChangeSetID"]),
        is_made=bool(change_set.get("EndTagID")),
    )


def find(hub: HubClient, *, space: str, space_id: str) -> list[Proposal]:
    """Return the proposals of a space, newest first."""
    found = hub.change_sets.list(space_id=space_id, include="")
    change_sets = sorted((one["ChangeSet"] for one in found), key=lambda one: str(one.get("CreatedAt")), reverse=True)
    return [one for one in (read(change_set, space=space) for change_set in change_sets) if one]


def withdraw(hub: HubClient, proposal: Proposal) -> None:
    """Take a proposal away that nobody made, with its filter. Raises: BadRequest when it is made."""
    if proposal.is_made:
        raise BadRequest(f"change set {proposal.slug} of {proposal.space} is made, so it stays")
    found = hub.change_sets.get(proposal.change_set_id, space_id=proposal.space_id, include="")["ChangeSet"]
    hub.change_sets.delete(proposal.change_set_id, space_id=proposal.space_id)
    if found.get("FilterID"):
        hub.filters.delete(str(found["FilterID"]), space_id=proposal.space_id)


def show(hub: HubClient, proposal: Proposal) -> list[Shown]:
    """Return what the proposal makes of each unit; nothing is changed.

    A unit that is already as the proposal makes it is no obstacle: whoever was making it may have been cut off.
    Raises: Conflict when a unit has changed otherwise since it was proposed, naming it; BadRequest when it is made
    already and nothing of it waits to be applied.
    """
    if proposal.is_made and not is_begun(hub, proposal):
        raise BadRequest(f"change set {proposal.slug} of {proposal.space} is made already")
    now = _units(hub, proposal)
    stands = {one.slug: _stand(hub, proposal, one, now.get(one.unit_id)) for one in proposal.units}
    moved = [
        f"{one.slug} (revision {one.revision} then, {now[one.unit_id]['HeadRevisionNum']} now)"
        if one.unit_id in now
        else f"{one.slug} (deleted)"
        for one in proposal.units
        if stands[one.slug] == "moved"
    ]
    if moved:
        done = ", ".join(slug for slug, stand in stands.items() if stand == "done")
        raise Conflict(
            f"units of {proposal.space} changed since change set {proposal.slug} was proposed: {', '.join(moved)}",
            hint=f"an earlier try changed {done}" if done else "nothing was changed; have it proposed again",
        )
    return [_shown(hub, proposal, one, now[one.unit_id]) for one in proposal.units]


def is_begun(hub: HubClient, proposal: Proposal) -> bool:
    """Tell whether whoever made or applied the proposal was cut off: units have its text, and not all of it runs."""
    found = _units(hub, proposal)
    units = [(one, found[one.unit_id]) for one in proposal.units if one.unit_id in found]
    if proposal.is_made:
        units = [(one, now) for one, now in units if now.get("LiveRevisionNum")]
        units = [(one, now) for one, now in units if now["LiveRevisionNum"] != now["HeadRevisionNum"]]
    return any(_stand(hub, proposal, one, now) == "done" for one, now in units)


def refuse_closed(proposal: Proposal, shown: Iterable[Shown], *, approve: bool, command: str) -> None:
    """Return when what is live may be applied after the change, or could be once it is approved. Raises: Gated."""
    live = [one for one in shown if one.is_live]
    closed = {one.unit.slug: [gate for gate in one.gates if gate != APPROVAL_GATE] for one in live}
    listed = [f"{slug} ({', '.join(gates)})" for slug, gates in closed.items() if gates]
    if listed:
        raise Gated(
            f"gates would be closed in {proposal.space}: {', '.join(listed)}",
            gates=sorted({gate for gates in closed.values() for gate in gates}),
            hint="nothing was changed",
        )
    waiting = [one.unit.slug for one in live if APPROVAL_GATE in one.gates]
    if waiting and not approve:
        raise Gated(
            f"{len(waiting)} units in {proposal.space} would wait for approval: {', '.join(waiting)}",
            gates=[APPROVAL_GATE],
            hint=f"nothing was changed; approve exactly these and apply them: {command} --approve",
        )


def make(hub: HubClient, proposal: Proposal) -> list[str]:
    """Make the change in all units, or in none; returns the ids of those that were live. Nothing is applied.

    Units that an earlier try has changed already stay so.
    Call it while they are ``held``, else a worker may apply some of them meanwhile.
    Raises: Conflict, ConfigHubError with the unit that failed; then every unit is as it was.
    """
    show(hub, proposal)
    now = _units(hub, proposal)
    done = [one for one in proposal.units if _stand(hub, proposal, one, now[one.unit_id]) == "done"]
    try:
        for one in [one for one in proposal.units if one not in done]:
            done.append(one)
            answers = hub.functions.invoke(
                [call(name, *values) for name, values in one.calls],
                where=f"UnitID = {quoted(one.unit_id)}",
                space_id=proposal.space_id,
                change_desc=f"change set {proposal.slug}: {proposal.why}",
            )
            refused = [answer for answer in answers if not answer.get("Success")]
            if refused or not answers:
                error = (refused[0].get("Error") or {}) if refused else {}
                raise ConfigHubError(f"{one.slug} was not changed: {error.get('Message') or 'it is not there'}")
        if not proposal.is_made:
            _record_end(hub, proposal)
    except ConfigHubError:
        take_back(hub, proposal, done)
        raise
    return [str(unit_id) for unit_id, unit in _units(hub, proposal).items() if unit.get("LiveRevisionNum")]


def take_back(hub: HubClient, proposal: Proposal, units: Iterable[ProposedUnit]) -> None:
    """Bring units back to where they stood when the change was proposed; nothing is applied."""
    now = _units(hub, proposal)
    why = {"LastChangeDescription": f"change set {proposal.slug} was taken back"}
    for one in units:
        if one.unit_id in now and now[one.unit_id]["HeadRevisionNum"] != one.revision:
            hub.units.patch(one.unit_id, why, space_id=proposal.space_id, restore=str(one.revision))


@contextmanager
def held(hub: HubClient, proposal: Proposal) -> Iterator[None]:
    """Keep the units from being applied by themselves until the block ends."""
    with held_where(hub, _where(proposal), slug=proposal.slug):
        yield


@contextmanager
def held_where(hub: HubClient, where: str, *, slug: str) -> Iterator[None]:
    """Keep the units that are chosen so for that change set, in place of what a process that was killed left behind."""
    hub.units.hold(where=where, reason=f"change set {slug}", ttl_s=_HOLD_S, holder=_HOLDER)
    try:
        yield
    finally:
        # a hold that cannot be ended now ends by itself, and is no reason to take anything back
        with suppress(RetryLater):
            hub.units.release(where=where, holder=_HOLDER)


def _record_end(hub: HubClient, proposal: Proposal) -> None:
    slug = f"{proposal.slug}-end"
    tag_id = _ensured(hub.tags, {"Slug": slug, "DisplayName": slug}, space_id=proposal.space_id)
    hub.units.tag_all(tag_id, where=_where(proposal))
    hub.change_sets.patch(proposal.change_set_id, {"EndTagID": tag_id}, space_id=proposal.space_id)


def _ensured(records: Collection, record: Wire, *, space_id: str) -> str:
    """Return the id of the record with that slug, made when it is not there: an earlier try may have been cut off."""
    noun = records.noun
    found = records.list(where=f"Slug = {quoted(str(record['Slug']))}", space_id=space_id, include="")
    kept = found[0][noun.entity] if found else records.create(record, space_id=space_id)
    return str(kept[noun.id_key])


def _shown(hub: HubClient, proposal: Proposal, one: ProposedUnit, unit: Wire) -> Shown:
    before = _text_before(hub, proposal, one, unit)
    text = edited(before, one.calls)
    change: Wire = {"Data": b64encode(text.encode()).decode()}
    tried = hub.units.patch(one.unit_id, change, space_id=proposal.space_id, dry_run="true")
    diff = tuple(difflib.unified_diff(before.splitlines(), text.splitlines(), lineterm="", n=1))[2:]
    gates = tuple(sorted(name for name, closed in (tried.get("ApplyGates") or {}).items() if closed))
    return Shown(one, text, diff, gates, bool(unit.get("LiveRevisionNum")))


def _stand(hub: HubClient, proposal: Proposal, one: ProposedUnit, unit: Wire | None) -> Stand:
    """Return whether the unit has the text that it had when it was proposed, the one that the calls make, or neither.

    Texts tell, not numbers of revisions: whoever made the change, or took it back, may have been cut off.
    """
    if unit is None:
        return "moved"
    if unit["HeadRevisionNum"] == one.revision:
        return "before"
    before, text = _text_before(hub, proposal, one, unit), text_of(unit)
    if text == edited(before, one.calls):
        return "done"
    return "before" if text == before else "moved"


def _text_before(hub: HubClient, proposal: Proposal, one: ProposedUnit, unit: Wire) -> str:
    if unit["HeadRevisionNum"] == one.revision:
        return text_of(unit)
    return text_of(hub.units.revision(one.unit_id, one.revision, space_id=proposal.space_id))


def _units(hub: HubClient, proposal: Proposal) -> dict[str, Wire]:
    found = hub.units.list(where=_where(proposal), include="", select="Slug,Data,HeadRevisionNum,LiveRevisionNum")
    return {str(one["Unit"]["UnitID"]): one["Unit"] for one in found}


def _where(proposal: Proposal) -> str:
    ids = any_of("UnitID", [one.unit_id for one in proposal.units])
    return conjoined(ids, f"SpaceID = {quoted(proposal.space_id)}")
