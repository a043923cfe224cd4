"""A whole project in one folder, and back: the hub's store, and each environment's units as readable YAML.

The store's backup is what a restore needs; it holds everything, history too. The exports beside it are for people and
for version control: they hold no secrets.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from confighub.errors import BadRequest, ConfigHubError, Conflict
from traderx.project import Project, read_json, replace_file
from traderx.site import Say, Site
from traderx.stack import HUB, Stack

STORE = "hub.backup"
NOTE = "project.json"
JOURNAL = "journal"
BACKUPS = "backups"
"""Where a schedule keeps its backups, each in a folder named for its moment."""
_STAGES = ("base", "dev", "staging", "prod")


@dataclass(frozen=True)
class Kept:
    """What a backup consists of. ``exports`` are the names of the files for people."""

    folder: Path
    exports: tuple[str, ...]
    seconds: float
    store_bytes: int


def back_up(site: Site, folder: Path, say: Say) -> Kept:
    """Write the project into the folder and return what was written; an older backup there is replaced.

    Raises: BadRequest when the hub is not the project's own, whose store is out of reach.
    """
    if not site.is_own:
        raise BadRequest(
            "CONFIGHUB_URL names a hub whose store is not here", hint="run confighub backup where that hub runs"
        )
    began = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    store = folder / STORE
    run_program("confighub", "backup", str(store), "--data", str(site.project.data / HUB))
    say(f"store: {store} ({store.stat().st_size} bytes; it holds the hub's key, keep it safe)")
    exports = [_export(site, stage, folder) for stage in _STAGES]
    for name in exports:
        say(f"units: {folder / name}")
    write_note(folder, site.project, exports)
    return Kept(folder, tuple(exports), time.monotonic() - began, store.stat().st_size)


def write_note(folder: Path, project: Project, exports: Sequence[str] = ()) -> None:
    """Write into the folder whose backup it is, and of when."""
    note = {"project": project.name(), "at": datetime.now(UTC).isoformat(), "exports": list(exports)}
    replace_file(folder / NOTE, json.dumps(note, indent=2) + "\n")


def begin_journal(project: Project, folder: Path) -> None:
    """Let our hub copy every commit into the folder from now on, or take a new base there.

    Raises: ConfigHubError, for a hub on PostgreSQL too, which archives its own log.
    """
    run_program("confighub", "journal", str(folder), "--data", str(project.data / HUB))
    write_note(folder, project)


def restore(project: Project, folder: Path, say: Say) -> float:
    """Bring the project's hub back from the folder, start it, and return how long that took in seconds.

    The folder is a backup, a journal, or one that a schedule keeps, where a journal counts before a backup: it has the
    last commit. Raises: BadRequest when it is none of these; Conflict when the project has a hub with anything in it.
    """
    began = time.monotonic()
    source = source_in(folder)
    note = read_json((source if source.is_dir() else source.parent) / NOTE)
    stack = Stack(project, say)
    if stack.processes.is_alive(HUB):
        raise Conflict("the project's hub runs", hint="a restore is into an empty hub; end it with bin/down first")
    say(run_program("confighub", "restore", str(source), "--data", str(project.data / HUB)).strip())
    project.keep_name(str(note["project"]))
    # the login of the hub that is gone may not be one of the restored hub
    shutil.rmtree(project.login_folder, ignore_errors=True)
    if source.is_dir():
        begin_journal(project, source)
        say(f"journal: goes on in {source}")
    stack.client().info()
    return time.monotonic() - began


def source_in(folder: Path) -> Path:
    """Return the journal's folder or the backup's file that the folder has. Raises: BadRequest when it has neither."""
    for journal in (folder / JOURNAL, folder):
        if read_json(journal / NOTE).get("project") and any(journal.glob("base-*.sqlite")):
            return journal
    for kept in (folder, *sorted((folder / BACKUPS).glob("*"), reverse=True)):
        if read_json(kept / NOTE).get("project") and (kept / STORE).exists():
            return kept / STORE
    raise BadRequest(f"{folder} holds no backup of a project", hint="make one: bin/traderx backup FOLDER")


def exported(space: str, *, url: str, home: Path) -> str:
    """Return a space's units as ``cub unit export`` prints them, by the login that is kept in ``home``."""
    login = {"CONFIGHUB_URL": url, "CONFIGHUB_HOME": str(home)}
    return run_program("cub", "unit", "export", "--space", space, "--format", "yaml", login=login)


def run_program(program: str, *arguments: str, login: Mapping[str, str] | None = None) -> str:
    """Run one of our programs to its end and return what it printed. Raises: ConfigHubError with its last line."""
    path = Path(sys.executable).parent / program
    env = {**os.environ, **(login or {})}
    done = subprocess.run([str(path), *arguments], capture_output=True, text=True, env=env, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise ConfigHubError(f"{program} {arguments[0]} failed: {said[-1] if said else 'no reason'}")
    return done.stdout


def _export(site: Site, stage: str, folder: Path) -> str:
    """Write one environment's units as they are exported, and return the file's name."""
    name = f"traderx-{stage}-backup-{datetime.now(UTC):%Y%m%d}.yaml"
    text = exported(site.project.space(stage), url=site.hub.transport.url, home=site.project.login_folder)
    (folder / name).write_text(text, encoding="utf-8")
    return name
