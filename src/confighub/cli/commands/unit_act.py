"""``cub unit apply``, ``destroy``, ``refresh`` and ``approve``: what goes to a target, and who said so."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from confighub.cli.asking import confirm
from confighub.cli.changing import report_many
from confighub.cli.command import argument, command, flag, option, space_option
from confighub.cli.commands.unit_create import KIND
from confighub.cli.operations import run_on
from confighub.cli.output import note
from confighub.cli.record_input import DRY_RUN
from confighub.cli.revisions import attribute_of, is_marked, revision_number
from confighub.cli.selecting import MANY_UNITS, the_unit, units_meant, wants_many
from confighub.cli.showing import DATA_OUTPUT
from confighub.cli.waiting import WAITING
from confighub.client.collection import any_of
from confighub.errors import BadRequest

if TYPE_CHECKING:
    from confighub.cli.call import Call
    from confighub.client.transport import Wire


@command(
    argument("unit", required=False, complete="units"),
    space_option(),
    *MANY_UNITS,
    option("revision", "An older revision: a number, N-1, live, Tag:x, ChangeSet:x.", metavar="REVISION"),
    option("despite-quarantine", "Why to apply, this once, what was rolled back from.", metavar="REASON"),
    DRY_RUN,
    *DATA_OUTPUT,
    *WAITING,
    example="""cub unit apply trade-service --space my-dev
cub unit apply --space my-dev --filter my-project/backend
cub unit apply trade-service --space my-prod --revision=N-1""",
)
def apply(call: Call) -> None:
    """Send the head of a unit, or of every unit selected, to its target.

    --revision sends an older one and leaves the head; the unit is then held from being applied by
    itself until its next change.
    """
    units = _meant(call)
    if call.is_dry_run and not call.text("revision"):
        _foretell(call, units)
        return

    def queue(unit: Wire) -> Wire:
        name = call.text("revision")
        if name and not is_marked(name):
            name = str(revision_number(unit, name))
        why = call.text("despite-quarantine")
        return call.hub.units.apply(unit["UnitID"], space_id=unit["SpaceID"], revision=name, despite_quarantine=why)

    run_on(call, "Apply", units, queue)


@command(
    argument("unit", required=False, complete="units"),
    space_option(),
    *MANY_UNITS,
    flag("yes", "Do not ask.", short="y"),
    DRY_RUN,
    *DATA_OUTPUT,
    *WAITING,
    example="""cub unit destroy trade-service --space my-dev
cub unit destroy --space my-dev --filter my-project/all --yes""",
)
def destroy(call: Call) -> None:
    """Remove what units run from their targets; the units stay.

    For several units the names are shown and confirmed, and their live revisions are tagged
    before, so that what ran can be brought back.
    """
    units = _meant(call)
    if not call.arg("unit"):
        if not call.scope.space_id:
            raise BadRequest("destroy works in one space", hint="--space SPACE")
        units = sorted((one for one in units if one.get("LiveRevisionNum")), key=_from_the_last)
        if not units:
            call.out.say(f"nothing is live in {call.scope.words}")
            return
        if not call.is_dry_run:
            _confirm(call, units)
            _tag_before(call, units)

    def queue(unit: Wire) -> Wire:
        return call.hub.units.destroy(unit["UnitID"], space_id=unit["SpaceID"])

    run_on(call, "Destroy", units, queue)


@command(
    argument("unit", required=False, complete="units"),
    space_option(),
    *MANY_UNITS,
    DRY_RUN,
    *DATA_OUTPUT,
    *WAITING,
    example="cub unit refresh trade-service --space my-dev",
)
def refresh(call: Call) -> None:
    """Read the live state of a unit from its target, and say whether it drifted."""

    def queue(unit: Wire) -> Wire:
        return call.hub.units.refresh(unit["UnitID"], space_id=unit["SpaceID"])

    run_on(call, "Refresh", _meant(call), queue)


@command(
    argument("unit", required=False, complete="units"),
    space_option(),
    *MANY_UNITS,
    option("revision", "An older revision: a number, N-1.", metavar="REVISION"),
    DRY_RUN,
    *DATA_OUTPUT,
    example="cub unit approve trade-service --space my-prod",
)
def approve(call: Call) -> None:
    """Approve the head of a unit, or of every unit selected, in your name."""
    if call.arg("unit") or call.text("revision"):
        for unit in _meant(call):
            number = revision_number(unit, call.text("revision") or "head")
            named = str(number) if call.text("revision") else ""
            call.hub.units.approve(unit["UnitID"], space_id=unit["SpaceID"], revision=named)
            outcome = "would be approved" if call.is_dry_run else "has been approved"
            call.out.say(f"Unit {unit['Slug']} ({unit['UnitID']}) {outcome} at revision {number}")
        return
    units = _meant(call)
    done = call.hub.units.approve_all(where=any_of("UnitID", [str(one["UnitID"]) for one in units]))
    report_many(call, KIND, "approve", done)


@command(
    argument("tag", complete="tags"),
    argument("unit", required=False, complete="units"),
    space_option(),
    *MANY_UNITS,
    option("revision", "Which one: head, live, applied or previous-live.", metavar="REVISION", default="head"),
    DRY_RUN,
    *DATA_OUTPUT,
    example="""cub unit tag v1.0 trade-service --space my-prod
