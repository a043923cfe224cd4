"""What the drift detector and the cost optimizer are both told: which units they look at, and who gets alerts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from confighub.errors import BadRequest
from traderx.commands.parameters import environments, together

if TYPE_CHECKING:
    from confighub.operations.alerts import Receiver
    from confighub.operations.drift.watched import Watched
    from traderx.project import Project
    from traderx.site import Site

watched_options = together(
    click.option("--space", "spaces", multiple=True, metavar="SPACE", help="A space or environment; '*' is all."),
    click.option("--sets", metavar="SET,…", help="Only units of these sets."),
    click.option("--filter", "filters", multiple=True, metavar="FILTER", help="Only units that this filter selects."),
)
alert_options = together(
    click.option("--webhook", "webhooks", multiple=True, metavar="URL", help="Send alerts there as JSON."),
    click.option("--slack", "slacks", multiple=True, metavar="URL", help="Send alerts to this Slack webhook."),
    click.option(
        "--alertmanager", "alertmanagers", multiple=True, metavar="URL", help="Send alerts to this Alertmanager."
    ),
    click.option("--pagerduty", is_flag=True, help="Send alerts to PagerDuty, by PAGERDUTY_ROUTING_KEY."),
)


def refuse_no_space(named: tuple[str, ...]) -> None:
    """Return when a space is named. Raises: BadRequest."""
    if not named:
        raise BadRequest("which space?", hint="--space prod, --space '*'")


def spaces_named(project: Project, named: tuple[str, ...]) -> list[str]:
    """Return the slugs of the spaces; an environment's name is short for the project's space of it."""
    refuse_no_space(named)
    short = (*environments(), "base")
    return [project.space(name) if name in short else name for name in named]


def watched_units(
    site: Site, spaces: tuple[str, ...], *, sets: str | None, filters: tuple[str, ...], namespace: str | None
) -> Watched:
    """Return what is looked at, as the options say it; ``sets`` are joined by commas."""
    from confighub.operations.drift.watched import find_watched

    chosen = [name for name in (sets or "").split(",") if name]
    return find_watched(
        site.hub, spaces_named(site.project, spaces), sets=chosen, filters=filters, namespace=namespace or ""
    )


def receivers_of(
    webhooks: tuple[str, ...],
    slacks: tuple[str, ...],
    alertmanagers: tuple[str, ...],
    *,
    has_pagerduty: bool = False,
) -> tuple[Receiver, ...]:
    """Return who gets alerts, each in the form of its kind. Raises: BadRequest for what is no web address."""
    from confighub.operations.alerts import Receiver, pagerduty_from

    return (
        *(Receiver(url) for url in webhooks),
        *(Receiver(url, "slack") for url in slacks),
        *(Receiver(url, "alertmanager") for url in alertmanagers),
        *((pagerduty_from(os.environ),) if has_pagerduty else ()),
    )
