"""Commands of a delivery pipeline: carry an image to dev, and tell people."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from confighub.errors import BadRequest
from traderx.commands.parameters import result_options, timeout_option
from traderx.commands.printing import saying


@click.command()
@click.argument("service")
@click.argument("tag")
@click.option(
    "--registry",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder in the registry's place; one of the project's state unless given.",
)
@click.option(
    "--archive",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Push from this archive instead of building.",
)
@timeout_option(60.0, what="How long dev may take.")
@result_options
def deliver(
    service: str,
    tag: str,
    registry: Path | None,
    archive: Path | None,
    timeout: float,
    as_json: bool,
    data: str | None,
) -> int:
    """Build a service, push it, and run it in dev.

    The steps of a pipeline on this machine: the image is built and pushed into a folder that stands in the registry's
    place (OCI image layouts), the unit in dev gets it, and dev is waited for. Promotion carries it on. What was done
    already is not done again.

    Example: bin/deliver trade-service v1.2.0
    """
    from confighub.operations.image_folder import refuse_tag
    from traderx import delivery
    from traderx.site import open_site

    say = saying(as_json)
    delivery.refuse_unknown(service)
    tag = refuse_tag(tag)
    site = open_site(data, say)
    folder = (registry or site.project.data / "registry").absolute()
    done = delivery.deliver(site, delivery.Wanted(service, tag, folder, archive, timeout), say)
    if as_json:
        print(json.dumps(done.as_json(), indent=2))
    if done.failure:
        say(f"{service} {tag} does not run in dev; go back with: {done.next()}")
        return 1
    say(f"{service} {tag} runs in dev as revision {done.revision}; next: {done.next()}")
    return 0


@click.command(name="slack-notify")
@click.argument("message")
@click.option("--channel", default="", metavar="NAME", help="Such as #incidents; the webhook's own unless given.")
@click.option("--url", envvar="SLACK_WEBHOOK_URL", metavar="URL", help="The webhook (also SLACK_WEBHOOK_URL).")
@click.option(
    "--severity",
    type=click.Choice(["info", "warning", "critical"]),
    default="info",
    show_default=True,
    help="Its mark.",
)
@click.option("--pagerduty", is_flag=True, help="Also to PagerDuty, by PAGERDUTY_ROUTING_KEY; info resolves there.")
def slack_notify(message: str, channel: str, url: str | None, severity: str, pagerduty: bool) -> int:
    """Tell people something.

    In Slack, by its webhook, and by PagerDuty when asked. The exit status is 1 when it was not delivered.

    Example: bin/slack-notify "prod is down, recovery starts" --channel "#incidents" --severity critical
    """
    from confighub.operations.alerts import Alert, Receiver, Severity, pagerduty_from, send

    if not url and not pagerduty:
        raise BadRequest("nobody to tell", hint="name the webhook: --url URL, or SLACK_WEBHOOK_URL")
    kind: Severity = "critical" if severity == "critical" else "warning" if severity == "warning" else "info"
    alert = Alert(name="Message", title=message, severity=kind)
    receivers = [Receiver(url, "slack", channel=channel)] if url else []
    if pagerduty:
        receivers.append(pagerduty_from(os.environ))
    problems = [problem for one in receivers if (problem := send(alert, one))]
    for problem in problems:
        saying(as_json=False)(problem)
    return int(bool(problems))
