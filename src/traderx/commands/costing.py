"""The cost optimizer as a program."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import click

from confighub.errors import BadRequest, RetryLater
from traderx.commands.parameters import Duration, approve_option, price_options, result_options
from traderx.commands.printing import saying
from traderx.commands.watching import alert_options, receivers_of, refuse_no_space, watched_options, watched_units

if TYPE_CHECKING:
    from confighub.operations.cost.advice import Rules
    from confighub.operations.cost.usage import Source
    from confighub.operations.explaining import Explainer

_WATCHED_S = 86_400.0
"""How long a metrics-server may be watched, which keeps nothing itself."""


@click.command(name="cost-optimizer")
@watched_options
@click.option("--namespace", metavar="NAME", help="Only workloads in this namespace.")
@price_options
@click.option("--prometheus", metavar="URL", help="Where usage is read (also PROMETHEUS_URL); without it: no advice.")
@click.option("--metrics-server", metavar="KUBECONFIG", help="Where there is no Prometheus: watch this cluster's.")
@click.option("--context", metavar="NAME", help="The context in the kubeconfig; its current one unless named.")
@click.option("--match", "more", default="", metavar="MATCHERS", help="Only series with these labels: 'cluster=\"a\"'.")
@click.option("--window", type=Duration(), default="14d", show_default=True, help="How far back usage counts.")
@click.option("--at-least", type=Duration(), default="24h", show_default=True, help="So much of it must have data.")
@click.option("--propose", is_flag=True, help="Write the advice down as change sets to be reviewed; change nothing.")
@click.option(
    "--apply",
    "up_to",
    is_flag=False,
    flag_value="high",
    type=click.Choice(["low", "medium", "high"]),
    help="Make the change sets: all advice, or only that of low or medium risk.",
)
@approve_option
@click.option("--history", is_flag=True, help="Only show earlier change sets, and what their units cost as they run.")
@click.option("--once", is_flag=True, help="Look once, as without --interval.")
@click.option("--interval", type=Duration(), help="Look again and again, with so much time between.")
@alert_options
@click.option("--with-claude", is_flag=True, help="Have Claude explain each advice; the rules alone decide.")
@result_options
def cost_optimizer(
    spaces: tuple[str, ...],
    sets: str | None,
    filters: tuple[str, ...],
    namespace: str | None,
    provider: str,
    region: str,
    prices_file: str | None,
    prometheus: str | None,
    metrics_server: str | None,
    context: str | None,
    more: str,
    window: float,
    at_least: float,
    propose: bool,
    up_to: str | None,
    approve: bool,
    history: bool,
    once: bool,
    interval: float | None,
    webhooks: tuple[str, ...],
    slacks: tuple[str, ...],
    alertmanagers: tuple[str, ...],
    pagerduty: bool,
    with_claude: bool,
    as_json: bool,
    data: str | None,
) -> int:
    """Say what units cost, and what their containers should request.

    Costs are requests × replicas × prices. Advice needs a Prometheus with the usage; too little data is no advice.
    An advice becomes a change set to be reviewed (--propose, then `cub changeset apply`) or is made at once (--apply);
    what it saves is then read from what runs. Prod is changed with --approve only.

    Example: bin/cost-optimizer --sets data-services --space '*' --prometheus http://localhost:9090
    """
    from confighub.operations.cost.prices import load_prices
    from traderx.commands.optimizing import Alarm, Optimizer
    from traderx.site import open_site

    if once and interval:
        raise BadRequest("--once and --interval are two ways to look", hint="leave one of them out")
    say = saying(as_json)
    refuse_no_space(spaces)
    receivers = receivers_of(webhooks, slacks, alertmanagers, has_pagerduty=pagerduty)
    prices = load_prices(prices_file or "").at(provider=provider, region=region)
    rules = _rules(window, at_least)
    source = _source(prometheus, more, metrics_server, context, window)
    explainer = _explainer() if with_claude else None
    site = open_site(data, say)
    watched = watched_units(site, spaces, sets=sets, filters=filters, namespace=namespace)
    risk = up_to or ("high" if propose else "")
    optimizer = Optimizer(site, watched, prices, source, rules, say, risk, as_json, explainer)
    if history:
        return optimizer.history()
    alarm = Alarm(receivers, say)
    while True:
        try:
            optimizer.look(alarm, makes=bool(up_to), approve=approve)
        except RetryLater as error:
            if interval is None:
                raise
            say(f"nothing was seen this time: {error}")
        if interval is None:
            return 0
        time.sleep(interval)


def _source(url: str | None, more: str, kubeconfig: str | None, context: str | None, window_s: float) -> Source | None:
    """Return where usage is read, None for nowhere. Raises: BadRequest for two places, or a window nobody waits for."""
    from confighub.operations.cost.metrics_server import MetricsServer
    from confighub.operations.cost.usage import PrometheusSource
    from confighub.operations.prometheus import Prometheus
    from traderx.clusters import ClusterApi, read_cluster

    if kubeconfig:
        if url:
            raise BadRequest("--prometheus and --metrics-server are two places to read usage", hint="leave one out")
        if window_s > _WATCHED_S:
            raise BadRequest(
                "metrics-server keeps no history, so it is watched for the whole --window",
                hint="say how long: --window 15m --at-least 10m",
            )
        return MetricsServer(ClusterApi(read_cluster(kubeconfig, context)).get)
    url = url or os.environ.get("PROMETHEUS_URL", "")
    return PrometheusSource(Prometheus(url, timeout_s=30.0), more) if url else None


def _explainer() -> Explainer:
    """Return who explains. Raises: BadRequest without a key, or without the package."""
    from confighub.operations.explaining import explainer_from

    found = explainer_from()
    if found.absent:
        raise BadRequest(f"nobody can be asked to explain: {found.absent}", hint="leave --with-claude out")
    return found


def _rules(window: float, at_least: float) -> Rules:
    from confighub.operations.cost.advice import Rules

    if at_least > window:
        raise BadRequest("--at-least is more than --window, so there would never be advice", hint="shorten it")
    return Rules(window_s=window, at_least_s=at_least)
