"""Backups on schedule: one process of the project that keeps a folder as it should be until it is ended.

The folder has ``journal/`` (every commit of a hub on SQLite, copied before it is answered), ``backups/`` (the whole
hub and the units as YAML, every hour or as asked) and ``data/ENV/`` (the databases, copied when they changed).
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from confighub.errors import ConfigHubError, NotFound
from traderx import topology
from traderx.databases import copies, copy_database, database_of, stamp_of_change
from traderx.project import Project, find_project, read_json, replace_file
from traderx.safekeeping import BACKUPS, JOURNAL, NOTE, back_up, begin_journal
from traderx.site import open_site
from traderx.stack import BACKUP, HUB, Stack

Say = Callable[[str], None]

DATA = "data"
KEPT_COPIES = 60
"""Copies of each database that stay: an hour's, at one a minute."""
_FILE, _STATE, _HUB = "backup.json", "state.json", "hub"
_STAMP = "%Y%m%dT%H%M%SZ"
_PAUSE_S = 0.5
_LOGS_BYTES = 256 * 1024 * 1024
"""How long the journal may be in any case: about two thousand edits."""
_AGAIN_S = 30.0
"""When a round that failed is tried again, if that is sooner than the next one."""


@dataclass(frozen=True)
class Schedule:
    """What is kept where: ``keep`` backups of the hub, every ``every_s``; changed databases every ``data_every_s``.

    ``git`` is the folder of a repository that gets the units too, empty for none; ``push`` sends it on.
    """

    folder: str
    every_s: float = 3600.0
    data_every_s: float = 60.0
    keep: int = 24
    git: str = ""
    push: bool = False
    data_keep: int = KEPT_COPIES

    @property
    def root(self) -> Path:
        """The folder as a path."""
        return Path(self.folder)


def schedule_of(project: Project) -> Schedule | None:
    """Return the project's schedule; None when it has none."""
    found = read_json(project.data / _FILE)
    return Schedule(**found) if found else None


def data_folder(schedule: Schedule, environment: str) -> Path:
    """Return where the copies of an environment's database are."""
    return schedule.root / DATA / environment


def backups_in(root: Path) -> list[Path]:
    """Return the folders of the backups that a schedule made there, oldest first; what else is there is not ours."""
    found = (root / BACKUPS).iterdir() if (root / BACKUPS).is_dir() else ()
    return sorted(one for one in found if _is_stamp(one.name) and (one / NOTE).is_file())


def _is_stamp(name: str) -> bool:
    try:
        return datetime.strptime(name, _STAMP).strftime(_STAMP) == name
    except ValueError:
        return False


def begin(project: Project, schedule: Schedule, say: Say) -> None:
    """Keep backups from now on, by a process in the background; it begins again with ``bin/up``."""
    stack = Stack(project, say)
    stack.processes.stop_all([BACKUP])
    replace_file(project.data / _FILE, json.dumps(asdict(schedule), indent=2) + "\n")
    program = Path(sys.executable).parent / "traderx"
    stack.processes.start(BACKUP, [str(program), "backup", "--run", "--data", str(project.data)])


def end(project: Project, say: Say) -> bool:
    """Keep no more backups, and no journal; tell whether there was a schedule. What was kept stays."""
    stack = Stack(project, say)
    stack.processes.stop_all([BACKUP])
    stack.processes.forget(BACKUP)
    (project.data / HUB / "journal.json").unlink(missing_ok=True)
    was_there = (project.data / _FILE).exists()
    (project.data / _FILE).unlink(missing_ok=True)
    return was_there


def run(data: str | None, say: Say) -> None:
    """Keep backups until the process is ended. Raises: NotFound when the project has no schedule."""
    project = find_project(data)
    schedule = schedule_of(project)
    if schedule is None:
        raise NotFound("no backups are scheduled", hint="bin/traderx backup FOLDER --every 1h")
    keeper = Keeper(project, schedule, say)
    while True:
        keeper.look()
        time.sleep(_PAUSE_S)


