"""Commands that go back: rollback, rewind, quarantine of what was rolled back from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from confighub.errors import BadRequest
from traderx.commands.parameters import (
    Environment,
    approve_option,
    data_option,
    explain_option,
    result_options,
    timeout_option,
    together,
)
from traderx.commands.printing import saying
from traderx.wording import counted

if TYPE_CHECKING:
    from confighub.operations.deploy import Outcome
    from confighub.operations.rollback import Rollback

_REASON = "rolled back by hand"

_going_back_options = together(
    click.option("--to", required=True, metavar="WHERE", help="A tag, a change set (its start), a moment in time."),
    click.option("--reason", default=_REASON, show_default=True, metavar="TEXT", help="Why; it is kept with it."),
    approve_option,
    timeout_option(60.0),
    explain_option,
    result_options,
)


@click.command()
@click.argument("environment", type=Environment())
@click.option("--unit", metavar="UNIT", help="Only this unit; --to may then be a revision number.")
@_going_back_options
def rollback(
    environment: str,
    unit: str | None,
    to: str,
    reason: str,
    approve: bool,
    timeout: float,
    explain: bool,
    as_json: bool,
    data: str | None,
) -> int:
    """Bring a unit, or an environment, back to what it was.

    The old text becomes a new revision and is applied, what depends on others first. What was rolled back from is
    put into quarantine: it is neither applied nor promoted again until `traderx quarantine lift`. A rollback that
    was interrupted is simply started again.

    Example: bin/rollback prod --unit trade-service --to 5 --approve
    """
    return _go_back("rollback", environment, unit, to, reason, approve, timeout, explain, as_json, data)


@click.command()
@click.argument("environment", type=Environment())
@_going_back_options
def rewind(
    environment: str,
    to: str,
    reason: str,
    approve: bool,
    timeout: float,
    explain: bool,
    as_json: bool,
    data: str | None,
) -> int:
    """Bring a whole environment back to a point in time.

    Every unit goes back to the revision that was live then, as one change set. Units that were not live then stay.

    Example: bin/traderx rewind prod --to 2026-10-03T10:15:00Z --approve
    """
    return _go_back("rewind", environment, None, to, reason, approve, timeout, explain, as_json, data)


@click.group()
def quarantine() -> None:
    """Show and lift what units were rolled back from."""


@quarantine.command(name="list")
@click.argument("environment", type=Environment())
@result_options
def list_quarantined(environment: str, as_json: bool, data: str | None) -> None:
    """List the revisions in quarantine.

    Example: bin/traderx quarantine list prod
    """
    from confighub.operations.rollback import find_quarantined
    from traderx.site import open_site

    site = open_site(data, saying(as_json=True))
    found = find_quarantined(site.hub, space_id=site.space_id(environment))
    if as_json:
        print(json.dumps(found, indent=2))
        return
    for one in found:
        print(
            f"{one['UnitSlug']} revision {one['RevisionNum']}: {one['Reason']} ({one['Username']}, {one['CreatedAt']})"
        )
    if not found:
        print(f"nothing of {environment} is in quarantine")


@quarantine.command()
@click.argument("environment", type=Environment())
@click.argument("unit")
@click.option("--revision", type=int, metavar="NUMBER", help="Which one; the newest unless named.")
@click.option("--reason", required=True, metavar="TEXT", help="Why it may run again.")
@data_option
def lift(environment: str, unit: str, revision: int | None, reason: str, data: str | None) -> None:
    """Let a revision be applied and promoted again.

    Example: bin/traderx quarantine lift prod trade-service --reason "the database was at fault"
    """
    from confighub.operations.rollback import find_quarantined
    from traderx.site import open_site

    site = open_site(data, saying(as_json=False))
    space_id = site.space_id(environment)
    unit_id = str(site.hub.unit(unit, space_id=space_id)["Unit"]["UnitID"])
    found = find_quarantined(site.hub, space_id=space_id, unit_id=unit_id)
    if not found:
        raise BadRequest(f"no revision of {unit} is in quarantine in {environment}")
    number = revision or int(found[0]["RevisionNum"])
    print(site.hub.units.lift(unit_id, number, space_id=space_id, reason=reason))


def _go_back(
    verb: str,
    environment: str,
    unit: str | None,
    to: str,
    reason: str,
    approve: bool,
    timeout: float,
    explain: bool,
    as_json: bool,
    data: str | None,
) -> int:
    from confighub.operations import rollback as operation
    from confighub.operations.deploy import Options
    from traderx.site import open_site

    operation.refuse_odd(to, is_one=bool(unit))
    say = saying(as_json)
    site = open_site(data, say)
    space, space_id = site.project.space(environment), site.space_id(environment)
    unit_id = str(site.hub.unit(unit, space_id=space_id)["Unit"]["UnitID"]) if unit else ""
    shown = operation.preview(site.hub, space=space, space_id=space_id, unit_id=unit_id, to=to, reason=reason)
    swaps = operation.find_swaps(site.hub, shown)
    for line in operation.explain(shown, operation.pending_plan(site.hub, shown, swaps), swaps):
        say(line)
    if explain:
        if as_json:
            print(json.dumps({**shown.as_json(), "done": False}, indent=2))
        return 0
    name = "bin/rollback" if verb == "rollback" else f"bin/traderx {verb}"
    options = Options(
        approve=approve,
        command=f"{name} {environment}{f' --unit {unit}' if unit else ''} --to {to}",
        timeout_s=timeout,
        revive=lambda: site.revive(environment),
    )
    site.wake_worker(environment)
    done, outcome = operation.roll_back(site.hub, shown, options, say)
    return _concluded(done, outcome, as_json)


def _concluded(done: Rollback, outcome: Outcome, as_json: bool) -> int:
    """Print how it ended and return the exit status."""
    say = saying(as_json)
    if as_json:
        print(json.dumps({**done.as_json(), "done": outcome.failure is None, "applied": outcome.as_json()}, indent=2))
    if outcome.failure is not None:
        say(f"stopped at {outcome.failure.slug}; the old texts are the heads: run the same command again to go on")
        return 1
    say(f"{counted(len(done.changing), 'unit')} rolled back, {counted(len(outcome.results), 'unit')} applied")
    return 0
