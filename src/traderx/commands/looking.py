"""Commands that only look: status, logs, the project's name; and the one that runs a service."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import click

from confighub.errors import NotFound
from traderx.commands.parameters import Environment, data_option, result_options
from traderx.commands.printing import saying


@click.command()
@click.argument("environment", default="dev", type=Environment())
@result_options
def status(environment: str, as_json: bool, data: str | None) -> None:
    """Show where an environment answers.

    Also how each of its units is. Without a name it is dev.

    Example: bin/traderx status staging --json
    """
    from traderx.site import open_site
    from traderx.status import read_status, table

    found = read_status(open_site(data, saying(as_json=True)), environment)
    if as_json:
        print(json.dumps(found.as_json(), indent=2))
        return
    print(f"{found.project} {environment}: {'ready' if found.is_ready else 'not ready'}")
    for line in table(found):
        print(line)
    width = max((len(unit.slug) for unit in found.units), default=0)
    for unit in found.units:
        ahead = f", head is {unit.head}" if unit.head != unit.live else ""
        why = f": {unit.why.splitlines()[0]}" if unit.why else ""
        print(f"  {unit.slug:<{width}}  revision {unit.live}{ahead}  {unit.word}{why}")


@click.command()
@click.argument("environment", default="dev", type=Environment())
@result_options
def posture(environment: str, as_json: bool, data: str | None) -> None:
    """Show what protects an environment.

    Says of TLS version, rate limit, firewall, DDoS protection, encryption at rest, geo-DNS and what a mesh brings
    whether each is met, missing or unknown, and how that is known. Nothing is claimed without evidence.

    Example: bin/traderx posture prod --json
    """
    from traderx.posture import findings, table
    from traderx.posture_facts import read_facts
    from traderx.site import open_site

    facts = read_facts(open_site(data, saying(as_json=True)), environment)
    found = findings(facts)
    if as_json:
        rows = [{"control": one.control, "state": one.state, "evidence": one.evidence} for one in found]
        print(json.dumps({"environment": environment, "on": facts.cluster or "laptop", "findings": rows}, indent=2))
        return
    print(f"{environment} on {facts.cluster or 'this machine'}:")
    for line in table(found):
        print(line)


@click.command()
@click.argument("service_name", metavar="SERVICE")
@click.argument("environment", default="dev", type=Environment())
@click.option("--follow", "-f", is_flag=True, help="Go on printing as lines come.")
@click.option("--lines", default=100, show_default=True, help="So many of the last lines.")
@data_option
def logs(service_name: str, environment: str, follow: bool, lines: int, data: str | None) -> None:
    """Print what a service printed.

    Also what hub, runtime and worker-ENV printed.

    Example: bin/traderx logs trade-service dev --follow
    """
    from traderx.processes import Processes
    from traderx.project import find_project

    project = find_project(data)
    own = Processes(project.data)
    if service_name in own.known():
        _replace("tail", ["-n", str(lines), *(["-F"] if follow else []), str(own.log(service_name))])
    if not project.runtime_folder.is_dir():
        raise NotFound(f"nothing was started in {project.data}", hint="start it: bin/up")
    program = Path(sys.executable).parent / "confighub"
    asked = ["logs", "--data", str(project.runtime_folder), environment, service_name, "--lines", str(lines)]
    _replace(str(program), asked + (["--follow"] if follow else []))


@click.command()
@click.argument("unit")
@click.argument("environment", default="dev", type=Environment())
@result_options
def why(unit: str, environment: str, as_json: bool, data: str | None) -> None:
    """Say what a unit waits for.

    Which gate at which revision, which hold, worker, probe or field; and the command that resolves it.

    Example: bin/traderx why trade-service prod
    """
    from confighub.operations.why import why as explain
    from traderx.site import open_site

    site = open_site(data, saying(as_json=True))
    record = site.hub.unit(unit, space_id=site.space_id(environment))
    answer = explain(site.hub, record, environment=environment)
    if as_json:
        print(json.dumps(answer.as_json(), indent=2))
        return
    for line in answer.lines():
        print(line)


@click.command()
@data_option
def proj(data: str | None) -> None:
    """Print the project's name.

    Example: cub unit list --space $(bin/proj)-dev
    """
    from traderx.project import find_project

    print(find_project(data).name())


@click.command()
@click.argument("name")
def service(name: str) -> None:
    """Run one service in the foreground.

    Its settings come from environment variables: PORT, DATABASE_URL and those of the unit.

    Example: PORT=18085 bin/traderx service reference-data
    """
    from traderx.services.main import run

    run(name, os.environ)


def _replace(program: str, arguments: list[str]) -> None:
    sys.stdout.flush()
    os.execvp(program, [program, *arguments])  # noqa: S606