class Keeper:
    """Does what is due, and notes in the folder what was done last and what failed."""

    def __init__(self, project: Project, schedule: Schedule, say: Say) -> None:
        self.project, self.schedule, self.say = project, schedule, say
        self._hub_due = time.monotonic() + self._remaining_s()
        self._data_due = 0.0
        self._changes: dict[str, object] = {}

    def look(self) -> None:
        """Do what is due now; what fails is noted, told and tried again."""
        now = time.monotonic()
        if now >= self._data_due:
            self._data_due = now + self.schedule.data_every_s
            for environment in topology.ENVIRONMENTS:
                self._noted(f"data of {environment}", partial(self.keep_data, environment))
            if self._has_hub() and self._is_journal_long():
                self._noted("journal", self.keep_journal)
        if now >= self._hub_due and self._has_hub():
            done = self._noted(_HUB, self.keep_hub)
            self._hub_due = now + (self.schedule.every_s if done else min(_AGAIN_S, self.schedule.every_s))

    def first(self) -> str:
        """Back the hub up at once, note it, and return what was done.

        Raises: ConfigHubError, OSError when it cannot be done; the hub is then journalled as before, or no more.
        """
        config = self.project.data / HUB / "journal.json"
        before = str(read_json(config).get("Folder") or "")
        is_done = False
        try:
            said = self.keep_hub()
            is_done = True
        finally:
            if not is_done and not before:
                config.unlink(missing_ok=True)
            elif not is_done and read_json(config).get("Folder") != before:
                begin_journal(self.project, Path(before))
        self._note(_HUB, said, "")
        return said

    def keep_hub(self) -> str:
        """Back the hub up, and return what was done."""
        site = open_site(str(self.project.data), lambda _: None)
        # what is journalled first cannot be lost while the rest is written
        is_journalled = (self.project.data / HUB / "hub.sqlite").exists()
        if is_journalled:
            begin_journal(self.project, self.schedule.root / JOURNAL)
        folder = self.schedule.root / BACKUPS / datetime.now(UTC).strftime(_STAMP)
        kept = back_up(site, folder, lambda _: None)
        if self.schedule.git:
            from traderx.git_backup import commit_backup

            commit_backup(site, Path(self.schedule.git), push=self.schedule.push, say=self.say)
        for old in backups_in(self.schedule.root)[: -self.schedule.keep]:
            shutil.rmtree(old)
        return f"{folder}, {kept.store_bytes} bytes in {kept.seconds:.1f} s" + (", journalled" if is_journalled else "")

    def keep_journal(self) -> str:
        """Take a new base, so that the logs before it need not stay, and return what was done."""
        begin_journal(self.project, self.schedule.root / JOURNAL)
        return "a new base, since the logs had grown"

    def keep_data(self, environment: str) -> str:
        """Copy the environment's database if it changed, and return what was done; empty for nothing."""
        try:
            url = database_of(self.project, environment)
        except NotFound:
            return ""
        change = stamp_of_change(url)
        folder = data_folder(self.schedule, environment)
        if self._changes.get(environment) == change:
            return ""
        try:
            made = copy_database(url, folder)
        except NotFound:
            # it was never used
            return ""
        self._changes[environment] = change
        for old in copies(folder)[: -self.schedule.data_keep]:
            old.file.unlink()
        return str(made.file)

    def _is_journal_long(self) -> bool:
        """Tell whether the logs take much more room than a base would."""
        folder = self.schedule.root / JOURNAL
        if not folder.is_dir():
            return False
        base_bytes = max((path.stat().st_size for path in folder.glob("base-*.sqlite")), default=0)
        return sum(path.stat().st_size for path in folder.glob("*.wal")) > max(_LOGS_BYTES, 8 * base_bytes)

    def _has_hub(self) -> bool:
        """Tell whether our hub runs: one that is gone is not made anew here, and one that was ended stays ended."""
        return Stack(self.project, lambda _: None).processes.is_alive(HUB)

    def _noted(self, what: str, work: Callable[[], str]) -> bool:
        """Do the work and note how it ended where people and the drill look; tell whether it was done."""
        said, error = "", ""
        try:
            said = work()
        except (ConfigHubError, OSError) as reason:
            error = str(reason)
        if said or error:
            self._note(what, said, error)
        return not error

    def _note(self, what: str, said: str, error: str) -> None:
        self.say(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {what}: {error or said}")
        file = self.schedule.root / _STATE
        state = read_json(file)
        now = datetime.now(UTC).isoformat()
        # the last good one stays beside a failure
        state[what] = {**state.get(what, {}), "error": error, **({} if error else {"at": now, "said": said})}
        replace_file(file, json.dumps(state, indent=2) + "\n")

    def _remaining_s(self) -> float:
        """Return in how many seconds the next backup of the hub is due, also when the process began anew."""
        at = read_json(self.schedule.root / _STATE).get(_HUB, {}).get("at")
        if not at:
            return 0.0
        age_s = (datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds()
        return max(0.0, self.schedule.every_s - age_s)
