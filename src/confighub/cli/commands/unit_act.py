"""``cub unit apply``, ``destroy``, ``refresh`` and ``approve``: what goes to a target, and who said so."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from confighub.cli.command import argument, command, flag, option, space_option
from confighub.cli.commands.unit_create import KIND
from confighub.cli.output import note
from confighub.cli.revisions import revision_number
from confighub.cli.selecting import MANY_UNITS, the_unit, units_meant, wants_many
from confighub.cli.verbs import DATA_OUTPUT, report_many
from confighub.cli.waiting import WAITING, outcome_of
from confighub.client.collection import any_of
from confighub.errors import BadRequest, ConfigHubError

if TYPE_CHECKING:
    from confighub.cli.call import Call
    from confighub.client.transport import Wire

Queue = Callable[["Wire"], "Wire"]


@command(
    argument("unit", required=False, complete="units"),
    space_option(),
    *MANY_UNITS,
    option("revision", "An older revision: a number, N-1, live.", metavar="REVISION"),
    flag("dry-run", "Say which units would be applied, and apply none."),
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
    if call.yes("dry-run"):
        _foretell(call, units)
        return

    def queue(unit: Wire) -> Wire:
        number = revision_number(unit, call.text("revision")) if call.text("revision") else 0
        return call.hub.units.apply(unit["UnitID"], space_id=unit["SpaceID"], revision=str(number or ""))

    _act(call, "Apply", units, queue)


@command(
    argument("unit", required=False, complete="units"),
    space_option(),
    *MANY_UNITS,
    flag("yes", "Do not ask.", short="y"),
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
        _confirm(call, units)
        _tag_before(call, units)

    def queue(unit: Wire) -> Wire:
        return call.hub.units.destroy(unit["UnitID"], space_id=unit["SpaceID"])

    _act(call, "Destroy", units, queue)


@command(
    argument("unit", required=False, complete="units"),
    space_option(),
    *MANY_UNITS,
    *DATA_OUTPUT,
    *WAITING,
    example="cub unit refresh trade-service --space my-dev",
)
def refresh(call: Call) -> None:
    """Read the live state of a unit from its target, and say whether it drifted."""

    def queue(unit: Wire) -> Wire:
        return call.hub.units.refresh(unit["UnitID"], space_id=unit["SpaceID"])

    _act(call, "Refresh", _meant(call), queue)


@command(
    argument("unit", required=False, complete="units"),
    space_option(),
    *MANY_UNITS,
    option("revision", "An older revision: a number, N-1.", metavar="REVISION"),
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
            call.out.say(f"Unit {unit['Slug']} ({unit['UnitID']}) has been approved at revision {number}")
        return
    units = _meant(call)
    done = call.hub.units.approve_all(where=any_of("UnitID", [str(one["UnitID"]) for one in units]))
    report_many(call, KIND, "approve", done)


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


def _act(call: Call, action: str, units: list[Wire], queue: Queue) -> None:
    """Queue the operation for each unit, wait for all, and say how each ended.

    Raises: BadRequest when any failed, after all have ended.
    """
    if len(units) == 1:
        _act_on_one(call, action, units[0], queue(units[0]))
        return
    queued, failures, events = [], [], []
    for unit in units:
        try:
            queued.append((unit, queue(unit)))
        except ConfigHubError as error:
            failures.append(f"{unit['Slug']}: {error}")
    for unit, operation in queued:
        if not call.yes("wait"):
            call.out.say(f"Queued {action.lower()} for unit {unit['Slug']} ({unit['UnitID']})")
            events.append(operation)
            continue
        try:
            event = outcome_of(call, operation, str(unit["Slug"]))
        except ConfigHubError as error:
            failures.append(f"{unit['Slug']}: {error}")
            continue
        events.append(event)
        if event["Status"] == "Failed":
            failures.append(f"{unit['Slug']}: {event.get('Message') or event.get('Result')}")
        else:
            call.out.say(_ended(action, unit, event))
    if call.out.how not in ("text", "nothing"):
        call.out.show(events, str)
    for failure in failures:
        note(f"  {failure}")
    if failures:
        raise BadRequest(f"{action} failed on {len(failures)} of {len(units)} units")


def _act_on_one(call: Call, action: str, unit: Wire, operation: Wire) -> None:
    if not call.yes("wait"):
        call.out.show(operation, lambda: f"Queued {action.lower()} for unit {unit['Slug']} ({unit['UnitID']})")
        return
    event = outcome_of(call, operation, str(unit["Slug"]))
    if event["Status"] == "Failed":
        reason = event.get("Message") or event.get("Result")
        raise BadRequest(f"{action} failed on unit {unit['Slug']}: {reason}")
    call.out.show(event, lambda: _ended(action, unit, event))


def _ended(action: str, unit: Wire, event: Wire) -> str:
    name = f"unit {unit['Slug']} ({unit['UnitID']})"
    if event["Status"] == "Canceled":
        return f"Action {action} on {name} Canceled"
    drift = {"RefreshAndDrifted": ": it drifted", "RefreshAndNoDrift": ": no drift"}.get(str(event.get("Result")), "")
    return f"Successfully completed {action} on {name}{drift}"


def _foretell(call: Call, units: list[Wire]) -> None:
    where = any_of("UnitID", [str(one["UnitID"]) for one in units])
    done = call.hub.units.apply_all(where=where, dry_run="true")
    report_many(call, KIND, "apply (dry run)", done)


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
    if not click.confirm("Go on?", default=False, err=True):
        raise BadRequest("nothing was destroyed")


def _tag_before(call: Call, units: list[Wire]) -> None:
    """Tag the live revision of every unit, so that what ran can be found again."""
    slug = time.strftime("before-destroy-%Y%m%d-%H%M%S", time.gmtime())
    tag = call.hub.tags.create({"Slug": slug, "DisplayName": slug}, space_id=call.space_id)
    where = any_of("UnitID", [str(one["UnitID"]) for one in units])
    call.hub.units.tag_all(tag["TagID"], where=where, revision="LiveRevisionNum")
    note(f"the live revisions carry the tag {slug}")
