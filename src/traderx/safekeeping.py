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
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from confighub.errors import BadRequest, ConfigHubError, Conflict
from traderx.project import Project, read_json
from traderx.site import Say, Site
from traderx.stack import HUB, Stack

STORE = "hub.backup"
NOTE = "project.json"
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
    _run("confighub", "backup", str(store), "--data", str(site.project.data / HUB))
    say(f"store: {store} ({store.stat().st_size} bytes; it holds the hub's key, keep it safe)")
    exports = [_export(site, stage, folder) for stage in _STAGES]
    for name in exports:
        say(f"units: {folder / name}")
    note = {"project": site.project.name(), "at": datetime.now(UTC).isoformat(), "exports": exports}
    (folder / NOTE).write_text(json.dumps(note, indent=2) + "\n", encoding="utf-8")
    return Kept(folder, tuple(exports), time.monotonic() - began, store.stat().st_size)


def restore(project: Project, folder: Path, say: Say) -> float:
    """Bring the project's hub back from the folder, start it, and return how long that took in seconds.

    Raises: BadRequest when the folder holds no backup; Conflict when the project has a hub with anything in it.
    """
    began = time.monotonic()
    note = read_json(folder / NOTE)
    if not note.get("project") or not (folder / STORE).exists():
        raise BadRequest(f"{folder} holds no backup of a project", hint="make one: bin/traderx backup FOLDER")
    stack = Stack(project, say)
    if stack.processes.is_alive(HUB):
        raise Conflict("the project's hub runs", hint="a restore is into an empty hub; end it with bin/down first")
    _run("confighub", "restore", str(folder / STORE), "--data", str(project.data / HUB))
    say(f"store: restored as it was at {note['at']}")
    project.keep_name(str(note["project"]))
    # the login of the hub that is gone may not be one of the restored hub
    shutil.rmtree(project.login_folder, ignore_errors=True)
    stack.client().info()
    return time.monotonic() - began


def _export(site: Site, stage: str, folder: Path) -> str:
    """Write one environment's units as ``cub unit export`` prints them, and return the file's name."""
    name = f"traderx-{stage}-backup-{datetime.now(UTC):%Y%m%d}.yaml"
    text = _run("cub", "unit", "export", "--space", site.project.space(stage), "--format", "yaml", login=site)
    (folder / name).write_text(text, encoding="utf-8")
    return name


def _run(program: str, *arguments: str, login: Site | None = None) -> str:
    """Run one of our programs to its end and return what it printed. Raises: ConfigHubError with its last line."""
    env = dict(os.environ)
    if login is not None:
        env |= {"CONFIGHUB_URL": login.hub.transport.url, "CONFIGHUB_HOME": str(login.project.login_folder)}
    path = Path(sys.executable).parent / program
    done = subprocess.run([str(path), *arguments], capture_output=True, text=True, env=env, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise ConfigHubError(f"{program} {arguments[0]} failed: {said[-1] if said else 'no reason'}")
    return done.stdout
