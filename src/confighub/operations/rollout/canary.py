"""A new version beside the old one gets a growing share of the traffic, as long as the evidence allows it.

The canary is a Deployment, a Service and Ingresses of its own, in units that are there only meanwhile. At the
end the old version's own unit gets the new image, and the canary goes. Any check that says *worse* takes the
share back to zero at the next look; a stage whose evidence stays missing ends the same way.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from confighub.errors import BadRequest, RetryLater
from confighub.operations.rollout.analysis import Analysis, Limits
from confighub.operations.rollout.evidence import source_of
from confighub.operations.rollout.metrics import Reading
from confighub.operations.rollout.place import Place
from confighub.operations.rollout.quarantine import quarantine
from confighub.operations.rollout.record import Notebook, Record
from confighub.operations.rollout.schedule import SEED, Stage
from confighub.operations.rollout.shares import IngressShares, MeshShares, Shares
from confighub.operations.rollout.sources import Source
from confighub.operations.rollout.steps import BACK, DONE, Breach, Outcome, Step, carry_out
from confighub.operations.rollout.subject import (
    TEMPORARY,
    Subject,
    canary_ingress,
    edited,
    objects,
)
from confighub.operations.rollout.trials import Trials, Trier

CREATE = "create"
_LOOK_S = 2.0
"""How often the evidence is looked at, at most; well within the 30 s that the seed allows for going back."""
_SHORTEST_LOOK_S = 0.5
_LEAST_PATIENCE_S = 30.0
_TOLD_EVERY_S = 10.0
_NOTED_EVERY_S = 20.0


@dataclass(frozen=True)
class Options:
    """How to go through the stages; ``speed`` divides their times, never the evidence that they need.

    ``patience_s`` is how long a stage may last beyond its time while evidence is missing; by default as long again.
    """

    stages: tuple[Stage, ...] = SEED
    limits: Limits = field(default_factory=Limits)
    speed: float = 1.0
    patience_s: float | None = None


class Canary:
    """One canary rollout under way."""

    def __init__(
        self,
        place: Place,
        notebook: Notebook,
        record: Record,
        options: Options,
        *,
        trier: Trier | None,
    ) -> None:
        self.place, self.notebook, self.record, self.options = place, notebook, record, options
        self._trier = trier
        self.name = f"{record.service}-canary"
        self.old_slug, self.service_slug = record.before["deployment"], record.before["service"]
        self.mesh = record.before.get("mesh", "")
        kinds = ("deployment", "service") if self.mesh else ("deployment", "service", "ingress")
        self.slugs = {kind: f"{self.name}-{kind}" for kind in kinds}
        self._source: Source = source_of(place, record, limit_s=options.limits.p95_s)
        self._shares: Shares = (
            MeshShares(place, self.mesh, record.service, self.name)
            if self.mesh
            else IngressShares(place, self.slugs["ingress"])
        )

    def go(self) -> Outcome:
        """Carry the rollout out from where it is, and return how it ended."""
        stages = {f"stage {stage.weight}%": stage for stage in self.options.stages}
        names = list(stages)
        steps: dict[str, Step] = {CREATE: self._create, "deploy": lambda: self._deploy(names[0])}
        for name, following in zip(names, [*names[1:], "promote"], strict=True):
            steps[name] = lambda stage=stages[name], then=following: self._stage(stage, then)  # type: ignore[misc]
        steps |= {
            "promote": self._promote,
            "finish": lambda: self._remove(DONE),
            BACK: self._back,
            "clean": lambda: self._remove(DONE),
        }
        try:
            return carry_out(
                self.record, self.notebook, steps, going_back={BACK, "finish", "clean"}, say=self.place.say
            )
        finally:
            self._let_go()

    def _let_go(self) -> None:
        if self.record.step == DONE:
            self.notebook.clear()
            try:
                self.place.release([self.old_slug, self.service_slug, *filter(None, [self.mesh])])
            except RetryLater as error:
                self.place.say(f"the units stay held for some minutes: {error.message}")

    def _create(self) -> str:
        subject, place = self._subject(), self.place
        self._hold()
        text = subject.second_deployment(self.name, version="canary", image=self.record.image, env=self.record.env)
        replicas = self._share(subject.replicas, self.options.stages[0].weight)
        text = edited(text, [("set-replicas", (replicas,))])
        service = subject.second_service(self.name, version="canary", deployment_text=text)
        texts = {"deployment": text, "service": service}
        if not self.mesh:
            texts["ingress"] = canary_ingress(self._ingress_texts(), service=subject.name, canary=self.name, weight=0)
        labels = {TEMPORARY: "canary", "canary-of": subject.name, "active": "false"}
        for kind, made in texts.items():
            if place.find(self.slugs[kind]) is None:
                place.make(self.slugs[kind], made, labels=labels, like=subject.deployment)
        place.hold_again()
        self._hold()
        return "deploy"

    def _deploy(self, first: str) -> str:
        self._hold()
        for slug in self.slugs.values():
            self.place.apply(slug)
        if self._trier is not None and (address := self.place.address(self.slugs["service"])):
            # A program's first requests are its slowest. What this try says is not counted: the stages try both sides.
            self._trier.trial(address)
        self.place.say(f"  {self.name} runs {self.record.image} without traffic")
        return first

    def _stage(self, stage: Stage, following: str) -> str:
        self._scale(stage.weight)
        self._set_weight(stage.weight)
        if self.record.before.get("weight") != str(stage.weight):
            # The stage's time begins with its traffic; whoever goes on with it later finds it begun.
            now = time.time()
            self.record.before = {**self.record.before, "weight": str(stage.weight)}
            self.record.step_began, self.record.exposed = now, self.record.exposed or now
            self.notebook.write(self.record)
        duration_s = stage.minutes * 60 / self.options.speed
        self.place.say(f"  {stage.weight} % of the requests go to {self.record.image} for {duration_s:g} s at least")
        self._watch(stage, duration_s)
        return following

    def _watch(self, stage: Stage, duration_s: float) -> None:
        """Return when the stage's time is over and its needs are shown. Raises: Breach."""
        patience_s = self.options.patience_s
        if patience_s is None:
            patience_s = max(duration_s, _LEAST_PATIENCE_S)
        analysis = Analysis(
            self.options.limits, len(self.options.stages), stage.needs, wants_trials=self._trier is not None
        )
        before: Reading | None = None
        told = noted = time.monotonic()
        ends = self.record.step_began + duration_s
        # An operator that comes later gets the whole patience: what its predecessor saw is not kept.
        gives_up = max(ends, time.time()) + patience_s
        look_s = min(_LOOK_S, max(_SHORTEST_LOOK_S, duration_s / 10))
        slugs = (self.service_slug, self.slugs["service"]) if self._trier is not None else ()
        old, new = map(self.place.address, slugs) if slugs else ("", "")
        with Trials(self._trier if old else None, old=old, new=new) as trials:
            while True:
                now = self._read(analysis)
                if now is not None:
                    self._refuse_crash(now)
                    if before is not None and (more := now.since(before)).is_possible:
                        analysis.add(more)
                    before = now
                for of_old, of_new in trials.taken():
                    analysis.add_trials(old=of_old, new=of_new)
                self._judge(analysis)
                missing = analysis.missing
                if time.time() >= ends and analysis.is_counted and not analysis.is_blind and not missing:
                    for finding in analysis.findings():
                        if finding.check in stage.needs:
                            self.place.say(f"  {finding.check}: {finding.reason}")
                    return
                if time.time() >= gives_up:
                    reasons = "; ".join(f"{one.check}: {one.reason}" for one in missing)
                    raise Breach("evidence", f"not enough evidence: {reasons or 'the requests are not counted'}")
                if time.monotonic() - told > _TOLD_EVERY_S and missing:
                    told = time.monotonic()
                    self.place.say(f"    waiting for evidence: {missing[0].check}: {missing[0].reason}")
                if time.monotonic() - noted > _NOTED_EVERY_S:
                    noted = time.monotonic()
                    self.notebook.write(self.record)
                self._hold()
                time.sleep(look_s)

    def _judge(self, analysis: Analysis) -> None:
        if (worse := analysis.worse) is not None:
            raise Breach(worse.check, worse.reason)

    def _refuse_crash(self, now: Reading) -> None:
        if now.new_restarts:
            times = "once" if now.new_restarts == 1 else f"{now.new_restarts} times"
            raise Breach("crash loop", f"a program of {self.name} ended by itself and was started again {times}")

    def _read(self, analysis: Analysis) -> Reading | None:
        """Return what was counted; None while it cannot be read, which shows nothing."""
        try:
            return self._source.read()
        except (RetryLater, BadRequest) as error:
            analysis.lose_sight(error.message)
            self.place.revive()
            return None

    def _promote(self) -> str:
        """Give the old version's own unit the new image; the canary serves meanwhile."""
        subject, place = self._subject(), self.place
        unit = place.unit(self.old_slug)
        calls = subject.changes(self.record.image, self.record.env)
        head = int(unit.get("HeadRevisionNum") or 0)
        if "promoted" not in self.record.before:
            if head != int(self.record.before["revision"]):
                raise Breach("change", f"{self.old_slug} was changed meanwhile: its head is revision {head}")
            self.record.before = {**self.record.before, "promoted": "begun"}
            self.notebook.write(self.record)
        place.change(self.old_slug, calls, f"canary of {self.record.image} promoted")
        place.apply(self.old_slug)
        place.say(f"  {self.old_slug} runs {self.record.image}")
        return "finish"

    def _back(self) -> str:
        """Take the traffic back first, then note the version as bad."""
        place = self.place
        self._set_weight(0)
        if not self.record.back:
            self.record.back = time.time()
            self.notebook.write(self.record)
        place.say(f"  all requests go to the old version again ({self.record.back - self.record.detected:.1f} s)")
        if "promoted" in self.record.before:
            self._restore()
        quarantine(place, self._subject(), self.record)
        return "clean"

    def _restore(self) -> None:
        """Bring the old version's unit back to the revision it had."""
        unit, number = self.place.unit(self.old_slug), int(self.record.before["revision"])
        if int(unit.get("HeadRevisionNum") or 0) != number:
            old = self.place.hub.units.revision(unit["UnitID"], number, space_id=self.place.space_id)
            changes = {"Data": old["Data"], "LastChangeDescription": f"canary of {self.record.image} taken back"}
            self.place.hub.units.patch(unit["UnitID"], changes, space_id=self.place.space_id)
        self.place.apply(self.old_slug)

    def _remove(self, following: str) -> str:
        self._set_weight(0)
        for slug in reversed(self.slugs.values()):
            self.place.remove(slug)
        return following

    def _scale(self, weight: int) -> None:
        """Give the canary as many replicas as its share of the traffic needs, before it gets that share."""
        wanted = self._share(self._subject().replicas, weight)
        slug = self.slugs["deployment"]
        if int(objects(self.place.text(slug))[0]["spec"].get("replicas", 1)) != wanted:
            self.place.change(slug, [("set-replicas", (wanted,))], f"{wanted} replicas for {weight} % of the traffic")
        self.place.apply(slug)

    def _set_weight(self, weight: int) -> None:
        """Return once the traffic is divided so."""
        self._shares.set(weight, f"{weight} % of the traffic to {self.record.image}")

    def _subject(self) -> Subject:
        return read_subject(self.place, self.record.service, self.record.before)

    def _ingress_slugs(self) -> list[str]:
        return [slug for slug in self.record.before["ingresses"].split(",") if slug]

    def _ingress_texts(self) -> Mapping[str, str]:
        return {slug: self.place.text(slug) for slug in self._ingress_slugs()}

    def _share(self, replicas: int, weight: int) -> int:
        return max(1, math.ceil(replicas * weight / 100))

    def _hold(self) -> None:
        self.place.hold([self.old_slug, self.service_slug, *self.slugs.values(), *filter(None, [self.mesh])])


def read_subject(place: Place, name: str, before: Mapping[str, str]) -> Subject:
    """Return the old version whose units the record names."""
    deployment, service = place.unit(before["deployment"]), place.unit(before["service"])
    text, service_text = place.text(before["deployment"]), place.text(before["service"])
    namespace = str(objects(service_text)[0]["metadata"].get("namespace") or "")
    return Subject(name, namespace, deployment, service, text, service_text)
