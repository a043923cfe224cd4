"""Rollback: units of a space brought back to what they were, and applied in reverse order of dependency.

The hub does the first half in one transaction: new heads with the old texts, a change set about it, and what was
rolled back from in quarantine. The second half is a deployment. Both may be repeated: whoever was killed in
between is simply started again, finds the texts as they should be, and applies what is not live yet.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from confighub.client.collection import any_of, conjoined, pieces, quoted
from confighub.client.hub import HubClient
from confighub.client.transport import Wire
from confighub.errors import BadRequest, Gated, NotFound
from confighub.operations import colours, deploy
from confighub.operations.colours import Swap
from confighub.operations.deploy import Options, Outcome
from confighub.operations.guard import APPROVAL_GATE, Say
from confighub.operations.moments import moment_of
from confighub.operations.plan import Plan, PlannedUnit, Stage, in_order
from confighub.operations.rollout.place import Place

HOLDER = "rollback"
"""Whose holds the hub puts on what it brings back; they end with the deployment that follows."""
_NO_ORDER = 1_000_000
"""Units that deploy in no order and are no addons go back first: nothing is known to depend on their being there."""


@dataclass(frozen=True)
class Rollback:
    """What a rollback does, or did: ``units`` are the hub's answers, one a unit that was asked for, by slug.

    ``to`` is the hub's name of where it goes, ``asked`` what the person typed.
    """

    space: str
    space_id: str
    to: str
    asked: str
    where: str
    reason: str
    change_set: str
    units: tuple[Wire, ...]

    @property
    def changing(self) -> tuple[Wire, ...]:
        """The units that get another text."""
        return tuple(unit for unit in self.units if unit.get("NewRevisionNum"))

    @property
    def staying(self) -> tuple[Wire, ...]:
        """The units that have no such revision."""
        return tuple(unit for unit in self.units if not unit.get("ToRevisionNum"))

    def as_json(self) -> Wire:
        """Return the rollback for programs."""
        return {
            "space": self.space,
            "to": self.asked,
            "changeSet": self.change_set or None,
            "units": [
                {
                    "unit": unit["Slug"],
                    "head": unit["HeadRevisionNum"],
                    "live": unit["LiveRevisionNum"],
                    "to": unit["ToRevisionNum"] or None,
                    "newHead": unit["NewRevisionNum"] or None,
                    "quarantined": unit["Quarantined"],
                    "gates": unit["ApplyGates"],
                    "why": unit["WhyNot"] or None,
                }
                for unit in self.units
            ],
        }


def preview(hub: HubClient, *, space: str, space_id: str, unit_id: str = "", to: str, reason: str) -> Rollback:
    """Return what bringing one unit, or all of the space, back would do; nothing is changed.

    ``to`` is a revision (one unit only), a tag, a change set (its start) or a moment.
    Raises: BadRequest, NotFound when there is no such thing or no unit was there then.
    """
    name = _name_of(hub, space_id, to, is_one=bool(unit_id))
    where = conjoined(f"SpaceID = {quoted(space_id)}", f"UnitID = {quoted(unit_id)}" if unit_id else "")
    answer = hub.units.roll_back(where=where, to=name, reason=reason, dry_run=True)
    return Rollback(space, space_id, name, to, where, reason, "", _by_slug(answer))


def find_swaps(hub: HubClient, rollback: Rollback) -> list[Swap]:
    """Return which colours change places. Raises: Conflict where a Service would select what does not run."""
    return colours.find_swaps(hub, space=rollback.space, space_id=rollback.space_id, units=rollback.units)


def explain(rollback: Rollback, pending: Plan | None, swaps: Sequence[Swap] = ()) -> list[str]:
    """Return the lines that show a rollback: what each unit goes back to, then the order of applying."""
    lines = [f"{rollback.space} to {rollback.asked}: {len(rollback.changing)} of {len(rollback.units)} units change"]
    for unit in rollback.changing:
        bad = ", ".join(str(number) for number in unit["Quarantined"])
        quarantined = f"; revision {bad} goes into quarantine" if bad else ""
        lines.append(
            f"  {unit['Slug']}: from revision {unit['LiveRevisionNum'] or unit['HeadRevisionNum']} back to "
            f"{unit['ToRevisionNum']}, as revision {unit['NewRevisionNum']}{quarantined}"
        )
    lines += [f"  {unit['Slug']} stays: {unit['WhyNot']}" for unit in rollback.staying]
    lines += [f"  {swap.line}" for swap in swaps]
    if pending is None:
        lines.append("nothing is to be applied")
    else:
        lines += [f"  {stage.title}: {', '.join(unit.slug for unit in stage.units)}" for stage in pending.stages]
    return lines


def pending_plan(hub: HubClient, rollback: Rollback, swaps: Sequence[Swap] = ()) -> Plan | None:
    """Return the plan that applies what the rollback changes and what is not live of it yet; None for nothing.

    Colours that come back are first. Other units that are not live are changed and not applied.
    """
    back = {str(one["UnitID"]) for swap in swaps for one in swap.returning}
    gone = {str(one["UnitID"]) for swap in swaps for one in swap.leaving}
    ids = {str(unit["UnitID"]) for unit in rollback.units if unit["ToRevisionNum"]}
    changing = {str(unit["UnitID"]) for unit in rollback.changing}
    read = deploy.read_units(hub, rollback.space_id, also=back)
    first = tuple(unit for unit in read if unit.unit_id in back)
    units = [unit for unit in read if unit.unit_id in ids - back - gone]
    due = [unit for unit in units if unit.live and (unit.unit_id in changing or unit.head != unit.live)]
    if not due and not first:
        return None
    rest = backwards(space=rollback.space, space_id=rollback.space_id, units=due).stages if due else ()
    returning = (Stage(_NO_ORDER, first, name="colours that come back"),) if first else ()
    return Plan(rollback.space, rollback.space_id, (*returning, *rest))


def backwards(*, space: str, space_id: str, units: list[PlannedUnit]) -> Plan:
    """Return the plan that goes through the orders from the highest to the lowest: what depends on others first."""
    ordered = [unit for unit in units if unit.order is not None or unit.is_addon]
    stages = list(reversed(in_order(space=space, space_id=space_id, units=ordered).stages)) if ordered else []
    others = tuple(sorted((unit for unit in units if unit not in ordered), key=lambda unit: unit.slug))
    first = [Stage(_NO_ORDER, others, name="units without an order")] if others else []
    return Plan(space, space_id, (*first, *stages))


def refuse_closed(rollback: Rollback, *, approve: bool, command: str, swaps: Sequence[Swap] = ()) -> None:
    """Return when everything that the rollback applies may be applied, or could be once it is approved.

    Raises: Gated, naming units, gates and the command that goes on. Nothing has been changed then.
    """
    back = {str(one["UnitID"]) for swap in swaps for one in swap.returning}
    going = [unit for unit in rollback.units if unit["ToRevisionNum"]]
    live = [unit for unit in going if unit["LiveRevisionNum"] or unit["UnitID"] in back]
    closed = [(unit, [gate for gate in unit["ApplyGates"] if gate != APPROVAL_GATE]) for unit in live]
    listed = [f"{unit['Slug']} ({', '.join(gates)})" for unit, gates in closed if gates]
    if listed:
        raise Gated(
            f"gates would be closed in {rollback.space}: {', '.join(listed)}",
            gates=sorted({gate for _, gates in closed for gate in gates}),
            hint="nothing was changed; go to another revision, or lift a quarantine: traderx quarantine lift",
        )
    waiting = [unit for unit in live if APPROVAL_GATE in unit["ApplyGates"] and _is_due(unit)]
    if waiting and not approve:
        named = ", ".join(
            f"{unit['Slug']} revision {unit['NewRevisionNum'] or unit['HeadRevisionNum']}" for unit in waiting
        )
        raise Gated(
            f"{len(waiting)} units in {rollback.space} would wait for approval: {named}",
            gates=[APPROVAL_GATE],
            hint=f"nothing was changed; approve exactly these and apply them: {command} --approve",
        )


def roll_back(hub: HubClient, rollback: Rollback, options: Options, say: Say) -> tuple[Rollback, Outcome]:
    """Carry out what the preview showed and return it as it was done, with what became of the applying.

    Raises: Gated, Conflict before anything is changed; ConfigHubError when the hub refuses.
    """
    swaps = find_swaps(hub, rollback)
    refuse_closed(rollback, approve=options.approve, command=options.command, swaps=swaps)
    done = rollback
    if rollback.changing:
        answer = hub.units.roll_back(where=_of_changing(rollback), to=rollback.to, reason=rollback.reason)
        changed = {unit["UnitID"]: unit for unit in answer["Units"]}
        units = tuple(changed.get(unit["UnitID"], unit) for unit in rollback.units)
        done = replace(rollback, change_set=str(answer.get("ChangeSet") or ""), units=units)
        say(f"old texts are new heads in {done.space}, {len(done.changing)} in all (change set {done.change_set})")
        colours.lift_selectors(hub, space_id=done.space_id, units=done.changing)
        for unit in done.changing:
            for number in unit["Quarantined"]:
                say(f"  {unit['Slug']} revision {number} is in quarantine")
    place = Place(hub, done.space, done.space_id, say, timeout_s=options.timeout_s, revive=options.revive)
    colours.relabel(place, swaps)
    plan = pending_plan(hub, done, swaps)
    outcome = Outcome(done.space)
    if plan is not None:
        outcome = deploy.deploy(hub, plan, replace(options, holder=HOLDER), say)
    if outcome.failure is None:
        colours.take_away(place, swaps, reason=done.reason, say=say)
    return done, outcome


def _of_changing(rollback: Rollback) -> str:
    """Return the expression of exactly the units that were shown to change, so that one made meanwhile is left alone.

    A rollback is one transaction and cannot be sent in pieces: more units than one expression holds are asked for by
    what was asked, since one that was made meanwhile was not there then.
    """
    where = conjoined(rollback.where, any_of("UnitID", [str(unit["UnitID"]) for unit in rollback.changing]))
    return where if len(pieces(where)) == 1 else rollback.where


def find_quarantined(hub: HubClient, *, space_id: str, unit_id: str = "") -> list[Wire]:
    """Return what units of the space were rolled back from, newest first."""
    where = conjoined(f"SpaceID = {quoted(space_id)}", f"UnitID = {quoted(unit_id)}" if unit_id else "")
    return hub.units.quarantines(where=where)


def _is_due(unit: Wire) -> bool:
    return bool(unit["NewRevisionNum"]) or unit["HeadRevisionNum"] != unit["LiveRevisionNum"]


def _by_slug(answer: Wire) -> tuple[Wire, ...]:
    return tuple(sorted(answer["Units"], key=lambda unit: str(unit["Slug"])))


def refuse_odd(to: str, *, is_one: bool) -> None:
    """Return when what a person typed can be a place to go back to. Raises: BadRequest, without asking the hub."""
    _plain_name(to, is_one=is_one)


def _name_of(hub: HubClient, space_id: str, to: str, *, is_one: bool) -> str:
    """Return the hub's name for what a person typed."""
    return _plain_name(to, is_one=is_one) or _marked(hub, space_id, to)


