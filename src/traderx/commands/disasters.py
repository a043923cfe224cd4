"""Commands for the worst day: the runbook as a drill, and an environment destroyed and built anew."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

import click

from confighub.errors import BadRequest
from traderx.commands.parameters import Environment, approve_option, result_options, timeout_option
from traderx.commands.printing import saying
from traderx.wording import counted

_lose_data_option = click.option(
    "--lose-data", is_flag=True, help="On a cluster: do it also when its volumes hold data, which go."
)


@click.group()
def disaster() -> None:
    """Rehearse the loss of a place, and come back."""


@disaster.command()
@click.argument("environment", default="prod", type=Environment())
@click.option(
    "--to", "target", default="", metavar="TARGET", help="The other place; else traderx-ENV-dr, or a runtime."
)
@click.option("--dns-hook", default="", metavar="COMMAND", help="Sends the batch; {file} and {zone} are put in.")
@click.option("--zone", default="Z123", show_default=True, help="The hosted zone of the name.")
@click.option("--stay", is_flag=True, help="Leave the environment there, and damage nothing there.")
@click.option("--webhook", "webhooks", multiple=True, metavar="URL", help="Tell people there, as JSON.")
@click.option("--slack", "slacks", multiple=True, metavar="URL", help="Tell people by this Slack webhook.")
@timeout_option(300.0)
@result_options
def drill(
    environment: str,
    target: str,
    dns_hook: str,
    zone: str,
    stay: bool,
    webhooks: tuple[str, ...],
    slacks: tuple[str, ...],
    timeout: float,
    as_json: bool,
    data: str | None,
) -> int:
    """Run the disaster runbook and measure it.

    The environment goes to another place with its data and its name, a service, the database and the hub fail there,
    and it comes back; everything is timed, and shown beside what is promised. On this machine the other place is a
    second runtime; for an environment on a cluster it is the target traderx-ENV-dr. The first place goes on.

    Example: bin/traderx disaster drill prod --dns-hook "aws route53 change-resource-record-sets
    --hosted-zone-id {zone} --change-batch file://{file}"
    """
    from confighub.operations.alerts import Receiver
    from confighub.operations.disaster import table
    from traderx.dns import words_of
    from traderx.drill import Drill, Options
    from traderx.drill_report import keep_report
    from traderx.site import open_site

    say = saying(as_json)
    receivers = (*(Receiver(url) for url in webhooks), *(Receiver(url, "slack") for url in slacks))
    options = Options(target, dns_hook, zone, stay, timeout, receivers)
    if dns_hook:
        words_of(dns_hook)
    site = open_site(data, say)
    report = Drill(site, environment, options).run()
    kept = keep_report(site.project, report)
    if as_json:
        print(json.dumps({**report.as_json(), "report": str(kept)}, indent=2))
    for line in table(report.rows):
        say(line)
    if stay and not report.error:
        say(f"{environment} stays at {report.target}; back with: bin/traderx disaster return {environment}")
    say(f"stopped: {report.error}" if report.error else f"the drill took {report.runbook.seconds:.1f} s; {kept}")
    return 0 if report.is_well else 1


@disaster.command(name="return")
@click.argument("environment", default="prod", type=Environment())
@click.option("--dns-hook", default="", metavar="COMMAND", help="Leads the name back; else the drill's.")
@click.option("--yes", is_flag=True, help="Do it also when something was booked there that the first place lacks.")
@timeout_option(300.0)
@result_options
def go_back(environment: str, dns_hook: str, yes: bool, timeout: float, as_json: bool, data: str | None) -> None:
    """Go back after a drill that stayed, or was killed.

    The name is led back too. On this machine the other place's database is copied first; what the first place lacks
    of it is said, and refused without --yes.

    Example: bin/traderx disaster return prod
    """
    from traderx import moves
    from traderx.dns import words_of
    from traderx.site import open_site

    if dns_hook:
        words_of(dns_hook)
    site = open_site(data, saying(as_json))
    said = moves.go_back(site, environment, timeout, yes=yes, hook=dns_hook)
    print(json.dumps({"environment": environment, "said": said}, indent=2) if as_json else said)


@click.command()
@click.argument("environment", type=Environment())
@click.option("--yes", is_flag=True, help="Do it; without it, what would be removed is shown.")
@_lose_data_option
@timeout_option(120.0)
@result_options
def destroy(environment: str, yes: bool, lose_data: bool, timeout: float, as_json: bool, data: str | None) -> int:
    """Remove an environment from where it runs.

    A snapshot is taken first: a tag on every unit, a backup of the hub, on this machine a copy of the database. The
    units stay in the hub.

    Example: bin/traderx destroy dev --yes
    """
    from traderx import rebuilding
    from traderx.site import open_site

    say = saying(as_json)
    site = open_site(data, say)
    rebuilding.refuse_destruction(site, environment, lose_data=lose_data)
    if not _confirmed(rebuilding.explain(site, environment), yes, say):
        return 1
    taken = rebuilding.take_snapshot(site, environment)
    number = rebuilding.destroy(site, environment, timeout_s=timeout)
    say(f"{counted(number, 'unit')} removed; back as it was: bin/ordered-apply {environment}; snapshot {taken.folder}")
    if as_json:
        print(json.dumps({"environment": environment, "removed": number, **taken.as_json()}, indent=2))
    return 0


@click.command()
@click.argument("environment", type=Environment())
@click.option("--yes", is_flag=True, help="Do it; without it, what would be removed is shown.")
@approve_option
@_lose_data_option
@timeout_option(120.0)
@result_options
def rebuild(
    environment: str, yes: bool, approve: bool, lose_data: bool, timeout: float, as_json: bool, data: str | None
) -> int:
    """Destroy an environment and build it anew.

    For emergencies: a snapshot, everything removed, what the stage before has newer brought in, everything applied in
    order. What could not be brought in or applied, and prod without --approve, is refused before anything is removed.
    Back to what it was before: bin/rollback ENV --to TAG, with the tag of the snapshot.

    Example: bin/traderx rebuild prod --yes --approve
    """
    from traderx import rebuilding
    from traderx.site import open_site

    say = saying(as_json)
    rebuilding.stage_before(environment)
    site = open_site(data, say)
    rebuilding.refuse_rebuilding(site, environment, approve=approve)
    rebuilding.refuse_destruction(site, environment, lose_data=lose_data)
    if not _confirmed(rebuilding.explain(site, environment), yes, say):
        return 1
    taken = rebuilding.take_snapshot(site, environment)
    rebuilding.destroy(site, environment, timeout_s=timeout)
    outcome = rebuilding.rebuild(site, environment, approve=approve, timeout_s=timeout)
    if as_json:
        print(json.dumps({**outcome.as_json(), **taken.as_json()}, indent=2))
    if outcome.failure is not None:
        say(f"stopped at {outcome.failure.slug}; the snapshot is the tag {taken.tag} and {taken.folder}")
        return 1
    say(f"{environment} is built anew in {outcome.seconds:.1f} s")
    say(f"as it was before: bin/rollback {environment} --to {taken.tag}")
    return 0


def _confirmed(lines: list[str], yes: bool, say: Callable[[str], None]) -> bool:
    """Tell whether to go on; without ``--yes`` a person at a terminal is asked."""
    for line in lines:
        say(line)
    if yes:
        return True
    if not sys.stdin.isatty():
        # what is piped here was not typed by somebody who has read the lines above
        raise BadRequest("nothing was done", hint="the same command with --yes does it")
    try:
        return click.confirm("remove all of it?", default=False, err=True)
    except click.Abort as error:
        raise BadRequest("nothing was done", hint="the same command with --yes does it") from error
