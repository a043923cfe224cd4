"""The cost of spaces, what their containers use, and the advice that follows; written down as proposals to be made."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from confighub.client.hub import HubClient
from confighub.client.transport import Wire
from confighub.errors import ConfigHubError
from confighub.functions.costs import Cost
from confighub.operations import deploy, proposals
from confighub.operations.cost.advice import Advice, NoAdvice, Risk, Rules, advise
from confighub.operations.cost.prices import Prices, sources
from confighub.operations.cost.spaces import SpaceCost, UnitCost, read_spaces
from confighub.operations.cost.usage import Found, Source, Usage, Window
from confighub.operations.drift.watched import Watched
from confighub.operations.guard import Say
from confighub.operations.plan import Plan, PlannedUnit, Stage, in_order
from confighub.operations.proposals import Proposal, ProposedUnit

_UNORDERED = 1_000_000

_Key = tuple[str, str, str, str]
"""Namespace, kind, name and container, by which usage is told."""


@dataclass(frozen=True)
class Advised:
    """An advice about a container of a unit. ``explanation`` is for reading only, empty where nobody was asked."""

    unit: UnitCost
    advice: Advice
    explanation: str = ""

    def as_json(self) -> Wire:
        """Return the advice for programs."""
        one = self.advice
        container, wish = one.container, one.wish
        return {
            "space": self.unit.space,
            "unit": self.unit.slug,
            "container": container.name,
            "action": one.action,
            "risk": str(one.risk),
            "now": {"cpu": _milli(container.cpu), "memory": _mib(container.memory)},
            "advised": {"cpu": f"{wish.cpu_milli}m", "memory": f"{wish.memory_mib}Mi"},
            "used": {
                "cpuP95": _milli(one.usage.cpu_cores),
                "memoryPeak": _mib(one.usage.peak_bytes),
                "seconds": round(one.usage.covered_s, 1),
                "replicas": one.usage.replicas,
                "restarts": one.usage.restarts,
                "outOfMemory": one.usage.ooms,
            },
            "savingUsdPerMonth": usd(one.saving),
            "savingUsdPerMonthMost": usd(one.saving_most),
            "why": list(wish.reasons),
            "command": self.command,
            "explanation": self.explanation or None,
        }

    @property
    def command(self) -> str:
        """The command that makes the change by hand."""
        return f"cub unit update {self.unit.slug} --space {self.unit.space} --patch --data '{self.advice.patch}'"

    def lines(self) -> list[str]:
        """Return the advice for people."""
        one = self.advice
        now = f"{_milli(one.container.cpu)} and {_mib(one.container.memory)}"
        word = "saves" if one.saving > 0 else "costs"
        return [
            f"{self.unit.name}: {one.action} {one.container.name} from {now} to {one.wish.cpu_milli}m and "
            f"{one.wish.memory_mib}Mi a replica: {word} {_range(abs(one.saving), abs(one.saving_most))} USD a month, "
            f"{one.risk} risk",
            *(f"  {reason}" for reason in one.wish.reasons),
            *(f"  {line}" for line in self.explanation.splitlines()),
        ]


@dataclass(frozen=True)
class Report:
    """What was found. ``advised`` and ``silent`` are by space and unit; ``window`` is None where no usage was read."""

    spaces: tuple[SpaceCost, ...]
    advised: tuple[Advised, ...]
    silent: tuple[tuple[UnitCost, NoAdvice], ...]
    rules: Rules
    window: Window | None = None

    @property
    def saving(self) -> Decimal:
        """What all advice together saves a month, with the fewest pods."""
        return sum((one.advice.saving for one in self.advised), Decimal(0))

    @property
    def prices(self) -> list[str]:
        """Every price that was used, with its source, each once."""
        return sources([unit.price for space in self.spaces for unit in space.units if unit.price])

    def as_json(self) -> Wire:
        """Return the report for programs; money is in USD a month."""
        priced = {str(unit.price): unit.price for space in self.spaces for unit in space.units if unit.price}
        return {
            "prices": [one.as_json() for one in priced.values()],
            "rules": self.rules.as_json(),
            "spaces": [_space_json(space) for space in self.spaces],
            "advice": [one.as_json() for one in self.advised],
            "withoutAdvice": [
                {
                    "space": unit.space,
                    "unit": unit.slug,
                    "container": one.container.name,
                    "fits": one.is_fine,
                    "why": one.why,
                }
                for unit, one in self.silent
            ],
            "savingUsdPerMonth": usd(self.saving),
        }


@dataclass(frozen=True)
class Receipt:
    """What became of a proposal that was made: what its units cost before and after, both read from live state."""

    proposal: Proposal
    before: Cost
    after: Cost

    @property
    def saved(self) -> Decimal:
        """What is saved a month, as it runs."""
        return self.before.low - self.after.low

    def as_json(self) -> Wire:
        """Return the receipt for programs."""
        return {
            "space": self.proposal.space,
            "changeSet": self.proposal.slug,
            "units": [one.slug for one in self.proposal.units],
            "predictedSavingUsdPerMonth": self.proposal.facts["saving"],
            "liveBeforeUsdPerMonth": usd(self.before.low),
            "liveAfterUsdPerMonth": usd(self.after.low),
            "verifiedSavingUsdPerMonth": usd(self.saved),
        }


def analyse(
    hub: HubClient, watched: Watched, prices: Prices, *, source: Source | None, rules: Rules, now: float
) -> Report:
    """Return what the watched units cost and, with a source of usage, what is advised. Raises: RetryLater."""
    spaces = tuple(read_spaces(hub, watched, prices))
    namespaces = {one.namespace for space in spaces for unit in space.units for one in unit.head if one.namespace}
    if source is None or not namespaces:
        return Report(spaces, (), (), rules)
    window, found = source.read(namespaces, seconds=rules.window_s, end=now)
    advised: list[Advised] = []
    silent: list[tuple[UnitCost, NoAdvice]] = []
    places = _places(spaces)
    for unit in (unit for space in spaces for unit in space.units):
        for one in _advise(unit, found, rules, places):
            if isinstance(one, Advice):
                advised.append(Advised(unit, one))
            else:
                silent.append((unit, one))
    return Report(spaces, tuple(advised), tuple(silent), rules, window)


def _places(spaces: Iterable[SpaceCost]) -> dict[_Key, set[str]]:
    """Return the spaces in which each container is: usage does not tell whose it is where there are several."""
    places: dict[_Key, set[str]] = defaultdict(set)
    for space in spaces:
        for workload in (workload for unit in space.units for workload in unit.head):
            for container in workload.containers:
                places[workload.namespace, workload.kind, workload.name, container.name].add(space.slug)
    return places


def _advise(unit: UnitCost, found: Found, rules: Rules, places: Mapping[_Key, set[str]]) -> Iterable[Advice | NoAdvice]:
    for workload in unit.head:
        for container in workload.containers:
            key = (workload.namespace, workload.kind, workload.name, container.name)
            why = _unasked(unit, workload.why) or _unclear(unit, places[key])
            if why or unit.price is None:
                yield NoAdvice(workload, container, why)
                continue
            used: Usage | None = found.get(key)
            yield advise(workload, container, used, unit.price.rates, rules)


def _unclear(unit: UnitCost, spaces: set[str]) -> str:
    others = sorted(spaces - {unit.space})
    if not others:
        return ""
    return f"usage does not tell it from the same one of {', '.join(others)}: name one place with --space and --match"


def _unasked(unit: UnitCost, why: str) -> str:
    """Return why a unit gets no advice whatever it uses; empty when it may."""
    if unit.price is None:
        return "no price is known for where it runs"
    if not unit.live_revision:
        return "it is not live"
    if unit.live_revision != unit.revision:
        return f"revision {unit.live_revision} is live and the head is {unit.revision}: usage and requests do not fit"
    return why


def proposals_of(report: Report, *, up_to: Risk = Risk.HIGH) -> list[Proposal]:
    """Return one proposal a space that has advice of no more than this risk; the same advice has the same slug."""
    found: dict[tuple[str, str], list[Advised]] = defaultdict(list)
    ranks = list(Risk)
    for one in report.advised:
        if ranks.index(one.advice.risk) <= ranks.index(up_to):
            found[one.unit.space, one.unit.space_id].append(one)
    return [_proposal(space, space_id, advised) for (space, space_id), advised in found.items()]


def write(hub: HubClient, wanted: Sequence[Proposal]) -> list[Proposal]:
    """Write proposals down, in place of those of the optimizer in the same spaces that nobody made.

    One that was cut off while it was made or applied stays, and is returned instead of a newer one of its space.
    """
    return [_written(hub, one) for one in wanted]


def _written(hub: HubClient, wanted: Proposal) -> Proposal:
    ours = [one for one in proposals.find(hub, space=wanted.space, space_id=wanted.space_id) if is_ours(one)]
    for one in ours:
        if one.slug != wanted.slug and proposals.is_begun(hub, one):
            return one
    for one in ours:
        if not one.is_made and one.slug != wanted.slug:
            proposals.withdraw(hub, one)
    return proposals.write(hub, wanted)


def cut_off(hub: HubClient, watched: Watched) -> list[Proposal]:
    """Return the optimizer's proposals of the watched spaces whose making or applying did not end, newest first."""
    return [
        one
        for space in watched.spaces
        for one in proposals.find(hub, space=str(space["Slug"]), space_id=str(space["SpaceID"]))
        if is_ours(one) and proposals.is_begun(hub, one)
    ]


