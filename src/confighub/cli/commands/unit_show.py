"""``cub unit get``, ``diff`` and ``get-live-state``: one unit, its changes, what the target says."""

from __future__ import annotations

import difflib
import sys
from typing import TYPE_CHECKING

from confighub.cli.command import argument, command, flag, option, space_option
from confighub.cli.invoking import resource_rows
from confighub.cli.kinds import Column, Kind
from confighub.cli.output import Colour, an_id, as_json, coloured, labels, moment_utc, note, one_of_map, table
from confighub.cli.revisions import revision_of
from confighub.cli.selecting import the_unit
from confighub.cli.showing import DATA_OUTPUT, SELECT, VERBOSE, show_record
from confighub.client.collection import UNIT
from confighub.client.units import text_of

if TYPE_CHECKING:
    from confighub.cli.call import Call
    from confighub.client.transport import Wire


def count(value: object) -> str:
    """Return a number; 0 for none."""
    return str(value or 0)


def length(value: object) -> str:
    """Return how many there are."""
    return str(len(value)) if isinstance(value, list) else "0"


KIND = Kind(
    UNIT,
    lambda hub: hub.units,
    columns=(),
    select="",
    details=(
        Column("ID", "Unit.UnitID"),
        Column("Name", "Unit.Slug"),
        Column("Toolchain Type", "Unit.ToolchainType"),
        Column("Target", "Unit.TargetID", an_id),
        Column("Created At", "Unit.CreatedAt", moment_utc),
        Column("Updated At", "Unit.UpdatedAt", moment_utc),
        Column("Labels", "Unit.Labels", labels),
        Column("Annotations", "Unit.Annotations", labels),
        Column("Organization ID", "Unit.OrganizationID"),
        Column("Last Change Description", "Unit.LastChangeDescription"),
        Column("Head Revision Num", "Unit.HeadRevisionNum", count),
        Column("Last Applied Revision Num", "Unit.LastAppliedRevisionNum", count),
        Column("Live Revision Num", "Unit.LiveRevisionNum", count),
        Column("Previous Live Revision Num", "Unit.PreviousLiveRevisionNum", count),
        Column("Upstream Organization ID", "Unit.UpstreamOrganizationID", an_id),
        Column("Upstream Space ID", "Unit.UpstreamSpaceID", an_id),
        Column("Upstream Unit ID", "Unit.UpstreamUnitID", an_id),
        Column("Upstream Revision Num", "Unit.UpstreamRevisionNum", count),
        Column("Head Mutation Num", "Unit.HeadMutationNum", count),
        Column("Number of Resources", "Unit.MutationSources", length),
        Column("Apply Gates", "Unit.ApplyGates", one_of_map),
        Column("Status", "UnitStatus.Status"),
        Column("Drift", "UnitStatus.Drift"),
    ),
)


@command(
    argument("unit", complete="units"),
    space_option(),
    SELECT,
    DATA_OUTPUT,
    VERBOSE,
    flag("data-only", "Print the text only, byte for byte."),
    example="cub unit get trade-service --space my-traderx-prod | jq .Revision",
)
def get(call: Call) -> None:
    """Show one unit.

    On a terminal as a table; into a pipe as JSON with the number of the live revision as Revision,
    so that scripts can read it. -o table and --json say which.
    """
    extended = the_unit(call, call.arg("unit"))
    if call.yes("data-only"):
        call.out.stream.write(text_of(extended["Unit"]))
        return
    if call.text("select"):
        unit = extended["Unit"]
        asked = "" if call.text("select") == "*" else call.text("select")
        extended = call.hub.units.get(unit["UnitID"], space_id=unit["SpaceID"], select=asked)
    if call.out.how == "mutations":
        call.out.write(sources(extended["Unit"]))
    elif call.out.how == "text" and not call.text("output") and not call.out.stream.isatty():
        call.out.write(as_json(with_revision(extended["Unit"])))
    elif call.out.how in ("text", "nothing"):
        show_record(call, KIND, extended)
    else:
        call.out.show(with_revision(extended["Unit"]), str)


