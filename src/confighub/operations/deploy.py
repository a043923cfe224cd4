"""Deployment stage by stage: apply, wait until ready, go on; stop at the first failure and say why.

The state of a deployment is the hub's: which revision is live, and what the worker reports. So a
deployment that was killed is simply started again; what already runs is passed over. While it goes on
its units are held, so that a change made meanwhile is not applied in the middle of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal, TypeVar

from confighub.client.collection import any_of, conjoined, quoted
from confighub.client.hub import HubClient
from confighub.client.transport import Wire
from confighub.errors import ConfigHubError, RetryLater
from confighub.operations import guard
from confighub.operations.guard import Say
from confighub.operations.plan import Plan, PlannedUnit, Stage, planned
from confighub.operations.progress import Lines, Progress
from confighub.operations.readiness import is_ready, reasons, word_for

_Answer = TypeVar("_Answer")

UNIT_TIMEOUT_S = 60.0
_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 0.5
_QUIET_S = 2.0
"""How often the machinery is looked after."""


@dataclass(frozen=True)
class Result:
    """What became of one unit."""

    slug: str
    order: int
    revision: int
    state: Literal["ready", "kept", "failed"]
    seconds: float = 0.0
    word: str = ""
    reason: str = ""


@dataclass
class Outcome:
    """What became of a deployment. ``failure`` is the result that stopped it; None when all went well.

    ``left`` are the units that were applied and not waited for to the end, ``not_begun`` those that were not applied.
    """

    space: str
    results: list[Result] = field(default_factory=list)
    seconds: float = 0.0
    left: tuple[str, ...] = ()
    not_begun: tuple[str, ...] = ()

    @property
    def failure(self) -> Result | None:
        """The first unit that failed."""
        return next((result for result in self.results if result.state == "failed"), None)

    def as_json(self) -> Wire:
        """Return the outcome for programs."""
        failed = self.failure
        return {
            "space": self.space,
            "ok": failed is None,
            "seconds": round(self.seconds, 2),
            "failed": failed.slug if failed else None,
            "reason": failed.reason if failed else None,
            "left": list(self.left),
            "notBegun": list(self.not_begun),
            "units": [
                {
                    "unit": result.slug,
                    "order": result.order,
                    "revision": result.revision,
                    "state": result.state,
                    "status": result.word,
                    "seconds": round(result.seconds, 2),
                }
                for result in self.results
            ],
        }


@dataclass(frozen=True)
class Options:
    """How to deploy. ``revive`` brings back a hub or worker that died; it is called every few seconds.

    ``progress`` is where it is shown; lines are said when it is None.
    """

    approve: bool = False
    command: str = "bin/ordered-apply ENV"
    timeout_s: float = UNIT_TIMEOUT_S
    again: bool = False
    live_revisions: bool = False
    holder: str = "deployment"
    revive: Callable[[], None] = lambda: None
    progress: Progress | None = None


def read_units(hub: HubClient, space_id: str, *, where: str = "", also: Collection[str] = ()) -> list[PlannedUnit]:
    """Return the units of a space as plans need them, by slug; without their texts.

    Units labelled ``active=false`` are left out, but those whose ids ``also`` names: they stand beside another version
    and belong to its rollout.
    """
    chosen = "Slug,UnitID,SpaceID,Labels,HeadRevisionNum,LiveRevisionNum,TargetID,ApplyGates,ApprovedBy"
    records = hub.units.list(space_id=space_id, where=where, include="", select=chosen)
    units = [planned(one) for one in records if _is_meant(one["Unit"]) or one["Unit"]["UnitID"] in also]
    return sorted(units, key=lambda unit: unit.slug)


def _is_meant(unit: Wire) -> bool:
    return (unit.get("Labels") or {}).get("active") != "false"


def explain(plan: Plan) -> list[str]:
    """Return the lines that say what the plan would do."""
    lines = [f"{plan.space}: {len(plan.units)} units in {len(plan.stages)} stages"]
    for stage in plan.stages:
        lines.append(f"{stage.title}:")
        for unit in stage.units:
            now = f"revision {unit.live} is live" if unit.live else "not live"
            what = "nothing to apply" if unit.live == unit.head else f"apply revision {unit.head}"
            gates = f"; closed: {', '.join(unit.gates)}" if unit.gates else ""
            target = "" if unit.target_id else "; no target"
            needs = f"; after {', '.join(unit.needs)}" if unit.needs else ""
            lines.append(f"  {unit.slug}: {now}, {what}{needs}{target}{gates}")
    return lines


def deploy(hub: HubClient, plan: Plan, options: Options, say: Say) -> Outcome:
    """Carry out the plan, saying each step as it happens, and return what became of it.

    Nothing is applied when a gate is closed, a target is missing or prod lacks the approval:
    Gated or BadRequest is raised. A unit that fails or is not ready in time ends the deployment.
    """
    run = _Run(hub, plan, options, options.progress or Lines(say))
    began = time.monotonic()
    outcome = Outcome(plan.space)
    ready = {} if options.again else run.ready_units()
    pending = [run.as_applied(unit) for unit in plan.units if unit.slug not in ready]
    guard.check(hub, plan, pending, approve=options.approve, command=options.command, say=say)
    run.progress.begin(plan)
    try:
        with run.held():
            for stage in plan.stages:
                run.progress.stage(stage, is_kept=all(unit.slug in ready for unit in stage.units))
                outcome.results += run.stage(stage, ready)
                if outcome.failure is not None:
                    break
                run.keep_holding()
    finally:
        run.progress.end()
    outcome.seconds = time.monotonic() - began
    ended = {result.slug for result in outcome.results}
    rest = [unit.slug for unit in plan.units if unit.slug not in ended and unit.slug not in ready]
    outcome.left = tuple(slug for slug in rest if slug in run.begun)
    outcome.not_begun = tuple(slug for slug in rest if slug not in run.begun)
    return outcome


class _Run:
    """One deployment under way."""

    def __init__(self, hub: HubClient, plan: Plan, options: Options, progress: Progress) -> None:
        self.hub, self.plan, self.options, self.progress = hub, plan, options, progress
        self.begun: set[str] = set()
        # Long enough for two stages, since it is renewed between them; an end by kill -9 leaves it behind.
        self.hold_s = int(options.timeout_s * 2) + 60
        self._held_at = 0.0
        self._looked_after = 0.0

    def ready_units(self) -> dict[str, str]:
        """Return the state's word for each unit whose head already runs."""
        found = {}
        for unit in self.plan.units:
            if unit.live == unit.head and unit.live > 0:
                status = self._patiently(partial(self.hub.units.live_status, unit.unit_id, space_id=self.plan.space_id))
                if is_ready(status, revision=unit.head):
                    found[unit.slug] = word_for(status)
        return found

    def as_applied(self, unit: PlannedUnit) -> PlannedUnit:
        """Return the unit with the gates of the revision that is applied: what was live needs no approval."""
        return replace(unit, gates=()) if self._revision(unit) != unit.head else unit

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the plan's units against being applied by themselves until the block ends, however it ends."""
        self.keep_holding()
        try:
            yield
        finally:
            self._release()

    def keep_holding(self) -> None:
        """Begin to hold the units, or renew it when half of its time is over."""
        now = time.monotonic()
        if self._held_at and now - self._held_at < self.hold_s / 2:
            return
        self._held_at = now
        holder = self.options.holder
        hold = partial(self.hub.units.hold, where=self._everything(), reason=holder, ttl_s=self.hold_s, holder=holder)
        self._patiently(hold)

    def _release(self) -> None:
        try:
            self.hub.units.release(where=self._everything(), holder=self.options.holder)
        except RetryLater as error:
            self.progress.say(f"the units stay held for up to {self.hold_s} s: {error.message}")

    def stage(self, stage: Stage, ready: dict[str, str]) -> list[Result]:
        """Apply a stage's units together, wait for all, and return their results in order."""
        waits: list[_Wait] = []
        results: list[Result] = []
        for unit in stage.units:
            if unit.slug in ready:
                if any(one.slug not in ready for one in stage.units):
                    self.progress.unit(unit, "kept", ready[unit.slug], revision=unit.head)
                results.append(Result(unit.slug, stage.order, unit.head, "kept", word=ready[unit.slug]))
                continue
            self.progress.unit(unit, "applying", revision=self._revision(unit))
            wait = _Wait(unit, time.monotonic())
            try:
                wait.operation = self._patiently(partial(self._apply, unit))
            except ConfigHubError as error:
                results.append(self._failed(stage, wait, str(error)))
                return results
            waits.append(wait)
            self.begun.add(unit.slug)
        return results + self._wait_for(stage, waits)

    def _wait_for(self, stage: Stage, waits: Sequence[_Wait]) -> list[Result]:
        results: list[Result] = []
        open_ = list(waits)
        pause_s = _FIRST_PAUSE_S
        while open_:
            for wait in list(open_):
                result = self._look(stage, wait)
                if result is not None:
                    open_.remove(wait)
                    results.append(result)
                    if result.state == "failed":
                        return results
            if open_:
                self._look_after()
                time.sleep(pause_s)
                # A tenth longer each time, so that what is ready waits a tenth of its own time at most to be seen.
                pause_s = min(pause_s * 1.1, _LONGEST_PAUSE_S)
        return results

    def _look(self, stage: Stage, wait: _Wait) -> Result | None:
        """Return the unit's result once there is one."""
        unit, space_id = wait.unit, self.plan.space_id
        late = wait.seconds > self.options.timeout_s
        try:
            event = self._event(wait)
            status = event.get("Status")
            if status == "Completed":
                live = self.hub.units.live_status(unit.unit_id, space_id=space_id)
                if is_ready(live, revision=self._revision(unit)):
                    word = word_for(live)
                    self.progress.unit(unit, "ready", f"{word}{_remark(event)}", seconds=wait.seconds)
                    return Result(unit.slug, stage.order, self._revision(unit), "ready", wait.seconds, word)
                wait.message = "; ".join(reasons(live)) or f"the hub reports {live.get('Status') or 'no state'}"
            elif status in ("Failed", "Canceled"):
                live = self.hub.units.live_status(unit.unit_id, space_id=space_id)
                return self._failed(stage, wait, _why(event, live))
            else:
                wait.message = str(event.get("Message") or "")
        except RetryLater as error:
            wait.message = error.message
        if late:
            return self._failed(stage, wait, self._last_words(wait))
        self.progress.unit(unit, "waiting", wait.message, seconds=wait.seconds)
        return None

    def _event(self, wait: _Wait) -> Wire:
        operation = quoted(str(wait.operation.get("QueuedOperationID")))
        events = self.hub.units.events(
            wait.unit.unit_id, space_id=self.plan.space_id, where=f"QueuedOperationID = {operation}"
        )
        return events[0] if events else {}

    def _last_words(self, wait: _Wait) -> str:
        """Return why a unit that is late is not ready, as the live state and the worker say."""
        try:
            live = self.hub.units.live_status(wait.unit.unit_id, space_id=self.plan.space_id)
        except ConfigHubError as error:
            return error.message
        told = reasons(live)
        return "\n".join(told) if told else wait.message or "nothing was heard from the worker; is it running?"

    def _failed(self, stage: Stage, wait: _Wait, reason: str) -> Result:
        limit = f"{self.options.timeout_s:g} seconds"
        if wait.seconds > self.options.timeout_s:
            said = f"failed to start within {limit}"
        else:
            said = f"failed after {wait.seconds:.1f} s (the limit is {limit})"
        self.progress.unit(wait.unit, "failed", f"{said}\n{reason}", seconds=wait.seconds)
        return Result(
            wait.unit.slug, stage.order, self._revision(wait.unit), "failed", wait.seconds, "Failed", reason=reason
        )

    def _apply(self, unit: PlannedUnit) -> Wire:
        number = self._revision(unit)
        revision = "" if number == unit.head else str(number)
        return self.hub.units.apply(unit.unit_id, space_id=self.plan.space_id, revision=revision)

    def _revision(self, unit: PlannedUnit) -> int:
        return unit.live if self.options.live_revisions and unit.live else unit.head

    def _everything(self) -> str:
        ids = any_of("UnitID", [unit.unit_id for unit in self.plan.units])
        return conjoined(ids, f"SpaceID = {quoted(self.plan.space_id)}")

    def _patiently(self, call: Callable[[], _Answer]) -> _Answer:
        """Return what the call answers; while the hub is away, bring it back and try again."""
        deadline = time.monotonic() + self.options.timeout_s
        while True:
            try:
                return call()
            except RetryLater:
                if time.monotonic() >= deadline:
                    raise
                self._look_after()
                time.sleep(_LONGEST_PAUSE_S)

    def _look_after(self) -> None:
        now = time.monotonic()
        if now - self._looked_after >= _QUIET_S:
            self._looked_after = now
            self.options.revive()


@dataclass
class _Wait:
    """One unit that was applied and is not ready yet."""

    unit: PlannedUnit
    began: float
    operation: Wire = field(default_factory=dict)
    message: str = ""

    @property
    def seconds(self) -> float:
        """How long it takes so far."""
        return time.monotonic() - self.began


def _remark(event: Wire) -> str:
    """Return what the worker left undone, for the end of the line: kinds that the target does not have."""
    message = str(event.get("Message") or "")
    return f"; {message}" if "not supported" in message else ""


def _why(event: Wire, live: Wire) -> str:
    """Return why an operation failed: the worker's message, then what the live state adds to it."""
    message = str(event.get("Message") or event.get("Result") or "the worker gave no reason")
    # live state names the object first and then says the same
    added = [line for line in reasons(live) if (line.partition(": ")[2] or line) not in message]
    return "\n".join([message, *added])