def is_ours(proposal: Proposal) -> bool:
    """Tell whether the optimizer made the proposal."""
    return "saving" in proposal.facts


def _proposal(space: str, space_id: str, advised: Sequence[Advised]) -> Proposal:
    units: dict[str, ProposedUnit] = {}
    for one in advised:
        before = units.get(one.unit.unit_id)
        calls = [*(before.calls if before else []), *one.advice.calls]
        units[one.unit.unit_id] = ProposedUnit(one.unit.unit_id, one.unit.slug, one.unit.revision, calls)
    saving = sum((one.advice.saving for one in advised), Decimal(0))
    live = _live({one.unit.unit_id: one.unit for one in advised})
    named = json.dumps([[one.unit_id, one.revision, one.calls] for one in units.values()])
    digest = hashlib.sha256(named.encode()).hexdigest()[:10]
    return Proposal(
        slug=f"cost-{digest}",
        space=space,
        space_id=space_id,
        why=f"requests as used: saves {usd(saving)} USD a month",
        units=list(units.values()),
        facts={"saving": usd(saving), "live": usd(live), "liveExactly": f"{live:f}"},
    )


def _live(units: Mapping[str, UnitCost]) -> Decimal:
    return sum((one.live_cost.low for one in units.values() if one.live_cost), Decimal(0))


