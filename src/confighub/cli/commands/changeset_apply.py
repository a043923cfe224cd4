"""``cub changeset apply``: brings the units of a change set to its end or back to its start, and applies them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confighub.cli.applying import tell_what_is_next
from confighub.cli.changing import report_many
from confighub.cli.command import argument, command, flag, option, space_option
from confighub.cli.commands.unit_create import KIND as UNIT_KIND
from confighub.cli.kinds import Kind
from confighub.cli.operations import run_on
from confighub.cli.showing import DATA_OUTPUT, the_record
from confighub.cli.waiting import WAITING
from confighub.client.collection import CHANGE_SET, any_of, conjoined, quoted
from confighub.errors import BadRequest, Gated

if TYPE_CHECKING:
    from confighub.cli.call import Call
    from confighub.client.transport import Wire

KIND = Kind(CHANGE_SET, lambda hub: hub.change_sets, columns=(), select="")


@command(
    argument("name", complete="changesets"),
    space_option(),
    option("to", "start or end; by default the end when it is recorded.", metavar="SIDE"),
    flag("restore-only", "Change the units, and apply nothing."),
    *DATA_OUTPUT,
    *WAITING,
    example="cub changeset apply release-v1.0 --space my-traderx-prod",
)
def apply(call: Call) -> None:
    """Bring the units of a change set to its end, or back to where they stood when it was created.

    With an end tag the units go to the revisions that carry it. Without one nothing was recorded
    after the creation, so they go back to the start. All gates are checked before the first unit
    is applied; what was not live before is changed and not applied.
    """
    found = the_record(call, KIND)
    change_set, end = found["ChangeSet"], found.get("EndTag") or {}
    side = call.text("to") or ("end" if end else "start")
    if side not in ("start", "end"):
        raise BadRequest(f"a change set has a start and an end, not: {side}")
    if side == "end" and not end:
        raise BadRequest(f"change set {change_set['Slug']} has no end tag", hint="--to start, or set --end-tag")
    units = _members(call, found)
    where = any_of("UnitID", [str(one["UnitID"]) for one in units])
    restore = f"Tag:{end['TagID']}" if side == "end" else f"ChangeSet:{change_set['ChangeSetID']}"
    why = f"change set {change_set['Slug']}: {side}"
    done = call.hub.units.patch_all({"LastChangeDescription": why}, where=where, restore=restore)
    changed = [one["Unit"] for one in report_many(call, UNIT_KIND, "update", done)]
    call.out.say(f"change set {change_set['Slug']}: {len(changed)} units are at its {side}")
    live = [one for one in changed if one.get("LiveRevisionNum")]
    if call.yes("restore-only") or not live:
        tell_what_is_next(call, changed)
        return
    _check_gates(live)
    run_on(call, "Apply", live, lambda unit: call.hub.units.apply(unit["UnitID"], space_id=unit["SpaceID"]))


def _members(call: Call, found: Wire) -> list[Wire]:
    """Return the plain units that the change set's filter selects in its space."""
    chosen = found.get("Filter") or {}
    space_id = str(found["ChangeSet"]["SpaceID"])
    where = conjoined(chosen.get("Where") or "", f"SpaceID = {quoted(space_id)}")
    units = [one["Unit"] for one in call.hub.units.list(where=where, include="", select="Slug")]
    if not units:
        raise BadRequest(f"change set {found['ChangeSet']['Slug']} selects no units")
    return units


def _check_gates(units: list[Wire]) -> None:
    closed = {str(one["Slug"]): sorted(one["ApplyGates"]) for one in units if one.get("ApplyGates")}
    if closed:
        listed = "; ".join(f"{slug}: {', '.join(gates)}" for slug, gates in closed.items())
        gates = sorted({gate for several in closed.values() for gate in several})
        raise Gated(f"nothing was applied, gates are closed: {listed}", gates=gates, hint="cub unit approve UNIT")
