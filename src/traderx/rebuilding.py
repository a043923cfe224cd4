"""An environment destroyed and built anew, after a snapshot that it can be brought back from.

Source: the seed, 3.4 (emergency recovery): destroy, promote from the stage before, apply.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from confighub.client.collection import quoted
from confighub.client.transport import Wire
from confighub.client.units import text_of
from confighub.errors import BadRequest, ConfigHubError, Conflict, Gated, NotFound
from confighub.operations import deploy, plan, promote
from confighub.operations.guard import APPROVAL_GATE
from confighub.operations.plan import PlannedUnit
from confighub.operations.rollback import backwards
from confighub.operations.rollout.record import KEY
from traderx import topology
from traderx.databases import copy_database, database_of
from traderx.environments import refuse_failures
from traderx.safekeeping import back_up
from traderx.site import Site
from traderx.wording import counted


@dataclass(frozen=True)
class Snapshot:
    """What an environment can be brought back from: a tag on every unit, and a folder with backup and database."""

    tag: str
    folder: Path

    def as_json(self) -> Wire:
        """Return it for programs."""
        return {"tag": self.tag, "snapshot": str(self.folder)}


def explain(site: Site, environment: str) -> list[str]:
    """Return the lines that say what would be destroyed."""
    live = _live(site, environment)
    lines = [f"{site.project.space(environment)}: {counted(len(live), 'unit')} would be removed from where they run"]
    lines += [f"  {unit.slug} (revision {unit.live})" for unit in live]
    keeping = holding_data(site, environment)
    gone = f"; what the volumes of {', '.join(keeping)} hold goes with them" if keeping else ""
    kept = "" if site.is_on_cluster(environment) else ", and the database where it is"
    return [*lines, f"the units stay in the hub{kept}{gone}"]


def refuse_destruction(site: Site, environment: str, *, lose_data: bool) -> None:
    """Return when the environment may be removed: no rollout is under way, and no data are lost unasked.

    Raises: Conflict.
    """
    refuse_rollout(site, environment)
    keeping = holding_data(site, environment)
    if keeping and not lose_data:
        raise Conflict(
            f"the data of {environment} are in volumes of its cluster, which no snapshot keeps: {', '.join(keeping)}",
            hint="copy them with pg_dump or Velero; the same command with --lose-data removes them",
        )


def refuse_rollout(site: Site, environment: str) -> None:
    """Return when no rollout is under way there. Raises: Conflict with what ends it."""
    space_id = site.space_id(environment)
    for one in site.hub.units.list(space_id=space_id, include="", select="UnitID,Slug,Annotations"):
        text = (one["Unit"].get("Annotations") or {}).get(KEY)
        if text:
            raise Conflict(
                f"{_rollout(str(text))} is under way in {environment}, written on {one['Unit']['Slug']}",
                hint="let it end, or take it back: the command that began it with --abort",
            )


def _rollout(text: str) -> str:
    try:
        record = json.loads(text)
        return f"a {record['kind']} of {record['service']}"
    except (ValueError, KeyError, TypeError):
        return "a rollout"


def holding_data(site: Site, environment: str) -> list[str]:
    """Return the live units whose volumes hold data on the environment's cluster, by slug; none on this machine."""
    if not site.is_on_cluster(environment):
        return []
    records = site.hub.units.list(
        where="LiveRevisionNum > 0", space_id=site.space_id(environment), include="", select="Slug,UnitID,Data"
    )
    texts = {str(one["Unit"]["Slug"]): text_of(one["Unit"]) for one in records}
    return sorted(slug for slug, text in texts.items() if has_volumes(text))


def has_volumes(text: str) -> bool:
    """Tell whether the unit's text asks for volumes that outlive its pods."""
    return "volumeClaimTemplates:" in text or "kind: PersistentVolumeClaim" in text


def refuse_rebuilding(site: Site, environment: str, *, approve: bool) -> None:
    """Return when what the stage before has newer can be brought in and applied; nothing is changed or removed.

    Raises: BadRequest without a stage before; Conflict when a unit cannot be merged; Gated for what is in quarantine,
    for gates that are or would be closed, and for prod without an approval.
    """
    before = stage_before(environment)
    space, space_id = site.project.space(environment), site.space_id(environment)
    shown = promote.preview(site.hub, source=site.project.space(before), target=space)
    closed = {unit.slug: set(unit.gates) for unit in deploy.read_units(site.hub, space_id)}
    for unit in promote.rehearse(site.hub, shown):
        closed[str(unit["Slug"])] = {name for name, is_closed in (unit.get("ApplyGates") or {}).items() if is_closed}
    stuck = [f"{slug} ({gate})" for slug, gates in sorted(closed.items()) for gate in sorted(gates - {APPROVAL_GATE})]
    if stuck:
        gates = sorted({gate for gates in closed.values() for gate in gates - {APPROVAL_GATE}})
        raise Gated(
            f"gates would be closed in {space}: {', '.join(stuck)}",
            gates=gates,
            hint="nothing was removed; change what they refuse and try again",
        )
    waiting = any(APPROVAL_GATE in gates for gates in closed.values())
    if (waiting or environment == "prod") and not approve:
        raise Gated(
            f"{space} takes approved revisions only, and would stay empty without",
            gates=[APPROVAL_GATE],
            hint=f"nothing was removed; bin/traderx rebuild {environment} --approve",
        )


