"""Why a unit is not as its head says: everything that stands in the way, most pressing first, with what resolves it.

What is known comes from the hub: the unit's numbers, gates and holds, its last operation, its worker, its live state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from confighub.client.collection import quoted
from confighub.client.hub import HubClient
from confighub.client.transport import Wire
from confighub.client.units import text_of
from confighub.errors import NotFound
from confighub.functions.invoke import Context, invoke
from confighub.operations.readiness import is_ready, reasons, word_for
from confighub.records.base import NIL_ID
from confighub.records.functions import FunctionArgument, FunctionInvocation

_OPEN = {"Pending": "waits for its worker", "Submitted": "was taken by its worker", "Progressing": "is under way"}
_UNTIL_OPENED = "quarantine/not-quarantined"
_LOOK_AROUND = frozenset({"vet-budget", "vet-network-policy", "vet-references"})

State = Literal[
    "no target",
    "no worker",
    "worker away",
    "gate closed",
    "under way",
    "failed",
    "held",
    "not applied",
    "not ready",
    "needs",
    "drifted",
    "behind upstream",
]
"""Everything that can keep a unit from being as its head says, the most pressing first."""


@dataclass(frozen=True)
class Reason:
    """One thing that stands in the way; ``state`` is its kind, ``commands`` resolve it, the most usual first."""

    state: State
    message: str
    commands: tuple[str, ...] = ()

    def as_json(self) -> Wire:
        """Return the reason for programs."""
        return {"state": self.state, "message": self.message, "commands": list(self.commands)}


@dataclass(frozen=True)
class Answer:
    """What a unit waits for; ``reasons`` is empty when its head runs and is ready."""

    unit: str
    space: str
    head: int
    live: int
    word: str
    reasons: tuple[Reason, ...]

    def as_json(self) -> Wire:
        """Return the answer for programs."""
        return {
            "unit": self.unit,
            "space": self.space,
            "head": self.head,
            "live": self.live,
            "status": self.word,
            "waits": [reason.as_json() for reason in self.reasons],
        }

    def lines(self) -> Iterator[str]:
        """Yield the answer for people."""
        live = f"revision {self.live} is live" if self.live else "nothing is live"
        yield f"{self.space}/{self.unit}: {live}, the head is {self.head}; {self.word}"
        if not self.reasons:
            yield "  it waits for nothing"
        for reason in self.reasons:
            first, *more = reason.message.splitlines() or [""]
            yield f"  {reason.state}: {first}"
            yield from (f"    {line}" for line in more)
            yield from (f"    run: {command}" for command in reason.commands)


def why(hub: HubClient, unit: Wire, *, environment: str = "ENV") -> Answer:
    """Return what the unit waits for; ``unit`` is the extended record that a list gives.

    ``environment`` is how the commands that go by environments call the unit's.
    """
    record = unit["Unit"]
    unit_id, space_id = str(record["UnitID"]), str(record["SpaceID"])
    full = hub.units.get(unit_id, space_id=space_id)
    space = str((full.get("Space") or hub.spaces.get(space_id)["Space"])["Slug"])
    status = hub.units.live_status(unit_id, space_id=space_id) if full["Unit"].get("LiveRevisionNum") else {}
    case = _Case(hub, full, space, status, hub.units.waiting(unit_id, space_id=space_id), environment)
    found = tuple(reason for look in _LOOKS for reason in look(case))
    word = word_for(status) if status else "not live"
    return Answer(case.slug, space, case.head, case.live, word, found)


@dataclass(frozen=True)
class _Case:
    hub: HubClient
    full: Wire
    space: str
    status: Wire
    waiting: Wire
    environment: str

    @property
    def unit(self) -> Wire:
        return dict(self.full["Unit"])

    @property
    def slug(self) -> str:
        return str(self.unit["Slug"])

    @property
    def head(self) -> int:
        return int(self.unit.get("HeadRevisionNum") or 0)

    @property
    def live(self) -> int:
        return int(self.unit.get("LiveRevisionNum") or 0)

    @property
    def event(self) -> Wire:
        return dict(self.full.get("LatestUnitEvent") or {})

    def cub(self, words: str) -> str:
        """Return a command about the unit; ``{}`` in the words stands for its name."""
        return f"cub unit {words.format(self.slug)} --space {self.space}"


def _target(case: _Case) -> Iterator[Reason]:
    if not case.full.get("Target"):
        is_gone = (case.unit.get("TargetID") or NIL_ID) != NIL_ID
        yield Reason(
            "no target",
            "its target was deleted" if is_gone else "there is no place to apply it to",
            (case.cub("set-target {} TARGET"), f"bin/setup-worker {case.environment}"),
        )
        return
    target = case.hub.targets.get(str(case.unit["TargetID"]), space_id=str(case.full["Target"]["SpaceID"]))
    worker = target.get("BridgeWorker")
    if not worker:
        yield Reason(
            "no worker",
            f"nobody works on target {case.full['Target']['Slug']}: it names no worker",
            (case.cub("set-target {} TARGET"), f"bin/setup-worker {case.environment}"),
        )
    elif worker.get("Condition") != "Ready":
        seen = _moment(worker.get("LastSeenAt"))
        since = f", last seen {seen}" if seen else ", never seen"
        yield Reason(
            "worker away",
            f"worker {worker['Slug']} is not connected{since}",
            (f"bin/setup-worker {case.environment}", f"cub worker run {worker['Slug']} --space {case.space}"),
        )


def _gates(case: _Case) -> Iterator[Reason]:
    if case.head == case.live:
        return
    for gate in case.waiting.get("Gates") or []:
        said, commands = _gate(case, str(gate))
        yield Reason("gate closed", f"{gate} at revision {case.head}{f': {said}' if said else ''}", commands)


def _gate(case: _Case, gate: str) -> tuple[str, tuple[str, ...]]:
    told = str((case.waiting.get("GateReasons") or {}).get(gate) or "")
    if gate == "approval/is-approved":
        return "nobody has approved it", (case.cub("approve {}"),)
    if gate == _UNTIL_OPENED:
        return _quarantine(case)
    if gate == "awaiting/triggers":
        return told or "a worker has still to run its triggers", (f"cub worker list --space {case.space}",)
    slug, _, function = gate.partition("/")
    if gate in ("placeholders/no-placeholders", "schema/validate", "latest-tag/vet-no-latest-tag"):
        more = (f"cub link list --space {case.space}",) if slug == "placeholders" else ()
        return _failures(case, FunctionInvocation(function_name=function)), (case.cub("edit {}"), *more)
    commands = (case.cub("edit {}"), f"cub trigger get {slug} --space {case.space}")
    return told or _failures(case, _call_of(case, slug)), commands


def _quarantine(case: _Case) -> tuple[str, tuple[str, ...]]:
    found = case.hub.units.quarantines(where=f"UnitID = {quoted(str(case.unit['UnitID']))}")
    said = "; ".join(f"revision {one['RevisionNum']} was rolled back from: {one['Reason']}" for one in found)
    return said, (
        f"traderx quarantine lift {case.environment} {case.slug} --reason WHY",
        case.cub("update {} --restore N-1"),
    )


def _call_of(case: _Case, slug: str) -> FunctionInvocation | None:
    try:
        trigger = case.hub.triggers.find(slug, space_id=str(case.unit["SpaceID"]))["Trigger"]
    except NotFound:
        return None
    arguments = msgspec.convert(trigger.get("Arguments") or [], list[FunctionArgument])
    return FunctionInvocation(function_name=str(trigger.get("FunctionName")), arguments=arguments)


def _failures(case: _Case, call: FunctionInvocation | None) -> str:
    """Return what the check says of the head, a line each."""
    if call is None:
        return ""
    text = text_of(case.unit)
    answer = invoke(text, [call], context=Context(unit_slug=case.slug, siblings=_siblings(case, call)))
    if not answer.success:
        return "; ".join(answer.errors)
    results: list[Any] = msgspec.json.decode(answer.output) if answer.output else []
    lines: list[str] = []
    for one in results:
        lines += [str(line) for line in one.get("Details") or []]
        lines += [f"{at['Path']} is {at['Value']}" for at in one.get("FailedAttributes") or []]
    return "\n".join(lines)


def _siblings(case: _Case, call: FunctionInvocation) -> tuple[str, ...]:
    """Return the texts of the other units in the space, for a check that looks at them."""
    if call.function_name not in _LOOK_AROUND:
        return ()
    found = case.hub.units.list(space_id=str(case.unit["SpaceID"]), include="", select="Slug,Data")
    others = (one["Unit"] for one in found if one["Unit"]["Slug"] != case.slug)
    return tuple(text_of(one) for one in others)


def _operation(case: _Case) -> Iterator[Reason]:
    event, number = case.event, int(case.event.get("RevisionNum") or 0)
    status, message = str(event.get("Status") or ""), str(event.get("Message") or "")
    what = f"{str(event.get('Action') or '').lower()} of revision {number}"
    if status in _OPEN:
        since = _moment(event.get("StartedAt")) or _moment(event.get("CreatedAt"))
        said = f"{what} {_OPEN[status]} since {since}" + (f": {message}" if message else "")
        yield Reason("under way", said, (f"cub unit-event list {case.slug} --space {case.space}",))
    elif status in ("Failed", "Canceled") and event.get("Action") in ("Apply", "Destroy"):
        commands = [f"traderx logs {case.slug.removesuffix('-deployment')} {case.environment}"]
        if case.live and case.live != number:
            commands.append(case.cub(f"update {{}} --restore {case.live}"))
        commands.append(case.cub("apply {}"))
        told = "\n".join([message, *(line for line in reasons(case.status) if line not in message)])
        yield Reason("failed", f"{what} ended as {event.get('Result')}: {told}", tuple(commands))


def _holds(case: _Case) -> Iterator[Reason]:
    if case.head == case.live:
        return
    for hold in case.waiting.get("Holds") or []:
        until = f" until {_moment(hold['ExpiresAt'])}" if hold.get("ExpiresAt") else ""
        by = f" by {hold['Username']}" if hold.get("Username") else ""
        yield Reason(
            "held",
            f"{hold['Reason'] or hold['Kind']}{by} since {_moment(hold['CreatedAt'])}{until}",
            (case.cub("apply {}"),),
        )


def _not_applied(case: _Case) -> Iterator[Reason]:
    """Yield why nobody applies a head that nothing else stops."""
    if case.head == case.live or case.event.get("Status") in _OPEN or case.waiting.get("Gates"):
        return
    said = str(case.waiting.get("NotApplied") or "")
    if case.waiting.get("Holds") or case.event.get("Status") == "Failed":
        return
    if said:
        yield Reason("not applied", f"revision {case.head} is not applied by itself: {said}", (case.cub("apply {}"),))


def _live(case: _Case) -> Iterator[Reason]:
    if not case.live or is_ready(case.status, revision=case.live) or case.event.get("Status") in ("Failed", *_OPEN):
        return
    said = "\n".join(reasons(case.status)) or f"it is {word_for(case.status)}"
    service = case.slug.removesuffix("-deployment")
    yield Reason(
        "not ready", said, (f"traderx logs {service} {case.environment}", case.cub("refresh {}"), case.cub("apply {}"))
    )


def _needs(case: _Case) -> Iterator[Reason]:
    """Yield the units that it links to and that are not ready: what needs them seldom is before they are."""
    if case.live and case.live == case.head and is_ready(case.status, revision=case.live):
        return
    links = case.hub.links.list(
        space_id=str(case.unit["SpaceID"]), where=f"FromUnitID = {quoted(str(case.unit['UnitID']))}"
    )
    for link in sorted(links, key=lambda one: str((one.get("ToUnit") or {}).get("Slug"))):
        needed = link.get("ToUnit") or {}
        live = int(needed.get("LiveRevisionNum") or 0)
        status = case.hub.units.live_status(needed["UnitID"], space_id=needed["SpaceID"]) if live else {}
        if needed and not (live and is_ready(status, revision=live)):
            said = "; ".join(reasons(status)) or f"it is {word_for(status)}" if live else "nothing of it is live"
            space = (link.get("ToSpace") or {}).get("Slug") or case.space
            yield Reason("needs", f"{needed['Slug']}: {said}", (f"cub unit why {needed['Slug']} --space {space}",))


def _drift(case: _Case) -> Iterator[Reason]:
    if (case.full.get("UnitStatus") or {}).get("Drift") == "Drifted":
        said = str(case.event.get("Message") or "what runs is not as the live revision says")
        yield Reason("drifted", said, (f"drift-detector --space {case.space} --once",))


def _upstream(case: _Case) -> Iterator[Reason]:
    upstream = case.full.get("UpstreamUnit") or {}
    theirs, ours = int(upstream.get("HeadRevisionNum") or 0), int(case.unit.get("UpstreamRevisionNum") or 0)
    if upstream and ours < theirs:
        said = f"upstream {upstream['Slug']} is at revision {theirs}, this has revision {ours} of it"
        yield Reason("behind upstream", said, (case.cub("update {} --patch --upgrade"), "bin/promote FROM TO"))


def _moment(value: object) -> str:
    """Return a moment as people read it; empty for none."""
    text = str(value or "")
    return "" if text.startswith("0001") or not text else f"{text[:19].replace('T', ' ')} UTC"


_LOOKS: tuple[Callable[[_Case], Iterator[Reason]], ...] = (
    _operation,
    _target,
    _gates,
    _holds,
    _not_applied,
    _live,
    _needs,
    _drift,
    _upstream,
)