def carry_out(
    hub: HubClient, proposal: Proposal, watched: Watched, prices: Prices, options: deploy.Options, say: Say
) -> Receipt:
    """Make a proposal, apply what is live of it in order, and return what that saves as it runs.

    One that was cut off goes on where it was; what its units cost before is what they did when it was proposed.
    Raises: Gated, Conflict before anything is changed; ConfigHubError when a unit did not get ready: then all units
    are as they were, in the hub and where they run.
    """
    shown = proposals.show(hub, proposal)
    proposals.refuse_closed(proposal, shown, approve=options.approve, command=options.command)
    before = _cost_before(hub, proposal, watched, prices)
    with proposals.held(hub, proposal):
        ids = proposals.make(hub, proposal)
        say(f"change set {proposal.slug} of {proposal.space} is made: {len(proposal.units)} units have new heads")
        outcome = deploy.deploy(hub, _plan(hub, proposal, ids), options, say)
        if outcome.failure is not None:
            proposals.take_back(hub, proposal, proposal.units)
            say(f"{outcome.failure.slug} did not get ready; every unit goes back to where it was")
            back = deploy.deploy(hub, _plan(hub, proposal, ids), options, say)
            reason = (outcome.failure.reason.splitlines() or ["it did not get ready"])[0]
            left = f", and {back.failure.slug} is not ready again" if back.failure else ""
            raise ConfigHubError(
                f"change set {proposal.slug} of {proposal.space} was taken back: {outcome.failure.slug}: {reason}{left}"
            )
    return Receipt(proposal, before, _live_cost(hub, proposal, watched, prices))


