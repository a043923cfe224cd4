"""What the cost optimizer does with what it finds: shown, told, written as change sets, made."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace

from confighub.errors import Gated
from confighub.operations import proposals
from confighub.operations.alerts import Alert, Receiver, send
from confighub.operations.cost import optimizer
from confighub.operations.cost.advice import Risk, Rules
from confighub.operations.cost.optimizer import Receipt, Report
from confighub.operations.cost.prices import Prices
from confighub.operations.cost.usage import Source
from confighub.operations.deploy import Options
from confighub.operations.drift.watched import Watched
from confighub.operations.explaining import Explainer
from confighub.operations.guard import Say
from confighub.operations.proposals import Proposal
from traderx.regions import PLACES
from traderx.site import Site
from traderx.wording import counted


@dataclass
class Optimizer:
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

    def look(self, alarm: Alarm, *, makes: bool, approve: bool) -> None:
        """Look once, print what is found, and write or make the change sets that were asked for."""
        hub = self.site.hub
        report = optimizer.analyse(
            hub, self.watched, self.prices, source=self.source, rules=self.rules, now=time.time()
        )
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
            for one, cost in optimizer.receipts(self.site.hub, self.watched, self.prices)
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
        if not self.up_to:
            return []
        begun = optimizer.cut_off(self.site.hub, self.watched)
        for one in begun:
            self.say(f"change set {one.slug} of {one.space} was cut off; it goes on first")
        busy = {one.space_id for one in begun}
        wanted = [
            one for one in optimizer.proposals_of(report, up_to=Risk(self.up_to.upper())) if one.space_id not in busy
        ]
        return [*begun, *optimizer.write(self.site.hub, wanted)]

    def _make(self, written: list[Proposal], *, approve: bool) -> list[Receipt]:
        """Make the change sets, once none of them would be refused."""
        hub = self.site.hub
        options = self._options(approve)
        for one in written:
            try:
                proposals.refuse_closed(one, proposals.show(hub, one), approve=approve, command=options.command)
            except Gated as refused:
                raise Gated(str(refused), gates=refused.gates, hint=f"it is written as change set {one.slug}") from None
        receipts = []
        for one in written:
            for environment in PLACES:
                if self.site.project.space(environment) == one.space:
                    self.site.wake_worker(environment)
            receipts.append(optimizer.carry_out(hub, one, self.watched, self.prices, options, self.say))
        return receipts

    def _options(self, approve: bool) -> Options:
        named = " ".join(f"--space {space['Slug']}" for space in self.watched.spaces)
        return Options(approve=approve, command=f"bin/cost-optimizer {named} --apply")


class Alarm:
    """Who is told, and what was told last: the same advice is told once."""

    def __init__(self, receivers: tuple[Receiver, ...], say: Say) -> None:
        self._receivers, self._say = receivers, say
        self._told: tuple[str, ...] = ()

    def advice(self, report: Report) -> None:
        """Tell of advice that is not what was told last."""
        lines = tuple(one.lines()[0] for one in report.advised)
        if lines and lines != self._told:
            title = f"{counted(len(lines), 'container')} could request otherwise: {report.saving:.2f} USD a month"
            self._send("CostAdvice", title, lines)
        self._told = lines

    def receipt(self, receipt: Receipt) -> None:
        """Tell what a change set saves, as it runs."""
        title = f"{receipt.saved:.2f} USD a month saved in {receipt.proposal.space}"
        self._send("CostSaved", title, tuple(one.slug for one in receipt.proposal.units))

    def _send(self, name: str, title: str, lines: tuple[str, ...]) -> None:
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