cub unit tag v1.0 --space my-prod --filter my-project/all --revision live""",
)
def tag(call: Call) -> None:
    """Put a tag on a revision of a unit, or of every unit selected, so that it can be found by that name."""
    found = call.hub.tags.find(call.arg("tag"), space_id=call.space_id)["Tag"]
    where = any_of("UnitID", [str(one["UnitID"]) for one in _meant(call)])
    done = call.hub.units.tag_all(found["TagID"], where=where, revision=attribute_of(call.text("revision")))
    report_many(call, KIND, "tag", done)


def _meant(call: Call) -> list[Wire]:
    """Return the plain units that the call means."""
    if call.arg("unit"):
        if wants_many(call):
            raise BadRequest("a unit and a selection cannot be combined")
        unit: Wire = the_unit(call, call.arg("unit"))["Unit"]
        return [unit]
    if not wants_many(call):
        raise BadRequest("which units?", hint="name one, or give --unit, --where or --filter")
    return [one["Unit"] for one in units_meant(call, include="")]


def _foretell(call: Call, units: list[Wire]) -> None:
    where = any_of("UnitID", [str(one["UnitID"]) for one in units])
    done = call.hub.units.apply_all(where=where, dry_run="true")
    report_many(call, KIND, "apply", done)


def _from_the_last(unit: Wire) -> tuple[int, str]:
    """Return the place of a unit when things are taken down: what was started last goes first."""
    order = str((unit.get("Labels") or {}).get("order") or "")
    return (-int(order) if order.isdigit() else 0, str(unit["Slug"]))


def _confirm(call: Call, units: list[Wire]) -> None:
    if call.yes("yes"):
        return
    names = ", ".join(str(one["Slug"]) for one in units)
    if not sys.stdin.isatty():
        raise BadRequest(f"destroy of {len(units)} units in {call.scope.words} is not confirmed: {names}", hint="--yes")
    note(f"This removes {len(units)} units of {call.scope.words} from their targets: {names}")
    if not confirm("Go on?"):
        raise BadRequest("nothing was destroyed")


def _tag_before(call: Call, units: list[Wire]) -> None:
    """Tag the live revision of every unit, so that what ran can be found again."""
    slug = time.strftime("before-destroy-%Y%m%d-%H%M%S", time.gmtime())
    tag = call.hub.tags.create({"Slug": slug, "DisplayName": slug}, space_id=call.space_id)
    where = any_of("UnitID", [str(one["UnitID"]) for one in units])
    call.hub.units.tag_all(tag["TagID"], where=where, revision="LiveRevisionNum")
    note(f"the live revisions carry the tag {slug}")
