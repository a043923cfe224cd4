"""Commands that bring a new version into traffic: little by little, or colour by colour."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from confighub.errors import BadRequest, ConfigHubError
from traderx.commands.parameters import Environment, explain_option, result_options, together
from traderx.commands.printing import saying

if TYPE_CHECKING:
    from confighub.operations.rollout.beginning import Wish
    from confighub.operations.rollout.evidence import Evidence
    from confighub.operations.rollout.record import Kind
    from confighub.operations.rollout.steps import Outcome
    from traderx.site import Site


_rollout_options = together(
    click.argument("service"),
    click.argument("environment", type=Environment()),
    click.option("--image", default="", metavar=":TAG", help="The new version; not needed to go on with one."),
    click.option("--env", "variables", multiple=True, metavar="NAME=VALUE", help="Also set this variable."),
    click.option("--approve", is_flag=True, help="Approve every revision that the rollout makes (prod)."),
    click.option("--lift", default="", metavar="REASON", help="Lift the version's quarantine first."),
    click.option("--abort", "aborts", is_flag=True, help="End the rollout under way and go back."),
    click.option("--prometheus", default="", metavar="URL", help="Judge by what this Prometheus has counted."),
    click.option("--inside", is_flag=True, help="This machine reaches Services by their addresses in the cluster."),
    click.option(
        "--without-trades", is_flag=True, help="Leave the synthetic trades out: nothing is reached from here."
    ),
    explain_option,
    result_options,
)


@click.command()
@_rollout_options
@click.option("--speed", default=1.0, show_default=True, metavar="N", help="Divide the stages' times by this.")
@click.option("--schedule", "schedule_file", metavar="FILE", help="Stages of one's own, as JSON.")
@click.option("--p95-ms", default=200.0, show_default=True, help="The limit of the stage that looks at latency.")
@click.option("--patience", type=float, metavar="SECONDS", help="How long a stage may wait for missing evidence.")
def canary(
    service: str,
    environment: str,
    image: str,
    variables: tuple[str, ...],
    approve: bool,
    lift: str,
    aborts: bool,
    prometheus: str,
    inside: bool,
    without_trades: bool,
    speed: float,
    schedule_file: str | None,
    p95_ms: float,
    patience: float | None,
    explain: bool,
    as_json: bool,
    data: str | None,
) -> int:
    """Give a new version a growing share of the traffic.

    10 %, 25 %, 50 %, then all, as long as requests and synthetic trades show that it is good; a breach takes the
    share back to 0 at the next look. Requests are counted by the laptop's ingress, or by a Prometheus: --prometheus,
    else the annotation confighub.com/prometheus of the space or the target. Interrupted, the same command goes on.
    Exit 0 promoted, 3 rolled back, 1 could not run.

    Example: bin/canary trade-service staging --image :v1.1.0
    """
    from confighub.operations.rollout.evidence import Evidence
    from traderx import canary as rollout

    with _telling_programs(as_json):
        _refuse_odd_address(prometheus)
        stages = rollout.CanaryWish(schedule_file, p95_ms, speed, patience, prometheus)
        evidence = Evidence(prometheus, rollout.read_schedule(stages).queries, without_trades, inside)
        wish = _wish("canary", service, environment, image, variables, evidence, approve=approve, lift=lift)
        asked = rollout.Rollout(environment, wish, aborts, stages=stages)
        # refuses what cannot be waited for, before anything is started
        plan = rollout.explain_canary(asked)
        if explain:
            return _explained(plan, as_json)
        return _carried_out(lambda site: rollout.canary(site, asked), as_json=as_json, data=data)


@click.command(name="blue-green")
@_rollout_options
@click.option("--soak", default=300.0, show_default=True, metavar="SECONDS", help="How long the old colour stays warm.")
@click.option(
    "--switch",
    type=click.Choice(["selector", "ingress"]),
    help="What brings the traffic: the Service's selector (when not told), or the Ingress, for users alone at first.",
)
@click.option("--validate", is_flag=True, help="Only ask the colour that has no traffic whether it works; exit 0 or 1.")
def blue_green(
    service: str,
    environment: str,
    image: str,
    variables: tuple[str, ...],
    approve: bool,
    lift: str,
    aborts: bool,
    prometheus: str,
    inside: bool,
    without_trades: bool,
    soak: float,
    switch: str | None,
    validate: bool,
    explain: bool,
    as_json: bool,
    data: str | None,
) -> int:
    """Run a new version beside the old one, then switch.

    It is validated through a Service of its own first; the old version stays warm for the soak, and any failure
    sends the traffic back. With --switch ingress what comes from outside goes to the new version in the soak, while
    callers inside the environment stay on the old one. Interrupted, the same command goes on. Exit 0 promoted,
    3 rolled back, 1 could not run.

    Example: bin/blue-green trade-service prod --image :v1.1.0 --switch ingress --approve
    """
    from confighub.operations.rollout.evidence import Evidence
    from traderx import blue_green as rollout
    from traderx.canary import Rollout

    with _telling_programs(as_json):
        _refuse_odd_address(prometheus)
        if validate:
            return _validated(service, environment, as_json, data)
        evidence = Evidence(prometheus, without_trades=without_trades, inside=inside)
        wish = _wish(
            "blue-green",
            service,
            environment,
            image,
            variables,
            evidence,
            approve=approve,
            lift=lift,
            switch=switch or "",
        )
        asked = Rollout(environment, wish, aborts, soak_s=soak)
        # refuses what cannot be waited for, before anything is started
        plan = rollout.explain_blue_green(asked)
        if explain:
            return _explained(plan, as_json)
        return _carried_out(lambda site: rollout.blue_green(site, asked), as_json=as_json, data=data)


def _validated(service: str, environment: str, as_json: bool, data: str | None) -> int:
    from traderx.blue_green import validate
    from traderx.delivery import refuse_unknown
    from traderx.site import open_site

    refuse_unknown(service)
    said = validate(open_site(data, saying(as_json=True)), environment, service)
    print(json.dumps({"environment": environment, "service": service, "said": said}, indent=2) if as_json else said)
    return 0


def _refuse_odd_address(prometheus: str) -> None:
    """Return for the address of a Prometheus, or none. Raises: BadRequest."""
    from confighub.operations.prometheus import Prometheus

    if prometheus:
        Prometheus(prometheus)


@contextmanager
def _telling_programs(as_json: bool) -> Iterator[None]:
    """Print, for programs, why a rollout could not run; whatever refused it goes on to be told to people."""
    from confighub.operations.rollout.steps import could_not_run

    try:
        yield
    except ConfigHubError as error:
        if as_json:
            print(json.dumps(could_not_run(error), indent=2))
        raise


def _wish(
    kind: Kind,
    service: str,
    environment: str,
    image: str,
    variables: tuple[str, ...],
    evidence: Evidence,
    *,
    approve: bool,
    lift: str,
    switch: str = "",
) -> Wish:
    from confighub.operations.rollout.beginning import Wish

    if image and not image.startswith((":", "@")):
        raise BadRequest(f"an image is given as :TAG, not: {image}")
    env = {}
    for text in variables:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise BadRequest(f"a variable is given as NAME=VALUE, not: {text}")
        env[name] = value
    command = f"bin/{kind} {service} {environment}" + (f" --image {image}" if image else "")
    command += f" --switch {switch}" if switch else ""
    return Wish(
        kind, service, image, env, approve=approve, lift=lift, command=command, evidence=evidence, switch=switch
    )


def _explained(lines: list[str], as_json: bool) -> int:
    for line in lines:
        click.echo(line, err=as_json)
    if as_json:
        click.echo(json.dumps({"plan": lines, "done": False}, indent=2))
    return 0


def _carried_out(carry_out: Callable[[Site], Outcome], *, as_json: bool, data: str | None) -> int:
    from traderx.site import open_site

    say = saying(as_json)
    outcome = carry_out(open_site(data, say))
    if as_json:
        print(json.dumps(outcome.as_json(), indent=2))
    say(f"{outcome.verdict}: {outcome.reason}")
    if outcome.detected_after_s is not None:
        say(f"detected after {outcome.detected_after_s} s, traffic back in {outcome.rolled_back_in_s} s")
    return outcome.exit_code
