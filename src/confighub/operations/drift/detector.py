"""Drift: what runs, compared with what the hub says is live; then corrected, accepted into the unit, or asked about.

Workers push live state as it changes; here it is looked at, and every look is of the hub alone. A correction applies
the unit's live revision once more and changes nothing else: no other unit, nothing downstream. A unit with an
operation under way is left alone, and so is a difference that is not there at a second look.
"""

from __future__ import annotations

import json
import math
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import yaml

from confighub.client.hub import HubClient
from confighub.client.transport import Wire
from confighub.client.units import text_of
from confighub.errors import ConfigHubError, RetryLater
from confighub.operations.alerts import Receiver, send
from confighub.operations.drift.compare import Difference, Manifest, compare, identity, is_autoscaled
from confighub.operations.drift.correction import patch_of
from confighub.operations.drift.explained import explain
from confighub.operations.drift.hands import Hands
from confighub.operations.drift.outcome import Drifted, Handled, alert_of, command, in_words, way_out_for, ways_out
from confighub.operations.drift.risk import Action, Policy, Risk, highest
from confighub.operations.drift.watched import Watched, live_records
from confighub.operations.explaining import Explainer, Explanation
from confighub.operations.guard import Say

CORRECTED = "drift corrected"
"""How the hub's audit log begins the message of a correction."""

_OPEN = frozenset({"Pending", "Submitted", "Progressing"})
_PAUSE_S = 0.1
_AUDIT_ROWS = 200
"""So many rows of a unit are looked through for its corrections."""
_AUTOSCALERS = frozenset({"HorizontalPodAutoscaler", "ScaledObject"})
_SELECT = "Slug,HeadRevisionNum,LiveRevisionNum,LiveState,TargetID,Labels"


@dataclass(frozen=True)
class Breaker:
    """When correcting stops, since somebody or something changes it back: so many times in so many seconds."""

    corrections: int = 3
    window_s: float = 600.0


@dataclass(frozen=True)
class Options:
    """How drift is handled. ``forced`` says what a person decided for units by their slugs.

    ``explainer`` is asked about what nobody decided, before anything is done; it may raise a risk.
    """

    policy: Policy = field(default_factory=Policy)
    breaker: Breaker = field(default_factory=Breaker)
    receivers: tuple[Receiver, ...] = ()
    is_dry_run: bool = False
    timeout_s: float = 60.0
    forced: Mapping[str, Action] = field(default_factory=dict)
    explainer: Explainer | None = None


