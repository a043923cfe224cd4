"""The units of every environment in a Git repository, one file each, so that ``git log -p`` reads as their history.

A commit holds what is different since the one before, and says in its message who changed what and when, from the
hub's audit log. Only files of this backup are touched and committed; what else the repository has is left alone.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from confighub.client.units import text_of
from confighub.errors import ConfigHubError, NotFound
from traderx.postmortem import recorded
from traderx.project import replace_file
from traderx.site import Site

Say = Callable[[str], None]

_TRAILER = "Backed-up-at"
_LINES = 200
"""Changes that a message names; the hub's audit log has all."""
_ABOUT = frozenset({"Unit", "Revision", "ChangeSet", "Tag", "Link", "Space"})


@dataclass(frozen=True)
class Committed:
    """What became of a backup: the commit, empty when nothing had changed, and how many files it changes."""

    repository: Path
    commit: str
    files: int
    pushed: bool


def commit_backup(site: Site, repository: Path, *, push: bool, say: Say) -> Committed:
    """Write the units of every environment into the repository, which is made when there is none, and commit them.

    ``push`` also sends the branch to the remote that it follows, or to the only one.
    Raises: ConfigHubError with Git's reason; NotFound when there is nowhere to push to, after the commit.
    """
    if not (repository / ".git").exists():
        repository.mkdir(parents=True, exist_ok=True)
        _git(repository, "init", "--quiet", "--initial-branch=main")
        say(f"{repository}: a new repository")
    root = repository / site.project.name()
    now = datetime.now(UTC)
    written = list(_stages(site))
    for stage in written:
        _write(site, stage, root / stage)
    paths = [
        path for path in (str((root / stage).relative_to(repository)) for stage in written) if _has(repository, path)
    ]
    changed = _stage(repository, paths)
    commit = ""
    if changed:
        message = "\n".join(_message(site, written, changed, since=_last(repository, paths), now=now))
        _git(repository, "commit", "--quiet", "--file=-", "--", *paths, typed=message)
        commit = _git(repository, "rev-parse", "HEAD").strip()
        say(f"{repository}: {commit[:12]}, {len(changed)} files changed")
    else:
        say(f"{repository}: nothing changed since the last backup")
    if push:
        _push(repository, say)
    return Committed(repository, commit, len(changed), push)


def _has(repository: Path, path: str) -> bool:
    """Tell whether the folder has units, or had some that a commit still shows."""
    return any((repository / path).glob("*.yaml")) or bool(_git(repository, "ls-files", "--", path))


def _stage(repository: Path, paths: list[str]) -> list[str]:
    """Stage what is different in these folders, and return the files that are; without any, Git would take all."""
    if not paths:
        return []
    _git(repository, "add", "--all", "--", *paths)
    return _git(repository, "diff", "--cached", "--name-only", "--", *paths).splitlines()


def _stages(site: Site) -> Iterator[str]:
    """Yield what the project's spaces are called without its name, those with units only."""
    name = site.project.name()
    for one in site.hub.spaces.list(where=f"Slug LIKE '{name}-%'"):
        if one["Space"]["Slug"] != f"{name}-filters":
            yield str(one["Space"]["Slug"]).removeprefix(f"{name}-")


def _write(site: Site, stage: str, folder: Path) -> None:
    """Make the folder hold exactly the units' texts, one file each."""
    names = set()
    for one in site.hub.units.list(space_id=site.space_id(stage), include=""):
        unit = one["Unit"]
        name = f"{unit['Slug']}.yaml"
        names.add(name)
        text = text_of(unit)
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            replace_file(path, text)
    for path in folder.glob("*.yaml") if folder.is_dir() else ():
        if path.name not in names:
            path.unlink()


def _message(site: Site, stages: list[str], changed: list[str], *, since: str, now: datetime) -> Iterator[str]:
    yield f"ConfigHub backup {now:%Y%m%d}"
    yield ""
    yield f"{len(changed)} files of {site.project.name()} as of {now:%Y-%m-%d %H:%M:%S} UTC."
    if not since:
        yield "The first of them; the hub's audit log has what came before."
    begin = datetime.fromisoformat(since) if since else now
    lines = [
        f"{str(row['At'])[:19].replace('T', ' ')} {row['Username'] or 'the hub'}: {row['Action']} {stage}/"
        f"{row['EntitySlug']}{_said(row)}"
        for stage in stages
        for row in recorded(site, stage, begin)
        if row["EntityType"] in _ABOUT and row["Action"] not in ("hold", "release")
    ]
    if lines:
        yield ""
        yield from sorted(lines)[-_LINES:]
        if len(lines) > _LINES:
            yield f"and {len(lines) - _LINES} earlier changes, which the hub's audit log has"
    yield ""
    yield f"{_TRAILER}: {now.isoformat()}"


def _said(row: dict[str, Any]) -> str:
    said = " ".join(str(row.get("Message") or "").split())
    return f" ({said})" if said else ""


def _last(repository: Path, paths: list[str]) -> str:
    """Return when the last backup of these files was made; empty when there is none."""
    try:
        shape = f"--format=%(trailers:key={_TRAILER},valueonly)"
        said = _git(repository, "log", "--max-count=1", shape, f"--grep=^{_TRAILER}:", "--", *paths)
    except ConfigHubError:
        # no commit yet
        return ""
    return said.strip()


def _push(repository: Path, say: Say) -> None:
    remotes = _git(repository, "remote").split()
    if not remotes:
        raise NotFound(f"{repository} has no remote to push to", hint=f"git -C {repository} remote add origin URL")
    remote = "origin" if "origin" in remotes else remotes[0]
    _git(repository, "push", "--quiet", remote, "HEAD")
    say(f"{repository}: pushed to {remote}")


def _git(repository: Path, *arguments: str, typed: str = "") -> str:
    """Run Git in the repository and return what it printed; a person's own name signs, ours where there is none."""
    env = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    command = ["git", "-C", str(repository)]
    if arguments[0] == "commit" and not _has_name(repository, env):
        command += ["-c", "user.name=traderx", "-c", "user.email=traderx@localhost"]
    return _run([*command, *arguments], env, typed)


def _has_name(repository: Path, env: dict[str, str]) -> bool:
    try:
        return bool(_run(["git", "-C", str(repository), "config", "user.email"], env, "").strip())
    except ConfigHubError:
        return bool(env.get("GIT_AUTHOR_EMAIL"))


def _run(command: list[str], env: dict[str, str], typed: str) -> str:
    try:
        done = subprocess.run(command, input=typed, capture_output=True, text=True, env=env, check=False)
    except FileNotFoundError as error:
        raise NotFound("git is not installed here") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise ConfigHubError(f"git {command[3]} failed: {said[-1] if said else 'no reason'}")
    return done.stdout