def with_revision(unit: Wire) -> Wire:
    """Return the unit with ``Revision``, the number of what is live, or of the head when nothing is."""
    return {**unit, "Revision": unit.get("LiveRevisionNum") or unit.get("HeadRevisionNum") or 0}


def sources(unit: Wire) -> str:
    """Return who set which path of the unit: the change's number, and what it did."""
    rows = [row for resource in unit.get("MutationSources") or [] for row in resource_rows(resource)]
    return table(["RESOURCE", "TYPE", "PATH", "MUTATION", "NUM", "VALUE"], rows)


@command(
    argument("unit", complete="units"),
    argument("from-revision", required=False),
    argument("to-revision", required=False),
    space_option(),
    option("from", "The revision before.", metavar="REVISION", default="live"),
    option("to", "The revision after.", metavar="REVISION", default="head"),
    flag("unified", "Show the lines around each change.", short="u", on=True),
    flag("color", "Use colours even when this is no terminal.", short="c"),
    example="cub unit diff trade-service live head",
)
def diff(call: Call) -> None:
    """Show what changed between two revisions: numbers, N-1, live, head or applied.

    One revision is compared with what is live; without any, what is live with the head. Where the change
    costs more or less a month, that is said on standard error.
    """
    found = the_unit(call, call.arg("unit"))
    unit = found["Unit"]
    before, after = call.text("from"), call.text("to")
    if call.arg("to-revision"):
        before, after = call.arg("from-revision"), call.arg("to-revision")
    elif call.arg("from-revision"):
        after = call.arg("from-revision")
    if before == "live" and not call.given("from") and not unit.get("LiveRevisionNum"):
        before = "1"
    texts = []
    for name in (before, after):
        record = revision_of(call.hub, unit, name)["Revision"]
        text = text_of(record)
        texts.append((f"{unit['Slug']} revision {record['RevisionNum']}", text.splitlines(keepends=True)))
    (old_name, old), (new_name, new) = texts
    around = 3 if call.yes("unified") else 0
    has_colours = call.yes("color") or sys.stdout.isatty()
    for line in difflib.unified_diff(old, new, old_name, new_name, n=around):
        call.out.write(_coloured(line) if has_colours else line)
    if old != new:
        _say_cost(found, "".join(old), "".join(new))


def _say_cost(found: Wire, before: str, after: str) -> None:
    """Say how much more or less the unit costs a month; nothing where that stays, or has no figure."""
    from confighub.operations.cost.comparing import of_texts
    from confighub.operations.cost.prices import load_prices

    price = load_prices().of((found.get("Space") or {}).get("Labels") or {})
    change = of_texts(str(found["Unit"]["Slug"]), before, after, price) if price else None
    if change and price:
        note(f"cost of {change.line()}, by prices of {price.provider} {price.region}, {price.date}")


def _coloured(line: str) -> str:
    colours: dict[str, Colour] = {"+": "green", "-": "red", "@": "cyan"}
    colour = colours.get(line[0])
    return coloured(line.rstrip("\n"), colour) if colour else line


@command(
    argument("unit", complete="units"),
    space_option(),
    DATA_OUTPUT,
    flag("full", "Print the live objects as the worker reported them."),
    example="cub unit get-live-state trade-service --space my-traderx-prod",
)
def live_state(call: Call) -> None:
    """Show what runs: Status, Replicas, ReadyReplicas, UpdatedReplicas and Conditions, as JSON."""
    unit = the_unit(call, call.arg("unit"))["Unit"]
    if call.yes("full"):
        call.out.stream.write(call.hub.units.live_state(unit["UnitID"], space_id=unit["SpaceID"]).decode())
        return
    status = call.hub.units.live_status(unit["UnitID"], space_id=unit["SpaceID"])
    call.out.show(status, lambda: as_json(status))
