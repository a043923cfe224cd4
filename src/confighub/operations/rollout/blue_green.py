"""Two versions side by side, and all traffic goes to one of them: by what the Service selects.

The new colour is made like the old one, as many replicas, reached through a Service of its own until it is
shown to work. Then the Service selects it, the old colour stays warm for the soak, and either is taken away.
Where the Ingress is switched instead, users alone get the new colour in the soak, by its own Service; after it the
Service selects the new colour, and the Ingress leads to the Service again.
Source: the seed's 3.2; the switch is the Service's selector (C-14).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from confighub.client.collection import conjoined, quoted
from confighub.data.own_paths import ANNOTATION, SELECTOR
from confighub.errors import BadRequest, RetryLater
from confighub.operations.rollout.analysis import Analysis, Limits, Trial
from confighub.operations.rollout.canary import read_subject
from confighub.operations.rollout.entrance import entrance_of
from confighub.operations.rollout.evidence import own_service, source_of
from confighub.operations.rollout.metrics import Reading
from confighub.operations.rollout.place import Place
from confighub.operations.rollout.quarantine import quarantine
from confighub.operations.rollout.record import Notebook, Record
from confighub.operations.rollout.schedule import Need
from confighub.operations.rollout.sources import Source
from confighub.operations.rollout.steps import BACK, DONE, Breach, Outcome, Step, carry_out
from confighub.operations.rollout.subject import TEMPORARY, Subject, selector_of, service_of, workload_name
from confighub.operations.rollout.trials import Trials, Trier
from confighub.operations.selecting import change_to

CREATE = "create"
Colour = Literal["blue", "green"]
_LOOK_S = 2.0
_SHORTEST_LOOK_S = 0.5
_NOTED_EVERY_S = 20.0
_TRIES = 3
"""Tries of the flow before the switch, all of which must pass; and after it, before the old colour goes."""
_NOT_INHERITED = ("order", "active", "version", "type")


@dataclass(frozen=True)
class Options:
    """How long the old colour stays warm, and what is asked of the new one meanwhile.

    ``is_healthy`` asks a version at its address whether it works; empty means yes, else why not.
    """

    soak_s: float = 300.0
    limits: Limits = field(default_factory=Limits)
    is_healthy: Callable[[str], str] = lambda _: ""


class BlueGreen:
    """One blue-green rollout under way."""

    def __init__(
        self, place: Place, notebook: Notebook, record: Record, options: Options, *, trier: Trier | None
    ) -> None:
        self.place, self.notebook, self.record, self.options = place, notebook, record, options
        self._trier = trier
        self._source: Source = source_of(place, record, limit_s=options.limits.p95_s)
        before = record.before
        self.has_trades = before.get("trades") != "no"
        self.colour, self.old_colour = before["colour"], before["old colour"]
        self.old_slug, self.new_slug, self.service_slug = before["deployment"], before["new"], before["service"]
        self.own_name = own_service(record)
        self.own_slug = f"{self.own_name}-service"
        self.entrance = entrance_of(place, record, self.own_name)

    def go(self) -> Outcome:
        """Carry the rollout out from where it is, and return how it ended."""
        steps: dict[str, Step] = {
            CREATE: self._create,
            "deploy": self._deploy,
            "validate": self._validate,
            "switch": self._switch,
            "soak": self._soak,
            "select": self._follow,
            "restore": self._restore,
            "decommission": self._decommission,
            BACK: self._back,
            "clean": self._clean,
        }
        try:
            return carry_out(
                self.record, self.notebook, steps, going_back={BACK, "clean", "decommission"}, say=self.place.say
            )
        finally:
            if self.record.step == DONE:
                self.notebook.clear()
                self._release()

    def _create(self) -> str:
        place, subject, record = self.place, self._subject(), self.record
        self._hold()
        text = subject.second_deployment(
            workload_name(subject.name, self.colour), version=self.colour, image=record.image, env=record.env
        )
        old = dict(subject.deployment.get("Labels") or {})
        place.label(self.old_slug, {"version": self.old_colour, "active": "true"})
        labels = {name: value for name, value in old.items() if name not in _NOT_INHERITED}
        labels |= {"version": self.colour, "active": "false"}
        place.make(self.new_slug, text, labels=labels, like=subject.deployment, from_upstream=True)
        service = subject.second_service(self.own_name, version=self.colour, deployment_text=text)
        own = {TEMPORARY: "blue-green", "active": "false"}
        place.make(self.own_slug, service, labels=own, like=subject.deployment)
        place.hold_again()
        self._hold()
        return "deploy"

    def _deploy(self) -> str:
        self._hold()
        self.place.apply(self.new_slug)
        self.place.apply(self.own_slug)
        replicas = self._subject().replicas
        self.place.say(f"  {self.colour} runs {self.record.image} beside {self.old_colour}, replicas: {replicas}")
        return "validate"

    def _validate(self) -> str:
        """Ask the new colour through its own Service, before anybody else does.

        Where somebody said that it cannot be reached, it counts that the place reports all replicas as ready.
        """
        if not self.has_trades:
            self.place.say(f"  {self.colour} is ready by its probes; nobody asked it from here")
            return "switch"
        address = self.place.address(self.own_slug)
        if not address:
            raise Breach("evidence", f"{self.own_name} has no address that can be reached from here")
        if why := self.options.is_healthy(address):
            raise Breach("health", f"{self.own_name} at {address}: {why}")
        for _ in range(_TRIES if self._trier else 0):
            assert self._trier is not None
            self._must_pass(self._trier.trial(address))
        self._refuse_crash(self._look(Analysis(self.options.limits, 1)))
        tried = f", {_TRIES} synthetic trades booked" if self._trier else ""
        self.place.say(f"  {self.colour} is healthy at {address}{tried}")
        return "switch"

    def _switch(self) -> str:
        selector = selector_of(self.place.text(self.new_slug), version=self.colour)
        self._refuse_changed_service(selector)
        if self.entrance is not None:
            self.entrance.refuse_changed()
        if not self.record.exposed:
            self.record.exposed = time.time()
            self.notebook.write(self.record)
        if self.entrance is not None:
            self.entrance.lead_to_own(f"traffic from outside to {self.colour}")
            self.place.say(
                f"  what the ingress lets in goes to {self.colour}; callers inside stay on {self.old_colour}"
            )
            return "soak"
        self._select(selector, f"traffic to {self.colour}")
        self.place.say(f"  all traffic goes to {self.colour}; {self.old_colour} stays warm")
        return "soak"

    def _soak(self) -> str:
        """Return when the soak is over and nothing spoke against the new colour. Raises: Breach."""
        ends = self.record.step_began + self.options.soak_s
        needs = needs_of(self.record.before)
        gives_up = max(ends, time.time()) + (max(30.0, self.options.soak_s) if needs else 30.0)
        look_s = min(_LOOK_S, max(_SHORTEST_LOOK_S, self.options.soak_s / 10))
        limits = self.options.limits
        analysis = Analysis(limits, 1, needs, wants_trials=False)
        before, noted, passed = self._look(analysis), time.monotonic(), 0
        slug = self.service_slug if self.entrance is None else self.own_slug
        address = self.place.address(slug) if self._trier is not None else ""
        with Trials(self._trier, new=address) as trials:
            while True:
                now = self._look(analysis)
                if now is not None and before is not None and (more := now.since(before)).is_possible:
                    analysis.add(more)
                before = now or before
                for old, new in trials.taken():
                    analysis.add_trials(old=old, new=new)
                    passed += bool(new.passed)
                self._refuse_crash(now)
                if (worse := analysis.worse) is not None:
                    raise Breach(worse.check, worse.reason)
                if self.has_trades and (why := self.options.is_healthy(self.place.address(self.own_slug))):
                    raise Breach("health", f"{self.own_name}: {why}")
                missing = self._missing(analysis, passed)
                if time.time() >= ends and not missing:
                    return "decommission" if self.entrance is None else "select"
                if time.time() >= gives_up:
                    raise Breach("evidence", f"not enough evidence: {missing}")
                if time.monotonic() - noted > _NOTED_EVERY_S:
                    noted = time.monotonic()
                    self.notebook.write(self.record)
                self._hold()
                time.sleep(look_s)

    def _follow(self) -> str:
        """Let callers inside the environment follow the users to the new colour."""
        self._hold()
        selector = selector_of(self.place.text(self.new_slug), version=self.colour)
        self._refuse_changed_service(selector)
        self._select(selector, f"traffic to {self.colour}")
        self.place.say(f"  callers inside go to {self.colour} too")
        return "restore"

    def _restore(self) -> str:
        """Lead the way in to the Service again, which is the new colour by now."""
        self._hold()
        if self.entrance is not None:
            self.entrance.lead_back(f"{self.record.service} is {self.colour} now")
            self.place.say(f"  the ingress leads to {self.record.service} again")
        return "decommission"

    def _decommission(self) -> str:
        """Take the old colour away; the new one is the one that everybody means from now on.

        The old one's unit is the one that clones downstream come from, so it tells the new version on, without running.
        """
        place = self.place
        labels = place.unit(self.old_slug).get("Labels") or {}
        order = labels.get("order") or self.record.before.get("order") or None
        if order and self.record.before.get("order") != order:
            self.record.before = {**self.record.before, "order": order}
            self.notebook.write(self.record)
        place.label(self.new_slug, {"active": "true", "order": order})
        place.label(self.old_slug, {"active": "false", "order": None})
        place.destroy(self.old_slug)
        calls = self._subject().changes(self.record.image, self.record.env)
        place.change(self.old_slug, calls, f"{self.record.image}, as {self.colour} runs it")
        place.remove(self.own_slug)
        place.say(f"  {self.old_colour} is taken away; its unit {self.old_slug} stays for the next rollout")
        return DONE

    def _back(self) -> str:
        """Send the traffic back first, then note the version as bad."""
        selector = json.loads(self.record.before["selector"])
        if self._is_switched(selector):
            self._select(selector, f"traffic back to {self.old_colour}")
        if self.entrance is not None and self.record.exposed:
            self.entrance.lead_back(f"traffic back to {self.old_colour}")
        if not self.record.back:
            self.record.back = time.time()
            self.notebook.write(self.record)
        took_s = self.record.back - self.record.detected
        self.place.say(f"  all traffic goes to {self.old_colour} ({took_s:.1f} s after the breach)")
        quarantine(self.place, self._subject(), self.record)
        return "clean"

    def _clean(self) -> str:
        self.place.remove(self.own_slug)
        if self.record.before.get("kept") == "yes":
            self.place.destroy(self.new_slug)
        else:
            self.place.remove(self.new_slug)
        return DONE

    def _select(self, selector: dict[str, str], why: str) -> None:
        """Return once the Service leads to what the selector names."""
        now = service_of(self.place.text(self.service_slug))["spec"]["selector"]
        if now != selector:
            # First, so that no clone downstream ever takes the colour along, whoever upgrades it.
            self.place.annotate(self.service_slug, {ANNOTATION: SELECTOR})
            self.place.patch(self.service_slug, change_to(selector, now=now), why)
        self.place.apply(self.service_slug)

    def _refuse_changed_service(self, selector: dict[str, str]) -> None:
        """Return when nobody else has changed the Service since the rollout began. Raises: Breach."""
        unit, began_with = self.place.unit(self.service_slug), int(self.record.before.get("service revision") or 0)
        head = int(unit.get("HeadRevisionNum") or 0)
        # Whoever goes on after a kill may find the switch written already: one revision more.
        is_ours = service_of(self.place.text(self.service_slug))["spec"]["selector"] == selector
        if began_with and head not in ((began_with, began_with + 1) if is_ours else (began_with,)):
            raise Breach("change", f"{self.service_slug} was changed meanwhile: its head is revision {head}")

    def _is_switched(self, selector: dict[str, str]) -> bool:
        """Tell whether the traffic may have left the old colour; else the Service, changed or not, is left alone."""
        unit, began_with = self.place.unit(self.service_slug), int(self.record.before.get("service revision") or 0)
        is_as_before = int(unit.get("LiveRevisionNum") or 0) == began_with
        if not self.record.exposed:
            return False
        return not is_as_before or service_of(self.place.text(self.service_slug))["spec"]["selector"] != selector

    def _missing(self, analysis: Analysis, passed: int) -> str:
        """Return what the soak still has to show, empty when it may end."""
        if self._trier is not None and passed < _TRIES:
            return f"{passed} synthetic trades passed, {_TRIES} needed"
        return "; ".join(f"{one.check}: {one.reason}" for one in analysis.missing)

    def _must_pass(self, trial: Trial) -> None:
        if not trial.passed:
            raise Breach("synthetic trades", f"before the switch: {trial.what}")

    def _refuse_crash(self, reading: Reading | None) -> None:
        if reading is not None and reading.new_restarts:
            raise Breach("crash loop", f"{self.colour} ended by itself and was started again")

    def _look(self, analysis: Analysis) -> Reading | None:
        """Return what was counted of the Service, all of it the new colour's; None while it cannot be read."""
        try:
            return self._source.read()
        except (RetryLater, BadRequest) as error:
            analysis.lose_sight(error.message)
            self.place.revive()
            return None

    def _subject(self) -> Subject:
        return read_subject(self.place, self.record.service, self.record.before)

    @property
    def _doors(self) -> list[str]:
        """The Ingress units that the rollout switches."""
        return list(self.entrance.heads) if self.entrance is not None else []

    def _hold(self) -> None:
        self.place.hold([self.old_slug, self.new_slug, self.service_slug, self.own_slug, *self._doors])

    def _release(self) -> None:
        try:
            self.place.release([self.old_slug, self.new_slug, self.service_slug, *self._doors])
        except RetryLater as error:
            self.place.say(f"the units stay held for some minutes: {error.message}")


def needs_of(before: Mapping[str, str]) -> tuple[Need, ...]:
    """Return what the requests have to show before the old colour goes, by the rollout's record.

    Where a Prometheus was named, or nothing else looks, no figures are no evidence.
    """
    return ("error rate",) if before.get("prometheus") or before.get("trades") == "no" else ()


def colours(place: Place, subject: Subject) -> dict[str, str]:
    """Return what the record must know: both colours, the new unit's slug, and whether it was there before."""
    labels = subject.deployment.get("Labels") or {}
    old: Colour = "green" if labels.get("version") == "green" else "blue"
    new: Colour = "blue" if old == "green" else "green"
    where = conjoined(f"Labels.version = {quoted(new)}", f"Labels.service = {quoted(str(labels.get('service') or ''))}")
    known = place.hub.units.list(space_id=place.space_id, where=where, include="") if labels.get("service") else []
    slug = str(known[0]["Unit"]["Slug"]) if known else f"{subject.name}-{new}"
    return {
        "colour": new,
        "old colour": old,
        "new": slug,
        "kept": "yes" if known else "no",
        "selector": json.dumps(subject.selector),
    }