def _plain_name(to: str, *, is_one: bool) -> str:
    """Return the hub's name where the text alone tells it, else empty: a slug is looked up."""
    word, _, rest = to.partition(":")
    kinds = {"tag": f"Tag:{rest}", "changeset": f"Before:ChangeSet:{rest}", "time": f"Time:{rest}"}
    if word.lower() in kinds and rest:
        return kinds[word.lower()] if word.lower() != "time" else _moment(rest)
    if re.fullmatch(r"\d+", to):
        if is_one:
            return to
        raise BadRequest(
            f"revision {to} is another state in every unit", hint="name one unit with --unit, or a tag or a moment"
        )
    if re.match(r"\d{4}-\d\d-\d\d", to):
        return _moment(to)
    return ""


def _moment(text: str) -> str:
    return f"Time:{moment_of(text).isoformat()}"


def _marked(hub: HubClient, space_id: str, slug: str) -> str:
    where = f"Slug = {quoted(slug)}"
    change_sets = hub.change_sets.list(where=where, space_id=space_id, include="")
    tags = hub.tags.list(where=where, space_id=space_id, include="")
    if change_sets and tags:
        raise BadRequest(f"{slug} is a tag and a change set", hint=f"write tag:{slug} or changeset:{slug}")
    if change_sets:
        return f"Before:ChangeSet:{change_sets[0]['ChangeSet']['ChangeSetID']}"
    if tags:
        return f"Tag:{tags[0]['Tag']['TagID']}"
    raise NotFound(
        f"nothing to go back to is called {slug}",
        hint="a revision number, a tag, a change set, or a moment like 2026-10-03T10:15:00Z",
    )
