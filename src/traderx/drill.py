"""The runbook for a lost place as one command: another place gets the environment, its data and its traffic.

In a drill the first place goes on as it is, so that going back is a matter of seconds; what is measured is how long
the other one took. Data are restored before the services start there, since a database that they have opened is not
replaced under them; the runbook's numbers stay on the steps.
Source: the seed, 9.3 (the runbook).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from confighub.errors import BadRequest, ConfigHubError, Conflict, NotFound, RetryLater
from confighub.operations import alerts, deploy
from confighub.operations.disaster import Measured, Runbook, Skipped, shown
from confighub.operations.retarget import retarget
from traderx import topology
from traderx.checking import check_health, look_for_drift, verify_data
from traderx.databases import Copy, copy_database, database_of, lost_since, newest
from traderx.dns import Switch, address_in, run_hook, write_batch
from traderx.drill_report import Report
from traderx.elsewhere import OnCluster
from traderx.moves import apply_live, find_elsewhere, go_back, heads, note_of, refuse_taken
from traderx.project import read_json, replace_file
from traderx.rebuilding import refuse_rollout
from traderx.rehearsal import rehearse_hub
from traderx.schedule import data_folder, schedule_of
from traderx.site import Site
from traderx.status import read_status
from traderx.trade import answers

BATCH = "dns-update-dr.json"
_HEALTH_TIMEOUT_S = 60.0
_UNREACHED = "services are not asked: no address of them is reached from here"


@dataclass(frozen=True)
class Options:
    """How to drill. ``hook`` sends the DNS batch; ``stays`` leaves the environment where it went."""

    target: str = ""
    hook: str = ""
    zone: str = "Z123"
    stays: bool = False
    timeout_s: float = 300.0
    receivers: tuple[alerts.Receiver, ...] = ()


class Drill:
    """One drill of one environment."""

    def __init__(self, site: Site, environment: str, options: Options) -> None:
        self.site, self.environment, self.options = site, environment, options
        self.space, self.space_id = site.project.space(environment), site.space_id(environment)
        self.elsewhere = find_elsewhere(site, environment, options.target, timeout_s=options.timeout_s)
        self.report = Report(environment, self.elsewhere.target, Runbook(site.say))
        self.note = note_of(site, environment)
        self._began = datetime.now(UTC)
        self._copy: Copy | None = None
        self._lost: tuple[float | None, str] = (None, "no copy of the data to measure by")
        self._before = heads(site, environment)
        self._first_ingress = ""
        self._drift = look_for_drift(site, environment).said

    def run(self) -> Report:
        """Take the steps, go back unless asked to stay, and return the report.

        Raises: Conflict when the environment is elsewhere already, a rollout is under way, or the other place is taken;
        BadRequest when nothing of it is live, or it has no name to lead; what fails inside is in the report.
        """
        self._refuse()
        try:
            self._go()
        except ConfigHubError as error:
            self.report.error = str(error)
        finally:
            # also when somebody ends it, or something fails that nobody thought of
            if self.note.exists() and not self.options.stays:
                self._come_back()
        return self.report

    def _refuse(self) -> None:
        """Return when the drill can begin; nothing was done yet."""
        if not any(live for _, live in self._before.values()):
            raise BadRequest(
                f"nothing of {self.environment} is live, so nothing can be lost",
                hint=f"bin/ordered-apply {self.environment}",
            )
        if self.note.exists():
            raise Conflict(
                f"{self.environment} is elsewhere since a drill that stayed or was killed",
                hint=f"bin/traderx disaster return {self.environment}",
            )
        if self.environment not in topology.INGRESS_HOSTS:
            raise BadRequest(
                f"{self.environment} has no name to lead to another place",
                hint=f"one of {', '.join(topology.ENVIRONMENTS)}",
            )
        refuse_rollout(self.site, self.environment)
        refuse_taken(self.site, self.elsewhere, first=self._first_target())

    def _come_back(self) -> None:
        try:
            self.report.runbook.step("7", "go back", self._return)
            self.report.runbook.step("7", "see that all is as before", self._same)
        except ConfigHubError as error:
            self.report.error = self.report.error or str(error)

    def _go(self) -> None:
        take = self.report.runbook.step
        take("1", "look at the first place", self._look)
        take("1", "tell people", self._tell, must=False)
        take("2", "other place ready", self._make_ready)
        take("4", "database from its newest copy", self._restore_data)
        take("3", f"bin/apply-all {self.environment} --cluster {self.elsewhere.target}", self._apply)
        take("3", "services run", self._see_running)
        take("4", "Velero restore and describe", self.elsewhere.restore_volumes, must=False)
        take("4", "test/verify-data-integrity.sh", self._verify, must=False)
        take("5", f"name to the other place ({BATCH})", self._switch)
        take("5", "health through the name", self._health, must=False)
        self._measure_move()
        take("6", "monitor/check-health.sh", self._check, must=False)
        take("6", "a service fails there", self._rehearsed(self._fail_service), must=False)
        take("6", "the database is damaged there", self._rehearsed(self._damage), must=False)
        take("6", "the hub is lost (rehearsed beside it)", self._rehearsed(self._lose_hub), must=False)

    def _rehearsed(self, work: Callable[[], str]) -> Callable[[], str]:
        """Return the work, or what leaves it out where the environment stays: nothing is damaged there."""

        def leave_out() -> str:
            raise Skipped("left out: this place stays")

        return leave_out if self.options.stays else work

    def _look(self) -> str:
        status = read_status(self.site, self.environment)
        self._first_ingress = status.ingress
        self._keep(**{"from": self._first_target(), "to": self.elsewhere.target, "ingress": status.ingress})
        if status.ingress and answers(f"{status.ingress}/health"):
            return f"{status.ingress} answers; this is a drill, so it is left running"
        return self.elsewhere.look_at_first(status.ingress)

    def _keep(self, **what: Any) -> None:
        """Add to what going back has to know; a hook may name secrets, so nobody else reads it."""
        replace_file(self.note, json.dumps({**read_json(self.note), **what}) + "\n", mode=0o600)

    def _first_target(self) -> str:
        targets = {one["Target"]["TargetID"]: one["Target"]["Slug"] for one in self._targets()}
        found = {targets.get(unit.target_id, "") for unit in deploy.read_units(self.site.hub, self.space_id)}
        if len(found) != 1 or "" in found:
            raise ConfigHubError(
                f"the units of {self.environment} do not point at one target", hint="bin/setup-worker points them"
            )
        return str(found.pop())

    def _targets(self) -> list[dict[str, Any]]:
        return list(self.site.hub.targets.list(space_id=self.space_id))

    def _tell(self) -> str:
        if not self.options.receivers:
            raise Skipped("nobody is told: name whom with --slack or --webhook")
        what = alerts.Alert(
            name="DisasterRecovery",
            title=f"#incidents: {self.environment} goes to {self.elsewhere.target} (drill)",
            severity="critical",
            labels={"environment": self.environment, "channel": "#incidents"},
        )
        failed = [said for said in (alerts.send(what, one) for one in self.options.receivers) if said]
        if failed:
            raise ConfigHubError("; ".join(failed))
        return f"told {len(self.options.receivers)}"

    def _make_ready(self) -> str:
        self.site.wake_worker(self.environment)
        said = self.elsewhere.make_ready()
        if isinstance(self.elsewhere, OnCluster):
            self._keep(wasEmpty=self.elsewhere.was_empty)
        return said

    def _restore_data(self) -> str:
        schedule = schedule_of(self.site.project)
        try:
            url = database_of(self.site.project, self.environment)
        except NotFound as error:
            raise Skipped(str(error)) from error
        folder = data_folder(schedule, self.environment) if schedule else self.site.project.data / "drills" / "data"
        try:
            self._copy = newest(folder) if schedule else copy_database(url, folder)
        except NotFound as error:
            raise Skipped(str(error)) from error
        self._lost = self._data_lost(self._copy, url, is_scheduled=schedule is not None)
        return self.elsewhere.restore_data(self._copy.file)

    def _apply(self) -> str:
        hub = self.site.hub
        retarget(hub, space=self.space, space_id=self.space_id, target=self.elsewhere.target, say=self.site.say)
        outcome = apply_live(self.site, self.environment, self.options.timeout_s)
        if outcome.failure is not None:
            raise ConfigHubError(f"{outcome.failure.slug} failed: {outcome.failure.reason}")
        return f"{len(outcome.results)} units applied in {outcome.seconds:.1f} s"

    def _see_running(self) -> str:
        status = read_status(self.site, self.environment)
        if not status.is_ready:
            raise ConfigHubError(f"not ready: {', '.join(status.waiting_for)}")
        replicas = sum(one.size(self.environment).replicas for one in topology.SERVICES) if self._is_sized() else 0
        return f"{len(status.units)} units ready" + (f", {replicas} replicas" if replicas else "")

    def _is_sized(self) -> bool:
        return self.environment in topology.ENVIRONMENTS

    def _verify(self) -> str:
        if not self._is_reached():
            raise Skipped(_UNREACHED)
        found = verify_data(self.site, self.environment)
        bad = [one for one in found if not one.is_well]
        if bad:
            raise ConfigHubError("; ".join(f"{one.what}: {one.said}" for one in bad))
        return "; ".join(f"{one.what}: {one.said}" for one in found)

    def _switch(self) -> str:
        ingress = read_status(self.site, self.environment).ingress
        host = topology.INGRESS_HOSTS[self.environment]
        if not ingress:
            raise Skipped(f"the ingress there has no address yet, so {host} cannot lead to it")
        switch = Switch(host, address_in(ingress))
        file = self.site.project.data / "drills" / BATCH
        write_batch(switch, file, why=f"{self.environment} goes to {self.elsewhere.target}")
        # before it is sent, since one that fails may have led the name away
        self._keep(named=True, hook=self.options.hook, zone=self.options.zone)
        if not self.options.hook:
            return f"{file} leads {host} to {switch.address}; not sent, since there is no --dns-hook"
        return f"{host} leads to {switch.address}: " + run_hook(self.options.hook, file, switch, zone=self.options.zone)

    def _health(self) -> str:
        ingress = read_status(self.site, self.environment).ingress
        if not ingress or ingress == self._first_ingress:
            raise Skipped("no address of the other place is reached from here")
        deadline = time.monotonic() + _HEALTH_TIMEOUT_S
        while not answers(f"{ingress}/health"):
            if time.monotonic() > deadline:
                raise RetryLater(f"{ingress}/health does not answer 200 within {_HEALTH_TIMEOUT_S:g} s")
            time.sleep(0.1)
        return f"{ingress}/health answers 200"

    def _measure_move(self) -> None:
        """Note what the move took, and what of the data did not come along."""
        took = self.report.runbook.seconds
        kept = heads(self.site, self.environment) == self._before
        rpo_s, said = self._lost
        self.report.measured["cluster"] = Measured(took, rpo_s, said)
        place = {"dev": "dev", "prod": "prod"}.get(self.environment)
        if place:
            apart = self.report.runbook.seconds_of("2")
            built = sum(step.seconds for step in self.report.runbook.steps if step.number in ("2", "3"))
            said = f"built anew from the hub, every unit at the revision it had: {'yes' if kept else 'no'}"
            self.report.measured[place] = Measured(built if apart is not None else None, 0.0 if kept else None, said)
        for other in {"dev", "prod"} - {place}:
            self.report.measured[other] = Measured(said=f"bin/traderx disaster drill {other} measures it")

    def _data_lost(self, copy: Copy, url: str, *, is_scheduled: bool) -> tuple[float | None, str]:
        """Return of how long before the disaster, which is when the drill began, the changes are not in the copy."""
        if not is_scheduled:
            return None, "data not measured: the drill made its own copy; schedule them: bin/traderx backup --every"
        lost = lost_since(copy.file, url, until=self._began)
        if lost is None:
            return None, f"the copy is of {copy.at:%H:%M:%S} UTC; what came later is not counted"
        if not lost.trades or lost.since is None:
            return 0.0, f"the copy of {copy.at:%H:%M:%S} UTC has every trade"
        age = (self._began - lost.since).total_seconds()
        return age, f"{lost.trades} trades are not in the copy of {copy.at:%H:%M:%S} UTC"

    def _check(self) -> str:
        found = check_health(self.site, self.environment)
        asked = self._is_reached()
        if not asked:
            found = [one for one in found if one.what == "drift" or one.what.startswith(("unit ", "worker "))]
        old = [one for one in found if not one.is_well and one.said == self._drift]
        bad = [f"{one.what}: {one.said}" for one in found if not one.is_well and one not in old]
        if bad:
            raise ConfigHubError("; ".join(bad[:3]))
        said = f"{len(found) - len(old)} checks are well" + (", drift is what it was before" if old else "")
        return said + ("" if asked else f"; {_UNREACHED}")

    def _is_reached(self) -> bool:
        """Tell whether services of the other place have addresses here."""
        return bool(read_status(self.site, self.environment).services)

    def _fail_service(self) -> str:
        seconds = self.elsewhere.end_a_service(read_status(self.site, self.environment))
        lost = None
        if self._is_reached():
            lost = 0.0 if all(one.is_well for one in verify_data(self.site, self.environment)) else None
            said = "the books balance afterwards" if lost == 0.0 else "the books do not balance afterwards"
        else:
            said = f"what was lost is not measured: {_UNREACHED}"
        self.report.measured["service"] = Measured(seconds, lost, said)
        return f"back after {shown(seconds)}; {said}"

    def _damage(self) -> str:
        if self._copy is None:
            raise Skipped("no copy of the data")
        seconds = self.elsewhere.damage_data(self._copy.file)
        self._verify()
        rpo_s, said = self._lost
        self.report.measured["data"] = Measured(seconds, rpo_s, said)
        return f"restored while in use in {shown(seconds)}, and the books balance"

    def _lose_hub(self) -> str:
        measured = rehearse_hub(self.site, schedule_of(self.site.project), self.site.project.data / "drills" / "hub")
        self.report.measured["hub"] = measured
        return f"another hub had everything after {shown(measured.rto_s)}; {measured.said}"

    def _return(self) -> str:
        # on this machine a copy stays; on a cluster none, and a name that was led there brought others' bookings
        is_sure = not (self.options.hook and isinstance(self.elsewhere, OnCluster))
        return go_back(self.site, self.environment, self.options.timeout_s, yes=is_sure)

    def _same(self) -> str:
        if heads(self.site, self.environment) != self._before:
            raise ConfigHubError("units were changed meanwhile", hint="look: bin/cub unit list, or drift-detector")
        status = read_status(self.site, self.environment)
        if not status.is_ready:
            raise ConfigHubError(f"not ready: {', '.join(status.waiting_for)}")
        drift = look_for_drift(self.site, self.environment)
        # what was so before is nothing that the drill did
        if not drift.is_well and drift.said != self._drift:
            raise ConfigHubError(f"drift: {drift.said}", hint="bin/drift-detector corrects it")
        return f"every unit has the head and live revision that it had; drift: {drift.said}"