def receipts(hub: HubClient, watched: Watched, prices: Prices) -> list[tuple[Proposal, Cost]]:
    """Return the cost proposals of the watched spaces, newest first, with what their units cost as they run now."""
    return [
        (one, _live_cost(hub, one, watched, prices))
        for space in watched.spaces
        for one in proposals.find(hub, space=str(space["Slug"]), space_id=str(space["SpaceID"]))
        if is_ours(one)
    ]


def _cost_before(hub: HubClient, proposal: Proposal, watched: Watched, prices: Prices) -> Cost:
    """Return what the proposal's units cost without it: some may run it already where an earlier try was cut off."""
    if not proposals.is_begun(hub, proposal):
        return _live_cost(hub, proposal, watched, prices)
    amount = Decimal(proposal.facts.get("liveExactly") or proposal.facts["live"])
    return Cost(amount, amount)


def _live_cost(hub: HubClient, proposal: Proposal, watched: Watched, prices: Prices) -> Cost:
    """Return what the proposal's units cost as they run."""
    spaces = tuple(space for space in watched.spaces if str(space["SpaceID"]) == proposal.space_id)
    ids = {one.unit_id for one in proposal.units}
    found = read_spaces(hub, Watched(spaces, watched.selections, watched.namespace), prices)
    units = [unit for space in found for unit in space.units if unit.unit_id in ids]
    return sum((unit.live_cost for unit in units if unit.live_cost), Cost())


def _plan(hub: HubClient, proposal: Proposal, ids: Sequence[str]) -> Plan:
    units = [unit for unit in deploy.read_units(hub, proposal.space_id) if unit.unit_id in ids]
    ordered = [unit for unit in units if unit.order is not None or unit.is_addon]
    rest: tuple[PlannedUnit, ...] = tuple(unit for unit in units if unit not in ordered)
    space, space_id = proposal.space, proposal.space_id
    stages = in_order(space=space, space_id=space_id, units=ordered).stages if ordered else ()
    return Plan(space, space_id, (*stages, *([Stage(_UNORDERED, rest, name="all others")] if rest else [])))


def usd(amount: Decimal) -> str:
    """Return an amount of money with its cents."""
    return f"{amount:.2f}"


def _space_json(space: SpaceCost) -> Wire:
    return {
        "space": space.slug,
        "headUsdPerMonth": _both(space.head_cost),
        "liveUsdPerMonth": _both(space.live_cost),
        "units": [
            {
                "unit": unit.slug,
                "revision": unit.revision,
                "liveRevision": unit.live_revision or None,
                "replicas": [sum(one.fewest for one in unit.head), sum(one.most for one in unit.head)],
                "headUsdPerMonth": _both(unit.head_cost),
                "liveUsdPerMonth": _both(unit.live_cost),
                "without": unit.missing,
            }
            for unit in space.units
        ],
    }


def _both(cost: Cost | None) -> list[str] | None:
    return None if cost is None else [usd(cost.low), usd(cost.high)]


def _range(low: Decimal, high: Decimal) -> str:
    return usd(low) if low == high else f"{usd(low)} to {usd(high)}"


def _milli(cores: Decimal | float | None) -> str | None:
    return None if cores is None else f"{float(cores) * 1000:.0f}m"


def _mib(size_bytes: Decimal | float | None) -> str | None:
    return None if size_bytes is None else f"{float(size_bytes) / 2**20:.0f}Mi"