class Detector:
    """Looks at units again and again; what was read of a revision is kept, since revisions do not change."""

    def __init__(self, hub: HubClient, watched: Watched, options: Options, say: Say) -> None:
        self.hub, self.watched, self.options, self.say = hub, watched, options, say
        self._texts: dict[tuple[str, int], list[Manifest]] = {}
        self._told: dict[str, tuple[tuple[str, ...], float]] = {}
        self._explained: dict[str, tuple[tuple[str, ...], Explanation]] = {}
        self._saying = threading.Lock()
        self.looked_at = 0

    def look(self) -> list[Drifted]:
        """Return every unit that differs now, by space and slug; those with an operation under way are left out."""
        records = list(self._records())
        self.looked_at = len(records)
        found = [drifted for record in records if (drifted := self._drift_of(record)) is not None]
        return sorted(found, key=lambda one: (one.space, one.slug))

    def once(self) -> list[Handled]:
        """Look, look again, handle what was there both times, and return what became of it."""
        first = {one.key for one in self.look()}
        if not first:
            return []
        time.sleep(_PAUSE_S)
        return [self._handle_once(one) for one in self.look() if one.key in first]

    def watch(self, *, interval_s: float, until: Callable[[], bool] = lambda: False) -> Iterator[Handled]:
        """Yield what became of each drift as it comes, until told to stop; a hub that is away is waited for.

        A unit whose correction takes its time holds up no other. Drift that a person is asked about is told once, and
        again when it changes; what failed or was stopped is tried again after a while, what only has to wait at the
        next look.
        """
        before: set[tuple[str, ...]] = set()
        hands = Hands(self.handle)
        while not until():
            try:
                now = self.look()
                gone = {str(unit_id) for unit_id in self._told} - {str(one.unit["UnitID"]) for one in now}
                for unit_id in gone - hands.busy:
                    self._told.pop(unit_id)
                for one in now:
                    unit_id = str(one.unit["UnitID"])
                    told, until_s = self._told.get(unit_id, ((), 0.0))
                    if one.key in before and not (told == one.key and time.monotonic() < until_s):
                        hands.take(one)
                for one, handled in hands.done(_PAUSE_S if hands.busy else 0.0):
                    if isinstance(handled, RetryLater):
                        self.say(f"waiting: {one.space}/{one.slug}: {handled.message}")
                        continue
                    if handled.remains:
                        until_s = time.monotonic() + self._silence_s(handled)
                        self._told[str(one.unit["UnitID"])] = (one.key, until_s)
                    yield handled
                is_new = any(one.key not in before for one in now)
                before = {one.key for one in now}
                pause_s = min(interval_s, _PAUSE_S) if is_new else interval_s
            except RetryLater as error:
                self.say(f"waiting: {error.message}")
                pause_s = interval_s
            time.sleep(pause_s)

    def handle(self, drifted: Drifted) -> Handled:
        """Do about one unit's drift what the policy says, tell it, and return what was done.

        Raises: RetryLater when the hub or the unit's worker is away.
        """
        began = time.monotonic()
        risk = highest(drifted.differences) if drifted.differences else Risk.HIGH
        explanation = self._explain(drifted, risk)
        if explanation is not None and explanation.risk is not None:
            risk = max(risk, explanation.risk)
        handled = self._act(drifted, Handled(drifted, risk, "asked", explanation=explanation))
        return self._tell(replace(handled, seconds=time.monotonic() - began))

    def _explain(self, drifted: Drifted, risk: Risk) -> Explanation | None:
        """Return what the drift may mean; None where nobody can be asked, or where all is decided."""
        explainer, policy = self.options.explainer, self.options.policy
        actions = {policy.action_for(one, space=drifted.space, unit=drifted.slug) for one in drifted.differences}
        if explainer is None or drifted.slug in self.options.forced or not actions - {"ignore"}:
            return None
        unit_id = str(drifted.unit["UnitID"])
        key, known = self._explained.get(unit_id, ((), None))
        if known is None or key != drifted.key:
            known = explain(explainer, drifted, risk=risk)
            if known.text:
                self._explained[unit_id] = (drifted.key, known)
        return known

    def _handle_once(self, drifted: Drifted) -> Handled:
        """Handle it when there is no next look: what would have to wait has failed."""
        try:
            return self.handle(drifted)
        except RetryLater as error:
            risk = highest(drifted.differences) if drifted.differences else Risk.HIGH
            return self._tell(Handled(drifted, risk, "failed", str(error)))

    def _silence_s(self, handled: Handled) -> float:
        """How long the same drift is left alone after this."""
        breaker = self.options.breaker
        # so many tries fit in the window that the breaker stops none of them
        pauses = {"failed": breaker.window_s / max(breaker.corrections, 1), "stopped": breaker.window_s}
        return pauses.get(handled.state, math.inf)

    def _tell(self, handled: Handled) -> Handled:
        if handled.state == "ignored":
            return handled
        with self._saying:  # the lines of one unit stay together
            for line in in_words(handled):
                self.say(line)
        return replace(handled, undelivered=tuple(self._alert(handled)))

    def corrections(self, unit: Wire) -> list[Wire]:
        """Return the audit rows of a unit's corrections, newest first: ``At``, ``Username``, ``Message``."""
        rows = self.hub.audit(entity_id=str(unit["UnitID"]), limit=_AUDIT_ROWS)
        return [row for row in rows if row["Action"] == "apply" and str(row["Message"]).startswith(CORRECTED)]

    def _act(self, drifted: Drifted, handled: Handled) -> Handled:
        """Act on what is of the unit; objects of no unit are told and left as they are, whatever was decided."""
        space, slug, policy = drifted.space, drifted.slug, self.options.policy
        strange = [one for one in drifted.differences if one.is_strange]
        left = [one for one in strange if policy.action_for(one, space=space, unit=slug) != "ignore"]
        rest = replace(drifted, differences=tuple(one for one in drifted.differences if not one.is_strange))
        if not left:
            return self._act_on(rest, handled)
        if not rest.differences:
            return replace(handled, state="asked", message=way_out_for(left))
        done = self._act_on(rest, handled)
        return replace(done, message=f"{done.message}; {way_out_for(left)}", is_waiting=True)

    def _act_on(self, drifted: Drifted, handled: Handled) -> Handled:
        space, slug, policy = drifted.space, drifted.slug, self.options.policy
        forced = self.options.forced.get(slug)
        wanted = [
            (one, forced or policy.action_for(one, space=space, unit=slug, at_least=handled.raised))
            for one in drifted.differences
        ]
        wanted_all: set[Action] = {action for _, action in wanted} - {"ignore"}
        if drifted.told and not wanted:
            wanted_all = {forced or "ask"}
        if not wanted_all:
            return replace(handled, state="ignored", message="the policy leaves it alone")
        if "ask" in wanted_all:
            return replace(handled, state="asked", message=ways_out(drifted))
        accepted = [one for one, action in wanted if action == "accept"]
        is_correction = "correct" in wanted_all
        if is_correction and not forced and (stopped := self._stopped(drifted)):
            return replace(handled, state="stopped", message=stopped)
        if self.options.is_dry_run:
            return replace(handled, state="would correct" if is_correction else "would accept", message="a dry run")
        try:
            if not accepted:
                return self._correct(drifted, handled)
            message, is_applied = self._accept(drifted, accepted)
            handled = replace(handled, state="accepted", message=message, is_waiting=not is_applied)
            if not is_correction:
                return handled
            done = self._correct(drifted, handled)
            # a correction is of the whole unit
            later = "" if is_applied else ", the accepted values run again once theirs is applied"
            return replace(done, message=f"{message}; {done.message}{later}")
        except RetryLater:
            raise
        except ConfigHubError as error:
            return replace(handled, state="failed", message=str(error))

    def _correct(self, drifted: Drifted, handled: Handled) -> Handled:
        unit = drifted.unit
        reason = "; ".join(map(str, drifted.differences)) or drifted.told
        operation = self.hub.units.correct(unit["UnitID"], space_id=unit["SpaceID"], reason=reason[:500])
        event = self.hub.units.wait(operation, timeout_s=self.options.timeout_s)
        if event["Status"] != "Completed":
            return replace(handled, state="failed", message=str(event.get("Message") or event["Status"]))
        number = unit["LiveRevisionNum"]
        deadline = time.monotonic() + min(self.options.timeout_s, 5.0)
        while left := self._left_of(drifted):
            if time.monotonic() > deadline:
                said = "; ".join(left)
                return replace(
                    handled, state="failed", message=f"revision {number} was applied again and still: {said}"
                )
            time.sleep(_PAUSE_S)
        return replace(handled, state="corrected", message=f"revision {number} was applied again")

    def _left_of(self, drifted: Drifted) -> list[str]:
        """Return what is still there of a unit's drift, in words; what came since then is another drift."""
        known = {str(one) for one in drifted.differences}
        for now in self.look():
            if now.unit["UnitID"] == drifted.unit["UnitID"]:
                return [str(one) for one in now.differences if str(one) in known] if known else [now.told]
        return []

    def _accept(self, drifted: Drifted, accepted: Sequence[Difference]) -> tuple[str, bool]:
        """Write the live values into the unit; return what was done, and whether it was applied."""
        unit = drifted.unit
        was_head = unit["HeadRevisionNum"] == unit["LiveRevisionNum"]
        changed: Wire = {}
        for one in accepted:
            changed = self.hub.units.patch_data(
                unit["UnitID"],
                patch_of(one),
                space_id=unit["SpaceID"],
                change_desc=f"accepted drift: {one.resource} {one.path} is {one.actual}",
            )
        number = changed["HeadRevisionNum"]
        gates = sorted(changed.get("ApplyGates") or {})
        if not was_head or gates:
            why = f"gates are closed: {', '.join(gates)}" if gates else "the head held other changes that are not live"
            return f"revision {number} has the live values and is not applied: {why}", False
        operation = self.hub.units.apply(unit["UnitID"], space_id=unit["SpaceID"], revision=str(number))
        event = self.hub.units.wait(operation, timeout_s=self.options.timeout_s)
        return f"revision {number} has the live values ({event['Status'].lower()})", event["Status"] == "Completed"

    def _stopped(self, drifted: Drifted) -> str:
        breaker = self.options.breaker
        since = datetime.now(UTC) - timedelta(seconds=breaker.window_s)
        recent = [row for row in self.corrections(drifted.unit) if datetime.fromisoformat(row["At"]) > since]
        if len(recent) < breaker.corrections:
            return ""
        return (
            f"it was corrected {len(recent)} times in {breaker.window_s:g} s and keeps coming back; "
            f"find who changes it, then: {command(drifted, 'correct')}"
        )

    def _alert(self, handled: Handled) -> Iterator[str]:
        alert = alert_of(handled)
        for receiver in self.options.receivers:
            if not self.options.is_dry_run and (problem := send(alert, receiver)):
                self.say(f"  {problem}")
                yield problem

    def _records(self) -> Iterator[Wire]:
        return live_records(self.hub, self.watched, select=_SELECT)

    def _drift_of(self, record: Wire) -> Drifted | None:
        unit, event, target = record["Unit"], record.get("LatestUnitEvent") or {}, record.get("Target") or {}
        if event.get("Status") in _OPEN or not target or event.get("Action") == "Destroy":
            return None
        is_told = (record.get("UnitStatus") or {}).get("Drift") == "Drifted" and event.get("Action") == "Refresh"
        told = str(event.get("Message") or "it drifted") if is_told else ""
        live = _live_objects(unit)
        found = [] if live is None else self._differences(unit, live, is_exact=target.get("ProviderType") == "Laptop")
        left = [one for one in found if self._is_autoscaled(str(unit["SpaceID"]), live or [], one)]
        rest = tuple(one for one in found if one not in left)
        if not rest and (found or not told):
            return None
        named = str(record["Space"]["Slug"]), str(target.get("Slug"))
        return Drifted(unit, *named, rest, tuple(left), "" if rest else told)

    def _differences(self, unit: Wire, live: list[Manifest], *, is_exact: bool) -> list[Difference]:
        found = compare(self._wanted(unit, int(unit["LiveRevisionNum"])), live, is_exact=is_exact)
        if found and unit["HeadRevisionNum"] != unit["LiveRevisionNum"]:
            # what was accepted and waits to be applied is as the newest revision says
            head = compare(self._wanted(unit, int(unit["HeadRevisionNum"])), live, is_exact=is_exact)
            also = {(one.path, one.resource) for one in head}
            found = [one for one in found if (one.path, one.resource) in also]
        return [one for one in found if self.watched.namespace in ("", one.namespace)]

    def _wanted(self, unit: Wire, number: int) -> list[Manifest]:
        key = (str(unit["UnitID"]), number)
        if key not in self._texts:
            revision = self.hub.units.revision(key[0], number, space_id=str(unit["SpaceID"]))
            self._texts[key] = _documents(text_of(revision))
        return self._texts[key]

    def _is_autoscaled(self, space_id: str, live: list[Manifest], difference: Difference) -> bool:
        """Whether an autoscaler scales the object, so that its replicas are no drift.

        Its worker says so of any autoscaler; else one that is live in the space counts.
        """
        if difference.path != "spec.replicas":
            return False
        wanted = difference.namespace, difference.kind, difference.name
        if any(identity(one)[1:] == (wanted[1], wanted[0], wanted[2]) and is_autoscaled(one) for one in live):
            return True
        records = self.hub.units.list(
            space_id=space_id, where="LiveRevisionNum > 0", select="Slug,LiveState", include=""
        )
        scalers = (one for record in records for one in _live_objects(record["Unit"]) or [])
        return any(_scaled_by(one) == wanted for one in scalers if one.get("kind") in _AUTOSCALERS)


def _scaled_by(scaler: Manifest) -> tuple[str, str, str]:
    named = (scaler.get("spec") or {}).get("scaleTargetRef") or {}
    namespace = str((scaler.get("metadata") or {}).get("namespace") or "default")
    return namespace, str(named.get("kind") or "Deployment"), str(named.get("name"))


def _live_objects(unit: Wire) -> list[Manifest] | None:
    """Return the live objects; None when nothing was reported yet, or not in a form that can be read."""
    blob = b64decode(unit.get("LiveState") or "")
    if not blob:
        return None
    try:
        found: Any = json.loads(blob)
    except ValueError:
        try:
            found = list(yaml.safe_load_all(blob))
        except yaml.YAMLError:
            return None
    items = found if isinstance(found, list) else [found]
    return [item for item in items if isinstance(item, dict) and item.get("kind")]


def _documents(text: str) -> list[Manifest]:
    return [one for one in yaml.safe_load_all(text) if isinstance(one, dict) and one.get("kind")]
