"""An environment destroyed and built anew, after a snapshot that it can be brought back from.

Source: the seed, 3.4 (emergency recovery): destroy, promote from the stage before, apply.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from confighub.client.collection import quoted
from confighub.client.transport import Wire
from confighub.errors import BadRequest, ConfigHubError, NotFound
from confighub.operations import deploy, plan, promote
from confighub.operations.plan import PlannedUnit
from confighub.operations.rollback import backwards
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


def explain(site: Site, environment: str) -> list[str]:
    """Return the lines that say what would be destroyed."""
    live = _live(site, environment)
    lines = [f"{site.project.space(environment)}: {counted(len(live), 'unit')} would be removed from where they run"]
    lines += [f"  {unit.slug} (revision {unit.live})" for unit in live]
    return [*lines, "the units stay in the hub, and so do their databases"]


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
    return [unit for unit in deploy.read_units(site.hub, site.space_id(environment)) if unit.live]


def _wait(site: Site, unit: PlannedUnit, operation: Wire, timeout_s: float) -> None:
    event = site.hub.units.wait(operation, timeout_s=timeout_s)
    if event.get("Status") != "Completed":
        raise ConfigHubError(f"{unit.slug} could not be removed: {event.get('Message') or event.get('Result')}")
