"""``cub changeset apply``: brings the units of a change set to its end or back to its start, all of them or none.

One with a proposal that is not made yet (such as advice of the cost optimizer) is made instead. Before anything is
stored the whole change is tried as a dry run, gates included. When a unit fails after that,
those that were done go back to where they were.
"""

from __future__ import annotations

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
from confighub.errors import BadRequest, ConfigHubError, Gated
from confighub.operations import proposals

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
    changed and not applied.
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
    units = _members(call, found)
    name = f"ChangeSet:{change_set['ChangeSetID']}"
    where, restore = _all_of(units), name if side == "end" else f"Before:{name}"
    why = {"LastChangeDescription": f"change set {change_set['Slug']}: {side}"}
    _try(call, where, restore, to_apply=not call.yes("restore-only"))
    if call.is_dry_run:
        call.out.say(f"dry run: {len(units)} units can go to the {side} of change set {change_set['Slug']}")
        return
    changed: list[Wire] = []
    try:
        done = call.hub.units.patch_all(why, where=where, restore=restore)
        changed = [one["Unit"] for one in report_many(call, UNIT_KIND, "update", done)]
        call.out.say(f"change set {change_set['Slug']}: {len(changed)} units are at its {side}")
        live = [one for one in changed if one.get("LiveRevisionNum")]
        if live and not call.yes("restore-only"):
            run_on(call, "Apply", live, lambda unit: call.hub.units.apply(unit["UnitID"], space_id=unit["SpaceID"]))
        else:
            tell_what_is_next(call, changed)
    except ConfigHubError as error:
        if call.yes("keep-going"):
            raise
        _take_back(call, units, str(change_set["Slug"]))
        message = f"change set {change_set['Slug']} was not applied, every unit is back where it was: {error}"
        raise BadRequest(message) from error


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
    # where they stood when it was proposed: an earlier try may have changed some of them
    stood = {one.unit_id: one.revision for one in proposal.units}
    units = [
        {**one, "HeadRevisionNum": stood.get(one["UnitID"], one["HeadRevisionNum"])} for one in _members(call, found)
    ]
    try:
        with proposals.held(call.hub, proposal):
            live = proposals.make(call.hub, proposal)
            call.out.say(f"change set {proposal.slug}: {len(units)} units are at its end")
            changed = _members(call, found)
            due = [one for one in changed if one["UnitID"] in live and not call.yes("restore-only")]
            if due:
                run_on(call, "Apply", due, lambda unit: call.hub.units.apply(unit["UnitID"], space_id=unit["SpaceID"]))
            else:
                tell_what_is_next(call, changed)
    except ConfigHubError as error:
        if call.yes("keep-going"):
            raise
        _take_back(call, units, proposal.slug)
        message = f"change set {proposal.slug} was not applied, every unit is back where it was: {error}"
        raise BadRequest(message) from error


def _try(call: Call, where: str, restore: str, *, to_apply: bool) -> None:
    """Raise when a unit cannot be changed so, or a gate would refuse what is to be applied."""
    tried = call.hub.units.patch_all({}, where=where, restore=restore, dry_run="true")
    failed = [str(one["Error"].get("Message")) for one in tried if one.get("Error")]
    if failed:
        raise BadRequest(f"nothing was changed: {'; '.join(failed)}")
    if to_apply:
        _check_gates([one["Unit"] for one in tried if one["Unit"].get("LiveRevisionNum")])


def _take_back(call: Call, units: list[Wire], slug: str) -> None:
    """Bring every unit that has moved back to the text it had, and apply that where it is live."""
    now = {one["Unit"]["UnitID"]: one["Unit"] for one in call.hub.units.list(where=_all_of(units), include="")}
    moved = [one for one in units if now[one["UnitID"]]["HeadRevisionNum"] != one["HeadRevisionNum"]]
    gated = set()
    for unit in moved:
        why = {"LastChangeDescription": f"change set {slug} was taken back"}
        restore = str(unit["HeadRevisionNum"])
        changed = call.hub.units.patch(unit["UnitID"], why, space_id=unit["SpaceID"], restore=restore)
        if changed.get("ApplyGates"):
            gated.add(unit["UnitID"])
    live = [one for one in moved if one.get("LiveRevisionNum") and not call.yes("restore-only")]
    if live:
        note(f"taking back: {', '.join(str(one['Slug']) for one in live)}")
        run_on(call, "Apply", live, lambda unit: _live_again(call, unit, is_gated=unit["UnitID"] in gated))


def _live_again(call: Call, unit: Wire, *, is_gated: bool) -> Wire:
    """Apply the head, or what was live before where the head would need a new approval."""
    revision = str(unit["LiveRevisionNum"]) if is_gated else ""
    return call.hub.units.apply(unit["UnitID"], space_id=unit["SpaceID"], revision=revision)


def _all_of(units: list[Wire]) -> str:
    return any_of("UnitID", [str(one["UnitID"]) for one in units])


def _members(call: Call, found: Wire) -> list[Wire]:
    """Return the plain units that the change set's filter selects in its space."""
    chosen = found.get("Filter") or {}
    space_id = str(found["ChangeSet"]["SpaceID"])
    where = conjoined(chosen.get("Where") or "", f"SpaceID = {quoted(space_id)}")
    units = [
        one["Unit"]
        for one in call.hub.units.list(where=where, include="", select="Slug,HeadRevisionNum,LiveRevisionNum")
    ]
    if not units:
        raise BadRequest(f"change set {found['ChangeSet']['Slug']} selects no units")
    return units


def _check_gates(units: list[Wire]) -> None:
    closed = {str(one["Slug"]): sorted(one["ApplyGates"]) for one in units if one.get("ApplyGates")}
    if closed:
        listed = "; ".join(f"{slug}: {', '.join(gates)}" for slug, gates in closed.items())
        gates = sorted({gate for several in closed.values() for gate in several})
        raise Gated(f"nothing was changed, gates would be closed: {listed}", gates=gates, hint="cub unit approve UNIT")
