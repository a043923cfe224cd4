"""The cost optimizer as a program."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from confighub.errors import BadRequest, Gated, RetryLater
from traderx.commands.drifting import receivers_of, refuse_no_space, spaces_named
from traderx.commands.lazy import Duration, data_option, json_option, saying
from traderx.topology import ENVIRONMENTS
from traderx.wording import counted

if TYPE_CHECKING:
    from confighub.operations.alerts import Receiver
    from confighub.operations.cost.advice import Rules
    from confighub.operations.cost.optimizer import Receipt, Report
    from confighub.operations.cost.prices import Prices
    from confighub.operations.cost.usage import Source
    from confighub.operations.deploy import Options
    from confighub.operations.drift.watched import Watched
    from confighub.operations.explaining import Explainer
    from confighub.operations.guard import Say
    from confighub.operations.proposals import Proposal
    from traderx.site import Site

_WATCHED_S = 86_400.0
"""How long a metrics-server may be watched, which keeps nothing itself."""

prices_option = click.option(
    "--prices", "prices_file", metavar="FILE", help="Prices of your own; the form is in prices.yaml."
)
provider_option = click.option(
    "--provider", default="", metavar="NAME", help="Whose prices, where the space does not say."
)
region_option = click.option(
    "--region", default="", metavar="NAME", help="Prices of which region, where it does not say."
)


@click.command(name="cost-optimizer")
@click.option("--space", "spaces", multiple=True, metavar="SPACE", help="A space or environment; '*' is all.")
@click.option("--sets", metavar="SET,…", help="Only units of these sets.")
@click.option("--filter", "filters", multiple=True, metavar="FILTER", help="Only units that this filter selects.")
@click.option("--namespace", metavar="NAME", help="Only workloads in this namespace.")
@provider_option
@region_option
@prices_option
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
@click.option("--approve", is_flag=True, help="Approve, in your name, exactly the revisions that are applied (prod).")
@click.option("--history", is_flag=True, help="Only show earlier change sets, and what their units cost as they run.")
@click.option("--once", is_flag=True, help="Look once, as without --interval.")
@click.option("--interval", type=Duration(), help="Look again and again, with so much time between.")
@click.option("--webhook", "webhooks", multiple=True, metavar="URL", help="Send alerts there as JSON.")
@click.option("--slack", "slacks", multiple=True, metavar="URL", help="Send alerts to this Slack webhook.")
@click.option("--alertmanager", "alertmanagers", multiple=True, metavar="URL", help="Send alerts to this Alertmanager.")
@click.option("--pagerduty", is_flag=True, help="Send alerts to PagerDuty, by PAGERDUTY_ROUTING_KEY.")
@click.option("--with-claude", is_flag=True, help="Have Claude explain each advice; the rules alone decide.")
@json_option
@data_option
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
    from confighub.operations.drift.watched import find_watched
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
    chosen = [name for name in (sets or "").split(",") if name]
    watched = find_watched(
        site.hub, spaces_named(site, spaces), sets=chosen, filters=filters, namespace=namespace or ""
    )
    risk = up_to or ("high" if propose else "")
    optimizer = _Optimizer(site, watched, prices, source, rules, say, risk, as_json, explainer)
    if history:
        return optimizer.history()
    alarm = _Alarm(receivers, say)
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


@dataclass
class _Optimizer:
    """One way of looking; ``up_to`` is the risk up to which advice becomes change sets, empty for none."""

    site: Site
    watched: Watched
    prices: Prices
    source: Source | None
    rules: Rules
    say: Say
    up_to: str
    as_json: bool
    explainer: Explainer | None = None

    def look(self, alarm: _Alarm, *, makes: bool, approve: bool) -> None:
        """Look once, print what is found, and write or make the change sets that were asked for."""
        from confighub.operations.cost.optimizer import analyse

        hub = self.site.hub
        report = analyse(hub, self.watched, self.prices, source=self.source, rules=self.rules, now=time.time())
        if self.explainer:
            report = self._explained(report, self.explainer)
        if not self.as_json:
            _print_report(report)
        alarm.advice(report)
        written = self._write(report)
        receipts = self._make(written, approve=approve) if makes else []
        for receipt in receipts:
            alarm.receipt(receipt)
            if not self.as_json:
                print(
                    f"{receipt.proposal.space}: {receipt.before.low:.2f} USD a month before, {receipt.after.low:.2f} "
                    f"now, as it runs: {receipt.saved:.2f} saved, {receipt.proposal.facts['saving']} were predicted"
                )
        if written and not makes and not self.as_json:
            for one in written:
                command = f"cub changeset apply {one.slug} --space {one.space}"
                print(f"change set {one.slug}: look with {command} --dry-run, make it with {command}")
        if self.as_json:
            answer = {
                **report.as_json(),
                "changeSets": [{"space": one.space, "changeSet": one.slug, "made": one.is_made} for one in written],
                "receipts": [one.as_json() for one in receipts],
            }
            print(json.dumps(answer, indent=2), flush=True)

    def _explained(self, report: Report, explainer: Explainer) -> Report:
        """Return the report with a few sentences at each advice; where there are none, that is said."""
        told = []
        for one in report.advised:
            found = explainer.explain_advice(one.as_json())
            if found.failure:
                self.say(f"{one.unit.name}: not explained: {found.failure}")
            told.append(replace(one, explanation=found.text))
        return replace(report, advised=tuple(told))

    def history(self) -> int:
        """Show earlier change sets: what they were to save, and what their units cost as they run now."""
        from confighub.operations.cost.optimizer import receipts

        rows = [
            {
                "space": one.space,
                "changeSet": one.slug,
                "made": one.is_made,
                "units": [unit.slug for unit in one.units],
                "predictedSavingUsdPerMonth": one.facts["saving"],
                "liveBeforeUsdPerMonth": one.facts.get("live", ""),
                "liveNowUsdPerMonth": f"{cost.low:.2f}",
            }
            for one, cost in receipts(self.site.hub, self.watched, self.prices)
        ]
        if self.as_json:
            print(json.dumps(rows, indent=2))
        for row in [] if self.as_json else rows:
            state = "made" if row["made"] else "not made"
            print(
                f"{row['space']}  {row['changeSet']}  {state}  {row['predictedSavingUsdPerMonth']} to be saved; its "
                f"units cost {row['liveBeforeUsdPerMonth']} USD a month when proposed, {row['liveNowUsdPerMonth']} now"
            )
        return 0

    def _write(self, report: Report) -> list[Proposal]:
        from confighub.operations.cost.advice import Risk
        from confighub.operations.cost.optimizer import cut_off, proposals_of, write

        if not self.up_to:
            return []
        begun = cut_off(self.site.hub, self.watched)
        for one in begun:
            self.say(f"change set {one.slug} of {one.space} was cut off; it goes on first")
        busy = {one.space_id for one in begun}
        wanted = [one for one in proposals_of(report, up_to=Risk(self.up_to.upper())) if one.space_id not in busy]
        return [*begun, *write(self.site.hub, wanted)]

    def _make(self, written: list[Proposal], *, approve: bool) -> list[Receipt]:
        """Make the change sets, once none of them would be refused."""
        from confighub.operations import proposals
        from confighub.operations.cost.optimizer import carry_out

        hub = self.site.hub
        options = self._options(approve)
        for one in written:
            try:
                proposals.refuse_closed(one, proposals.show(hub, one), approve=approve, command=options.command)
            except Gated as refused:
                raise Gated(str(refused), gates=refused.gates, hint=f"it is written as change set {one.slug}") from None
        receipts = []
        for one in written:
            for environment in ENVIRONMENTS:
                if self.site.project.space(environment) == one.space:
                    self.site.wake_worker(environment)
            receipts.append(carry_out(hub, one, self.watched, self.prices, options, self.say))
        return receipts

    def _options(self, approve: bool) -> Options:
        from confighub.operations.deploy import Options

        named = " ".join(f"--space {space['Slug']}" for space in self.watched.spaces)
        return Options(approve=approve, command=f"bin/cost-optimizer {named} --apply")


class _Alarm:
    """Who is told, and what was told last: the same advice is told once."""

    def __init__(self, receivers: tuple[Receiver, ...], say: Say) -> None:
        self._receivers, self._say = receivers, say
        self._told: tuple[str, ...] = ()

    def advice(self, report: Report) -> None:
        lines = tuple(one.lines()[0] for one in report.advised)
        if lines and lines != self._told:
            title = f"{counted(len(lines), 'container')} could request otherwise: {report.saving:.2f} USD a month"
            self._send("CostAdvice", title, lines)
        self._told = lines

    def receipt(self, receipt: Receipt) -> None:
        title = f"{receipt.saved:.2f} USD a month saved in {receipt.proposal.space}"
        self._send("CostSaved", title, tuple(one.slug for one in receipt.proposal.units))

    def _send(self, name: str, title: str, lines: tuple[str, ...]) -> None:
        from confighub.operations.alerts import Alert, send

        for receiver in self._receivers:
            failed = send(Alert(name, title, "info", lines=lines), receiver)
            if failed:
                self._say(failed)


def _print_report(report: Report) -> None:
    for space in report.spaces:
        print(f"{space.slug}: {space.head_cost} USD a month by the heads, {space.live_cost} as it runs")
        for unit in space.units:
            cost = unit.head_cost
            fewest, most = sum(one.fewest for one in unit.head), sum(one.most for one in unit.head)
            replicas = counted(fewest, "replica") if fewest == most else f"{fewest} to {most} replicas"
            print(f"  {unit.slug}: {replicas}, {'no figure' if cost is None else f'{cost} USD'}")
            for line in unit.missing:
                print(f"    without a figure: {line}")
    for line in report.prices:
        print(f"prices: {line}; what is requested × hours, CPU and memory only")
    for advised in report.advised:
        print("\n".join(advised.lines()))
    fitting = [one for _, one in report.silent if one.is_fine]
    for unit, one in report.silent:
        if not one.is_fine:
            print(f"{unit.name}: no advice for {one.container.name}: {one.why}")
    if fitting:
        print(f"what is requested fits what is used: {', '.join(one.container.name for one in fitting)}")
    if report.window is None:
        print("no usage was read, so there is no advice: name a Prometheus with --prometheus URL")
    else:
        print(f"advice for {counted(len(report.advised), 'container')}: {report.saving:.2f} USD a month")


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
