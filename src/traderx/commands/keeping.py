"""Commands that keep what must not be lost, and bring it back: backups, once or on schedule, journal, databases."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from confighub.errors import BadRequest
from traderx.commands.parameters import Duration, Environment, result_options
from traderx.commands.printing import saying


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), required=False)
@click.option("--every", type=Duration(), metavar="TIME", help="Go on doing so, as in 1h, by a process of the project.")
@click.option("--data-every", type=Duration(), default="1m", show_default=True, metavar="TIME", help="Databases too.")
@click.option("--keep", type=click.IntRange(min=1), default=24, show_default=True, help="How many backups stay.")
@click.option(
    "--git", metavar="REPO", type=click.Path(file_okay=False), help="Commit the units to this repository too."
)
@click.option("--push", is_flag=True, help="With --git: push to its remote.")
@click.option("--off", is_flag=True, help="Keep no more backups on schedule; what was kept stays.")
@click.option("--run", is_flag=True, hidden=True)
@result_options
def backup(
    folder: Path | None,
    every: float | None,
    data_every: float,
    keep: int,
    git: str | None,
    push: bool,
    off: bool,
    run: bool,
    as_json: bool,
    data: str | None,
) -> None:
    """Write the whole project to a folder.

    It gets the hub's store with all history, and beside it the units of base, dev, staging and prod as readable
    YAML. The hub goes on serving. With --every it stays so: a backup each time, every commit of the hub copied to
    FOLDER/journal before it is answered, and the databases to FOLDER/data whenever they changed.

    Example: bin/traderx backup backups --every 1h --git ../traderx-history
    """
    from traderx import schedule
    from traderx.project import find_project

    say = saying(as_json)
    if run:
        schedule.run(data, say)
        return
    project = find_project(data)
    if off:
        say("no more backups on schedule" if schedule.end(project, say) else "no backups were scheduled")
        return
    if push and not git:
        raise BadRequest("--push says nothing without --git", hint="name the repository too")
    if every is not None:
        if folder is None:
            raise BadRequest("backups of which folder?", hint="bin/traderx backup FOLDER --every 1h")
        made = schedule.Schedule(
            str(folder.absolute()), every, data_every, keep, str(Path(git).absolute()) if git else "", push
        )
        _begin(data, made, as_json)
        return
    _back_up_once(folder, git, push=push, as_json=as_json, data=data)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@result_options
def restore(folder: Path, as_json: bool, data: str | None) -> None:
    """Bring the project's hub back from a backup.

    From a folder that is kept on schedule it comes back as it was at its last commit. The project must have no hub,
    or an empty one. What runs goes on running; `bin/up` and `bin/setup-worker ENV` start what does not, and
    `bin/ordered-apply ENV` brings up what is not there.

    Example: bin/traderx restore backups/today
    """
    from traderx.project import find_project
    from traderx.safekeeping import restore as bring_back

    say = saying(as_json)
    seconds = bring_back(find_project(data), folder, say)
    say(f"the hub is back after {seconds:.1f} s")
    if as_json:
        print(json.dumps({"folder": str(folder), "seconds": round(seconds, 2)}, indent=2))


@click.group(name="data")
def data_group() -> None:
    """Copy the database of an environment, and put it back."""


@data_group.command(name="copy")
@click.argument("environment", type=Environment())
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@result_options
def copy_data(environment: str, folder: Path, as_json: bool, data: str | None) -> None:
    """Copy the database while it is in use.

    Example: bin/traderx data copy prod backups/data/prod
    """
    from traderx.databases import copy_database, database_of
    from traderx.project import find_project

    made = copy_database(database_of(find_project(data), environment), folder)
    size = made.file.stat().st_size
    found = {"file": str(made.file), "at": made.at.isoformat(), "sizeBytes": size}
    print(json.dumps(found, indent=2) if as_json else f"{made.file}: {size} bytes")


@data_group.command(name="list")
@click.argument("environment", type=Environment())
@result_options
def list_data(environment: str, as_json: bool, data: str | None) -> None:
    """List the copies that are kept on schedule.

    Example: bin/traderx data list prod
    """
    from traderx.databases import copies
    from traderx.project import find_project
    from traderx.schedule import data_folder, schedule_of

    schedule = schedule_of(find_project(data))
    found = copies(data_folder(schedule, environment)) if schedule else []
    if as_json:
        print(json.dumps([{"at": one.at.isoformat(), "file": str(one.file)} for one in found], indent=2))
        return
    for one in found:
        print(f"{one.at:%Y-%m-%d %H:%M:%S} UTC  {one.file}")
    if not found:
        print("there are none; make them: bin/traderx backup FOLDER --every 1h")


@data_group.command(name="restore")
@click.argument("environment", type=Environment())
@click.option("--from", "copy", type=click.Path(path_type=Path, dir_okay=False), help="This copy.")
@click.option("--at", "moment", metavar="MOMENT", help="The newest copy that is not later; else the newest.")
@click.option("--yes", is_flag=True, help="Do it: what was booked since the copy is gone.")
@result_options
def restore_data(
    environment: str, copy: Path | None, moment: str | None, yes: bool, as_json: bool, data: str | None
) -> None:
    """Put a copy in the place of the database.

    Services go on with it. What is there before is copied first, so this can be taken back too.

    Example: bin/traderx data restore prod --at 2026-10-03T10:15:00Z --yes
    """
    from confighub.operations.moments import moment_of
    from traderx import databases
    from traderx.project import find_project
    from traderx.schedule import data_folder, schedule_of

    if copy and moment:
        raise BadRequest("--from and --at name two copies", hint="leave one of them out")
    until = moment_of(moment) if moment else None
    project = find_project(data)
    url = databases.database_of(project, environment)
    schedule = schedule_of(project)
    if copy is None:
        if schedule is None:
            raise BadRequest("which copy? none are kept on schedule", hint="name it with --from")
        copy = databases.newest(data_folder(schedule, environment), until=until).file
    is_gone = databases.is_gone(url)
    # a file that is gone has nothing to count or to keep
    lost = None if is_gone else databases.lost_since(copy, url, until=datetime.now(UTC))
    said = f"{copy}: {lost.trades} trades were booked since" if lost else f"{copy}: what came since is not counted"
    if not yes:
        raise BadRequest(f"{said}, and would be gone", hint="the same command with --yes does it")
    say, before = saying(as_json), None
    if is_gone:
        say(f"{databases.file_of(url)} is gone, so nothing of it is kept")
    else:
        before = databases.copy_database(url, project.data / "drills" / "before-restore" / environment).file
        say(f"as it is now: {before}")
    databases.put_back(copy, url)
    say(f"{environment} has the database of {said}; next: test/verify-data-integrity.sh {environment}")
    if as_json:
        answer = {"copy": str(copy), "before": str(before) if before else None, "lost": lost.trades if lost else None}
        print(json.dumps(answer, indent=2))


def _begin(data: str | None, made: object, as_json: bool) -> None:
    from traderx import schedule
    from traderx.site import open_site

    say = saying(as_json)
    site = open_site(data, say)
    if not site.is_own:
        raise BadRequest("CONFIGHUB_URL names a hub whose store is not here", hint="run this where that hub runs")
    assert isinstance(made, schedule.Schedule)
    # the first round is done here, so that what cannot work is seen at once
    said = schedule.Keeper(site.project, made, lambda _: None).first()
    schedule.begin(site.project, made, say)
    if as_json:
        print(json.dumps({"folder": made.folder, "everySeconds": made.every_s, "first": said}, indent=2))
        return
    say(f"first backup: {said}")
    say(f"kept on schedule in {made.folder}; bin/traderx logs backup shows it, bin/traderx backup --off ends it")


def _back_up_once(folder: Path | None, git: str | None, *, push: bool, as_json: bool, data: str | None) -> None:
    from traderx.git_backup import commit_backup
    from traderx.safekeeping import back_up
    from traderx.site import open_site

    if folder is None and git is None:
        raise BadRequest("a backup into which folder?", hint="bin/traderx backup FOLDER, or --git REPO, or both")
    say = saying(as_json)
    site = open_site(data, say)
    answer: dict[str, object] = {}
    if folder is not None:
        kept = back_up(site, folder, say)
        answer = {"folder": str(kept.folder), "exports": kept.exports, "storeBytes": kept.store_bytes}
        answer["seconds"] = round(kept.seconds, 2)
        say(f"backed up in {kept.seconds:.1f} s; restore it into an empty hub with: bin/traderx restore {folder}")
    if git is not None:
        done = commit_backup(site, Path(git), push=push, say=say)
        answer |= {"repository": str(done.repository), "commit": done.commit or None, "files": done.files}
    if as_json:
        print(json.dumps(answer, indent=2))
