"""The twelve patterns of the seed's checklist (6.1): each with the command that shows it, and what came of it last.

A pattern is proven by typing its commands: our programs run as processes and their answers are judged. What is changed
for that is in spaces of its own, which end with the proof; what is applied goes to dev's target. Results are kept in
the state folder and say when, and of which state of the sources; a pattern that never ran says so.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from confighub.client.transport import Wire
from confighub.errors import BadRequest, ConfigHubError
from traderx.project import Project, read_json, replace_file
from traderx.site import Site

ENVIRONMENT = "dev"
_TIMEOUT_S = 120.0
_RESULTS = "patterns.json"

Say = Callable[[str], None]


class NotShown(ConfigHubError):
    """A pattern's command did not do what the pattern says."""


@dataclass(frozen=True)
class Pattern:
    """One line of the checklist. ``command`` is what a person types; ``prove`` types it and returns what was seen."""

    number: int
    name: str
    command: str
    prove: Callable[[Trial], str]


@dataclass
class Trial:
    """A pattern being tried: runs the programs, and keeps what was typed. ``ends`` take away what was made."""

    site: Site
    number: int
    typed: list[str] = field(default_factory=list)
    ends: ExitStack = field(default_factory=ExitStack)

    @property
    def project(self) -> str:
        """The project's name."""
        return self.site.project.name()

    def space(self, environment: str = ENVIRONMENT) -> str:
        """Return the slug of one of the project's spaces."""
        return f"{self.project}-{environment}"

    def run(self, program: str, *words: str, fails: bool = False) -> str:
        """Run one of our programs and return what it printed. Raises: NotShown when it ends otherwise than expected."""
        self.typed.append(" ".join([f"bin/{program}", *(json.dumps(one) if " " in one else one for one in words)]))
        done = subprocess.run(
            [str(Path(sys.executable).parent / program), *words],
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
        if (done.returncode != 0) != fails:
            said = (done.stderr or done.stdout).strip().splitlines()
            ended = "was not refused" if fails else f"ended with {done.returncode}"
            raise NotShown(f"{self.typed[-1]} {ended}: {said[-1] if said else 'it said nothing'}")
        return done.stdout + (done.stderr if fails else "")

    def cub(self, *words: str) -> str:
        """Run ``cub``."""
        return self.run("cub", *words)

    def records(self, *words: str) -> Any:
        """Run ``cub`` and return what it answers as JSON."""
        return json.loads(self.cub(*words, "--json"))

    def make_space(self, name: str) -> str:
        """Make a space that is gone when the trial ends, with all in it, and return its slug."""
        slug = f"{self.project}-pattern-{self.number}-{name}"
        # without the label of the project, or its filters and sets would take the units in
        self.cub("space", "create", slug, "--label", "type=pattern")
        self.ends.callback(self._remove, slug)
        return slug

    def remove_leftovers(self) -> None:
        """Take away what an earlier trial of the pattern left behind when it was ended, the newest first."""
        prefix = f"{self.project}-pattern-{self.number}-"
        spaces = [one["Space"] for one in self.site.hub.spaces.list(where="Labels.type = 'pattern'")]
        left = [one for one in spaces if str(one["Slug"]).startswith(prefix)]
        for one in sorted(left, key=lambda one: str(one.get("CreatedAt")), reverse=True):
            self._remove(str(one["Slug"]))

    def clone(self, unit: str, *, source: str, to: str) -> None:
        """Clone a unit into a space under its own name."""
        self.cub("unit", "create", "--space", source, "--dest-space", to, "--unit", unit)

    def text(self, unit: str, space: str) -> str:
        """Return the configuration of a unit's head."""
        return self.cub("unit", "get", unit, "--space", space, "--data-only")

    def unit(self, slug: str, space: str) -> Wire:
        """Return one extended unit as a list answers it."""
        (found,) = self.units(space, "--unit", slug)
        return dict(found)

    def units(self, space: str, *words: str) -> list[Wire]:
        """Return the extended units of a space, or those that the words select."""
        return list(self.records("unit", "list", "--space", space, "--select", "*", *words))

    def config_map(self, name: str, space: str, value: str) -> None:
        """Make a unit of one ConfigMap whose place is dev's, and apply it."""
        text = (
            f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  namespace: {self.namespace()}\n"
            f"data:\n  value: {value}\n"
        )
        file = self.site.project.data / f".{name}.yaml"
        replace_file(file, text)
        try:
            self.cub("unit", "create", name, str(file), "--space", space, "--target", self.target())
        finally:
            file.unlink()
        self.cub("unit", "apply", name, "--space", space)

    def set_value(self, name: str, space: str, value: str) -> None:
        """Change what a ConfigMap holds, in the unit alone."""
        self.cub("unit", "update", "--patch", "--space", space, "--unit", name, "--data", _value_patch(value))

    def target(self) -> str:
        """Return dev's target as SPACE/TARGET. Raises: NotShown when dev has none."""
        target = self.unit("namespace", self.space()).get("Target") or {}
        if not target:
            raise NotShown(f"{ENVIRONMENT} has no target", hint="bring it up: bin/up")
        return f"{self.space()}/{target['Slug']}"

    def namespace(self) -> str:
        """Return dev's namespace as its unit says."""
        return next(
            line.split("#")[0].split(":")[1].strip()
            for line in self.text("namespace", self.space()).splitlines()
            if line.startswith("  name:")
        )

    def _remove(self, slug: str) -> None:
        if self.units(slug, "--where", "LiveRevisionNum > 0"):
            self.cub("unit", "destroy", "--space", slug, "--where", "LiveRevisionNum > 0", "--yes")
        self.cub("space", "delete", slug)

    def _environment(self) -> dict[str, str]:
        kept = {**os.environ, "CONFIGHUB_HOME": str(self.site.project.login_folder)}
        return {**kept, "CONFIGHUB_URL": self.site.hub.transport.url, "TRADERX_DATA": str(self.site.project.data)}


def run(site: Site, numbers: Sequence[int], say: Say) -> list[Wire]:
    """Prove the patterns of these numbers, all for none, keep what came of each, and return it with the pattern.

    Raises: BadRequest for a number that no pattern has.
    """
    from traderx.proofs import PATTERNS

    refuse_unknown(numbers)
    known = {one.number: one for one in PATTERNS}
    state = _state_of_sources(site.project)
    for number in numbers or known:
        result = _prove(site, known[number], state)
        _keep(site.project, number, result)
        say(line_of({**_described(known[number]), "last": result}))
    return [one for one in listed(site.project) if not numbers or one["number"] in numbers]


def refuse_unknown(numbers: Sequence[int]) -> None:
    """Return when each is a pattern's number. Raises: BadRequest."""
    from traderx.proofs import PATTERNS

    known = {one.number for one in PATTERNS}
    unknown = [str(number) for number in numbers if number not in known]
    if unknown:
        raise BadRequest(f"there is no pattern {', '.join(unknown)}", hint=f"they are 1 to {len(known)}")


def listed(project: Project) -> list[Wire]:
    """Return every pattern with its command and its last result, None for one that never ran."""
    from traderx.proofs import PATTERNS

    kept = read_json(project.data / _RESULTS)
    return [{**_described(one), "last": kept.get(str(one.number))} for one in PATTERNS]


def line_of(row: Wire) -> str:
    """Return a pattern with its last result as a line."""
    last = row["last"]
    if last is None:
        return f"{row['number']:>2}  {row['name']}: never run; show it: {row['show']}"
    return f"{row['number']:>2}  {row['name']}: {last['outcome']} {last['at'][:19]}Z, {last['evidence']}"


def _described(pattern: Pattern) -> Wire:
    number = pattern.number
    show = f"bin/traderx patterns run {number}"
    return {"number": number, "name": pattern.name, "command": pattern.command, "show": show}


def _prove(site: Site, pattern: Pattern, state: str) -> Wire:
    """Try the pattern and return what came of it; what it made is taken away either way."""
    trial, began, at = Trial(site, pattern.number), time.monotonic(), datetime.now(UTC)
    try:
        trial.remove_leftovers()
        with trial.ends:
            evidence = pattern.prove(trial)
        outcome = "passed"
    except (ConfigHubError, subprocess.TimeoutExpired, ValueError, KeyError) as error:
        outcome, evidence = "failed", str(error)
    return {
        "outcome": outcome,
        "at": at.isoformat(),
        "seconds": round(time.monotonic() - began, 2),
        "revision": state,
        "evidence": evidence,
        "commands": trial.typed,
    }


def _keep(project: Project, number: int, result: Wire) -> None:
    file = project.data / _RESULTS
    replace_file(file, json.dumps({**read_json(file), str(number): result}, indent=2) + "\n")


def _state_of_sources(project: Project) -> str:
    """Return which sources ran: the commit, marked when files differ from it; the version where there is no Git."""
    from importlib.metadata import version

    asked = ["git", "-C", str(project.root), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, timeout=20, check=False)
    except FileNotFoundError:
        return version("traderx-confighub")
    return done.stdout.strip() or version("traderx-confighub")


def _value_patch(value: str) -> str:
    return json.dumps({"data": {"value": value}})
