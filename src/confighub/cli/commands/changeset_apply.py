"""``cub changeset apply``: brings the units of a change set to its end or back to its start, all of them or none.

One with a proposal that is not made yet (such as advice of the cost optimizer) is made instead. Before anything is
stored the whole change is tried as a dry run, gates included. When a unit fails after that,
those that were done go back to where they were.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from confighub.cli.applying import tell_what_is_next
from confighub.cli.changing import report_many
from confighub.cli.command import argument, command, flag, option, space_option
from confighub.cli.commands.unit_create import KIND as UNIT_KIND
from confighub.cli.kinds import Kind
from confighub.cli.operations import run_on
from confighub.cli.output import note
from confighub.cli.record_input import DRY_RUN
from confighub.cli.showing import DATA_OUTPUT, the_record
from confighub.cli.waiting import WAITING
from confighub.client.collection import CHANGE_SET, any_of, conjoined, quoted
from confighub.client.units import FINAL
from confighub.errors import BadRequest, ConfigHubError, Gated
from confighub.operations import attempts, proposals

if TYPE_CHECKING:
    from confighub.cli.call import Call
    from confighub.client.transport import Wire
    from confighub.operations.proposals import Proposal

KIND = Kind(CHANGE_SET, lambda hub: hub.change_sets, columns=(), select="")


@command(
    argument("name", complete="changesets"),
    space_option(),
    option("to", "start or end; by default the end when it is recorded.", metavar="SIDE"),
    flag("restore-only", "Change the units, and apply nothing."),
    DRY_RUN,
    flag("keep-going", "Leave the units that worked as they are when another fails."),
    *DATA_OUTPUT,
    *WAITING,
    example="cub changeset apply release-v1.0 --space my-traderx-prod",
)
def apply(call: Call) -> None:
    """Bring the units of a change set to its end, or back to where they stood when it was created.

    With an end tag the units go to the revisions that carry it. Without one nothing was recorded
    after the creation, so they go back to the start; or, when the change set proposes a change that
    is not made yet, it is made, and --dry-run shows it. It is all or none: gates are checked before
    anything is changed, and a failure takes back what was done. What was not live before is
    changed and not applied. Cut off in the middle, it goes on when it is typed again: what runs is
    not applied once more, and a failure takes back what was done by either.
    """
    found = the_record(call, KIND)
    change_set, end = found["ChangeSet"], found.get("EndTag") or {}
    proposal = proposals.read(change_set, space=str((found.get("Space") or {}).get("Slug") or ""))
    goes_on = bool(proposal and (not proposal.is_made or proposals.is_begun(call.hub, proposal)))
    if proposal and goes_on and call.text("to") != "start":
        _make(call, found, proposal)
        return
    side = call.text("to") or ("end" if end else "start")
    if side not in ("start", "end"):
        raise BadRequest(f"a change set has a start and an end, not: {side}")
    if side == "end" and not end:
        raise BadRequest(f"change set {change_set['Slug']} has no end tag", hint="--to start, or set --end-tag")
    members = _members(call, found)
    name = f"ChangeSet:{change_set['ChangeSetID']}"
    where, restore = _all_of(members), name if side == "end" else f"Before:{name}"
    _try(call, where, restore, to_apply=not call.yes("restore-only"))
    if call.is_dry_run:
        call.out.say(f"dry run: {len(members)} units can go to the {side} of change set {change_set['Slug']}")
        return

    def move() -> None:
        why = {"LastChangeDescription": f"change set {change_set['Slug']}: {side}"}
        done = call.hub.units.patch_all(why, where=where, restore=restore)
        moved = report_many(call, UNIT_KIND, "update", done)
        call.out.say(f"change set {change_set['Slug']}: {len(moved)} units are at its {side}")

    with _held(call, found, members):
        stood = attempts.begin(call.hub, change_set, members)
        _all_or_none(call, found, stood, move, ended=lambda: attempts.end(call.hub, change_set))


def _make(call: Call, found: Wire, proposal: Proposal) -> None:
    """Make what the change set proposes and apply what is live of it, or only show it."""
    shown = proposals.show(call.hub, proposal)
    for one in shown:
        call.out.say(f"{one.unit.slug} (revision {one.unit.revision}):")
        for line in one.diff:
            call.out.say(f"  {line}")
    if not call.yes("restore-only"):
        command = f"cub changeset apply {proposal.slug} --restore-only, then cub unit"
        proposals.refuse_closed(proposal, shown, approve=False, command=command)
    if call.is_dry_run:
        call.out.say(f"dry run: change set {proposal.slug} can be made: {proposal.why}")
        return

    def move() -> None:
        proposals.make(call.hub, proposal)
        call.out.say(f"change set {proposal.slug}: {len(stood)} units are at its end")

    # where they stood when it was proposed: an earlier try may have changed some of them, and applied them
    at = {one.unit_id: one.revision for one in proposal.units}
    stood = [_as_of(unit, at.get(str(unit["UnitID"]), int(unit["HeadRevisionNum"]))) for unit in _members(call, found)]
    with _held(call, found, stood):
        _all_or_none(call, found, stood, move, ended=lambda: None)


def _as_of(unit: Wire, revision: int) -> Wire:
    return {**unit, "HeadRevisionNum": revision, "LiveRevisionNum": min(revision, unit.get("LiveRevisionNum") or 0)}


def _held(call: Call, found: Wire, units: list[Wire]) -> AbstractContextManager[None]:
    """Keep the units from being applied by themselves, while they are taken back too."""
    if call.yes("restore-only"):
        # who applies nothing need not have the right to
        return nullcontext()
    return proposals.held_where(call.hub, _all_of(units), slug=str(found["ChangeSet"]["Slug"]))


def _all_or_none(
    call: Call, found: Wire, stood: list[Wire], move: Callable[[], None], *, ended: Callable[[], None]
) -> None:
    """Move the units and apply those that are live, or bring all back to where they ``stood``.

    What runs its head already is left alone, and where that is under way it is waited for: a process that was killed
    may have come as far. ``ended`` is called when no unit is in between any more. Raises: BadRequest with what failed.
    """
    slug = str(found["ChangeSet"]["Slug"])
    try:
        move()
        now = _listed(call, found)
        changed, events = [one["Unit"] for one in now], {one["Unit"]["UnitID"]: _event_of(one) for one in now}
        due = [one for one in changed if _is_due(one) and not call.yes("restore-only")]
        if due:
            run_on(call, "Apply", due, lambda unit: _applied(call, unit, events[unit["UnitID"]]))
        else:
            tell_what_is_next(call, changed)
    except ConfigHubError as error:
        if call.yes("keep-going"):
            ended()
            raise
        _take_back(call, stood, slug)
        ended()
        message = f"change set {slug} was not applied, every unit is back where it was: {error}"
        raise BadRequest(message) from error
    ended()


def _is_due(unit: Wire) -> bool:
    return bool(unit.get("LiveRevisionNum")) and unit["LiveRevisionNum"] != unit["HeadRevisionNum"]


def _event_of(extended: Wire) -> Wire:
    return extended.get("LatestUnitEvent") or {}


def _applied(call: Call, unit: Wire, event: Wire) -> Wire:
    """Return the operation that applies the head, the one under way when there is one."""
    is_it = event.get("Action") == "Apply" and event.get("RevisionNum") == unit["HeadRevisionNum"]
    if is_it and event.get("Status") not in FINAL:
        return event
    return call.hub.units.apply(unit["UnitID"], space_id=unit["SpaceID"])


def _try(call: Call, where: str, restore: str, *, to_apply: bool) -> None:
    """Raise when a unit cannot be changed so, or a gate would refuse what is to be applied."""
    tried = call.hub.units.patch_all({}, where=where, restore=restore, dry_run="true")
    failed = [str(one["Error"].get("Message")) for one in tried if one.get("Error")]
    if failed:
        raise BadRequest(f"nothing was changed: {'; '.join(failed)}")
    if to_apply:
        _check_gates([one["Unit"] for one in tried if one["Unit"].get("LiveRevisionNum")])


def _take_back(call: Call, units: list[Wire], slug: str) -> None:
    """Bring every unit back to the text it had, and to the revision that ran where something else does now."""
    now = {one["Unit"]["UnitID"]: one["Unit"] for one in call.hub.units.list(where=_all_of(units), include="")}
    due: list[Wire] = []
    revisions: dict[str, str] = {}
    for unit in [one for one in units if one["UnitID"] in now]:
        changed = now[unit["UnitID"]]
        if changed["HeadRevisionNum"] != unit["HeadRevisionNum"]:
            why = {"LastChangeDescription": f"change set {slug} was taken back"}
            restore = str(unit["HeadRevisionNum"])
            changed = call.hub.units.patch(unit["UnitID"], why, space_id=unit["SpaceID"], restore=restore)
        revision = _ran(unit, changed)
        # what was sent and failed may have come half of the way
        sent = {changed.get("LiveRevisionNum"), changed.get("LastAppliedRevisionNum")}
        if changed.get("LiveRevisionNum") and sent != {revision or changed["HeadRevisionNum"]}:
            due.append(unit)
            revisions[unit["UnitID"]] = str(revision or "")
    if due and not call.yes("restore-only"):
        note(f"taking back: {', '.join(str(one['Slug']) for one in due)}")
        run_on(call, "Apply", due, lambda unit: _live_again(call, unit, revisions[unit["UnitID"]]))


def _ran(unit: Wire, restored: Wire) -> int:
    """Return the revision to apply again, 0 for the head: it has the text that ran, and no gate closes it."""
    live = int(unit.get("LiveRevisionNum") or 0)
    return live if restored.get("ApplyGates") or live != unit["HeadRevisionNum"] else 0


def _live_again(call: Call, unit: Wire, revision: str) -> Wire:
    return call.hub.units.apply(unit["UnitID"], space_id=unit["SpaceID"], revision=revision)


def _all_of(units: list[Wire]) -> str:
    return any_of("UnitID", [str(one["UnitID"]) for one in units])


def _members(call: Call, found: Wire) -> list[Wire]:
    """Return the plain units that the change set's filter selects in its space."""
    return [one["Unit"] for one in _listed(call, found)]


def _listed(call: Call, found: Wire) -> list[Wire]:
    """Return the same with their latest events."""
    chosen = found.get("Filter") or {}
    space_id = str(found["ChangeSet"]["SpaceID"])
    where = conjoined(chosen.get("Where") or "", f"SpaceID = {quoted(space_id)}")
    columns = "Slug,HeadRevisionNum,LiveRevisionNum,LastChangeDescription"
    units = call.hub.units.list(where=where, include="UnitEventID", select=columns)
    if not units:
        raise BadRequest(f"change set {found['ChangeSet']['Slug']} selects no units")
    return units


def _check_gates(units: list[Wire]) -> None:
    closed = {str(one["Slug"]): sorted(one["ApplyGates"]) for one in units if one.get("ApplyGates")}
    if closed:
        listed = "; ".join(f"{slug}: {', '.join(gates)}" for slug, gates in closed.items())
        gates = sorted({gate for several in closed.values() for gate in several})
        raise Gated(f"nothing was changed, gates would be closed: {listed}", gates=gates, hint="cub unit approve UNIT")