def take_snapshot(site: Site, environment: str) -> Snapshot:
    """Tag every unit's live revision, back the hub up, and copy the database; return where it is.

    Raises: ConfigHubError when any of it fails, since without it nothing is destroyed.
    """
    stamp = f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
    tag, space_id = f"before-{environment}-{stamp}", site.space_id(environment)
    made = site.hub.tags.create({"Slug": tag, "DisplayName": tag, "SpaceID": space_id}, space_id=space_id)
    where = f"SpaceID = {quoted(space_id)} AND LiveRevisionNum > 0"
    answers = site.hub.units.tag_all(made["TagID"], where=where, revision="LiveRevisionNum")
    refuse_failures(answers, f"tagging {environment}")
    site.say(f"tag {tag} on {counted(len(answers), 'unit')}")
    folder = site.project.data / "snapshots" / f"{environment}-{stamp}"
    if site.is_own:
        back_up(site, folder, site.say)
    else:
        site.say("the hub is another's: its backup is its owner's; the tag brings the units back")
    if site.is_on_cluster(environment):
        # the file that this machine has may be of another place and another day
        site.say("database: not copied: the environment is on a cluster")
        return Snapshot(tag, folder)
    try:
        site.say(f"database: {copy_database(database_of(site.project, environment), folder / 'data').file}")
    except NotFound as error:
        site.say(f"database: not copied: {error.message}")
    return Snapshot(tag, folder)


def destroy(site: Site, environment: str, *, timeout_s: float) -> int:
    """Remove everything of the environment from where it runs, what depends on others first; return how many units.

    Raises: ConfigHubError with the first unit that could not be removed.
    """
    space, space_id = site.project.space(environment), site.space_id(environment)
    live = _live(site, environment)
    if not live:
        site.say(f"nothing of {environment} is live")
        return 0
    site.wake_worker(environment)
    for stage in backwards(space=space, space_id=space_id, units=live).stages:
        site.say(f"{stage.title}: removing {', '.join(unit.slug for unit in stage.units)}")
        begun = [site.hub.units.destroy(unit.unit_id, space_id=space_id) for unit in stage.units]
        for unit, operation in zip(stage.units, begun, strict=True):
            _wait(site, unit, operation, timeout_s)
    return len(live)


def stage_before(environment: str) -> str:
    """Return the stage that the environment is promoted from. Raises: BadRequest when there is none."""
    if environment not in topology.STAGES[1:]:
        raise BadRequest(f"{environment} has no stage before it", hint=f"one of {', '.join(topology.STAGES[1:])}")
    return topology.STAGES[topology.STAGES.index(environment) - 1]


def rebuild(site: Site, environment: str, *, approve: bool, timeout_s: float) -> deploy.Outcome:
    """Bring what the stage before has newer into the environment and apply all of it, in order.

    Raises: BadRequest when there is no stage before.
    """
    before = stage_before(environment)
    space, space_id = site.project.space(environment), site.space_id(environment)
    shown = promote.preview(site.hub, source=site.project.space(before), target=space)
    promote.promote(site.hub, shown)
    site.say(f"{counted(len(shown.changes), 'unit')} promoted from {before}")
    units = deploy.read_units(site.hub, space_id)
    options = deploy.Options(
        approve=approve,
        command=f"bin/ordered-apply {environment}",
        timeout_s=timeout_s,
        again=True,
        revive=lambda: site.revive(environment),
    )
    made = plan.in_order(space=space, space_id=space_id, units=units)
    return deploy.deploy(site.hub, made, options, site.say)


def _live(site: Site, environment: str) -> list[PlannedUnit]:
    """Return everything that runs, second colours and canaries too."""
    space_id = site.space_id(environment)
    where = "Labels.active = 'false' AND LiveRevisionNum > 0"
    beside = site.hub.units.list(where=where, space_id=space_id, include="", select="Slug,UnitID")
    also = {str(one["Unit"]["UnitID"]) for one in beside}
    return [unit for unit in deploy.read_units(site.hub, space_id, also=also) if unit.live]


def _wait(site: Site, unit: PlannedUnit, operation: Wire, timeout_s: float) -> None:
    event = site.hub.units.wait(operation, timeout_s=timeout_s)
    if event.get("Status") != "Completed":
        raise ConfigHubError(f"{unit.slug} could not be removed: {event.get('Message') or event.get('Result')}")
